//! Commands and desired state of a device that comes and goes: only its own word is a success, and only in time.

use std::time::Duration;

use loam_kit::{Answer, eventually, eventually_within, patience};
use serde_json::{Value, json};

use crate::newcomers::Newcomers;
use crate::on_the_spot::OnTheSpot;

/// The shortest life of a command, in seconds.
const SHORTEST: u64 = 15;

/// How long after its life a command may wait for the sweep that ends it: the sweep comes once a minute.
const SWEEP: Duration = Duration::from_secs(60);

struct World {
    newcomers: Newcomers,
    device: OnTheSpot,
}

impl World {
    async fn new(purpose: &str) -> Self {
        let newcomers = Newcomers::new(&json!({"enabled": true})).await;
        let device = OnTheSpot::onboarded(&newcomers, purpose).await;
        Self { newcomers, device }
    }

    /// Orders a command; its id.
    async fn order(&self, command: &Value) -> String {
        let path = format!("/v1/things/{}/commands", self.device.thing);
        let answer = self.newcomers.operator.post(&path, command).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn command(&self, id: &str) -> Value {
        self.newcomers.operator.get(&format!("/v1/commands/{id}")).await.json()
    }

    /// Waits until the command is `state`; as long as a command's shortest life, the sweep after it, and what is soon.
    async fn becomes(&self, id: &str, state: &str) -> Value {
        self.shows(id, state, |command| command["state"] == state).await
    }

    async fn shows(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let limit = Duration::from_secs(SHORTEST) + SWEEP + patience();
        eventually_within(limit, &format!("the command is {what}"), async || {
            let command = self.command(id).await;
            wanted(&command).then_some(command)
        })
        .await
    }

    async fn desire(&self, desired: &Value, wait: u64) -> Answer {
        let path = format!("/v1/things/{}/state?waitSeconds={wait}", self.device.thing);
        self.newcomers.operator.send("PATCH", &path, &[], Some(&json!({"desired": desired}))).await
    }
}

#[tokio::test]
async fn what_was_ordered_and_desired_while_the_device_was_off_is_done_when_it_is_back() {
    let mut world = World::new("back").await;
    world.device.power_off(&world.newcomers).await;
    let id = world.order(&json!({"name": "blink", "payload": {"times": 3}, "ttlSeconds": 600})).await;
    let pending = world.desire(&json!({"lamp": "on"}), 1).await;
    assert_eq!((pending.status, &pending.json()["result"]), (202, &json!("pending")), "{}", pending.body);
    let waiting = world.command(&id).await;
    assert_eq!((&waiting["state"], &waiting["deliveries"]), (&json!("queued"), &json!(0)), "{waiting}");

    world.device.switch_on(&[]);
    let done = world.becomes(&id, "succeeded").await;
    assert_eq!((&done["result"], &done["deliveries"]), (&json!({"times": 3}), &json!(1)), "{done}");
    // Messages of a queue overtake each other: progress that comes after the end is none.
    assert!(["null", r#"{"percent":50}"#].contains(&&*done["progress"]["result"].to_string()), "{done}");
    eventually("the device reports what is desired", async || {
        let state = world.newcomers.operator.get(&format!("/v1/things/{}/state", world.device.thing)).await.json();
        (state["converged"] == true && state["reported"]["lamp"] == "on").then_some(())
    })
    .await;
    let converged = world.desire(&json!({"lamp": "off"}), 20).await;
    assert_eq!((converged.status, &converged.json()["result"]), (200, &json!("converged")), "{}", converged.body);
}

#[tokio::test]
async fn a_command_that_expired_before_the_device_came_back_never_reaches_it() {
    let mut world = World::new("expired").await;
    world.device.power_off(&world.newcomers).await;
    let id = world.order(&json!({"name": "blink", "ttlSeconds": SHORTEST})).await;
    let expired = world.becomes(&id, "expired").await;
    let told = [&expired["reasonCode"], &expired["deliveries"], &expired["mayHaveRun"]];
    assert_eq!(told, [&json!("not-sent"), &json!(0), &json!(false)], "{expired}");

    world.device.switch_on(&[]);
    let next = world.order(&json!({"name": "blink"})).await;
    world.becomes(&next, "succeeded").await;
    assert_eq!(world.device.commands(), [next], "all that the device remembers to have got");
    assert_eq!(world.command(&id).await, expired, "as it was");
}

#[tokio::test]
async fn a_final_word_after_the_end_is_late_and_no_success() {
    let world = World::new("late").await;
    let slow = json!({"name": "slow", "payload": {"seconds": SHORTEST + 5}, "ttlSeconds": SHORTEST});
    let id = world.order(&slow).await;
    world.becomes(&id, "accepted").await;
    let refused = world.newcomers.operator.send("DELETE", &format!("/v1/commands/{id}"), &[], None).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "command-delivered"));
    let late = world.shows(&id, "told late", |command| command["late"].is_object()).await;
    let told = [&late["state"], &late["reasonCode"], &late["late"]["verdict"]];
    assert_eq!(told, [&json!("expired"), &json!("no-final-word"), &json!("succeeded")], "{late}");
}

#[tokio::test]
async fn each_word_of_the_device_is_told_as_it_was_meant() {
    let world = World::new("words").await;
    for (name, state, reason, contradicts) in [
        ("blink", "succeeded", Value::Null, false),
        ("reject", "rejected", json!("not-supported"), false),
        ("fail", "failed", json!("broken"), false),
        ("double", "succeeded", Value::Null, false),
        ("contradict", "succeeded", Value::Null, true),
        ("offline", "succeeded", Value::Null, false),
    ] {
        let id = world.order(&json!({"name": name, "ttlSeconds": 120})).await;
        world.becomes(&id, state).await;
        let told = world.shows(&id, name, |command| command["contradictsItself"] == contradicts).await;
        assert_eq!((&told["state"], &told["reasonCode"]), (&json!(state), &reason), "{name}: {told}");
    }
    let id = world.order(&json!({"name": "silent", "ttlSeconds": SHORTEST})).await;
    let expired = world.becomes(&id, "expired").await;
    assert_eq!((&expired["reasonCode"], &expired["mayHaveRun"]), (&json!("not-accepted"), &json!(true)), "{expired}");
}
