//! Small words of a manifest: hardware, digests, ids.

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// A kind of hardware that firmware is built for: 1 to 64 characters of `[a-z0-9._-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hardware(String);

/// A SHA-256 digest, as 64 lower-case hexadecimal digits in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// An id of a release or a rollout: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

/// A text that is no word of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoName {
    /// No [`Hardware`].
    #[error("no kind of hardware: expected 1 to 64 characters of [a-z0-9._-]")]
    Hardware,
    /// No [`Digest`].
    #[error("no SHA-256 digest: expected 64 lower-case hexadecimal digits")]
    Digest,
    /// No [`Id`].
    #[error("no id: expected 32 lower-case hexadecimal digits")]
    Id,
}

impl Hardware {
    /// A word that keeps the rule of this type.
    ///
    /// # Errors
    /// [`NoName::Hardware`].
    pub fn parse(text: &str) -> Result<Self, NoName> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let good = (1..=64).contains(&text.len()) && text.bytes().all(fits);
        if good { Ok(Self(text.to_owned())) } else { Err(NoName::Hardware) }
    }

    /// The word as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut all = [0; 32];
        all.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
        Self(all)
    }

    /// The digest of these 32 bytes; `None` for any other number of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A digest in text.
    ///
    /// # Errors
    /// [`NoName::Digest`].
    pub fn parse(text: &str) -> Result<Self, NoName> {
        if !is_hex(text, 64) {
            return Err(NoName::Digest);
        }
        let mut all = [0; 32];
        for (to, pair) in all.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NoName::Digest)?;
            *to = u8::from_str_radix(pair, 16).map_err(|_| NoName::Digest)?;
        }
        Ok(Self(all))
    }

    /// The first eight bytes as a number: a place that depends on nothing else.
    #[must_use]
    pub fn place(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The first 32 digits.
    #[must_use]
    pub fn to_id(&self) -> Id {
        let mut text = self.to_string();
        text.truncate(32);
        Id(text)
    }
}

impl Id {
    /// An id that keeps the rule of this type.
    ///
    /// # Errors
    /// [`NoName::Id`].
    pub fn parse(text: &str) -> Result<Self, NoName> {
        if is_hex(text, 32) { Ok(Self(text.to_owned())) } else { Err(NoName::Id) }
    }

    /// The id that always stands for `parts`: a repeat of the same news gives the same.
    #[must_use]
    pub fn of(kind: &str, parts: &[&str]) -> Self {
        let joined = parts.iter().fold(format!("loam-{kind}-v1"), |all, part| format!("{all}\n{}:{part}", part.len()));
        Digest::of(joined.as_bytes()).to_id()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Hardware {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Hardware {
    type Error = NoName;

    fn try_from(text: String) -> Result<Self, NoName> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for Digest {
    type Error = NoName;

    fn try_from(text: String) -> Result<Self, NoName> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for Id {
    type Error = NoName;

    fn try_from(text: String) -> Result<Self, NoName> {
        Self::parse(&text)
    }
}

impl From<Hardware> for String {
    fn from(hardware: Hardware) -> Self {
        hardware.0
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_and_nothing_else_is_one() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(&digest.to_string()), Ok(digest));
        for bad in ["", "ab", &"A".repeat(64), &"g".repeat(64), &"a".repeat(63), &"a".repeat(65), &"é".repeat(32)] {
            assert_eq!(Digest::parse(bad), Err(NoName::Digest), "{bad}");
        }
    }

    #[test]
    fn hardware_has_1_to_64_characters_that_no_line_of_a_manifest_reads_otherwise() {
        assert!(Hardware::parse("esp32-c3.rev_2").is_ok() && Hardware::parse(&"a".repeat(64)).is_ok());
        for bad in ["", "ESP32", "a b", "a,b", "a\n", "a=b", "ä", &"a".repeat(65)] {
            assert_eq!(Hardware::parse(bad), Err(NoName::Hardware), "{bad}");
        }
    }

    #[test]
    fn an_id_of_the_same_parts_is_the_same_and_of_others_another() {
        assert_eq!(Id::of("release", &["a", "b"]), Id::of("release", &["a", "b"]));
        let others =
            [Id::of("release", &["ab", ""]), Id::of("rollout", &["a", "b"]), Id::of("release", &["a", "b", ""])];
        assert!(others.iter().all(|other| *other != Id::of("release", &["a", "b"])));
        assert!(Id::parse(others[0].as_str()).is_ok() && Id::parse("x").is_err());
    }
}
