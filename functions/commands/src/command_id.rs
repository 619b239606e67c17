//! Ids of commands.

use std::fmt;

use loam_domain::{ThingName, Timestamp};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// The id of a command: 32 lower-case hexadecimal digits. It stands in topics and keys, and a device remembers it, so that
/// a command that is delivered twice runs once. The first twelve digits are the time at which it was ordered, so that
/// ids of one thing sort by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandId(String);

/// How many digits hold the time, in milliseconds since the epoch.
const TIME_DIGITS: usize = 12;

/// The latest time that they hold.
const LATEST: i64 = (1 << (4 * TIME_DIGITS)) - 1;

/// No id of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no id of a command: expected {} lower-case hexadecimal digits", CommandId::LENGTH)]
pub struct NoCommandId;

impl CommandId {
    /// How many digits an id has.
    pub const LENGTH: usize = 32;

    /// The id of a command that is ordered at `now`, made unique by ten random bytes. Times before 1970 and after the
    /// year 10889 sort like these.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(format!("{:012x}{}", now.as_millis().clamp(0, LATEST), hex(&random)))
    }

    /// The id of what one order for many things becomes for `thing`: the same whenever it is asked for, so that an order
    /// that broke off half-way can be placed again. It has the order's time.
    #[must_use]
    pub fn of_recipient(order: &Self, thing: &ThingName) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(b"loam-command-v1\n");
        digest.update(order.0.as_bytes());
        digest.update(thing.as_str().as_bytes());
        let time = order.0.get(..TIME_DIGITS).unwrap_or_default();
        Self(format!("{time}{}", hex(digest.finish().as_ref().get(..10).unwrap_or_default())))
    }

    /// An id that keeps the rule of this type.
    ///
    /// # Errors
    /// [`NoCommandId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NoCommandId> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && text.len() == Self::LENGTH { Ok(Self(text.to_owned())) } else { Err(NoCommandId) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CommandId {
    type Error = NoCommandId;

    fn try_from(text: String) -> Result<Self, NoCommandId> {
        Self::parse(&text)
    }
}

impl From<CommandId> for String {
    fn from(id: CommandId) -> Self {
        id.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(millis: i64, random: u8) -> CommandId {
        CommandId::new(Timestamp::from_millis(millis), [random; 10])
    }

    #[test]
    fn a_later_order_has_a_greater_id() {
        assert!(id(1_799_999_999_999, 255) < id(1_800_000_000_000, 0));
        assert!(id(i64::MIN, 0) <= id(0, 0) && id(i64::MAX, 0) > id(1_800_000_000_000, 255));
    }

    #[test]
    fn an_id_has_32_digits_and_nothing_that_a_topic_would_read() {
        for time in [i64::MIN, 0, 1_800_000_000_000, i64::MAX] {
            assert!(CommandId::parse(id(time, 255).as_str()).is_ok());
        }
        for text in ["", &"a".repeat(31), &"a".repeat(33), &"A".repeat(32), &format!("{}/", "a".repeat(31))] {
            assert_eq!(CommandId::parse(text), Err(NoCommandId), "{text}");
        }
    }

    #[test]
    fn an_order_for_many_gives_each_thing_an_id_of_its_own_and_always_the_same() {
        let (order, other) = (id(5, 1), id(5, 2));
        let [t1, t2] = ["t1", "t2"].map(|name| ThingName::parse(name).unwrap());
        let one = CommandId::of_recipient(&order, &t1);
        assert_eq!(one, CommandId::of_recipient(&order, &t1));
        assert!(one != CommandId::of_recipient(&order, &t2) && one != CommandId::of_recipient(&other, &t1));
        assert!(CommandId::parse(one.as_str()).is_ok() && one > id(4, 255) && one < id(6, 0));
    }
}
