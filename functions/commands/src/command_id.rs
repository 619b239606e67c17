//! Ids of commands.

use std::fmt;

use loam_domain::ThingName;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// The id of a command: 32 lower-case hexadecimal digits. It stands in topics and keys, and a device remembers it, so that
/// a command that is delivered twice runs once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandId(String);

/// No id of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no id of a command: expected {} lower-case hexadecimal digits", CommandId::LENGTH)]
pub struct NoCommandId;

impl CommandId {
    /// How many digits an id has.
    pub const LENGTH: usize = 32;

    /// The id that 16 random bytes make.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }

    /// The id of what one order for many things becomes for `thing`: the same whenever it is asked for, so that an order
    /// that broke off half-way can be placed again.
    #[must_use]
    pub fn of_recipient(order: &Self, thing: &ThingName) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(b"loam-command-v1\n");
        digest.update(order.0.as_bytes());
        digest.update(thing.as_str().as_bytes());
        Self(hex(digest.finish().as_ref().get(..16).unwrap_or_default()))
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

    #[test]
    fn an_id_has_32_digits_and_nothing_that_a_topic_would_read() {
        assert!(CommandId::parse(CommandId::from_random([255; 16]).as_str()).is_ok());
        for text in ["", &"a".repeat(31), &"a".repeat(33), &"A".repeat(32), &format!("{}/", "a".repeat(31))] {
            assert_eq!(CommandId::parse(text), Err(NoCommandId), "{text}");
        }
    }

    #[test]
    fn an_order_for_many_gives_each_thing_an_id_of_its_own_and_always_the_same() {
        let (order, other) = (CommandId::from_random([1; 16]), CommandId::from_random([2; 16]));
        let [t1, t2] = ["t1", "t2"].map(|name| ThingName::parse(name).unwrap());
        let id = CommandId::of_recipient(&order, &t1);
        assert_eq!(id, CommandId::of_recipient(&order, &t1));
        assert!(id != CommandId::of_recipient(&order, &t2) && id != CommandId::of_recipient(&other, &t1));
        assert!(CommandId::parse(id.as_str()).is_ok());
    }
}
