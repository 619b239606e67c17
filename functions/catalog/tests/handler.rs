//! The projection and the routes against the local AWS, under the functions' own roles.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run are its result")]

mod histories;
mod races;
mod refusals;
mod world;

use std::collections::BTreeSet;

use loam_kit::{seed_membership, unique_thing};
use serde_json::{Value, json};

use crate::world::{Who, World, shadow};

const NOTHING_FAILED: [String; 0] = [];

#[tokio::test]
async fn shadow_presence_and_record_become_one_row_whatever_comes_first() {
    let world = World::new("projected").await;
    assert_eq!(
        world.deliver([world.presence(2, true), world.shadow(7, &json!({"humidity": 20}))]).await,
        NOTHING_FAILED
    );
    let document = world.twin().await.unwrap().document();
    assert_eq!(document["properties"], json!({"desired": {"interval": 30}, "reported": {"humidity": 20}}));
    assert_eq!(document["connectivity"], json!({"connected": true, "since": 2}));
    assert_eq!((&document["state"], &document["groups"]), (&json!("active"), &json!(["batch-7"])));
}

#[tokio::test]
async fn what_is_late_or_comes_twice_changes_nothing() {
    let world = World::new("late").await;
    world.deliver([world.shadow(7, &json!({"a": 7})), world.presence(5, false)]).await;
    let before = world.twin().await.unwrap();
    let again = [world.shadow(6, &json!({"a": 6})), world.shadow(7, &json!({"a": 7})), world.presence(4, true)];
    assert_eq!(world.deliver(again).await, NOTHING_FAILED);
    assert_eq!(world.twin().await.unwrap(), before);
}

#[tokio::test]
async fn a_thing_that_is_not_ours_gets_no_row() {
    let world = World::new("ours").await;
    let stranger = unique_thing("stranger");
    assert_eq!(world.deliver([shadow(&stranger, 3, &json!({"a": 1}))]).await, NOTHING_FAILED);
    assert_eq!(world.twins.get(&stranger).await.unwrap(), None);
}

#[tokio::test]
async fn a_retiring_thing_is_erased_acknowledged_and_not_brought_back_by_a_late_message() {
    let world = World::new("retiring").await;
    world.deliver([world.shadow(7, &json!({"a": 7}))]).await;
    world.begin_retirement().await;
    assert_eq!(world.deliver([world.told("thing.retiring")]).await, NOTHING_FAILED);
    assert_eq!(world.twin().await, None);
    let record = world.things.get(&world.thing).await.unwrap().unwrap();
    assert!(record.retirement.unwrap().awaiting.is_empty());
    assert_eq!(world.deliver([world.shadow(9, &json!({"a": 9})), world.told("thing.active")]).await, NOTHING_FAILED);
    assert_eq!(world.twin().await, None);
}

#[tokio::test]
async fn a_message_that_nobody_can_read_is_kept_and_the_others_go_on() {
    let world = World::new("broken").await;
    let bad = json!({"payload": "e30=", "topic": format!("$aws/things/{}/shadow/update/documents", world.thing),
                     "clientId": "n/a", "receivedAt": 7});
    assert_eq!(world.deliver([bad.to_string(), world.shadow(7, &json!({"a": 7}))]).await, NOTHING_FAILED);
    assert!(world.twin().await.is_some());
    assert_eq!(world.kept().await[0]["code"], "not-a-shadow-document");
}

#[tokio::test]
async fn a_member_lists_searches_sorts_and_pages_their_own_things() {
    let world = World::new("own").await;
    let user = unique_thing("user").to_string();
    let mut worlds = vec![world.clone()];
    for _ in 0..4 {
        worlds.push(world.another("own").await);
    }
    for (at, each) in worlds.iter().enumerate() {
        each.deliver([each.shadow(1, &json!({"humidity": at * 10}))]).await;
        each.member(&user, "controller").await;
        let name = ["Küche 1", "Küche 2", "Balkon", "Bad", "Keller"][at];
        let name = json!({"friendlyName": name});
        assert_eq!(each.patch(Who::User(&user), &name, None).await.status, 200);
    }
    let own = |order: &[usize]| order.iter().map(|at| worlds[*at].thing.to_string()).collect::<Vec<_>>();
    let listed = world.list(Who::User(&user), "?sort=-properties.reported.humidity&count=true").await;
    assert_eq!((listed.names(), &listed.json()["count"]), (own(&[4, 3, 2, 1, 0]), &json!(5)));
    assert_eq!(listed.json()["items"][0]["role"], "controller");
    let filtered = world.list(Who::User(&user), "?filter=properties.reported.humidity%20%3E%3D%2030").await;
    assert_eq!(filtered.names().into_iter().collect::<BTreeSet<_>>(), own(&[3, 4]).into_iter().collect());
    let searched = world.list(Who::User(&user), "?search=KUCHE&sort=friendlyName&fields=friendlyName").await;
    assert_eq!(searched.names(), own(&[0, 1]));
    assert_eq!(searched.json()["items"][0], json!({"deviceId": worlds[0].thing, "friendlyName": "Küche 1"}));
    assert_eq!(pages(&world, Who::User(&user), "sort=friendlyName&limit=2").await, own(&[3, 2, 4, 0, 1]));
    worlds[4].member(&user, "viewer").await;
    worlds[2].member(&user, "owner").await;
    let by_role = pages(&world, Who::User(&user), "sort=-role,-friendlyName&limit=2&fields=role").await;
    assert_eq!(by_role, own(&[4, 2, 1, 0, 3]));
}

