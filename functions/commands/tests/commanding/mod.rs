//! Commands, from their order to their end.

mod races;
mod refusals;
mod state;
mod world;

use loam_kit::{eventually, now, unique_thing};
use loam_runtime::Invocation;
use serde_json::json;

use self::world::{World, id_in, problem, rule};

#[tokio::test]
async fn a_connected_device_gets_its_command_at_once_and_only_its_own_word_makes_it_succeed() {
    let world = Box::pin(World::new("order")).await;
    let device = world.device().await;
    let id = id_in(&world.order(&json!({"name": "blink", "payload": {"times": 1.0}, "ttlSeconds": 60})).await);
    world.run().await;
    let request = device.next().await;
    assert_eq!((&request["id"], &request["name"]), (&json!(id), &json!("blink")));
    assert_eq!(request["payload"].to_string(), r#"{"times":1.0}"#);
    let delivered = world.becomes(&id, "delivered").await;
    assert_eq!((&delivered["deliveries"], &delivered["mayHaveRun"]), (&json!(1), &json!(true)));
    device.say(&id, "accepted", &json!({})).await;
    world.becomes(&id, "accepted").await;
    device.say(&id, "progress", &json!({"reasonCode": "half", "result": 50})).await;
    device.say(&id, "succeeded", &json!({"result": {"blinked": 1}})).await;
    let done = world.becomes(&id, "succeeded").await;
    assert_eq!((&done["result"], &done["contradictsItself"]), (&json!({"blinked": 1}), &json!(false)));
    assert_eq!(device.ids().await, [""; 0], "it came once");
}

#[tokio::test]
async fn a_command_waits_for_its_device_and_arrives_when_that_connects() {
    let world = Box::pin(World::new("absent")).await;
    let id = id_in(&world.order(&json!({"name": "blink"})).await);
    world.run().await;
    let waiting = world.show(&id).await;
    assert_eq!((&waiting["state"], &waiting["deliveries"]), (&json!("queued"), &json!(0)));
    let device = world.device().await;
    // Presence tells of it; the same message, in case that this run is the first.
    world.deliver(world.event("presence.connected")).await;
    assert_eq!(device.next().await["id"], json!(id));
    world.becomes(&id, "delivered").await;
}

#[tokio::test]
async fn several_commands_reach_a_device_in_their_order() {
    let world = Box::pin(World::new("several")).await;
    let mut ids = vec![];
    for at in 0..4 {
        ids.push(id_in(&world.order(&json!({"name": "blink", "payload": at})).await));
    }
    let device = world.device().await;
    world.run().await;
    for id in &ids {
        assert_eq!(device.next().await["id"], json!(id));
    }
    let listed = world.own("GET", &format!("{}?state=delivered", world.commands()), None).await.json();
    let newest_first: Vec<_> = ids.iter().rev().map(|id| json!(id)).collect();
    let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(listed.last(), newest_first.last(), "{listed:?}");
}

#[tokio::test]
async fn a_device_whose_policy_lacks_receive_gets_nothing_and_nothing_counts_as_sent() {
    let world = Box::pin(World::new("deaf")).await;
    let _device = world.deaf_device().await;
    let id = id_in(&world.order(&json!({"name": "blink"})).await);
    world.run().await;
    let command = world.show(&id).await;
    assert_eq!((&command["state"], &command["mayHaveRun"]), (&json!("queued"), &json!(false)), "{command}");
}

#[tokio::test]
async fn who_cancels_in_time_is_sure_of_it_and_who_comes_late_is_told() {
    let world = Box::pin(World::new("cancel")).await;
    let id = id_in(&world.order(&json!({"name": "blink"})).await);
    let path = format!("/v1/commands/{id}");
    for _ in 0..2 {
        let cancelled = world.own("DELETE", &path, None).await;
        assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("cancelled")));
    }
    let device = world.device().await;
    let second = id_in(&world.order(&json!({"name": "blink"})).await);
    world.run().await;
    world.becomes(&second, "delivered").await;
    let refused = world.own("DELETE", &format!("/v1/commands/{second}"), None).await;
    assert_eq!(problem(&refused), (409, "command-delivered".to_owned()));
    assert_eq!(device.ids().await, std::slice::from_ref(&second), "the cancelled one never came");
    world.deliver(world.said(&second, "failed", r#"{"reasonCode":"E1"}"#, now())).await;
    let refused = world.own("DELETE", &format!("/v1/commands/{second}"), None).await;
    assert_eq!(problem(&refused), (409, "command-over".to_owned()));
    assert_eq!(world.show(&second).await["reasonCode"], "E1");
}

#[tokio::test]
async fn what_expired_is_told_with_how_far_it_came_and_a_late_word_changes_no_state() {
    let world = Box::pin(World::new("expiry")).await;
    let device = world.device().await;
    let id = id_in(&world.order(&json!({"name": "blink", "ttlSeconds": 15})).await);
    world.run().await;
    let command = world.becomes(&id, "delivered").await;
    let ends = loam_domain::Timestamp::from_millis(command["expiresAt"].as_i64().unwrap());
    let sweep = async |after: i64| {
        let invocation = Invocation { request_id: "sweep".to_owned(), now: ends.plus_millis(after) };
        world.sweep.handle(json!({}), &invocation).await.unwrap();
    };
    sweep(29_999).await;
    world.deliver_at([world.said(&id, "succeeded", "", ends)], ends).await;
    sweep(30_000).await;
    let left = eventually("its time is over", async || {
        let command = world.show(&id).await;
        (command["state"] == "expired").then_some(command)
    })
    .await;
    assert_eq!((&left["reasonCode"], &left["late"]["verdict"]), (&json!("not-accepted"), &json!("succeeded")));
    drop(device);
}

#[tokio::test]
async fn a_word_of_a_command_that_was_never_sent_and_of_none_changes_nothing() {
    let world = Box::pin(World::new("word")).await;
    let id = id_in(&world.order(&json!({"name": "blink"})).await);
    world.deliver(world.said(&id, "succeeded", "", now())).await;
    assert_eq!(world.show(&id).await["state"], "queued", "nobody sent it");
    world.deliver(world.said(&"0".repeat(32), "succeeded", "", now())).await;
    let other = world.another("other").await;
    other.deliver(other.said(&id, "succeeded", "", now())).await;
    assert_eq!(world.show(&id).await["state"], "queued", "another thing speaks for itself alone");
}

#[tokio::test]
async fn the_same_order_with_the_same_key_is_one_command() {
    let world = Box::pin(World::new("key")).await;
    let (body, key) = (json!({"name": "blink"}), [("idempotency-key", "k1")]);
    let owner: (&str, &[&str]) = (&world.owner, &[]);
    let path = world.commands();
    let first = id_in(&world.ask(owner, ("POST", &path), Some(&body), &key).await);
    assert_eq!(id_in(&world.ask(owner, ("POST", &path), Some(&body), &key).await), first);
    let other = world.ask(owner, ("POST", &path), Some(&json!({"name": "wink"})), &key).await;
    assert_eq!(problem(&other), (409, "idempotency-key-reused".to_owned()));
    assert_eq!(world.own("GET", &path, None).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_app_desires_and_orders_by_its_mailbox_as_long_as_its_person_may() {
    let world = Box::pin(World::new("mailbox")).await;
    let stranger = unique_thing("user").to_string();
    let (own, foreign) = (world.identity(&world.owner).await, world.identity(&stranger).await);
    let wish = |identity: &str, tail: &str, payload: &str| {
        rule(&format!("loam/users/{identity}/things/{}/{tail}", world.thing), payload, now())
    };
    let order = r#"{"requestId":"r1","name":"blink"}"#;
    for identity in [&own, &own, &foreign, &"eu-west-1:nobody".to_owned()] {
        world.deliver(wish(identity, "commands/request", order)).await;
        world
            .deliver(wish(identity, "desired", &json!({"requestId": "r2", "desired": {"by": identity}}).to_string()))
            .await;
    }
    let listed = world.own("GET", &world.commands(), None).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "the same wish twice is one, and a stranger's none");
    let state = world.own("GET", &world.state_path(), None).await.json();
    assert_eq!(state["desired"], json!({"by": own}));
    let late = now().plus_millis(300_001);
    world.deliver_at([wish(&own, "desired", r#"{"requestId":"r3","desired":{"by":"late"}}"#)], late).await;
    assert_eq!(world.own("GET", &world.state_path(), None).await.json()["desired"], json!({"by": own}));
}

#[tokio::test]
async fn nothing_of_a_former_owner_is_left_once_all_is_quiet() {
    let world = Box::pin(World::new("unpair")).await;
    let id = id_in(&world.order(&json!({"name": "blink"})).await);
    let desired = world.own("PATCH", &world.state_path(), Some(&json!({"desired": {"on": true}}))).await;
    assert_eq!(desired.status, 202, "{}", desired.body);
    world.unpair().await;
    let path = format!("/v1/commands/{id}");
    assert_eq!(problem(&world.own("GET", &path, None).await), (404, "no-such-command".to_owned()));
    world.deliver(world.event("thing.unpaired")).await;
    assert!(world.rows().await > 0, "it is too early");
    let device = world.device().await;
    world.run().await;
    assert_eq!(device.ids().await, [""; 0], "its time is over");
    // Another writer of the shadow may come between: then it goes on with the next message.
    eventually("all is erased", async || {
        world.deliver_at([world.event("thing.unpaired")], now().plus_millis(36_000)).await;
        world.record().await.erasure.unwrap().awaiting.is_empty().then_some(())
    })
    .await;
    assert_eq!(world.rows().await, 0);
    let operator: (&str, &[&str]) = ("op", &["operators"]);
    let state = world.ask(operator, ("GET", &world.state_path()), None, &[]).await.json();
    assert_eq!(state["desired"], json!({}));
    assert_eq!(problem(&world.ask(operator, ("GET", &path), None, &[]).await), (404, "no-such-command".to_owned()));
}

#[tokio::test]
async fn a_thing_that_retires_takes_no_command_and_keeps_none() {
    let world = Box::pin(World::new("retire")).await;
    id_in(&world.order(&json!({"name": "blink"})).await);
    world.begin_retirement().await;
    assert_eq!(problem(&world.order(&json!({"name": "blink"})).await), (409, "thing-retires".to_owned()));
    let desired = world.own("PATCH", &world.state_path(), Some(&json!({"desired": {"on": true}}))).await;
    assert_eq!(problem(&desired), (409, "thing-retires".to_owned()));
    world.deliver(world.event("thing.retiring")).await;
    assert_eq!(world.rows().await, 0);
    assert!(!world.record().await.retirement.unwrap().awaiting.contains("commands"));
    world.deliver(world.event("thing.retired")).await;
}

#[tokio::test]
async fn an_order_for_many_reaches_each_thing_that_its_person_controls_once() {
    let world = Box::pin(World::new("many")).await;
    let others = [world.another("many").await, world.another("many").await];
    for (other, role) in others.iter().zip(["controller", "viewer"]) {
        loam_kit::seed_membership(&world.stack, &world.owner, &other.thing, role, 1).await;
    }
    let names = [&world.thing, &others[0].thing, &others[1].thing].map(ToString::to_string);
    let filter = format!("deviceId IN ['{}']", names.join("', '"));
    let refused = world.own("POST", "/v1/commands", Some(&json!({"filter": "x ==", "name": "blink"}))).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let order = json!({"filter": filter, "name": "blink"});
    eventually("the catalog knows all three", async || {
        let known = world.twins(&names).await;
        (known == 3).then_some(())
    })
    .await;
    let id = id_in(&world.own("POST", "/v1/commands", Some(&order)).await);
    for _ in 0..2 {
        world.deliver(json!({"spread": {"order": id, "after": null}}).to_string()).await;
    }
    let path = format!("/v1/commands/{id}/recipients");
    let answer = eventually("all have their part", async || {
        let answer = world.own("GET", &path, None).await.json();
        (answer["complete"] == true).then_some(answer)
    })
    .await;
    let items = answer["items"].as_array().unwrap();
    let of = |name: &str| items.iter().find(|item| item["thing"] == *name).unwrap();
    assert_eq!(
        (items.len(), &of(&names[0])["state"], &of(&names[1])["state"]),
        (3, &json!("queued"), &json!("queued"))
    );
    assert_eq!(of(&names[2])["refused"], "role-too-low");
    assert_eq!(world.own("GET", &world.commands(), None).await.json()["items"].as_array().unwrap().len(), 1);
    let foreign = others[0].own("GET", &path, None).await;
    assert_eq!(problem(&foreign), (404, "no-such-command".to_owned()));
}
