//! event-relay: a batch of a table's stream.

use std::collections::BTreeSet;

use event_relay::{Config, Handler};
use loam_domain::{Event, ThingName};
use loam_kit::wiretap::Scenario;
use loam_kit::{DeadLetterQueue, Inbox, Stack, now, unique_thing};
use loam_runtime::{Invocation, StreamItem};
use serde_json::{Value, json};

use crate::{survives_crashes, survives_strain};

/// A batch: how many events there are, and which of them are none.
pub(crate) struct Story {
    name: &'static str,
    events: usize,
    bad: &'static [usize],
}

pub(crate) const STORIES: [Story; 2] = [
    Story { name: "twelve events, the third is none", events: 12, bad: &[2] },
    Story { name: "nothing but what can never be told", events: 2, bad: &[0, 1] },
];

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    thing: ThingName,
    inbox: Inbox,
    dead_letters: DeadLetterQueue,
}

/// What is left after a run, each once: the events that were told, the places of those that were kept.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    told: BTreeSet<i64>,
    kept: BTreeSet<String>,
}

impl Story {
    fn batch(&self, thing: &ThingName) -> Vec<StreamItem> {
        let record = |number: usize| {
            let kind = if self.bad.contains(&number) { "no.event" } else { "thing.active" };
            let event = json!({"id": format!("{thing}.{number}"), "type": kind, "thing": thing, "at": number,
                "epoch": 1, "data": {}});
            json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": number.to_string(),
                "Keys": {"thing": {"S": thing}, "item": {"S": format!("event#{number:013}#{number:010}")}},
                "NewImage": {"event": {"S": event.to_string()}}}})
        };
        (0..self.events).map(record).map(StreamItem::new).collect()
    }
}

impl Scenario for Story {
    type World = World;
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let (stack, thing) = (Stack::deployed(), unique_thing("fault"));
        let function = stack.function("EventRelay");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let admin = stack.admin().await;
        Ok(World {
            inbox: Inbox::open(&admin, stack.output("EventsTopic"), thing.as_str()).await,
            dead_letters: DeadLetterQueue::new(&admin, stack.output("EventRelayDeadLetters")),
            handler: Handler::new(&stack.role_of(function, endpoint).await, config),
            thing,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let invocation = Invocation { request_id: "fault".to_owned(), now: now() };
        let again = world.handler.handle(self.batch(&world.thing), &invocation).await;
        match again.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(number) => Err(format!("records from {number} on must come again")),
        }
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let mails = world.inbox.take().await;
        world.inbox.close().await;
        let texts = world.dead_letters.texts().await;
        let own = texts.iter().filter(|text| text.contains(world.thing.as_str()));
        let letter = |text: &String| serde_json::from_str::<Value>(text).unwrap();
        let place = |letter: Value| letter.pointer("/event/Records/0/dynamodb/SequenceNumber").cloned();
        Ok(Left {
            told: mails.iter().map(|mail| told_at(&mail.message)).collect(),
            kept: own.map(letter).filter_map(place).map(|place| place.to_string()).collect(),
        })
    }
}

fn told_at(message: &str) -> i64 {
    serde_json::from_str::<Event>(message).unwrap().at.as_millis()
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    for story in &STORIES {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in &STORIES {
        survives_strain(story).await;
    }
}
