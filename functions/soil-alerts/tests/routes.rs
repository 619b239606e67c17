//! The routes against the local AWS, under their function's own role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod world;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::Timestamp;
use loam_kit::{Mail, eventually};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use world::Who::{Operator, User};
use world::{Answer, World};

const EVER: Timestamp = Timestamp::from_millis(0);

fn humidity_below(threshold: i64) -> Value {
    json!({"rules": [{"path": "humidity", "threshold": threshold}]})
}

async fn put(world: &World, scope: &str, body: &Value) -> Answer {
    world.ask(Operator, "PUT", &format!("/v1/alert-rules/{scope}"), Some(body)).await
}

/// The kinds of the first `count` mails.
async fn kinds(world: &World, count: usize) -> Vec<String> {
    let taken: Mutex<Vec<Mail>> = Mutex::default();
    eventually(&format!("{count} mails"), async || {
        let more = world.inbox.take().await;
        let mut taken = taken.lock().await;
        taken.extend(more);
        (taken.len() >= count).then_some(())
    })
    .await;
    taken.into_inner().into_iter().map(|mail| mail.attributes["kind"].clone()).collect()
}

#[tokio::test]
async fn rules_are_put_read_listed_changed_and_deleted_by_their_version() {
    let world = World::new("rules").await;
    let path = format!("/v1/alert-rules/group:{}", world.thing);
    assert_eq!(world.ask(Operator, "GET", &path, None).await.code(), (404, "no-such-alert-rule"));
    let mut body = humidity_below(30);
    body["priority"] = json!(7);
    let made = world.ask(Operator, "PUT", &path, Some(&body)).await;
    assert_eq!((made.status, made.etag.as_str()), (201, "\"1\""));
    assert_eq!((&made.body["priority"], &made.body["updatedBy"]), (&json!(7), &json!("an-operator")));
    assert_eq!(made.body["rules"][0]["breaches"], 1);
    let read = world.ask(Operator, "GET", &path.replace("group:", "group%3A"), None).await;
    assert_eq!((read.status, read.etag, read.body), (200, "\"1\"".to_owned(), made.body));
    assert_eq!(world.ask_if(Operator, "PUT", &path, Some(&body), Some("\"2\"")).await.code(), (412, "stale"));
    let changed = world.ask_if(Operator, "PUT", &path, Some(&humidity_below(20)), Some("\"1\"")).await;
    assert_eq!((changed.status, changed.etag.as_str(), &changed.body["priority"]), (200, "\"2\"", &json!(0)));
    let (mut found, mut cursor) = (vec![], String::new());
    loop {
        let page = world.ask(Operator, "GET", &format!("/v1/alert-rules?limit=2{cursor}"), None).await;
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.body["items"].as_array().unwrap().iter();
        found.extend(items.map(|item| item["scope"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(found.is_sorted() && found.contains(&format!("group:{}", world.thing)), "{found:?}");
    assert_eq!(world.ask_if(Operator, "DELETE", &path, None, Some("\"1\"")).await.status, 412);
    assert_eq!(world.ask_if(Operator, "DELETE", &path, None, Some("\"2\"")).await.status, 204);
    assert_eq!(world.ask(Operator, "DELETE", &path, None).await.code(), (404, "no-such-alert-rule"));
}

#[tokio::test]
async fn rules_with_mistakes_are_refused_with_all_their_places_and_nothing_is_written() {
    let world = World::new("mistakes").await;
    let scope = format!("type:{}", world.thing);
    let rules = json!([{"path": "a", "threshold": 1, "of": 0}, {"path": "a", "threshold": 1, "clears": 17}]);
    let answer = put(&world, &scope, &json!({"rules": rules, "priority": 1})).await;
    assert_eq!(answer.code(), (400, "invalid-alert-rule"));
    let places: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(places, ["/rules/0/of", "/rules/0/breaches", "/rules/1/path", "/rules/1/clears", "/priority"]);
    let text = put(&world, &scope, &json!({"rules": [{"path": "a", "threshold": "35"}]})).await;
    assert_eq!(
        (text.code(), &text.body["errors"][0]["pointer"]),
        ((400, "invalid-body"), &json!("/rules/0/threshold"))
    );
    for odd in ["thing:device", "default:x", "group:", "things:a", "thing%2Fa"] {
        assert_eq!(put(&world, odd, &humidity_below(1)).await.code(), (400, "invalid-scope"), "{odd}");
    }
    let path = format!("/v1/alert-rules/{scope}");
    assert_eq!(world.ask(Operator, "GET", &path, None).await.code(), (404, "no-such-alert-rule"));
}

#[tokio::test]
async fn a_things_own_rules_are_read_by_its_viewers_changed_by_its_controllers_and_unknown_to_all_others() {
    let world = World::new("own").await;
    let path = format!("/v1/alert-rules/thing:{}", world.thing);
    let (viewer, controller) = (world.member("viewer", EVER).await, world.member("controller", EVER).await);
    let body = humidity_below(30);
    let low = world.ask(User(&viewer), "PUT", &path, Some(&body)).await;
    assert_eq!(low.code(), (403, "role-too-low"));
    assert_eq!(world.ask(User(&controller), "PUT", &path, Some(&body)).await.status, 201);
    assert_eq!(world.ask(User(&viewer), "GET", &path, None).await.body["updatedBy"], controller.as_str());
    assert_eq!(world.ask(User(&viewer), "DELETE", &path, None).await.code(), (403, "role-too-low"));
    let missing = "/v1/alert-rules/thing:nobody";
    for method in ["GET", "PUT", "DELETE"] {
        let there = world.ask(User("stranger"), method, &path, Some(&body)).await;
        let not_there = world.ask(User("stranger"), method, missing, Some(&body)).await;
        assert_eq!((there.code(), &there.text), ((404, "no-such-thing"), &not_there.text), "{method}");
        assert_eq!(world.ask(Operator, method, missing, Some(&body)).await.text, not_there.text);
        for scope in ["default", "group:a", "type:a", "odd"] {
            let wide = world.ask(User(&controller), method, &format!("/v1/alert-rules/{scope}"), Some(&body)).await;
            assert_eq!(wide.code(), (403, "operators-only"), "{method} {scope}");
        }
    }
    assert_eq!(world.ask(User(&controller), "GET", "/v1/alert-rules", None).await.code(), (403, "operators-only"));
    assert_eq!(world.ask(User(&controller), "DELETE", &path, None).await.status, 204);
}

#[tokio::test]
async fn a_things_type_outlives_its_own_rules() {
    let world = World::new("typed").await;
    let (own, of_type) = (format!("thing:{}", world.thing), format!("type:{}", world.thing));
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let typed = HashMap::from([("scope".to_owned(), text(&own)), ("thingType".to_owned(), text(world.thing.as_str()))]);
    world.put("AlertRulesTable", typed).await;
    assert_eq!(put(&world, &of_type, &humidity_below(25)).await.status, 201);
    assert_eq!(put(&world, &own, &humidity_below(20)).await.status, 201);
    let scope = async || world.humidity(Operator).await["scope"].clone();
    assert_eq!(scope().await, own);
    assert_eq!(world.ask(Operator, "DELETE", &format!("/v1/alert-rules/{own}"), None).await.status, 204);
    assert_eq!(scope().await, of_type);
}

#[tokio::test]
async fn a_groups_rule_holds_for_the_things_in_it_and_the_highest_priority_goes_first() {
    let world = World::new("groups").await;
    let (a, b) = (format!("a-{}", world.thing), format!("b-{}", world.thing));
    world.join(&[&a, &b]).await;
    let mut preferred = humidity_below(25);
    preferred["priority"] = json!(1);
    put(&world, &format!("group:{a}"), &humidity_below(60)).await;
    world.deliver(0, 50).await;
    let known = world.humidity(Operator).await;
    assert_eq!((&known["status"], &known["scope"]), (&json!("alarm"), &json!(format!("group:{a}"))));
    assert_eq!(put(&world, &format!("group:{b}"), &preferred).await.status, 201);
    world.deliver(1, 50).await;
    let known = world.humidity(Operator).await;
    assert_eq!((&known["status"], &known["scope"]), (&json!("ok"), &json!(format!("group:{b}"))));
}

#[tokio::test]
async fn a_saved_filter_carries_no_rules() {
    let world = World::new("filter").await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let group = [("group", world.thing.as_str()), ("item", "group"), ("filter", "tags.a = 1")];
    world.put("GroupsTable", group.map(|(name, value)| (name.to_owned(), text(value))).into()).await;
    let answer = put(&world, &format!("group:{}", world.thing), &humidity_below(1)).await;
    assert_eq!(answer.code(), (409, "group-is-dynamic"));
}

#[tokio::test]
async fn a_thing_shows_its_open_episode_and_those_that_are_over_the_newest_first() {
    let world = World::new("shown").await;
    let viewer = world.member("viewer", EVER).await;
    for (second, humidity) in [(0, 20), (1, 12), (2, 50), (3, 21), (4, 51), (5, 22)] {
        world.deliver(second, humidity).await;
    }
    let first = world.alerts(User(&viewer), "?limit=1").await;
    assert_eq!((first.status, &first.body["status"]), (200, &json!("alarm")), "{first:?}");
    let path = &first.body["paths"][0];
    assert_eq!((&path["scope"], &path["rule"]["threshold"]), (&json!("built-in"), &json!(35.0)));
    assert_eq!((&path["episode"]["id"], &path["episode"]["worst"]), (&json!(world.episode(5)), &json!(22.0)));
    let newest = &first.body["episodes"]["items"][0];
    assert_eq!((&newest["id"], &newest["ending"]), (&json!(world.episode(3)), &json!("recovered")));
    let cursor = first.body["episodes"]["cursor"].as_str().unwrap();
    let second = world.alerts(User(&viewer), &format!("?limit=1&cursor={cursor}")).await;
    let oldest = &second.body["episodes"]["items"][0];
    assert_eq!(
        (&oldest["id"], &oldest["worst"], &oldest["closing"]),
        (&json!(world.episode(0)), &json!(12.0), &json!(50.0))
    );
    assert_eq!(world.alerts(Operator, &format!("?limit=1&cursor={cursor}")).await.code(), (400, "invalid-cursor"));
    assert_eq!(world.alerts(User("stranger"), "").await.code(), (404, "no-such-thing"));
}

#[tokio::test]
async fn a_new_owner_sees_and_touches_nothing_from_before_their_time() {
    let world = World::new("epoch").await;
    for (second, humidity) in [(0, 20), (1, 50), (2, 20)] {
        world.deliver(second, humidity).await;
    }
    let late = world.member("owner", world.began.plus_millis(2_001)).await;
    let answer = world.alerts(User(&late), "").await;
    assert_eq!((&answer.body["status"], &answer.body["episodes"]["items"]), (&json!("alarm"), &json!([])));
    assert!(answer.body["paths"][0].get("episode").is_none(), "{answer:?}");
    for second in [0, 2] {
        let answer = world.react(User(&late), &world.episode(second), None).await;
        assert_eq!(answer.code(), (404, "no-such-episode"), "{second}");
    }
    let in_time = world.member("owner", world.began.plus_millis(2_000)).await;
    assert_eq!(world.react(User(&in_time), &world.episode(2), None).await.status, 200);
}

#[tokio::test]
async fn who_acknowledges_first_stays_named_and_what_is_over_or_unknown_cannot_be() {
    let world = World::new("acknowledge").await;
    let (ann, bob) = (world.member("controller", EVER).await, world.member("owner", EVER).await);
    world.deliver(0, 20).await;
    let first = world.react(User(&ann), &world.episode(0), None).await;
    assert_eq!((first.status, &first.body["acknowledged"]["by"]), (200, &json!(ann)));
    assert_eq!(world.react(User(&bob), &world.episode(0), None).await.text, first.text);
    let viewer = world.member("viewer", EVER).await;
    assert_eq!(world.react(User(&viewer), &world.episode(0), None).await.code(), (403, "role-too-low"));
    for unknown in [world.episode(1), "humidity:x".to_owned(), "battery:5".to_owned(), "odd".to_owned()] {
        assert_eq!(world.react(User(&ann), &unknown, None).await.code(), (404, "no-such-episode"), "{unknown}");
        assert_eq!(world.react(User(&ann), &unknown, Some(60)).await.code(), (404, "no-such-episode"), "{unknown}");
    }
    world.deliver(2, 50).await;
    for snooze in [None, Some(60)] {
        let late = world.react(User(&ann), &world.episode(0), snooze).await;
        assert_eq!(late.code(), (409, "episode-closed"));
    }
    let past = &world.alerts(User(&bob), "").await.body["episodes"]["items"][0];
    assert_eq!(past["acknowledged"]["by"], ann);
}

#[tokio::test]
async fn a_snooze_silences_the_thing_and_not_its_history_and_its_end_lets_people_know() {
    let world = World::new("snooze").await;
    world.deliver(0, 20).await;
    for seconds in [0, 604_801] {
        assert_eq!(world.react(Operator, &world.episode(0), Some(seconds)).await.code(), (400, "invalid-snooze"));
    }
    let snoozed = world.react(Operator, &world.episode(0), Some(100)).await;
    assert_eq!((snoozed.status, &snoozed.body["paths"]), (200, &json!(["humidity"])), "{snoozed:?}");
    assert_eq!(world.react(Operator, &world.episode(0), Some(100)).await.text, snoozed.text);
    for (second, humidity) in [(1, 50), (2, 20), (3, 50), (4, 20)] {
        world.deliver(second, humidity).await;
    }
    let known = world.alerts(Operator, "").await.body;
    assert_eq!((&known["status"], &known["snoozedUntil"]), (&json!("alarm"), &snoozed.body["snooze"]["until"]));
    assert_eq!(known["episodes"]["items"].as_array().unwrap().len(), 2);
    assert_eq!(kinds(&world, 1).await, ["opened"]);
    // What people knew of has ended; the second episode began and ended in the snooze; the third one lasts.
    world.deliver(200, 19).await;
    let mut told = kinds(&world, 2).await;
    told.sort();
    assert_eq!(told, ["opened", "recovered"]);
}

/// Somebody does something about an episode while the reading comes that ends it, in two messages.
async fn meets_its_end(purpose: &str, snooze: Option<i64>) {
    let world = World::new(purpose).await;
    let (mut done, mut late) = (0, 0);
    for round in 0..12_i64 {
        let second = 10 * round;
        world.deliver(second, 20).await;
        let episode = world.episode(second);
        let end = async |pause: u64| {
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            world.deliver(second + 1, 50).await;
        };
        let pause = u64::try_from(round % 6).unwrap() * 4;
        let (first, again, (), ()) = tokio::join!(
            world.react(Operator, &episode, snooze),
            world.react(Operator, &episode, snooze),
            end(pause),
            end(pause + 1),
        );
        let items = world.alerts(Operator, "?limit=1").await.body["episodes"]["items"].clone();
        assert_eq!(items[0]["id"], episode, "round {round}");
        let kept = match snooze {
            None => items[0].get("acknowledged").is_some(),
            Some(_) => world.humidity(Operator).await["snooze"]["by"] == "an-operator",
        };
        let answered = [&first, &again].iter().any(|answer| answer.status == 200);
        for answer in [&first, &again] {
            assert!(answer.status == 200 || answer.code() == (409, "episode-closed"), "round {round}: {answer:?}");
        }
        // A snooze of an earlier round still holds.
        assert!(if snooze.is_none() || done == 0 { kept == answered } else { kept }, "round {round}: {first:?}");
        done += i32::from(answered);
        late += i32::from(!answered);
    }
    let all = world.alerts(Operator, "?limit=500").await.body["episodes"]["items"].as_array().unwrap().len();
    assert_eq!(all, 12, "each episode once");
    assert!(done > 0, "{done} in time, {late} too late");
}

#[tokio::test]
async fn an_acknowledgement_that_meets_the_end_of_its_episode_is_kept_or_refused() {
    Box::pin(meets_its_end("ack-race", None)).await;
}

#[tokio::test]
async fn a_snooze_that_meets_the_end_of_its_episode_is_kept_or_refused() {
    Box::pin(meets_its_end("snooze-race", Some(3600))).await;
}
