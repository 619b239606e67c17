use crate::message::Message;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many digits the id of a transfer has.
const ID_DIGITS: usize = 32;

/// What the cloud says about a transfer.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// What the device needs for its part.
    Grant(Box<Grant>),
    /// Somebody wants a file of it.
    Wanted(Wanted),
    /// It gets nothing, and why.
    Rejected(Rejected),
}

/// Which way a file goes, seen from the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the device.
    Download,
    /// From it.
    Upload,
}

/// What the device needs for its part of a transfer. Shows neither key nor URL.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Which transfer: 32 hexadecimal digits.
    pub transfer_id: String,
    /// Which attempt: its keys seal one file.
    pub attempt: String,
    /// Which way.
    pub direction: Direction,
    /// What.
    pub file: FileFacts,
    /// Until when its URLs are good, in milliseconds since the epoch.
    pub expires_at: i64,
    /// When the transfer ends, likewise.
    pub ends_at: i64,
    /// The message's header, in base64.
    pub header: String,
    /// What opens it; absent where the device asks KMS.
    #[serde(default)]
    pub key: Option<Key>,
    /// Where the body is.
    #[serde(default)]
    pub body: Option<String>,
    /// Where parts of it go.
    #[serde(default)]
    pub uploads: Vec<PartUrl>,
    /// How many parts the cloud does not have, with those that this grant has no URL for.
    #[serde(default)]
    pub missing: u32,
}

/// The file in a grant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileFacts {
    /// What its owner calls it; never a path.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// The length of the sealed body in bytes.
    pub body_bytes: u64,
    /// The file's bytes in each part but the last.
    pub part_bytes: u64,
    /// How many parts the body has.
    pub parts: u32,
    /// The file's bytes in each frame but the last.
    pub frame_length: u32,
}

/// The key in a grant.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// Whose it is, in the header's words.
    pub namespace: String,
    /// Which one, likewise.
    pub name: String,
    /// Its 32 bytes, in base64.
    pub value: String,
}

/// A part that is wanted, and where to put it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct PartUrl {
    /// Its number, from 1.
    pub part: u32,
    /// How many sealed bytes it has.
    pub bytes: u64,
    /// For one PUT.
    pub url: String,
}

/// Somebody wants a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// Which transfer.
    pub transfer_id: String,
    /// The file's name.
    pub wanted: String,
    /// How many bytes are taken at most.
    pub most_bytes: u64,
    /// When the transfer ends, in milliseconds since the epoch.
    pub ends_at: i64,
}

/// Why there is no grant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// Which transfer.
    pub transfer_id: String,
    /// The stable code.
    pub code: String,
    /// Parts that are missing.
    #[serde(default)]
    pub missing: Vec<u32>,
}

/// A message on a topic of files is no word about files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoNotice {
    /// Another topic.
    #[error("the topic is not loam/{{thing}}/files/{{id}}/grant or .../rejected of this thing")]
    Topic,
    /// Not what a grant looks like.
    #[error("the payload is no grant and no refusal")]
    Payload,
    /// Another transfer in the payload than in the topic.
    #[error("topic and payload name different transfers")]
    Ids,
}

impl NoNotice {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Topic => "no-file-topic",
            Self::Payload => "no-file-payload",
            Self::Ids => "transfer-ids-differ",
        }
    }
}

impl Notice {
    /// Reads a message to `thing`.
    ///
    /// # Errors
    /// [`NoNotice`].
    pub fn parse(thing: &str, message: &Message) -> Result<Self, NoNotice> {
        let levels: Vec<&str> = message.topic.split('/').collect();
        let ["loam", to, "files", id, kind @ ("grant" | "rejected")] = levels.as_slice() else {
            return Err(NoNotice::Topic);
        };
        if *to != thing || !is_id(id) {
            return Err(NoNotice::Topic);
        }
        let notice = Self::read(kind, &message.payload).ok_or(NoNotice::Payload)?;
        if notice.transfer() == *id { Ok(notice) } else { Err(NoNotice::Ids) }
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        if kind == "rejected" {
            return serde_json::from_slice(payload).map(Self::Rejected).ok();
        }
        let wanted = serde_json::from_slice(payload).map(Self::Wanted);
        wanted.or_else(|_| serde_json::from_slice(payload).map(|grant| Self::Grant(Box::new(grant)))).ok()
    }

    /// Which transfer.
    #[must_use]
    pub fn transfer(&self) -> &str {
        match self {
            Self::Grant(grant) => &grant.transfer_id,
            Self::Wanted(wanted) => &wanted.transfer_id,
            Self::Rejected(rejected) => &rejected.transfer_id,
        }
    }
}

impl Grant {
    /// Whether its time is over at `now`, in milliseconds since the epoch.
    #[must_use]
    pub const fn is_over(&self, now: i64) -> bool {
        now >= self.expires_at
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Grant").field("transfer_id", &self.transfer_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for PartUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PartUrl").field("part", &self.part).finish_non_exhaustive()
    }
}

/// Ids and digests become names of files, so nothing else passes.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && is_hexadecimal(text)
}

pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && is_hexadecimal(text)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
#[path = "notice_tests.rs"]
pub(super) mod tests;
