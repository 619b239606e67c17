//! What is to be transferred, as it is asked for.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::{FRAME_BYTES, MOST_BYTES};

/// The longest name of a file, in bytes.
pub const MOST_NAME_BYTES: usize = 255;
/// The shortest life of a transfer, in seconds.
pub const LEAST_TTL_SECONDS: u64 = 60;
/// The longest, in seconds: a week.
pub const MOST_TTL_SECONDS: u64 = 7 * 24 * 3_600;
/// What it is where nobody says: a day.
pub const TTL_SECONDS: u64 = 24 * 3_600;

/// Which way a file goes, seen from the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From people to the device.
    Download,
    /// From the device to people.
    Upload,
}

/// How the device comes to the key of a file. People always get it with their grant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFrom {
    /// Its grant brings it.
    #[default]
    Grant,
    /// It asks KMS itself, with credentials of its own; its grant brings none.
    Kms,
}

/// The SHA-256 of a whole file, as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Hex(String);

/// What is to be transferred, within all limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Which way.
    pub direction: Direction,
    /// What its owner calls it; no part of any path of ours.
    pub name: String,
    /// Its length in bytes. Of an upload: the most that is taken.
    pub size: u64,
    /// Its SHA-256, if the one who orders a download says so: what was sealed is compared with it.
    pub sha256: Option<Sha256Hex>,
    /// From its creation on it lives so long, in seconds.
    pub ttl_seconds: u64,
    /// Where its device gets the key. Rows of the time before there was a choice say nothing.
    #[serde(default)]
    pub key: KeyFrom,
}

/// Why an order is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOrder {
    /// The name.
    #[error("`name` has 1 to {MOST_NAME_BYTES} bytes, none of them a control character")]
    Name,
    /// A download without a length.
    #[error("`size` is missing: say how many bytes the file has")]
    NoSize,
    /// More than a transfer takes.
    #[error("`size` is more than {MOST_BYTES} bytes, the most that one transfer takes")]
    TooLarge,
    /// The digest.
    #[error("`sha256` must be 64 lower-case hexadecimal digits")]
    Digest,
    /// The life.
    #[error("`ttlSeconds` must be {LEAST_TTL_SECONDS} to {MOST_TTL_SECONDS}")]
    Ttl,
    /// The way to the key.
    #[error("`key` must be `grant` (the device's grant brings the key) or `kms` (the device asks KMS itself)")]
    Key,
    /// The frame.
    #[error("`frameLength` must be a multiple of 128 from {} to {} bytes", FRAME_BYTES.start(), FRAME_BYTES.end())]
    Frame,
}

/// An order as it comes in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// [`Order::name`].
    pub name: String,
    /// [`Order::size`]; a download must say it.
    pub size: Option<u64>,
    /// [`Order::sha256`].
    pub sha256: Option<String>,
    /// [`Order::ttl_seconds`]; a day if nothing is said.
    pub ttl_seconds: Option<u64>,
    /// [`Order::key`]; [`KeyFrom::Grant`] if nothing is said.
    pub key: Option<String>,
}

impl Order {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// The first [`BadOrder`].
    pub fn check(direction: Direction, asked: Asked) -> Result<Self, BadOrder> {
        let name = asked.name;
        if name.is_empty() || name.len() > MOST_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(BadOrder::Name);
        }
        let size = match (direction, asked.size) {
            (Direction::Download, None) => return Err(BadOrder::NoSize),
            (Direction::Upload, None) => MOST_BYTES,
            (_, Some(size)) if size > MOST_BYTES => return Err(BadOrder::TooLarge),
            (_, Some(size)) => size,
        };
        let sha256 = asked.sha256.as_deref().map(Sha256Hex::parse).transpose()?;
        let ttl_seconds = asked.ttl_seconds.unwrap_or(TTL_SECONDS);
        if !(LEAST_TTL_SECONDS..=MOST_TTL_SECONDS).contains(&ttl_seconds) {
            return Err(BadOrder::Ttl);
        }
        let key = asked.key.as_deref().map(KeyFrom::parse).transpose()?.unwrap_or_default();
        Ok(Self { direction, name, size, sha256, ttl_seconds, key })
    }

    /// When the transfer ends if it was created at `now`.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        let seconds = i64::try_from(self.ttl_seconds).unwrap_or(i64::MAX);
        now.plus_millis(seconds.saturating_mul(1_000))
    }
}

