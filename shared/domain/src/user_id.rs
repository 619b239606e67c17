//! Ids of people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A person: their `sub` in the user pool. 1 to 128 characters of `[A-Za-z0-9:._@-]`, so that it stands in one line of
/// what a device signs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

/// No id of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no id of a person: expected 1 to {max} characters of [A-Za-z0-9:._@-]", max = UserId::MAX_LENGTH)]
pub struct NoUser;

impl UserId {
    /// The longest id, in characters (each is one byte).
    pub const MAX_LENGTH: usize = 128;

    /// An id that keeps the rule of this type.
    ///
    /// # Errors
    /// [`NoUser`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NoUser> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":._@-".contains(&byte));
        if plain && (1..=Self::MAX_LENGTH).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(NoUser) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = NoUser;

    fn try_from(text: String) -> Result<Self, NoUser> {
        Self::parse(&text)
    }
}

impl From<UserId> for String {
    fn from(user: UserId) -> Self {
        user.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_128_characters_is_one_and_one_of_129_or_of_two_lines_is_not() {
        assert!(UserId::parse(&"u".repeat(128)).is_ok());
        assert!(UserId::parse("6f1c7f2e-38ab-4d6a-9c53-0d6f2b1f0a11").is_ok());
        for text in ["", &"u".repeat(129), "u1\nepoch=9", "u1=", "u 1", "ü"] {
            assert_eq!(UserId::parse(text), Err(NoUser), "{text:?}");
        }
    }
}
