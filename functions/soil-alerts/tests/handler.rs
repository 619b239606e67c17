//! The handler against the local AWS, under the function's own role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[path = "handler/alert_routes.rs"]
mod alert_routes;
#[path = "handler/members.rs"]
mod members;
#[path = "handler/world.rs"]
mod world;

use loam_domain::{ThingName, Timestamp};
use loam_kit::{DeadLetterQueue, Inbox, Mail, Stack, eventually, now, reading, rule_event, unique_thing};
use loam_runtime::Invocation;
use serde_json::{Value, json};
use soil_alerts::{Config, Handler};

/// One test's world: a thing of its own, its mail and its dead letters.
struct World {
    handler: Handler,
    inbox: Inbox,
    dead_letters: DeadLetterQueue,
    thing: ThingName,
    now: Timestamp,
}

impl World {
    async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("SoilAlerts");
        let lookup = |name: &str| match name {
            "ALERT_MODE" => Some("classic".to_owned()),
            _ => function.variable(name),
        };
        let config = Config::from_lookup(&lookup).unwrap();
        let thing = unique_thing(purpose);
        let admin = stack.admin().await;
        Self {
            handler: Handler::new(&stack.role_of(function, &stack.endpoint).await, &config),
            inbox: Inbox::open(&admin, stack.output("AlertsTopic"), thing.as_str()).await,
            dead_letters: DeadLetterQueue::new(&admin, stack.output("SoilAlertsDeadLetters")),
            thing,
            now: now(),
        }
    }

    async fn deliver(&self, payload: &[u8]) {
        let event = rule_event(&self.thing, payload, self.now);
        let invocation = Invocation { request_id: "test".to_owned(), now: self.now };
        self.handler.handle(event, &invocation).await.unwrap();
    }

    async fn deliver_reading(&self, humidity: &Value) {
        self.deliver(reading("Balcony", humidity, self.now).to_string().as_bytes()).await;
    }

    async fn mails(&self, count: usize) -> Vec<Mail> {
        let mut mails = Vec::new();
        eventually(&format!("{count} mails"), async || {
            let taken = self.inbox.take().await;
            (!taken.is_empty()).then_some(taken)
        })
        .await
        .into_iter()
        .for_each(|mail| mails.push(mail));
        assert_eq!(mails.len(), count);
        mails
    }

    async fn kept(&self) -> Value {
        let found =
            eventually("a kept message", async || self.dead_letters.about(self.thing.as_str()).await.pop()).await;
        assert_eq!(found["event"]["topic"], format!("device/{}/devicePayload", self.thing));
        found
    }
}

#[tokio::test]
async fn a_dry_reading_sends_the_classic_notice() {
    let world = World::new("dry").await;
    world.deliver_reading(&json!(20)).await;
    let mail = &world.mails(1).await[0];
    assert_eq!(mail.subject, "Attention:Humidity Under Threshold");
    assert_eq!(mail.message, "Humidity 20 under threshold for device name Balcony");
    assert_eq!(mail.attributes["thing"], world.thing.as_str());
}

#[tokio::test]
async fn a_reading_given_as_a_string_sends_the_same_notice() {
    let world = World::new("string").await;
    world.deliver_reading(&json!("20")).await;
    assert_eq!(world.mails(1).await[0].message, "Humidity 20 under threshold for device name Balcony");
}

#[tokio::test]
async fn only_the_dry_readings_of_a_batch_send_notices() {
    let world = World::new("batch").await;
    let readings: Vec<_> = (24..46).map(|humidity| reading("Balcony", &json!(humidity), world.now)).collect();
    world.deliver(json!(readings).to_string().as_bytes()).await;
    let mut messages: Vec<_> = world.mails(11).await.into_iter().map(|mail| mail.message).collect();
    messages.sort();
    assert_eq!(messages[0], "Humidity 24 under threshold for device name Balcony");
    assert_eq!(messages[10], "Humidity 34 under threshold for device name Balcony");
}

#[tokio::test]
async fn a_message_that_is_no_json_is_kept_as_it_came_and_not_tried_again() {
    let world = World::new("nojson").await;
    world.deliver(b"humidity=20\xff").await;
    let kept = world.kept().await;
    assert_eq!(kept["code"], "not-utf8");
    assert_eq!(kept["event"]["payload"], "aHVtaWRpdHk9MjD/");
}

#[tokio::test]
async fn a_bad_reading_of_a_batch_is_kept_and_the_good_ones_send_their_notices() {
    let world = World::new("mixed").await;
    let batch = json!([reading("Balcony", &json!(10), world.now), reading("Balcony", &json!("abc"), world.now), 7]);
    world.deliver(batch.to_string().as_bytes()).await;
    assert_eq!(world.mails(1).await[0].message, "Humidity 10 under threshold for device name Balcony");
    let kept = world.kept().await;
    assert_eq!((&kept["code"], &kept["indexes"]), (&json!("not-a-number"), &json!([1, 2])));
}
