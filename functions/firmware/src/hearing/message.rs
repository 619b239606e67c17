//! What comes in through the queue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{Event, EventType, RuleMessage, ThingName, Timestamp};
use loam_releases::names::Id;
use loam_things::Erasure;
use serde::Deserialize;
use serde_json::Value;

use crate::execution::{Intent, Running};
use crate::progress::{NoProgress, Progress, reported};

/// A message of the queue, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Heard {
    /// A device said how far it is, or how it ended.
    Word(ThingName, Id, Intent),
    /// A thing reports what it runs.
    Report(ThingName, Running),
    /// A device asks for what it needs to begin.
    Request(ThingName, Id),
    /// A thing described itself.
    Described(ThingName),
    /// A thing comes to its end.
    Erasure(Erasure),
    /// Nothing that concerns rollouts: a report of no version, a device's word that it has its order, an owner's end.
    Nothing,
}

/// A refused message. Its words name fields, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// Neither a rule's message, nor an event.
    #[error("expected a rule's message of a progress, request or shadow topic, or an event of a thing's life")]
    NotAMessage,
    /// A device said what nobody understands.
    #[error(transparent)]
    Word(#[from] NoProgress),
}

impl Refused {
    /// The stable code.
    #[must_use]
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::NotAMessage => "not-a-rule-message",
            Self::Word(NoProgress::Topic) => "unknown-topic",
            Self::Word(NoProgress::Payload) => "not-progress",
        }
    }
}

impl Heard {
    /// Reads a message of the queue.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn parse(body: &str) -> Result<Self, Refused> {
        match Erasure::parse(body) {
            // Nothing here is an owner's.
            Some(Erasure::OfPeople(_)) => return Ok(Self::Nothing),
            Some(erasure) => return Ok(Self::Erasure(erasure)),
            None => {}
        }
        let value: Value = serde_json::from_str(body).map_err(|_| Refused::NotAMessage)?;
        if let Ok(event) = Event::deserialize(&value) {
            return Self::of_event(event);
        }
        let message = RuleMessage::deserialize(&value).map_err(|_| Refused::NotAMessage)?;
        let payload = STANDARD.decode(&message.payload).map_err(|_| Refused::NotAMessage)?;
        Self::of_topic(&message.topic, &payload, message.received_at)
    }

    fn of_event(event: Event) -> Result<Self, Refused> {
        match (event.kind, event.thing) {
            (EventType::ThingOnboarded | EventType::ThingDescribed, Some(thing)) => Ok(Self::Described(thing)),
            _ => Err(Refused::NotAMessage),
        }
    }

    fn of_topic(topic: &str, payload: &[u8], at: Timestamp) -> Result<Self, Refused> {
        let levels: Vec<&str> = topic.split('/').collect();
        match levels.as_slice() {
            ["$aws", "things", thing, "shadow", "update", "documents"] => Ok(of_shadow(thing, payload, at)),
            ["loam", thing, "firmware", rollout, "request"] => {
                let thing = ThingName::parse(thing).map_err(|_| NoProgress::Topic)?;
                Ok(Self::Request(thing, Id::parse(rollout).map_err(|_| NoProgress::Topic)?))
            }
            _ => {
                let (thing, rollout) = crate::progress::topic(topic)?;
                let intent = Progress::parse(payload)?.intent(at);
                Ok(intent.map_or(Self::Nothing, |intent| Self::Word(thing, rollout, intent)))
            }
        }
    }
}

/// A shadow's document: before and after.
#[derive(Deserialize)]
struct Documents {
    #[serde(default)]
    previous: Option<Document>,
    current: Document,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    state: State,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default)]
    reported: Option<Value>,
}

