//! What a device says of a command.

use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command_id::CommandId;

/// The longest reason code, in bytes.
pub const MOST_CODE_BYTES: usize = 64;
/// The longest description of a reason, in bytes.
pub const MOST_DESCRIPTION_BYTES: usize = 1_024;
/// The largest result that is kept, in bytes of its JSON text. A larger one is left out, and it is said that it was: a
/// device's word counts for what it says, however much it says with it.
pub const MOST_RESULT_BYTES: usize = 32_768;

/// Something that a device said.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// What of.
    pub kind: Kind,
    /// When AWS IoT took the message: feedback is ordered by this, and not by when it is processed.
    pub received_at: Timestamp,
    /// What it said with it.
    pub note: Note,
}

/// What a device says with its word.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// A code for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// A text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_description: Option<String>,
    /// What came of it, or how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Whether a result was left out because it was too large.
    #[serde(default, skip_serializing_if = "is_false")]
    pub result_left_out: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What kind of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The device has begun, or will.
    Accepted,
    /// It is at work.
    Progress,
    /// Its final word.
    Final(Verdict),
}

/// A device's final word. Where two came at the same millisecond, the less hopeful one counts: the first in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It tried and could not.
    Failed,
    /// It will not.
    Rejected,
    /// It did.
    Succeeded,
}

/// Why a message is no feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFeedback {
    /// The topic is another.
    #[error("expected loam/{{thing}}/commands/{{id}}/accepted, progress, succeeded, failed or rejected")]
    Topic,
    /// The payload is no such object.
    #[error("expected no bytes, or an object with `reasonCode`, `reasonDescription` (texts) and `result` at most")]
    Shape,
    /// A text is too long.
    #[error("`reasonCode` has at most {MOST_CODE_BYTES} bytes, `reasonDescription` at most {MOST_DESCRIPTION_BYTES}")]
    TooLong,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    reason_code: Option<String>,
    reason_description: Option<String>,
    result: Option<Value>,
}

impl Kind {
    /// The kind of the topic's last level; `None` for any other text.
    #[must_use]
    pub fn parse(level: &str) -> Option<Self> {
        match level {
            "accepted" => Some(Self::Accepted),
            "progress" => Some(Self::Progress),
            "succeeded" => Some(Self::Final(Verdict::Succeeded)),
            "failed" => Some(Self::Final(Verdict::Failed)),
            "rejected" => Some(Self::Final(Verdict::Rejected)),
            _ => None,
        }
    }
}

/// Which command of which thing a topic speaks of, and what it says of it. The device policy lets a device publish below
/// its own name only, so the topic says who speaks.
///
/// # Errors
/// [`BadFeedback::Topic`].
pub fn topic(text: &str) -> Result<(ThingName, CommandId, Kind), BadFeedback> {
    let levels: Vec<&str> = text.split('/').collect();
    let ["loam", thing, "commands", id, kind] = levels.as_slice() else { return Err(BadFeedback::Topic) };
    let thing = ThingName::parse(thing).map_err(|_| BadFeedback::Topic)?;
    let id = CommandId::parse(id).map_err(|_| BadFeedback::Topic)?;
    Ok((thing, id, Kind::parse(kind).ok_or(BadFeedback::Topic)?))
}

impl Note {
    /// Reads a message's payload; an empty one says nothing more.
    ///
    /// # Errors
    /// [`BadFeedback::Shape`], [`BadFeedback::TooLong`].
    pub fn parse(payload: &[u8]) -> Result<Self, BadFeedback> {
        if payload.is_empty() {
            return Ok(Self::default());
        }
        let wire: Wire = serde_json::from_slice(payload).map_err(|_| BadFeedback::Shape)?;
        let fits = |text: &Option<String>, most| text.as_ref().is_none_or(|text| text.len() <= most);
        if !fits(&wire.reason_code, MOST_CODE_BYTES) || !fits(&wire.reason_description, MOST_DESCRIPTION_BYTES) {
            return Err(BadFeedback::TooLong);
        }
        let size = wire.result.as_ref().map_or(0, |result| result.to_string().len());
        let result_left_out = size > MOST_RESULT_BYTES;
        let result = wire.result.filter(|_| !result_left_out);
        let (reason_code, reason_description) = (wire.reason_code, wire.reason_description);
        Ok(Self { reason_code, reason_description, result, result_left_out })
    }

    /// What two notes of the same time are ordered by, so that their order of arrival does not show.
    pub(crate) fn rank(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_topic_says_who_speaks_of_which_command() {
        let (thing, id, kind) = topic(&format!("loam/t1/commands/{ID}/succeeded")).unwrap();
        assert_eq!((thing.as_str(), id.as_str(), kind), ("t1", ID, Kind::Final(Verdict::Succeeded)));
        for text in ["request", "done", "", "accepted/x"] {
            assert_eq!(topic(&format!("loam/t1/commands/{ID}/{text}")), Err(BadFeedback::Topic), "{text}");
        }
        assert_eq!(topic("loam/t1/commands/x/accepted"), Err(BadFeedback::Topic));
        assert_eq!(topic(&format!("loam/loam/commands/{ID}/accepted")), Err(BadFeedback::Topic));
    }

    #[test]
    fn a_word_needs_no_payload_and_takes_an_object_only() {
        assert_eq!(Note::parse(b"").unwrap(), Note::default());
        assert_eq!(Note::parse(b"{}").unwrap(), Note::default());
        let note = Note::parse(br#"{"reasonCode":"E1","result":{"a":1},"more":true}"#).unwrap();
        assert_eq!((note.reason_code.as_deref(), note.result), (Some("E1"), Some(json!({"a": 1}))));
        for payload in ["x", "1", r#"{"reasonCode":1}"#, "{\"a\":", "\u{fffd}"] {
            assert_eq!(Note::parse(payload.as_bytes()), Err(BadFeedback::Shape), "{payload}");
        }
    }

    #[test]
    fn a_result_that_is_too_large_is_left_out_and_the_word_counts() {
        let payload = |bytes: usize| json!({"result": "x".repeat(bytes - 2)}).to_string();
        assert!(Note::parse(payload(MOST_RESULT_BYTES).as_bytes()).unwrap().result.is_some());
        let note = Note::parse(payload(MOST_RESULT_BYTES + 1).as_bytes()).unwrap();
        assert!(note.result.is_none() && note.result_left_out);
    }

    #[test]
    fn a_reason_of_64_and_1024_bytes_is_taken_and_no_longer_one() {
        let payload = |code: usize, text: usize| {
            Note::parse(
                json!({"reasonCode": "c".repeat(code), "reasonDescription": "d".repeat(text)}).to_string().as_bytes(),
            )
        };
        assert!(payload(64, 1_024).is_ok());
        assert_eq!(payload(65, 0), Err(BadFeedback::TooLong));
        assert_eq!(payload(0, 1_025), Err(BadFeedback::TooLong));
    }
}
