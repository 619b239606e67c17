//! What is refused, and in which words.

use loam_kit::{seed_membership, unique_thing};
use serde_json::{Value, json};

use super::world::{World, id_in, problem};

#[tokio::test]
async fn an_order_out_of_bounds_is_refused_with_its_code_and_place() {
    let world = Box::pin(World::new("bounds")).await;
    let sized = |bytes: usize| json!({"name": "blink", "payload": "x".repeat(bytes - 2)});
    for (body, status, code, pointer) in [
        (sized(65_537), 413, "payload-too-large", "/payload"),
        (json!({"name": "blink", "ttlSeconds": 0}), 400, "invalid-ttl", "/ttlSeconds"),
        (json!({"name": "blink", "ttlSeconds": 315_360_000}), 400, "invalid-ttl", "/ttlSeconds"),
        (json!({"name": "a/b"}), 400, "invalid-command-name", "/name"),
        (json!({"name": "blink", "maxDeliveries": 11}), 400, "invalid-max-deliveries", "/maxDeliveries"),
        (json!({"name": "blink", "ttlSeconds": -1}), 400, "invalid-body", "/ttlSeconds"),
        (json!({"name": "blink", "more": 1}), 400, "invalid-body", "/more"),
    ] {
        let answer = world.order(&body).await;
        assert_eq!(problem(&answer), (status, code.to_owned()));
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{}", answer.body);
    }
    id_in(&world.order(&sized(65_536)).await);
    id_in(&world.order(&json!({"name": "blink", "ttlSeconds": 604_800, "maxDeliveries": 10})).await);
}

#[tokio::test]
async fn a_command_that_one_may_not_know_of_is_one_that_does_not_exist_byte_for_byte() {
    let world = Box::pin(World::new("foreign")).await;
    let id = id_in(&world.order(&json!({"name": "blink"})).await);
    let stranger = unique_thing("user").to_string();
    let viewer = unique_thing("user").to_string();
    seed_membership(&world.stack, &viewer, &world.thing, "viewer", 1).await;
    let former = unique_thing("user").to_string();
    seed_membership(&world.stack, &former, &world.thing, "owner", 0).await;
    for method in ["GET", "DELETE"] {
        let mut bodies = vec![];
        for (sub, id) in
            [(&stranger, &id), (&former, &id), (&world.owner, &"0".repeat(32)), (&world.owner, &"x".into())]
        {
            let path = format!("/v1/commands/{id}");
            let answer = world.ask((sub, &[]), (method, &path), None, &[]).await;
            assert_eq!(problem(&answer), (404, "no-such-command".to_owned()));
            bodies.push(answer.body);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
        let path = format!("/v1/commands/{id}");
        let answer = world.ask((&viewer, &[]), (method, &path), None, &[]).await;
        assert_eq!(problem(&answer), (403, "role-too-low".to_owned()));
    }
    let order = Some(json!({"name": "blink"}));
    for (method, body) in [("POST", order.as_ref()), ("GET", None)] {
        let foreign = world.ask((&stranger, &[]), (method, &world.commands()), body, &[]).await;
        let unknown = format!("/v1/things/{}/commands", unique_thing("nothing"));
        let unknown = world.ask((&stranger, &[]), (method, &unknown), body, &[]).await;
        assert_eq!((foreign.status, &foreign.body), (404, &unknown.body));
    }
}

#[tokio::test]
async fn a_hundred_open_commands_are_taken_and_no_more() {
    let world = Box::pin(World::new("hundred")).await;
    for _ in 0..10 {
        let orders = (0..10).map(|_| async { world.order(&json!({"name": "blink"})).await.status });
        let statuses = futures_util::future::join_all(orders).await;
        assert!(statuses.iter().all(|status| *status == 202), "{statuses:?}");
    }
    assert_eq!(problem(&world.order(&json!({"name": "blink"})).await), (409, "too-many-commands".to_owned()));
    let page = world.own("GET", &format!("{}?limit=60", world.commands()), None).await.json();
    let cursor = page["cursor"].as_str().unwrap();
    let rest = world.own("GET", &format!("{}?limit=60&cursor={cursor}", world.commands()), None).await.json();
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&page), count(&rest), rest.get("cursor")), (60, 40, None));
}

#[tokio::test]
async fn a_message_that_is_none_is_kept_with_its_code() {
    let world = Box::pin(World::new("kept")).await;
    let letters = loam_kit::DeadLetterQueue::new(&world.stack.admin().await, world.stack.output("CommandsDeadLetters"));
    world.deliver(world.said(&"0".repeat(32), "done", "", loam_kit::now())).await;
    world.deliver(world.said(&"0".repeat(32), "failed", "[1]", loam_kit::now())).await;
    world.deliver(world.event("thing.active")).await;
    let letters = letters.texts().await.into_iter().filter(|letter| letter.contains(world.thing.as_str()));
    let code = |letter: String| serde_json::from_str::<Value>(&letter).unwrap()["code"].as_str().unwrap().to_owned();
    let codes: std::collections::BTreeSet<_> = letters.map(code).collect();
    assert_eq!(codes, ["not-an-event", "not-feedback", "unknown-topic"].map(str::to_owned).into());
}