/// What a thing reports to run, if that is news. Shadows of things that are none of ours are left alone.
///
/// The time is that at which AWS IoT handed it to the rule: the document's own is in whole seconds, and would come before the
/// order that it answers.
fn of_shadow(thing: &str, payload: &[u8], at: Timestamp) -> Heard {
    let (Ok(thing), Ok(Documents { previous, current })) = (ThingName::parse(thing), serde_json::from_slice(payload))
    else {
        return Heard::Nothing;
    };
    let firmware = |document: &Document| document.state.reported.as_ref()?.get("firmware").cloned();
    let Some(now) = firmware(&current) else { return Heard::Nothing };
    if previous.as_ref().and_then(firmware).as_ref() == Some(&now) {
        return Heard::Nothing;
    }
    reported(&now, at).0.map_or(Heard::Nothing, |running| Heard::Report(thing, running))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::execution::Phase;

    fn message(topic: &str, payload: &Value) -> Result<Heard, Refused> {
        let payload = STANDARD.encode(payload.to_string());
        let body = json!({"payload": payload, "topic": topic, "clientId": "t1", "receivedAt": 7}).to_string();
        Heard::parse(&body)
    }

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    fn id() -> Id {
        Id::of("rollout", &["r"])
    }

    #[test]
    fn every_kind_of_message_is_told_apart() {
        let progress = format!("loam/t1/firmware/{}/progress", id());
        let at = Timestamp::from_millis(7);
        let word = Heard::Word(thing(), id(), Intent::Progress(Phase::Downloading, at));
        assert_eq!(message(&progress, &json!({"state": "downloading"})), Ok(word));
        assert_eq!(message(&progress, &json!({"state": "notified"})), Ok(Heard::Nothing));
        let request = format!("loam/t1/firmware/{}/request", id());
        assert_eq!(message(&request, &json!({})), Ok(Heard::Request(thing(), id())));
        let event = |kind: &str| json!({"id": "t1.2", "type": kind, "thing": "t1", "at": 7, "epoch": 1}).to_string();
        assert_eq!(Heard::parse(&event("thing.described")), Ok(Heard::Described(thing())));
        assert_eq!(Heard::parse(&event("thing.retiring")), Ok(Heard::Erasure(Erasure::Asked(thing()))));
        assert_eq!(Heard::parse(&event("thing.unpaired")), Ok(Heard::Nothing));
    }

    #[test]
    fn a_report_is_news_when_the_firmware_in_the_shadow_changed() {
        let topic = "$aws/things/t1/shadow/update/documents";
        let document = |before: Value, now: Value| {
            let state = |reported: Value| json!({"state": {"reported": reported}, "version": 1});
            message(topic, &json!({"previous": state(before), "current": state(now), "timestamp": 1})).unwrap()
        };
        let (old, new) = (json!({"firmware": "2.0.0"}), json!({"firmware": {"version": "2.1.0"}}));
        let Heard::Report(_, running) = document(old.clone(), new.clone()) else { panic!() };
        assert_eq!((running.version.to_string().as_str(), running.at.as_millis()), ("2.1.0", 7));
        assert!(matches!(document(json!({}), old.clone()), Heard::Report(..)));
        assert_eq!(document(new.clone(), new), Heard::Nothing);
        assert_eq!(document(old.clone(), json!({"humidity": 3})), Heard::Nothing);
        assert_eq!(document(old, json!({"firmware": "latest"})), Heard::Nothing);
    }

    #[test]
    fn what_nobody_understands_is_refused_by_its_kind() {
        let event = json!({"id": "t1.2", "type": "thing.active", "thing": "t1", "at": 7, "epoch": 1}).to_string();
        for body in ["", "{}", "[]", &event, r#"{"payload":"*","topic":"x","receivedAt":1}"#] {
            assert_eq!(Heard::parse(body), Err(Refused::NotAMessage), "{body}");
        }
        let code = |topic: &str| message(topic, &json!({})).unwrap_err().code();
        assert_eq!(code("loam/t1/firmware/x/request"), "unknown-topic");
        assert_eq!(code("loam/t1/firmware/x/else"), "unknown-topic");
        assert_eq!(code(&format!("loam/t1/firmware/{}/progress", id())), "not-progress");
        assert_eq!(message("$aws/things/a+b/shadow/update/documents", &json!({})), Ok(Heard::Nothing));
    }
}
