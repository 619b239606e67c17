//! Who comes at the same instant: real handlers and routes, beside the deployed ones.

use futures_util::future::join_all;
use loam_kit::{eventually, now};
use serde_json::json;

use super::world::{World, id_in, problem};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_any_number_of_runs_one_sends_and_no_device_gets_a_command_twice() {
    let world = Box::pin(World::new("runs")).await;
    let device = world.device().await;
    for runs in [2, 4, 8] {
        let id = id_in(&world.order(&json!({"name": "blink", "maxDeliveries": 1})).await);
        join_all((0..runs).map(|_| world.run())).await;
        world.becomes(&id, "delivered").await;
        assert_eq!(device.ids().await, [id], "{runs} runs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_command_says_whether_it_may_have_run_and_a_delivered_one_is_never_cancelled() {
    let world = Box::pin(World::new("cancel")).await;
    let device = world.device().await;
    for callers in [2, 4, 8, 2, 4, 8] {
        let id = id_in(&world.order(&json!({"name": "blink", "maxDeliveries": 2})).await);
        let path = format!("/v1/commands/{id}");
        let cancels = join_all((0..callers).map(|_| world.own("DELETE", &path, None)));
        let (answers, _) = tokio::join!(cancels, join_all((0..callers).map(|_| world.run())));
        let cancelled = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)), "{answers:?}");
        let command = eventually("it is cancelled or delivered", async || {
            let command = world.show(&id).await;
            let state = command["state"].as_str().unwrap().to_owned();
            matches!(state.as_str(), "cancelled" | "delivered").then_some(command)
        })
        .await;
        assert_eq!(command["state"] == "cancelled", cancelled > 0, "{command} {answers:?}");
        let got = device.ids().await;
        assert!(got.len() <= 2, "{got:?}");
        assert!(got.is_empty() || command["mayHaveRun"] == true, "{command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_claimed_after_the_unpair_was_answered() {
    let world = Box::pin(World::new("unpair")).await;
    for callers in [2, 4, 8] {
        let world = world.another("unpair").await;
        let device = world.device().await;
        let body = json!({"name": "blink"});
        let orders = join_all((0..callers).map(|_| world.order(&body)));
        let (answers, _, ()) = tokio::join!(orders, join_all((0..callers).map(|_| world.run())), world.unpair());
        assert!(answers.iter().all(|answer| matches!(answer.status, 202 | 404)), "{answers:?}");
        // What was claimed before may arrive within its five seconds; what is left is claimed by nobody.
        world.run().await;
        let got = device.ids().await;
        let ordered = answers.iter().filter(|answer| answer.status == 202).count();
        assert!(got.len() <= ordered, "{got:?}");
        assert_eq!(problem(&world.order(&body).await), (404, "no-such-thing".to_owned()));
        world.deliver_at([world.event("thing.unpaired")], now().plus_millis(36_000)).await;
        assert_eq!((world.rows().await, device.ids().await), (0, vec![]));
    }
}
