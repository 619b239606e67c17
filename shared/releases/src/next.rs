//! What a device does next about its firmware.
//!
//! Pure: from what it remembers and what it sees, one thing to do. The device does it, sees what came of it, and asks again.
//! What it sees is gone after a restart; what it remembers is not.

use crate::accept::{Refuse, Seen};
use crate::journal::{Fault, Journal, Order, STARTS, Slot, Stage, Verdict};
use crate::names::Id;

/// How much is written before the device remembers that it was, in bytes. A multiple of every usual flash sector.
pub const PIECE_BYTES: u64 = 65_536;

/// What the device sees since it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Which slot runs.
    pub runs: Slot,
    /// What the cloud wants of it.
    pub wanted: Wanted,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it may change its firmware now: within its maintenance window, nobody using it.
    pub may_restart: bool,
    /// How long the image at its source is, in bytes, once that was seen.
    pub source_bytes: Option<u64>,
    /// Why what comes from its source is not what was ordered, once that was seen: a sealed image that does not open.
    pub refused: Option<Refuse>,
    /// So many bytes of the image are in the other slot, as far as this run has written.
    pub written: Option<u64>,
    /// Whether the image in the other slot is the one that was signed, once this run has looked.
    pub whole: Option<bool>,
    /// What the new image says of itself, once this run has asked.
    pub healthy: Option<bool>,
    /// Whether it waited for a connection for as long as it should.
    pub waited_in_vain: bool,
    /// Whether the cloud has acknowledged the verdict.
    pub told: bool,
}

/// What the cloud wants, as far as the device has heard since it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It has not heard.
    Unknown,
    /// Nothing.
    Nothing,
    /// This, which the device accepts.
    Accepted(Box<Order>, Seen),
    /// This, which it does not.
    Refused {
        /// By which rollout.
        rollout: Id,
        /// Which attempt.
        attempt: u32,
        /// Why.
        why: Refuse,
    },
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Do {
    /// Remember this.
    Save(Box<Journal>),
    /// Fetch and write the next piece of the image: erase that part of the other slot, then write it.
    Fetch {
        /// Its first byte.
        from: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// Read the other slot and compare it with what was signed.
    CheckImage,
    /// Start again: the boot loader chooses what.
    Restart,
    /// Ask the new image whether it works.
    SelfTest,
    /// Tell the cloud how it ended, and see whether it acknowledges.
    Tell {
        /// Of which rollout.
        rollout: Id,
        /// How.
        verdict: Verdict,
    },
    /// Nothing, until something new is seen.
    Wait,
}

/// What to do next.
#[must_use]
pub fn next(journal: &Journal, sight: &Sight) -> Do {
    match &journal.stage {
        Stage::Trying { order, .. } if sight.runs == journal.active.other() => on_trial(journal, order, sight),
        // Nothing is written while it is not known to be wanted; the boot loader has chosen the old slot for a reason, which
        // it has written.
        Stage::Trying { .. } => Do::Restart,
        _ if sight.runs != journal.active => Do::Restart,
        Stage::Fetching { order, written } => fetching(journal, order, *written, sight),
        Stage::Over { rollout, verdict, told: false, .. } if !sight.told => match sight.connected {
            true => Do::Tell { rollout: rollout.clone(), verdict: *verdict },
            false => Do::Wait,
        },
        Stage::Over { rollout, attempt, verdict, told: false } => {
            let (rollout, attempt, verdict) = (rollout.clone(), *attempt, *verdict);
            Do::Save(Box::new(journal.at(Stage::Over { rollout, attempt, verdict, told: true })))
        }
        Stage::Idle | Stage::Over { .. } => begin(journal, sight),
    }
}

fn begin(journal: &Journal, sight: &Sight) -> Do {
    let done = |rollout: &Id, attempt: u32| match &journal.stage {
        Stage::Over { rollout: last, attempt: tried, .. } => last == rollout && *tried >= attempt,
        Stage::Idle | Stage::Fetching { .. } | Stage::Trying { .. } => false,
    };
    match &sight.wanted {
        Wanted::Accepted(order, seen) if !done(&order.rollout, order.attempt) => {
            let stage = Stage::Fetching { order: (**order).clone(), written: 0 };
            Do::Save(Box::new(Journal { seen: Some(*seen), ..journal.at(stage) }))
        }
        // Not yet; asked again, it may be.
        Wanted::Refused { why: Refuse::ClockNotSet | Refuse::NotYetValid, .. } => Do::Wait,
        Wanted::Refused { rollout, attempt, why } if !done(rollout, *attempt) => {
            let (rollout, verdict) = (rollout.clone(), Verdict::Refused(*why));
            Do::Save(Box::new(journal.at(Stage::Over { rollout, attempt: *attempt, verdict, told: false })))
        }
        Wanted::Accepted(..) | Wanted::Refused { .. } | Wanted::Nothing | Wanted::Unknown => Do::Wait,
    }
}

fn fetching(journal: &Journal, order: &Order, written: u64, sight: &Sight) -> Do {
    let size = order.firmware.size;
    let end = |verdict| Do::Save(Box::new(journal.over(order, verdict)));
    match &sight.wanted {
        Wanted::Nothing => return end(Verdict::Withdrawn),
        Wanted::Accepted(newer, _) if newer.rollout != order.rollout || newer.attempt > order.attempt => {
            return begin(journal, sight);
        }
        // What it is at is not wanted any more; what is wanted instead is refused once this is over.
        Wanted::Refused { rollout, .. } if *rollout != order.rollout => return end(Verdict::Withdrawn),
        Wanted::Unknown | Wanted::Accepted(..) | Wanted::Refused { .. } => {}
    }
    if let Some(why) = sight.refused {
        return end(Verdict::Refused(why));
    }
    if sight.source_bytes.is_some_and(|bytes| bytes != size) {
        return end(Verdict::Refused(Refuse::ImageSize));
    }
    match sight.written.filter(|seen| *seen > written) {
        Some(written) => Do::Save(Box::new(journal.at(Stage::Fetching { order: order.clone(), written }))),
        None if written < size && sight.connected => {
            Do::Fetch { from: written, bytes: PIECE_BYTES.min(size - written) }
        }
        None if written < size => Do::Wait,
        None => whole(journal, order, sight),
    }
}

fn whole(journal: &Journal, order: &Order, sight: &Sight) -> Do {
    match sight.whole {
        None => Do::CheckImage,
        Some(false) => Do::Save(Box::new(journal.over(order, Verdict::Refused(Refuse::ImageDigest)))),
        Some(true) if !sight.may_restart => Do::Wait,
        Some(true) => Do::Save(Box::new(journal.at(Stage::Trying { order: order.clone(), starts: STARTS }))),
    }
}

fn on_trial(journal: &Journal, order: &Order, sight: &Sight) -> Do {
    let fails = |fault| Do::Save(Box::new(journal.over(order, Verdict::Failed(fault))));
    match sight.healthy {
        None => Do::SelfTest,
        Some(false) => fails(Fault::SelfTest),
        // What reaches the cloud can be replaced by the cloud, whatever else may turn out to be wrong with it.
        Some(true) if sight.connected => Do::Save(Box::new(journal.committed(order))),
        Some(true) if sight.waited_in_vain => fails(Fault::NoConnection),
        Some(true) => Do::Wait,
    }
}
