//! The handler against the local AWS, under the function's own role.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use event_relay::{Config, Handler};
use loam_domain::{Event, ThingName};
use loam_kit::{DeadLetterQueue, Inbox, Mail, Stack, eventually, now, unique_thing};
use loam_runtime::{Invocation, KeptEvent, StreamItem};
use serde_json::{Value, json};

/// One test's world: a thing of its own, its mailbox and its dead letters.
struct World {
    handler: Handler,
    inbox: Inbox,
    dead_letters: DeadLetterQueue,
    thing: ThingName,
}

impl World {
    async fn new(purpose: &str) -> Self {
        Self::with(purpose, |_| None).await
    }

    /// A world in which `changed` stands before the function's own variables.
    async fn with(purpose: &str, changed: impl Fn(&str) -> Option<String>) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("EventRelay");
        let config = Config::from_lookup(&|name| changed(name).or_else(|| function.variable(name))).unwrap();
        let (admin, thing) = (stack.admin().await, unique_thing(purpose));
        Self {
            inbox: Inbox::open(&admin, stack.output("EventsTopic"), thing.as_str()).await,
            dead_letters: DeadLetterQueue::new(&admin, stack.output("EventRelayDeadLetters")),
            handler: Handler::new(&stack.role_of(function, &stack.endpoint).await, config),
            thing,
        }
    }

    /// The record of the thing's event of this number.
    fn record(&self, number: usize) -> Value {
        let thing = &self.thing;
        let event = json!({"id": format!("{thing}.{number}"), "type": "thing.active", "thing": thing,
            "at": number, "epoch": 1, "data": {"number": number}});
        self.record_of(number, &event.to_string())
    }

    fn record_of(&self, number: usize, event: &str) -> Value {
        let item = format!("event#{number:013}#{number:010}");
        json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": number.to_string(),
            "Keys": {"thing": {"S": self.thing}, "item": {"S": item}}, "NewImage": {"event": {"S": event}}}})
    }

    async fn deliver(&self, records: Vec<Value>) -> Option<String> {
        let invocation = Invocation { request_id: "test".to_owned(), now: now() };
        let batch = records.into_iter().map(StreamItem::new).collect();
        self.handler.handle(batch, &invocation).await.unwrap()
    }

    /// The mails of this many events, by the events' numbers.
    async fn told(&self, count: usize) -> Vec<Mail> {
        let mails = std::cell::RefCell::new(Vec::new());
        eventually("the events are told", async || {
            let new = self.inbox.take().await;
            mails.borrow_mut().extend(new);
            (mails.borrow().len() >= count).then_some(())
        })
        .await;
        let mut mails = mails.into_inner();
        mails.sort_by_key(number_of);
        mails
    }

    async fn kept(&self) -> Vec<KeptEvent> {
        let texts = self.dead_letters.texts().await;
        let own = texts.iter().filter(|text| text.contains(self.thing.as_str()));
        own.map(|text| serde_json::from_str(text).unwrap()).collect()
    }
}

fn number_of(mail: &Mail) -> i64 {
    serde_json::from_str::<Event>(&mail.message).unwrap().at.as_millis()
}

#[tokio::test]
async fn an_event_is_told_as_it_was_written_with_its_type_and_its_thing() {
    let world = World::new("told").await;
    let record = world.record(7);
    assert_eq!(world.deliver(vec![record.clone()]).await, None);
    let mail = world.told(1).await.remove(0);
    assert_eq!(mail.message, record["dynamodb"]["NewImage"]["event"]["S"]);
    assert_eq!(mail.attributes["type"], "thing.active");
    assert_eq!(mail.attributes["thing"], world.thing.as_str());
}

#[tokio::test]
async fn eleven_events_of_a_batch_are_told_once_each() {
    let world = World::new("eleven").await;
    assert_eq!(world.deliver((1..=11).map(|number| world.record(number)).collect()).await, None);
    let numbers: Vec<_> = world.told(11).await.iter().map(number_of).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_can_never_be_told_is_kept_whole_and_the_rest_is_told() {
    let world = World::new("kept").await;
    let bad = world.record_of(2, r#"{"id":"x"}"#);
    assert_eq!(world.deliver(vec![world.record(1), bad.clone(), world.record(3)]).await, None);
    assert_eq!(world.told(2).await.iter().map(number_of).collect::<Vec<_>>(), [1, 3]);
    let kept = world.kept().await;
    assert_eq!((kept.len(), kept[0].code.as_str()), (1, "not-an-event"));
    assert_eq!(kept[0].event, json!({"Records": [bad]}));
    assert_eq!(world.deliver(vec![kept[0].event["Records"][0].clone()]).await, None);
}

#[tokio::test]
async fn an_event_that_is_too_large_for_the_topic_is_kept_and_does_not_hold_up_the_next() {
    let world = World::new("large").await;
    let event = json!({"id": "x", "type": "thing.active", "thing": world.thing, "at": 1, "epoch": 1,
        "data": {"text": "x".repeat(262_144)}});
    assert_eq!(world.deliver(vec![world.record_of(1, &event.to_string()), world.record(2)]).await, None);
    assert_eq!(world.told(1).await.iter().map(number_of).collect::<Vec<_>>(), [2]);
    assert_eq!(world.kept().await[0].code, "event-too-large");
}

#[tokio::test]
async fn a_topic_that_takes_nothing_brings_all_again_from_the_first_event_on() {
    let elsewhere = |name: &str| {
        let topic = Stack::deployed().output("EventsTopic").to_owned();
        (name == "EVENTS_TOPIC").then(|| topic + "-of-somebody-else")
    };
    let world = World::with("nobody", elsewhere).await;
    let left_out = json!({"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "1",
        "Keys": {"thing": {"S": "t"}, "item": {"S": "event#1"}}}});
    let again = world.deliver(vec![left_out, world.record(2), world.record(3)]).await;
    assert_eq!(again.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_dead_letter_queue_that_takes_nothing_brings_all_again_from_the_refused_record_on() {
    let elsewhere = |name: &str| {
        let queue = Stack::deployed().output("TelemetryDeadLetters").to_owned();
        (name == "DEAD_LETTERS_URL").then_some(queue)
    };
    let world = World::with("unkept", elsewhere).await;
    let bad = world.record_of(2, "no JSON");
    assert_eq!(world.deliver(vec![world.record(1), bad, world.record(3)]).await.as_deref(), Some("2"));
    assert_eq!(world.told(1).await.iter().map(number_of).collect::<Vec<_>>(), [1]);
}
