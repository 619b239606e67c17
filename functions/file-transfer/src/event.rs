//! What comes in through the queue.

use loam_domain::{RuleMessage, ThingName};
use loam_things::Erasure;
use serde::Deserialize;
use serde_json::Value;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::device_word::{self, BadWord, Word};
use crate::queue::Job;

/// A message of the queue, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// There is work on a transfer.
    Work(Job),
    /// Look for transfers whose time is over.
    Sweep,
    /// A device said something.
    Said(ThingName, Word),
    /// A thing, or an owner's time, comes to its end.
    Erasure(Erasure),
}

/// The schedule's message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sweep {
    #[serde(rename = "sweep")]
    _sweep: bool,
}

/// A refused message. Its words name fields, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither work, nor a rule's message, nor an event.
    #[error("expected work, a sweep, a rule's message or an event of a thing's end")]
    NotAMessage,
    /// A device said what nobody understands.
    #[error(transparent)]
    Word(#[from] BadWord),
}

impl Refused {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAMessage => "not-a-rule-message",
            Self::Word(bad) => bad.code(),
        }
    }
}

impl Message {
    /// Reads a message of the queue.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn parse(body: &str) -> Result<Self, Refused> {
        if let Ok(job) = serde_json::from_str(body) {
            return Ok(Self::Work(job));
        }
        if serde_json::from_str::<Sweep>(body).is_ok() {
            return Ok(Self::Sweep);
        }
        if let Some(erasure) = Erasure::parse(body) {
            return Ok(Self::Erasure(erasure));
        }
        let value: Value = serde_json::from_str(body).map_err(|_| Refused::NotAMessage)?;
        let message = RuleMessage::deserialize(&value).map_err(|_| Refused::NotAMessage)?;
        let payload = STANDARD.decode(&message.payload).map_err(|_| Refused::NotAMessage)?;
        let (thing, word) = device_word::parse(&message.topic, &payload, message.received_at)?;
        Ok(Self::Said(thing, word))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_message_is_told_apart() {
        let id = "0".repeat(32);
        let work = json!({"work": id, "of": "t1"}).to_string();
        assert!(matches!(Message::parse(&work), Ok(Message::Work(_))));
        assert_eq!(Message::parse(r#"{"sweep":true}"#), Ok(Message::Sweep));
        let said = json!({"payload": "e30=", "topic": "loam/t1/files/request", "clientId": "t1", "receivedAt": 7});
        assert!(matches!(Message::parse(&said.to_string()), Ok(Message::Said(_, Word::Waiting))));
        let event = |kind: &str| json!({"id": "t1.2", "type": kind, "thing": "t1", "at": 7, "epoch": 1}).to_string();
        assert!(matches!(Message::parse(&event("thing.retiring")), Ok(Message::Erasure(_))));
        assert!(matches!(Message::parse(&event("thing.unpaired")), Ok(Message::Erasure(Erasure::OfPeople(_)))));
    }

    #[test]
    fn what_nobody_understands_is_refused_by_its_kind() {
        for body in ["", "{}", "[]", r#"{"work":"x","of":"t1"}"#, r#"{"payload":"*","topic":"x","receivedAt":1}"#] {
            assert_eq!(Message::parse(body), Err(Refused::NotAMessage), "{body}");
        }
        let bad = json!({"payload": "W10=", "topic": "loam/t1/files/complete", "receivedAt": 7}).to_string();
        assert_eq!(Message::parse(&bad).unwrap_err().code(), "malformed-file-message");
    }
}
