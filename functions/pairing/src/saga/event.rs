//! What comes in by the queue: a device's words, and events of things.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{Event, EventType, Refusal, RefusalCode, RuleMessage, ThingName, Timestamp};
use serde::Deserialize as _;
use serde_json::Value;

use crate::device_word::Reset;
use crate::window::{BadPress, Press};

/// A message, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The device's button was pressed; AWS IoT took its word at this time.
    Window(ThingName, Press, Timestamp),
    /// The device was reset.
    Reset(ThingName, Reset),
    /// A capability erased what people left of a thing.
    Acknowledged(ThingName),
    /// A thing is on its way to its end.
    Retiring(ThingName),
    /// It concerns nobody here: a name that no thing of ours has, an event of another type.
    NotOurs,
}

/// Why a message can never be dealt with. Its texts name fields and types, never values: a code may be among them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What the vocabulary of all functions refuses: bytes, JSON, topic.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// The button's word is none.
    #[error("not-a-press: {0}")]
    NotAPress(#[from] BadPress),
    /// The reset's word is none.
    #[error("not-a-reset: expected no bytes, or epoch as a whole number from 1")]
    NotAReset,
    /// A client published on another thing's topic, or over HTTPS, where nobody knows who.
    #[error(
        "other-publisher: the topic's thing is not the client that published, expected its own loam/{{thing}}/pairing"
    )]
    OtherPublisher,
    /// A message of the topic of events that is no event.
    #[error("not-an-event: expected id, type, thing, at, epoch and data of an event")]
    NotAnEvent,
}

impl Refused {
    /// The stable code, for example `not-a-press`; the first word of the message.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::NotAPress(_) => "not-a-press",
            Self::NotAReset => "not-a-reset",
            Self::OtherPublisher => "other-publisher",
            Self::NotAnEvent => "not-an-event",
        }
    }

    /// The sentence without the code.
    #[must_use]
    pub fn detail(&self) -> String {
        let text = self.to_string();
        text.strip_prefix(self.code()).and_then(|text| text.strip_prefix(": ")).unwrap_or(&text).to_owned()
    }
}

impl Message {
    /// Understands one message of the queue: what a rule selects, or an event of the topic `Events`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn parse(body: &str) -> Result<Self, Refused> {
        let not_json = |_| Refusal::new(RefusalCode::NotJson, "the message is not JSON");
        let value: Value = serde_json::from_str(body).map_err(not_json)?;
        if value.get("type").is_some() && value.get("topic").is_none() {
            return of_events(&value);
        }
        let message = RuleMessage::deserialize(&value).map_err(|_| {
            let expected = "expected the fields payload, topic, clientId and receivedAt that the rules select";
            Refusal::new(RefusalCode::NotARuleMessage, expected)
        })?;
        of_device(&message)
    }
}

fn of_events(value: &Value) -> Result<Message, Refused> {
    let event = Event::deserialize(value).map_err(|_| Refused::NotAnEvent)?;
    Ok(match (event.kind, event.thing) {
        (EventType::ThingErasureAcknowledged, Some(thing)) => Message::Acknowledged(thing),
        (EventType::ThingRetiring, Some(thing)) => Message::Retiring(thing),
        _ => Message::NotOurs,
    })
}

fn of_device(message: &RuleMessage) -> Result<Message, Refused> {
    let levels: Vec<_> = message.topic.split('/').collect();
    let ["loam", thing, "pairing", word @ ("window" | "reset")] = levels.as_slice() else {
        let expected = "expected loam/{thing}/pairing/window or loam/{thing}/pairing/reset";
        return Err(Refusal::new(RefusalCode::UnknownTopic, expected).into());
    };
    let Ok(thing) = ThingName::parse(thing) else { return Ok(Message::NotOurs) };
    if message.client_id.as_deref() != Some(thing.as_str()) {
        return Err(Refused::OtherPublisher);
    }
    let not_base64 = |_| Refusal::new(RefusalCode::NotBase64, "the field `payload` is not base64");
    let payload = STANDARD.decode(&message.payload).map_err(not_base64)?;
    if *word == "window" {
        return Ok(Message::Window(thing, Press::parse(&payload)?, message.received_at));
    }
    let reset = Reset::parse(&payload, message.received_at).map_err(|_| Refused::NotAReset)?;
    Ok(Message::Reset(thing, reset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_begins_with_its_code() {
        let all = [
            Refused::Message(Refusal::new(RefusalCode::NotJson, "x")),
            Refused::NotAPress(BadPress::Shape),
            Refused::NotAReset,
            Refused::OtherPublisher,
            Refused::NotAnEvent,
        ];
        for refused in all {
            assert_eq!(refused.to_string(), format!("{}: {}", refused.code(), refused.detail()));
        }
    }
}
