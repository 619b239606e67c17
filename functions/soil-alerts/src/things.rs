use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{Event, EventType, ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, must_come_again};
use loam_things::{Acknowledgement, Erasure, SECOND_LOOK_SECONDS, Things, Turn};

use crate::smart::{RuleStore, StateStore};
use crate::{AlertFailure, ThingsConfig};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "soil-alerts-things";

/// This capability's name among those that a retirement, or an erasure of what people left, awaits.
const CAPABILITY: &str = "soil-alerts";

/// What soil-alerts has to know of things: their type when they are registered, their owners' end and their own.
#[derive(Debug, Clone)]
pub struct ThingEvents {
    things: Things,
    rules: RuleStore,
    states: StateStore,
    dead_letters: DeadLetters,
    queue: aws_sdk_sqs::Client,
    queue_url: String,
}

/// A message of the queue, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Message {
    /// A thing was registered.
    Registered(ThingName),
    /// A thing comes to its end, or its owner's time does.
    Erasure(Erasure),
}

impl Message {
    fn parse(body: &str) -> Option<Self> {
        if let Some(erasure) = Erasure::parse(body) {
            return Some(Self::Erasure(erasure));
        }
        let event: Event = serde_json::from_str(body).ok()?;
        event.thing.filter(|_| event.kind == EventType::ThingRegistered).map(Self::Registered)
    }
}

impl ThingEvents {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ThingsConfig) -> Self {
        let tables = aws_sdk_dynamodb::Client::new(sdk);
        Self {
            things: Things::new(sdk, config.things_table),
            rules: RuleStore::new(tables.clone(), config.rules_table),
            states: StateStore::new(tables, config.states_table),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
            queue: aws_sdk_sqs::Client::new(sdk),
            queue_url: config.queue_url,
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// None of its own: each message fails for itself.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, AlertFailure> {
        let mut failed = Vec::new();
        for item in batch {
            if let Err(failure) = self.deal_with(&item, invocation.now).await {
                must_come_again(&failure);
                failed.push(item.message_id);
            }
        }
        Ok(failed)
    }

    async fn deal_with(&self, item: &BatchItem, now: Timestamp) -> Result<(), AlertFailure> {
        let (thing, outcome) = match Message::parse(&item.body) {
            None => return self.keep(item, now).await,
            Some(Message::Registered(thing)) => {
                let outcome = self.learn(&thing).await?;
                (thing, outcome)
            }
            Some(Message::Erasure(erasure)) => {
                let outcome = self.erase(&erasure, now).await?;
                (erasure.thing().clone(), outcome)
            }
        };
        tracing::info!(thing.name = thing.as_str(), outcome, "heard of a thing");
        Ok(())
    }

    /// The type from the record and not from the event: an event that comes after the thing's end must not bring its row
    /// back.
    async fn learn(&self, thing: &ThingName) -> Result<&'static str, AlertFailure> {
        let record = self.things.get(thing).await?.filter(|record| !record.is_retiring());
        let Some(thing_type) = record.and_then(|record| record.thing_type) else { return Ok("no-type") };
        self.rules.learn_type(thing, &thing_type).await?;
        Ok("type-noted")
    }

    async fn erase(&self, erasure: &Erasure, now: Timestamp) -> Result<&'static str, AlertFailure> {
        let thing = erasure.thing();
        if let Erasure::OfPeople(_) = erasure {
            return self.erase_of_people(thing, now).await;
        }
        if let Erasure::Over(_) = erasure {
            self.send(Erasure::once_more(thing)?, SECOND_LOOK_SECONDS).await?;
            return Ok("again-later");
        }
        self.rules.erase(thing).await?;
        self.states.erase(thing).await?;
        if let Erasure::Asked(_) = erasure {
            self.things.acknowledge_retirement(thing, CAPABILITY, now).await?;
        }
        Ok("erased")
    }

    /// An owner's time is over: their rules, snoozes, episodes and past go; what is known of the thing itself stays.
    async fn erase_of_people(&self, thing: &ThingName, now: Timestamp) -> Result<&'static str, AlertFailure> {
        let turn = self.things.erasure_turn(thing, CAPABILITY, now).await?;
        let through = match turn {
            Turn::Nothing => return Ok("nothing-to-do"),
            Turn::Wait { .. } => {
                self.send(Erasure::of_people(thing)?, turn.delay_seconds()).await?;
                return Ok("waits");
            }
            Turn::Erase { through } => through,
        };
        self.rules.erase_of_people(thing).await?;
        self.states.erase(thing).await?;
        let word = Acknowledgement { capability: CAPABILITY.to_owned(), through, looked_at: now };
        self.things.acknowledge_erasure(thing, word, now).await?;
        Ok("erased")
    }

    async fn send(&self, body: String, delay: i32) -> Result<(), AlertFailure> {
        let request = self.queue.send_message().queue_url(&self.queue_url).delay_seconds(delay);
        let request = request.message_body(body);
        request.send().await.map_err(|error| AlertFailure::NotSentAgain(Box::new(error)))?;
        Ok(())
    }

    /// Keeps a message that is no event of a thing: it can never succeed.
    async fn keep(&self, item: &BatchItem, now: Timestamp) -> Result<(), AlertFailure> {
        let (code, detail) = ("not-an-event", "the message is no event that this queue is for");
        tracing::warn!(code, detail, "refused and kept");
        self.dead_letters.keep(&KeptEvent::of_body(NAME, code, detail, &item.body, now)).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, thing: Option<&str>) -> String {
        json!({"id": "t1.1", "type": kind, "thing": thing, "at": 7, "epoch": 1, "data": {}}).to_string()
    }

    #[test]
    fn only_a_things_registration_and_its_end_are_understood() {
        let thing = ThingName::parse("t1").unwrap();
        let registered = event("thing.registered", Some("t1"));
        assert_eq!(Message::parse(&registered), Some(Message::Registered(thing.clone())));
        let retiring = event("thing.retiring", Some("t1"));
        assert_eq!(Message::parse(&retiring), Some(Message::Erasure(Erasure::Asked(thing.clone()))));
        let unpaired = event("thing.unpaired", Some("t1"));
        assert_eq!(Message::parse(&unpaired), Some(Message::Erasure(Erasure::OfPeople(thing))));
        for body in ["", "{}", &event("thing.active", Some("t1")), &event("thing.registered", None)] {
            assert_eq!(Message::parse(body), None, "{body}");
        }
    }
}