impl BadOrder {
    /// Its stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Name => "invalid-file-name",
            Self::NoSize => "size-needed",
            Self::TooLarge => "file-too-large",
            Self::Digest => "invalid-sha256",
            Self::Ttl => "invalid-ttl",
            Self::Key => "invalid-key",
            Self::Frame => "invalid-frame-length",
        }
    }
}

impl Direction {
    /// Its word, which stands in the encryption context.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

impl KeyFrom {
    /// The way of this name.
    ///
    /// # Errors
    /// [`BadOrder::Key`] for any other text.
    pub fn parse(text: &str) -> Result<Self, BadOrder> {
        match text {
            "grant" => Ok(Self::Grant),
            "kms" => Ok(Self::Kms),
            _ => Err(BadOrder::Key),
        }
    }
}

impl Sha256Hex {
    /// A digest that keeps the rule of this type.
    ///
    /// # Errors
    /// [`BadOrder::Digest`] for any other text.
    pub fn parse(text: &str) -> Result<Self, BadOrder> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && text.len() == 64 { Ok(Self(text.to_owned())) } else { Err(BadOrder::Digest) }
    }

    /// A digest of these bytes.
    #[must_use]
    pub fn of(bytes: [u8; 32]) -> Self {
        Self(crate::ids::hex(&bytes))
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sha256Hex {
    type Error = BadOrder;

    fn try_from(text: String) -> Result<Self, BadOrder> {
        Self::parse(&text)
    }
}

impl From<Sha256Hex> for String {
    fn from(digest: Sha256Hex) -> Self {
        digest.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Asked {
        Asked { name: name.to_owned(), size: Some(0), ..Asked::default() }
    }

    fn down(asked: Asked) -> Result<Order, BadOrder> {
        Order::check(Direction::Download, asked)
    }

    #[test]
    fn a_name_has_255_bytes_at_most_and_no_control_character() {
        assert!(down(named(&"é".repeat(127))).is_ok());
        for name in ["", &"x".repeat(256), "a\nb", "a\u{7f}"] {
            assert_eq!(down(named(name)), Err(BadOrder::Name), "{name:?}");
        }
    }

    #[test]
    fn five_gibibytes_pass_and_one_byte_more_does_not() {
        let sized = |size| Asked { size, ..named("f") };
        assert!(down(sized(Some(MOST_BYTES))).is_ok());
        assert_eq!(down(sized(Some(MOST_BYTES + 1))), Err(BadOrder::TooLarge));
        assert_eq!(down(sized(None)), Err(BadOrder::NoSize));
        assert_eq!(Order::check(Direction::Upload, sized(None)).unwrap().size, MOST_BYTES);
    }

    #[test]
    fn a_transfer_lives_a_minute_to_a_week() {
        let lives = |ttl_seconds| down(Asked { ttl_seconds, ..named("f") }).map(|order| order.ttl_seconds);
        assert_eq!(lives(None), Ok(TTL_SECONDS));
        assert_eq!(lives(Some(60)), Ok(60));
        assert_eq!(lives(Some(604_800)), Ok(604_800));
        assert_eq!((lives(Some(59)), lives(Some(604_801))), (Err(BadOrder::Ttl), Err(BadOrder::Ttl)));
        let order = down(named("f")).unwrap();
        assert_eq!(order.expires_at(Timestamp::from_millis(1)).as_millis(), 86_400_001);
    }

    #[test]
    fn the_grant_brings_the_key_unless_kms_is_asked_for() {
        let way = |key: Option<&str>| down(Asked { key: key.map(str::to_owned), ..named("f") }).map(|order| order.key);
        assert_eq!((way(None), way(Some("grant"))), (Ok(KeyFrom::Grant), Ok(KeyFrom::Grant)));
        assert_eq!(way(Some("kms")), Ok(KeyFrom::Kms));
        for other in ["", "KMS", "none", "grant "] {
            assert_eq!(way(Some(other)), Err(BadOrder::Key), "{other}");
        }
    }

    #[test]
    fn a_digest_is_64_lower_case_digits() {
        let digest = |text: &str| down(Asked { sha256: Some(text.to_owned()), ..named("f") });
        assert!(digest(&"0f".repeat(32)).is_ok());
        for text in ["", &"0F".repeat(32), &"0".repeat(63), &"0".repeat(65)] {
            assert_eq!(digest(text), Err(BadOrder::Digest));
        }
    }
}
