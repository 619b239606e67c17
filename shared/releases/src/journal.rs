//! What a device with two slots remembers, and what its boot loader starts.
//!
//! One record, written as a whole: two copies, the older one overwritten, each with its number and checksum, so that a cut in
//! the middle of a write leaves the one before. What runs is never written to. Everything else follows from the record:
//! after any restart the device looks at it and goes on.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accept::{Refuse, Seen};
use crate::manifest::Firmware;
use crate::names::{Digest, Id};
use crate::version::Version;

/// How often a new image is started before it has shown that it works.
pub const STARTS: u8 = 3;

/// One of the two places for firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

/// What the device remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// What starts unless something is on trial; it has shown that it works.
    pub active: Slot,
    /// The version in it.
    pub running: Version,
    /// Its security counter.
    pub security_counter: u32,
    /// The newest manifest that was accepted.
    pub seen: Option<Seen>,
    /// Where the update stands.
    pub stage: Stage,
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// By which rollout.
    pub rollout: Id,
    /// For the how many-th time, from 1. Each is done once.
    pub attempt: u32,
    /// What to run.
    pub firmware: Firmware,
    /// The manifest's number: a newer one of the same order changes nothing.
    pub sequence: u64,
}

/// Where an update stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "stage")]
pub enum Stage {
    /// There was none.
    Idle,
    /// The image is written to the other slot.
    Fetching {
        /// What.
        order: Order,
        /// So many bytes are certainly there.
        written: u64,
    },
    /// The other slot starts, to show that it works.
    Trying {
        /// What.
        order: Order,
        /// So often it is started yet.
        starts: u8,
    },
    /// It is over; the slot `active` is what runs from now on.
    Over {
        /// By which rollout.
        rollout: Id,
        /// Which attempt.
        attempt: u32,
        /// How.
        verdict: Verdict,
        /// Whether the cloud has acknowledged that it heard so.
        told: bool,
    },
}

/// How an update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It runs.
    Succeeded,
    /// The device would not.
    Refused(Refuse),
    /// The new image did not show that it works; the old one runs.
    Failed(Fault),
    /// Nobody wanted it any more.
    Withdrawn,
}

/// What a new image did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// `damaged`: its bytes in the slot are not what was checked there.
    Damaged,
    /// `does-not-start`: it was started as often as it may be and never said that it works.
    DoesNotStart,
    /// `self-test`: it says itself that it does not work.
    SelfTest,
    /// `no-connection`: it works, and cannot reach the cloud, so that it could never be replaced.
    NoConnection,
}

/// What a boot loader does: save the record, if there is one, and only then start the slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// What to save first.
    pub save: Option<Journal>,
    /// What to start.
    pub slot: Slot,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl Fault {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::DoesNotStart => "does-not-start",
            Self::SelfTest => "self-test",
            Self::NoConnection => "no-connection",
        }
    }
}

impl Journal {
    /// A device as it left the factory.
    #[must_use]
    pub const fn factory(running: Version, security_counter: u32) -> Self {
        Self { active: Slot::A, running, security_counter, seen: None, stage: Stage::Idle }
    }

    /// The same device with its update at another stage.
    #[must_use]
    pub fn at(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    /// The same device with an update that is over.
    #[must_use]
    pub fn over(&self, order: &Order, verdict: Verdict) -> Self {
        self.at(Stage::Over { rollout: order.rollout.clone(), attempt: order.attempt, verdict, told: false })
    }

    /// The same device, running what was on trial: the slots change places, and the security counter rises only now, so
    /// that the old image could start until here.
    #[must_use]
    pub fn committed(&self, order: &Order) -> Self {
        let after = self.over(order, Verdict::Succeeded);
        let security_counter = self.security_counter.max(order.firmware.security_counter);
        Self { active: self.active.other(), running: order.firmware.version.clone(), security_counter, ..after }
    }

    /// No manifest that was made before this time is obeyed.
    #[must_use]
    pub fn time_floor(&self) -> Option<Timestamp> {
        self.seen.map(|seen| seen.issued_at)
    }
}

/// What the boot loader starts. `digest_of` reads a slot, as many bytes as it is told, and gives their digest.
///
/// A start is counted before it happens, so that an image that takes the device down with it is not started for ever.
#[must_use]
pub fn boot(journal: &Journal, digest_of: impl FnOnce(Slot, u64) -> Digest) -> Boot {
    let stay = |save| Boot { save, slot: journal.active };
    let Stage::Trying { order, starts } = &journal.stage else { return stay(None) };
    let Some(left) = starts.checked_sub(1) else {
        return stay(Some(journal.over(order, Verdict::Failed(Fault::DoesNotStart))));
    };
    let trial = journal.active.other();
    if digest_of(trial, order.firmware.size) != order.firmware.sha256 {
        return stay(Some(journal.over(order, Verdict::Failed(Fault::Damaged))));
    }
    let counted = journal.at(Stage::Trying { order: order.clone(), starts: left });
    Boot { save: Some(counted), slot: trial }
}