/// All names on all pages.
async fn pages(world: &World, who: Who<'_>, query: &str) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.list(who, &format!("?{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        names.extend(page.names());
        match page.json()["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

#[tokio::test]
async fn the_fleet_is_listed_by_name_on_pages_that_say_what_was_read() {
    let world = World::new("fleet").await;
    let mark = unique_thing("mark").to_string();
    let mut names = BTreeSet::new();
    for _ in 0..5 {
        let each = world.another("fleet").await;
        each.deliver([each.shadow(1, &json!({"mark": mark}))]).await;
        names.insert(each.thing.to_string());
    }
    let filter = format!("filter=properties.reported.mark%20%3D%20'{mark}'");
    let whole = world.list(Who::Operator, &format!("?{filter}&count=true")).await;
    assert_eq!((whole.json()["count"].clone(), whole.names()), (json!(5), names.iter().cloned().collect::<Vec<_>>()));
    assert!(whole.json()["read"]["things"].as_u64().unwrap() >= 5, "{}", whole.body);
    assert_eq!(pages(&world, Who::Operator, &format!("{filter}&limit=2")).await, whole.names());
    let down: Vec<_> = names.iter().rev().cloned().collect();
    assert_eq!(pages(&world, Who::Operator, &format!("{filter}&limit=3&sort=-deviceId")).await, down);
    let sorted = world.list(Who::Operator, "?sort=tags.room").await;
    assert_eq!(sorted.code(), (400, "invalid-query".to_owned()));
}

#[tokio::test]
async fn what_one_may_not_know_is_the_same_404_as_what_does_not_exist() {
    let world = World::new("hidden").await;
    world.deliver([world.shadow(1, &json!({}))]).await;
    let (stranger, former) = (unique_thing("user").to_string(), unique_thing("user").to_string());
    seed_membership(&world.stack, &former, &world.thing, "owner", 0).await;
    let missing = world.nothing();
    let expected = missing.show(Who::User(&stranger)).await;
    assert_eq!(expected.code(), (404, "no-such-thing".to_owned()));
    for user in [stranger.as_str(), former.as_str()] {
        let change = json!({"tags": {"a": 1}});
        for answer in [world.show(Who::User(user)).await, world.patch(Who::User(user), &change, None).await] {
            assert_eq!((answer.status, &answer.body), (404, &expected.body), "{user}");
        }
        assert_eq!(world.list(Who::User(user), "").await.names(), Vec::<String>::new());
    }
    assert_eq!(missing.show(Who::Operator).await.body, expected.body);
}

#[tokio::test]
async fn a_viewer_sees_and_a_controller_writes_tags_on_the_version_they_saw() {
    let world = World::new("tags").await;
    let (viewer, controller) = (unique_thing("user").to_string(), unique_thing("user").to_string());
    world.member(&viewer, "viewer").await;
    world.member(&controller, "controller").await;
    let seen = world.show(Who::User(&viewer)).await;
    assert_eq!((seen.status, seen.etag.as_str()), (200, "\"0\""));
    let change = json!({"tags": {"room": "kitchen", "floor": 2}});
    assert_eq!(world.patch(Who::User(&viewer), &change, None).await.code(), (403, "role-too-low".to_owned()));
    let changed = world.patch(Who::User(&controller), &change, Some("\"0\"")).await;
    assert_eq!((changed.status, changed.etag.as_str(), &changed.json()["tags"]), (200, "\"1\"", &change["tags"]));
    // The device goes on reporting, which is no change of the tags.
    world.deliver([world.shadow(5, &json!({"a": 1}))]).await;
    let stale = world.patch(Who::User(&controller), &json!({"tags": {"floor": null}}), Some("\"0\"")).await;
    assert_eq!(stale.code(), (412, "stale".to_owned()));
    let removed = world.patch(Who::User(&controller), &json!({"tags": {"floor": null}}), Some("\"1\"")).await;
    assert_eq!((removed.etag.as_str(), &removed.json()["tags"]), ("\"2\"", &json!({"room": "kitchen"})));
    assert_eq!(removed.json()["properties"]["reported"], json!({"a": 1}));
}

#[tokio::test]
async fn bad_input_is_refused_with_its_place() {
    let world = World::new("bad").await;
    let many: Value = (0..500).map(|at| (format!("t{at}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    for (body, code) in [
        (json!({"tags": many}), "invalid-tags"),
        (json!({"tags": "room"}), "invalid-body"),
        (json!({"owner": "me"}), "invalid-body"),
        (json!({"friendlyName": 7}), "invalid-body"),
        (json!({"friendlyName": ""}), "invalid-name"),
    ] {
        assert_eq!(world.patch(Who::Operator, &body, None).await.code(), (400, code.to_owned()), "{code}");
    }
    for (query, code) in [
        ("?limit=0", "invalid-query"),
        ("?limit=\"5\"", "invalid-query"),
        ("?unknown=1", "invalid-query"),
        ("?filter=humidity%20%3C%2035", "unknown-field"),
        ("?filter=", "empty-filter"),
        ("?cursor=AAAA", "invalid-cursor"),
        ("?search=-", "invalid-query"),
    ] {
        assert_eq!(world.list(Who::User("nobody"), query).await.code(), (400, code.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_static_group_holds_what_is_put_in_and_is_deleted_when_empty() {
    let world = World::new("grouped").await;
    let group = unique_thing("group").to_string();
    let (route, path) = ("PUT /v1/groups/{group}", format!("/v1/groups/{group}"));
    let made = world.ask(Who::Operator, route, &path, Some(&json!({"description": "the roof"}))).await;
    assert_eq!((made.status, made.etag.as_str()), (201, "\"1\""));
    let (put_in, place) = ("PUT /v1/groups/{group}/things/{thing}", format!("{path}/things/{}", world.thing));
    for _ in 0..2 {
        assert_eq!(world.ask(Who::Operator, put_in, &place, None).await.status, 204);
    }
    let shown = world.ask(Who::Operator, "GET /v1/groups/{group}", &path, None).await;
    assert_eq!((&shown.json()["members"], &shown.json()["things"]["items"]), (&json!(1), &json!([world.thing])));
    assert_eq!(world.twin().await.unwrap().document()["groups"], json!(["batch-7", group]));
    let full = world.ask(Who::Operator, "DELETE /v1/groups/{group}", &path, None).await;
    assert_eq!(full.code(), (409, "group-not-empty".to_owned()));
    // Retiring takes it out.
    world.begin_retirement().await;
    world.deliver([world.told("thing.retiring")]).await;
    assert_eq!(world.ask(Who::Operator, "DELETE /v1/groups/{group}", &path, None).await.status, 204);
    let gone = world.ask(Who::Operator, "GET /v1/groups/{group}", &path, None).await;
    assert_eq!(gone.code(), (404, "no-such-group".to_owned()));
}

#[tokio::test]
async fn a_dynamic_group_is_looked_for_when_somebody_asks() {
    let world = World::new("dynamic").await;
    let group = unique_thing("group").to_string();
    let path = format!("/v1/groups/{group}");
    let filter = json!({"filter": format!("deviceId = '{}' and tags.dry = true", world.thing)});
    let made = world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&filter)).await;
    assert_eq!((made.status, &made.json()["kind"]), (201, &json!("dynamic")));
    let things = || async {
        let shown = world.ask(Who::Operator, "GET /v1/groups/{group}", &path, None).await;
        shown.json()["things"]["items"].clone()
    };
    assert_eq!(things().await, json!([]));
    assert_eq!(world.patch(Who::Operator, &json!({"tags": {"dry": true}}), None).await.status, 200);
    assert_eq!(things().await, json!([world.thing]));
    let place = format!("{path}/things/{}", world.thing);
    let put_in = world.ask(Who::Operator, "PUT /v1/groups/{group}/things/{thing}", &place, None).await;
    assert_eq!(put_in.code(), (409, "group-is-dynamic".to_owned()));
    let kind = world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&json!({}))).await;
    assert_eq!(kind.code(), (409, "group-kind-differs".to_owned()));
    let bad = world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&json!({"filter": "tags"}))).await;
    assert_eq!((bad.status, &bad.json()["errors"][0]["pointer"]), (400, &json!("/filter")));
    let user = world.ask(Who::User("nobody"), "GET /v1/groups/{group}", &path, None).await;
    assert_eq!(user.code(), (403, "operators-only".to_owned()));
}
