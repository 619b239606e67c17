use std::collections::BTreeMap;

use crate::Error;
use crate::cursor::{Cursor, Stop};

/// Pairs that are authenticated with the message but not encrypted: what the file is, and for whom. They stand
/// readable in the header and in the key service's log, so they never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// The longest serialized context, in bytes: what KMS takes. The format allows 65,535.
    pub const MAX_BYTES: usize = 8192;

    /// Official clients keep keys that begin so for themselves.
    const RESERVED_PREFIX: &'static str = "aws-crypto-";

    /// A context of these pairs; their order does not matter.
    ///
    /// # Errors
    /// [`Error::InvalidContext`] for a key that comes twice or begins with `aws-crypto-`;
    /// [`Error::ContextTooLarge`] beyond [`EncryptionContext::MAX_BYTES`].
    pub fn new<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, Error> {
        let mut context = Self::default();
        for (key, value) in pairs {
            context.insert(key.into(), value.into())?;
        }
        let bytes = context.serialized_length();
        if bytes > Self::MAX_BYTES { Err(Error::ContextTooLarge(bytes)) } else { Ok(context) }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All pairs, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    fn insert(&mut self, key: String, value: String) -> Result<(), Error> {
        if key.starts_with(Self::RESERVED_PREFIX) {
            return Err(Error::InvalidContext("has a key that begins with `aws-crypto-`, which is reserved"));
        }
        let replaced = self.0.insert(key, value);
        if replaced.is_some() { Err(Error::InvalidContext("has one key twice")) } else { Ok(()) }
    }

    fn serialized_length(&self) -> usize {
        if self.0.is_empty() { 0 } else { 2 + self.0.iter().map(|(k, v)| 4 + k.len() + v.len()).sum::<usize>() }
    }

    /// The pairs in the format's order (by the keys' UTF-8 bytes), after their count; nothing at all if there is none.
    pub(crate) fn serialize(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.serialized_length());
        if self.0.is_empty() {
            return bytes;
        }
        bytes.extend(length(self.0.len()));
        for text in self.0.iter().flat_map(|(key, value)| [key, value]) {
            bytes.extend(length(text.len()));
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    /// The inverse of `serialize`; other orders are read too.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        Self::parse_pairs(bytes).map_err(|stop| match stop {
            Stop::Needs(_) => Error::InvalidContext("is shorter than its pairs declare"),
            Stop::Refused(error) => error,
        })
    }

    fn parse_pairs(bytes: &[u8]) -> Result<Self, Stop> {
        let mut cursor = Cursor::new(bytes);
        let mut context = Self::default();
        for _ in 0..cursor.u16()? {
            let (key, value) = (text(&mut cursor)?, text(&mut cursor)?);
            context.insert(key, value)?;
        }
        if context.0.is_empty() || !cursor.is_at_end() {
            return Err(Error::InvalidContext("is longer than its pairs").into());
        }
        Ok(context)
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, Stop> {
    let count = cursor.u16()?;
    let bytes = cursor.take(usize::from(count))?;
    let text = std::str::from_utf8(bytes).map_err(|_| Error::InvalidContext("is not UTF-8"))?;
    Ok(text.to_owned())
}

/// A 16-bit length field. Whatever is written has passed its limit, far below 2^16.
pub(crate) fn length(count: usize) -> [u8; 2] {
    u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes()
}
