//! Ids of transfers and of their attempts.

use std::fmt;

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

/// How many hexadecimal digits an id has.
pub const LENGTH: usize = 32;

/// How many of a transfer's digits hold the time, in milliseconds since the epoch.
const TIME_DIGITS: usize = 12;

/// The latest time that they hold.
const LATEST: i64 = (1 << (4 * TIME_DIGITS)) - 1;

/// No id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no id: expected {LENGTH} lower-case hexadecimal digits")]
pub struct NoId;

/// The id of a transfer: 32 lower-case hexadecimal digits. It stands in topics, in the names of objects and in the
/// encryption context. The first twelve digits are the time of its creation, so that ids of one thing sort by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransferId(String);

/// The id of one attempt at sealing a file: 32 lower-case hexadecimal digits, random. An attempt has keys of its own, so
/// that whatever another attempt sealed cannot share a key and a nonce with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId(String);

impl TransferId {
    /// The id of a transfer that is created at `now`, made unique by ten random bytes.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(format!("{}{}", time(now), hex(&random)))
    }

    /// The id of what is created at `now` by a request of this mark (at least 20 lower-case hexadecimal digits): a repeat's
    /// differs in its time alone.
    ///
    /// # Errors
    /// [`NoId`] for any other mark.
    pub fn of_request(now: Timestamp, mark: &str) -> Result<Self, NoId> {
        Self::parse(&format!("{}{}", time(now), mark.get(..LENGTH - TIME_DIGITS).ok_or(NoId)?))
    }

    /// Whether both were made for one request.
    #[must_use]
    pub fn is_repeat_of(&self, other: &Self) -> bool {
        self.0.get(TIME_DIGITS..) == other.0.get(TIME_DIGITS..)
    }
}

fn time(now: Timestamp) -> String {
    format!("{:012x}", now.as_millis().clamp(0, LATEST))
}

impl AttemptId {
    /// An id of these random bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex(&random))
    }
}

macro_rules! text {
    ($id:ty) => {
        impl $id {
            /// An id that keeps the rule of this type.
            ///
            /// # Errors
            /// [`NoId`] for any other text.
            pub fn parse(text: &str) -> Result<Self, NoId> {
                let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                if digits && text.len() == LENGTH { Ok(Self(text.to_owned())) } else { Err(NoId) }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $id {
            type Error = NoId;

            fn try_from(text: String) -> Result<Self, NoId> {
                Self::parse(&text)
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text!(TransferId);
text!(AttemptId);

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_transfer_has_a_greater_id() {
        let id = |millis, random| TransferId::new(Timestamp::from_millis(millis), [random; 10]);
        assert!(id(1_799_999_999_999, 255) < id(1_800_000_000_000, 0));
        assert!(id(i64::MIN, 0) <= id(0, 0) && id(i64::MAX, 0) > id(1_800_000_000_000, 255));
        assert!(TransferId::parse(id(i64::MAX, 255).as_str()).is_ok());
    }

    #[test]
    fn an_id_has_32_digits_and_nothing_that_a_topic_or_a_key_would_read() {
        assert!(AttemptId::parse(AttemptId::new([255; 16]).as_str()).is_ok());
        for text in ["", &"a".repeat(31), &"a".repeat(33), &"A".repeat(32), &format!("{}/", "a".repeat(31))] {
            assert_eq!((TransferId::parse(text), AttemptId::parse(text)), (Err(NoId), Err(NoId)), "{text}");
        }
    }
}
