//! The HTTP routes, without the gateway in front.

use loam_kit::{Stack, api_event, ask, now, seed_membership, seed_membership_since, unique_thing};
use presence::{Api, ApiConfig};
use serde_json::{Value, json};

use crate::world::World;

/// What an operator is answered on `GET /v1/things/{thing}/{path}`: status and body.
async fn get(world: &World, path: &str) -> (u16, Value) {
    get_as(world, path, "someone", &["operators"]).await
}

/// What a person is answered who is no operator.
async fn get_by(world: &World, path: &str, user: &str) -> (u16, Value) {
    get_as(world, path, user, &["co-operators"]).await
}

async fn get_as(world: &World, path: &str, sub: &str, groups: &[&str]) -> (u16, Value) {
    let stack = Stack::deployed();
    let function = stack.function("PresenceApi");
    let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
    let api = Api::new(&stack.role_of(function, &stack.endpoint).await, config);
    let (bare, _) = path.split_once('?').unwrap_or((path, ""));
    let route = format!("GET /v1/things/{{thing}}/{bare}");
    let event = api_event(&route, &format!("/v1/things/{}/{path}", world.thing), sub, groups, None);
    let answer = ask(presence::routes().with_state(api).into(), event).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn the_route_tells_what_is_known_of_a_thing() {
    let world = World::new("route").await;
    let (status, body) = get(&world, "presence").await;
    let nothing = json!({"thing": world.thing.as_str(), "connected": false, "flapCount": 0, "flapping": false});
    assert_eq!((status, body), (200, nothing));
    for version in 1..=5 {
        world.at_once(world.connected(300 + version, version)).await;
    }
    world.later([world.disconnected(310, 5, "CONNECTION_LOST")]).await;
    let (status, body) = get(&world, "presence").await;
    assert_eq!(
        (status, &body["connected"], &body["flapCount"], &body["flapping"]),
        (200, &json!(false), &json!(5), &json!(true))
    );
    assert_eq!((&body["lastDisconnectReason"], &body["clean"]), (&json!("CONNECTION_LOST"), &json!(false)));
    assert_eq!((&body["versionNumber"], &body["since"]), (&json!(5), &body["lastSeen"]));
    assert_eq!(body["since"], json!(world.start.plus_millis(310_000).as_millis()));
    assert!(body.get("live").is_none());
}

#[tokio::test]
async fn with_live_aws_iot_is_asked_and_table_and_shadow_are_repaired() {
    let world = World::new("live").await;
    world.at_once(world.connected(0, 7)).await;
    let (status, body) = get(&world, "presence?live=true").await;
    assert_eq!((status, &body["connected"], &body["live"]), (200, &json!(false), &json!("disconnected")));
    assert_eq!((world.known().await, world.shadow().await.unwrap().0), (Some((false, 7, None)), json!(false)));
}

#[tokio::test]
async fn the_history_comes_in_pages_newest_first() {
    let world = World::new("history").await;
    world.at_once(world.connected(0, 7)).await;
    world.later([world.disconnected(60, 7, "CLIENT_INITIATED_DISCONNECT")]).await;
    let (mut path, mut kinds) = ("presence/history?limit=1".to_owned(), vec![]);
    loop {
        let (status, page) = get(&world, &path).await;
        assert_eq!(status, 200, "{page}");
        kinds.extend(page["items"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("presence/history?limit=1&cursor={cursor}");
    }
    assert_eq!(kinds, ["presence.disconnected", "presence.principal-changed", "presence.connected"]);
    let (status, problem) = get(&world, "presence/history?limit=1&cursor=forged").await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid-cursor")));
}

#[tokio::test]
async fn a_member_of_any_role_is_told_and_live_repairs_for_them_too() {
    let world = World::new("member").await;
    world.at_once(world.connected(0, 7)).await;
    for role in ["viewer", "controller", "owner"] {
        let user = unique_thing("user").to_string();
        seed_membership(&Stack::deployed(), &user, &world.thing, role, 1).await;
        let (status, body) = get_by(&world, "presence", &user).await;
        assert_eq!((status, &body["connected"], &body["versionNumber"]), (200, &json!(true), &json!(7)), "{role}");
        let (status, page) = get_by(&world, "presence/history", &user).await;
        assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 2), "{role}");
    }
    let viewer = unique_thing("user").to_string();
    seed_membership(&Stack::deployed(), &viewer, &world.thing, "viewer", 1).await;
    let (status, body) = get_by(&world, "presence?live=true", &viewer).await;
    assert_eq!((status, &body["connected"], &body["live"]), (200, &json!(false), &json!("disconnected")));
    assert_eq!((world.known().await, world.shadow().await.unwrap().0), (Some((false, 7, None)), json!(false)));
}

#[tokio::test]
async fn a_members_history_begins_with_their_own_time() {
    let world = World::new("since").await;
    world.at_once(world.connected(0, 7)).await;
    let told = world.rows.history(&world.thing, None, 100, None, now()).await.unwrap().events;
    let (last, user) = (told[0].at, unique_thing("user").to_string());
    seed_membership_since(&Stack::deployed(), &user, &world.thing, ("owner", 1), last).await;
    let (status, page) = get_by(&world, "presence/history", &user).await;
    assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 2));
    let (_, first) = get_by(&world, "presence/history?limit=1", &user).await;
    let behind = format!("presence/history?limit=1&cursor={}", first["cursor"].as_str().unwrap());
    // They left, and came back later: neither a list nor the cursor of before shows what was before.
    seed_membership_since(&Stack::deployed(), &user, &world.thing, ("owner", 1), last.plus_millis(1)).await;
    for path in ["presence/history", &behind] {
        assert_eq!(get_by(&world, path, &user).await, (200, json!({"items": []})), "{path}");
    }
}

#[tokio::test]
async fn what_one_may_not_know_is_the_same_404_as_what_is_not_ours() {
    let (world, nobodys) = (World::new("hidden").await, World::of_nobody("hidden").await);
    let (former, stranger) = (unique_thing("user").to_string(), unique_thing("user").to_string());
    seed_membership(&Stack::deployed(), &former, &world.thing, "owner", 0).await;
    for path in ["presence", "presence?live=true", "presence/history", "presence?live=perhaps"] {
        let (status, missing) = get(&nobodys, path).await;
        assert_eq!((status, &missing["code"]), (404, &json!("no-such-thing")), "{path}");
        for user in [&former, &stranger] {
            assert_eq!(get_by(&world, path, user).await, (404, missing.clone()), "{path}");
        }
    }
    let (status, problem) = get(&world, "presence?live=perhaps").await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid-query")));
}

#[tokio::test]
async fn of_a_thing_that_was_erased_nothing_is_remembered() {
    let world = World::new("erased").await;
    world.at_once(world.connected(0, 7)).await;
    world.begin_retirement().await;
    world.later([world.retiring()]).await;
    assert_eq!(get(&world, "presence").await.0, 404);
    assert_eq!(get(&world, "presence/history").await, (200, json!({"items": []})));
}
