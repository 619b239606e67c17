//! A transfer's life, as a set of facts.
//!
//! A transfer keeps what is known of it; where it stands follows from that and the time. So one whose time is over has
//! expired whether or not anybody wrote so, and whoever finds work half done finds in it what comes next ([`work`]).
//!
//! **Keys and nonces.** The nonce of a frame is its number, so one key must never seal two different files. An [`Attempt`]
//! has a key of its own. For a download it seals the one version of the source that was pinned before it began; for an
//! upload it is bound to the SHA-256 that the device gave before it got the key. Everything that may be done twice is then
//! done with the same bytes.

mod next;
#[cfg(test)]
pub(crate) mod tests;
mod work;

use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::digest::Kept;
use crate::ids::{AttemptId, TransferId};
use crate::order::{Direction, Order, Sha256Hex};
use crate::plan::Layout;

pub use next::{Change, Intent, Outcome, Transition, Why, next};
pub use work::{Work, work};

/// A transfer, as its row keeps it. It holds no key and nothing that opens one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// For or from whom.
    pub thing: ThingName,
    /// In whose time: in a later epoch of the thing nobody gets anything of it.
    pub epoch: u64,
    /// The person who created it; `None`: the device.
    pub by: Option<String>,
    /// What.
    pub order: Order,
    /// When it was created.
    pub created_at: Timestamp,
    /// From then on it is worth nothing.
    pub expires_at: Timestamp,
    /// One more with each write.
    pub version: u64,
    /// Of a download: the version of the source that is sealed, and no other.
    pub source: Option<Source>,
    /// The attempt that counts.
    pub attempt: Option<Attempt>,
    /// Of an upload: when the device said that all is there.
    pub uploaded_at: Option<Timestamp>,
    /// The body's entity tag, once its parts are one object.
    pub body: Option<String>,
    /// How far sealing or verifying is.
    pub progress: Progress,
    /// Once the receiver may have it.
    pub ready: Option<Ready>,
    /// Once it is over, unless only by time.
    pub end: Option<End>,
    /// When its keys and objects were erased.
    pub erased_at: Option<Timestamp>,
}

/// A version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// S3's version id.
    pub version: String,
    /// When it was pinned.
    pub at: Timestamp,
}

/// An attempt at sealing: one data key, one message id, one plaintext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Its id, which names its objects.
    pub id: AttemptId,
    /// S3's id of the multipart upload of its body.
    pub upload: String,
    /// How the file is cut.
    pub layout: Layout,
    /// What the file must have. Of an upload always there; of a download if who ordered it said so.
    pub sha256: Option<Sha256Hex>,
}

/// How far sealing or verifying is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How many parts are done, from the first on.
    pub parts: u32,
    /// The digest of the file up to there.
    pub digest: Option<Kept>,
}

/// What the receiver may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The file's SHA-256, as Loam read it.
    pub sha256: Sha256Hex,
    /// Since when.
    pub at: Timestamp,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How.
    pub how: How,
    /// When.
    pub at: Timestamp,
    /// Why, as a stable code; the receiver's own if it refused the file.
    pub reason: Option<String>,
}

/// How a transfer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The receiver has it, whole.
    Completed,
    /// It cannot be.
    Failed,
    /// It was taken back, or its owner's time is over.
    Cancelled,
    /// Its time was over.
    Expired,
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A download's file has not come yet.
    AwaitingSource,
    /// It is being sealed for the device.
    Sealing,
    /// An upload's parts have not all come yet.
    AwaitingUpload,
    /// What the device sealed is being verified.
    Verifying,
    /// The receiver may have it.
    Ready,
    /// It is over.
    Over(How),
}

impl Transfer {
    /// A transfer that was created just now.
    #[must_use]
    pub fn created(
        id: TransferId,
        thing: ThingName,
        epoch: u64,
        by: Option<String>,
        order: Order,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            thing,
            epoch,
            by,
            created_at: now,
            expires_at: order.expires_at(now),
            order,
            version: 1,
            source: None,
            attempt: None,
            uploaded_at: None,
            body: None,
            progress: Progress::default(),
            ready: None,
            end: None,
            erased_at: None,
        }
    }

    /// Where it stands at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        if let Some(end) = &self.end {
            return State::Over(end.how);
        }
        if now >= self.expires_at {
            return State::Over(How::Expired);
        }
        if self.ready.is_some() {
            return State::Ready;
        }
        match self.order.direction {
            Direction::Download if self.source.is_some() => State::Sealing,
            Direction::Download => State::AwaitingSource,
            Direction::Upload if self.uploaded_at.is_some() => State::Verifying,
            Direction::Upload => State::AwaitingUpload,
        }
    }

    /// How long the file is, as far as is known: what was ordered, or what the device said.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let known = self.attempt.as_ref().map(|attempt| attempt.layout.size);
        known.or_else(|| (self.order.direction == Direction::Download).then_some(self.order.size))
    }
}

impl State {
    /// Its word, for example `awaiting-source`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingSource => "awaiting-source",
            Self::Sealing => "sealing",
            Self::AwaitingUpload => "awaiting-upload",
            Self::Verifying => "verifying",
            Self::Ready => "ready",
            Self::Over(how) => how.as_str(),
        }
    }

    /// Whether nothing more is expected.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Over(_))
    }
}

impl How {
    /// Its word, for example `completed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}
