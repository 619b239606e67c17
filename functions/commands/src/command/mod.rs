//! A command's life, as a set of facts.
//!
//! A command keeps what is known of it, and its state follows from that and the time. Facts only add up: the earliest
//! acknowledgement, the earliest final word, the newest progress. So the order in which messages come, and how often, does
//! not show in the end, and a command whose time is over has expired whether or not anybody wrote so.

mod next;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;

use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::command_id::CommandId;
use crate::feedback::{Note, Verdict};
use crate::order::Order;

pub use next::{Change, Intent, Outcome, Sent, Told, Transition, Why, next};

/// How long a delivery under way keeps others from sending, in milliseconds: the longest wait for an acknowledgement, 15 s,
/// what the call takes besides, and the run's own rest.
pub const LEASE_MILLIS: i64 = 40_000;

/// So soon after it was counted a delivery must be sent, in milliseconds, or not at all: a run that was held up for longer
/// might send what its owner has no say in any more. Shorter than what follows an owner's end before the next one begins.
pub const SENT_WITHIN_MILLIS: i64 = 5_000;

/// So long after its end a command's expiry is told, in milliseconds: what the device said in time may still be on its way.
pub const EXPIRY_TOLD_AFTER_MILLIS: i64 = 30_000;

/// A command, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// For whom.
    pub thing: ThingName,
    /// In whose time: in a later epoch of the thing it is never sent.
    pub epoch: u64,
    /// Who ordered it.
    pub by: String,
    /// What.
    pub order: Order,
    /// When.
    pub issued_at: Timestamp,
    /// From then on it is worth nothing.
    pub expires_at: Timestamp,
    /// One more with each write.
    pub version: u64,
    /// How often it was sent and may have reached the device.
    pub deliveries: u32,
    /// The delivery under way.
    pub lease: Option<Lease>,
    /// Not to be sent before this time.
    pub not_before: Option<Timestamp>,
    /// When the device first acknowledged the message (PUBACK).
    pub delivered_at: Option<Timestamp>,
    /// When it first said that it has begun, or how far it is.
    pub accepted_at: Option<Timestamp>,
    /// The newest of what it said before its final word.
    pub progress: Option<Said>,
    /// Its first final word.
    pub word: Option<Word>,
    /// All kinds of final words that it said. More than one: it contradicts itself.
    pub verdicts: BTreeSet<Verdict>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// Whether its expiry was told.
    pub expiry_told: bool,
}

/// A delivery under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The version of the command that it began with: who settles another one settles nothing.
    pub version: u64,
    /// From then on whoever began it is taken for dead.
    pub until: Timestamp,
}

/// Something that the device said, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// When AWS IoT took it.
    pub at: Timestamp,
    /// What.
    pub note: Note,
}

/// A final word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    /// What the device did.
    pub verdict: Verdict,
    /// When AWS IoT took it, and what was said with it.
    pub said: Said,
}

/// Where a command stands. `succeeded`, `failed` and `rejected` are the device's own word, and nobody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It waits for the device.
    Queued,
    /// The device acknowledged the message.
    Delivered,
    /// It has begun.
    Accepted,
    /// It did it.
    Succeeded,
    /// It could not.
    Failed,
    /// It would not.
    Rejected,
    /// Its time was over before the device's final word.
    Expired,
    /// It was taken back before the device had it, as far as is known.
    Cancelled,
}

/// How far a command had come when its time was over, and what is known of one that is still queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reached {
    /// `not-sent`: it did not reach the device.
    NotSent,
    /// `not-confirmed`: it was sent and not acknowledged: the device may have it.
    NotConfirmed,
    /// `deliveries-exhausted`: the same, and it is not sent again.
    Exhausted,
    /// `not-accepted`: the device has it, and said nothing.
    NotAccepted,
    /// `no-final-word`: the device had begun.
    NoFinalWord,
}

impl Command {
    /// A command that was ordered just now.
    #[must_use]
    pub fn ordered(id: CommandId, thing: ThingName, epoch: u64, by: String, order: Order, now: Timestamp) -> Self {
        Self {
            id,
            thing,
            epoch,
            by,
            issued_at: now,
            expires_at: order.expires_at(now),
            order,
            version: 1,
            deliveries: 0,
            lease: None,
            not_before: None,
            delivered_at: None,
            accepted_at: None,
            progress: None,
            word: None,
            verdicts: BTreeSet::new(),
            cancelled_at: None,
            expiry_told: false,
        }
    }

    /// From when on nothing the device says changes the state: its time is over, or it was cancelled.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.cancelled_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    /// Where it stands at `now`. Whoever asks later hears of a command that is over only what arrived in time.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        let ends_at = self.ends_at();
        if let Some(word) = self.word.as_ref().filter(|word| word.said.at < ends_at) {
            return State::of(word.verdict);
        }
        match (self.cancelled_at, self.accepted_at, self.delivered_at) {
            (Some(_), _, _) => State::Cancelled,
            (None, _, _) if now >= self.expires_at => State::Expired,
            (None, Some(_), _) => State::Accepted,
            (None, None, Some(_)) => State::Delivered,
            (None, None, None) => State::Queued,
        }
    }

    /// The final word that came too late: what the device did all the same. It changes no state and is never hidden.
    #[must_use]
    pub fn late_word(&self) -> Option<&Word> {
        self.word.as_ref().filter(|word| word.said.at >= self.ends_at())
    }

    /// How far it is known to have come.
    #[must_use]
    pub const fn reached(&self) -> Reached {
        match (self.accepted_at, self.delivered_at) {
            (Some(_), _) => Reached::NoFinalWord,
            (None, Some(_)) => Reached::NotAccepted,
            (None, None) if self.deliveries == 0 => Reached::NotSent,
            (None, None) if self.deliveries >= self.order.max_deliveries => Reached::Exhausted,
            (None, None) => Reached::NotConfirmed,
        }
    }

    /// Whether the device said final words that cannot all be true.
    #[must_use]
    pub fn contradicts_itself(&self) -> bool {
        self.verdicts.len() > 1
    }

    /// Whether it may have run, whatever its state says: it was sent, and nothing proves that it did not arrive.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        self.deliveries > 0
    }

    /// The delivery that is under way at `now`.
    #[must_use]
    pub fn in_flight(&self, now: Timestamp) -> Option<Lease> {
        self.lease.filter(|lease| now < lease.until)
    }
}

impl Lease {
    /// Whether the message may still be sent at `now`; if not, the delivery is settled as [`Sent::NotReached`].
    #[must_use]
    pub const fn may_send(&self, now: Timestamp) -> bool {
        self.until.millis_since(now) > LEASE_MILLIS - SENT_WITHIN_MILLIS
    }
}

impl State {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Delivered,
        Self::Accepted,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
    ];

    /// Its word, for example `queued`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more is expected.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Queued | Self::Delivered | Self::Accepted => false,
            Self::Succeeded | Self::Failed | Self::Rejected | Self::Expired | Self::Cancelled => true,
        }
    }

    const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Succeeded => Self::Succeeded,
            Verdict::Failed => Self::Failed,
            Verdict::Rejected => Self::Rejected,
        }
    }
}

impl Reached {
    /// Its word, the `reasonCode` of an expired command.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not-sent",
            Self::NotConfirmed => "not-confirmed",
            Self::Exhausted => "deliveries-exhausted",
            Self::NotAccepted => "not-accepted",
            Self::NoFinalWord => "no-final-word",
        }
    }
}
