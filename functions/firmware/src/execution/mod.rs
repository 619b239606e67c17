//! A rollout on one thing, as a set of facts.
//!
//! What the device says adds up: the farthest phase, its first verdict, its newest version. The state follows from the facts,
//! so that the order in which messages come, and how often, does not show in the end.

mod admit;
mod next;
mod state;
#[cfg(test)]
pub(crate) mod tests;

use loam_domain::{ThingName, Timestamp};
use loam_releases::names::{Hardware, Id};
use loam_releases::version::Version;
use serde::{Deserialize, Serialize};

pub use admit::{Admission, Glimpse, admit};
pub use next::{Intent, Outcome, Transition, Why, next};
pub use state::{End, State};

/// How long a delivery under way keeps others from the thing, in milliseconds.
pub const LEASE_MILLIS: i64 = 60_000;

/// So soon after its claim the order must be in the shadow, in milliseconds, or not at all: a run that was held up for longer
/// would write what was withdrawn meanwhile.
pub const DELIVERED_WITHIN_MILLIS: i64 = 20_000;

/// A rollout on one thing, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Of which rollout.
    pub rollout: Id,
    /// On which thing.
    pub thing: ThingName,
    /// In which wave, from 0.
    pub wave: u16,
    /// The version that it is to run.
    pub target: Version,
    /// One more with each write.
    pub version: u64,
    /// For the how many-th time, from 1.
    pub attempt: u32,
    /// What ran before; where a roll back leads.
    pub from: Option<Version>,
    /// The delivery under way.
    pub lease: Option<Lease>,
    /// When the delivery of this attempt began: what the device said before is not about it.
    pub claimed_at: Option<Timestamp>,
    /// When the order was in its shadow.
    pub notified_at: Option<Timestamp>,
    /// When the device said the first word.
    pub started_at: Option<Timestamp>,
    /// When it said that it installs.
    #[serde(default)]
    pub installing_at: Option<Timestamp>,
    /// How far it has come, as far as it said.
    pub phase: Option<Phase>,
    /// How far it is in that phase, in full tens of percent, as far as it said.
    #[serde(default)]
    pub percent: Option<u8>,
    /// Its first verdict.
    pub verdict: Option<Said>,
    /// What it runs, by its newest report.
    pub running: Option<Running>,
    /// What it said to be when it was turned away.
    #[serde(default)]
    pub hardware: Option<Hardware>,
    /// Whether it ever ran the target since the claim.
    pub reached: bool,
    /// What Loam decided.
    pub end: Option<End>,
    /// Whether the order of who was given up was taken back, since its rollout stopped.
    #[serde(default)]
    pub withdrawn: bool,
}

/// A delivery under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The version of the execution that it began with.
    pub version: u64,
    /// From then on whoever began it is taken for dead.
    pub until: Timestamp,
}

/// How far a device has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It fetches the image.
    Downloading,
    /// It compares it with what was signed.
    Verifying,
    /// It starts it. From here on nobody can stop it.
    Installing,
}

/// A verdict of the device, and when AWS IoT took it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub verdict: Verdict,
    /// Its code for it.
    pub code: Option<String>,
}

/// Which verdict. There is no success here: that is a thing's report of what it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It tried; the old firmware runs.
    Failed,
    /// It would not.
    Rejected,
}

/// What a thing runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// When it said so.
    pub at: Timestamp,
    /// The version.
    pub version: Version,
}

impl Execution {
    /// A thing's place in a rollout, before anything happened.
    #[must_use]
    pub const fn queued(rollout: Id, thing: ThingName, wave: u16, target: Version) -> Self {
        Self {
            rollout,
            thing,
            wave,
            target,
            version: 1,
            attempt: 1,
            from: None,
            lease: None,
            claimed_at: None,
            notified_at: None,
            started_at: None,
            installing_at: None,
            phase: None,
            percent: None,
            verdict: None,
            running: None,
            hardware: None,
            reached: false,
            end: None,
            withdrawn: false,
        }
    }

    /// Where it stands. What a thing reports to run is worth more than what it says, and that more than what Loam
    /// concluded from its silence; but what Loam took out stays out.
    #[must_use]
    pub fn state(&self) -> State {
        if let Some(state) = self.end.and_then(End::lasting) {
            return state;
        }
        let on_target = self.running.as_ref().is_some_and(|running| running.version == self.target);
        if self.claimed_at.is_some() && on_target {
            return State::Succeeded;
        }
        if self.reached {
            return State::Failed;
        }
        match (&self.verdict, self.end, self.phase) {
            (Some(said), _, _) if said.verdict == Verdict::Failed => State::Failed,
            (Some(_), _, _) => State::Rejected,
            (None, Some(End::Unreached), None) => State::Unreached,
            (None, Some(_), _) => State::TimedOut,
            (None, None, Some(Phase::Downloading)) => State::Downloading,
            (None, None, Some(Phase::Verifying)) => State::Verifying,
            (None, None, Some(Phase::Installing)) => State::Installing,
            (None, None, None) if self.notified_at.is_some() => State::Notified,
            (None, None, None) => State::Queued,
        }
    }

    /// Why it stands there, in a word for programs.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self.state() {
            State::Failed | State::Rejected => {
                let code = self.verdict.as_ref().and_then(|said| said.code.as_deref());
                code.or_else(|| self.reached.then_some("fell-back"))
            }
            State::TimedOut | State::Unreached | State::Incompatible | State::Removed => self.end.map(End::as_str),
            State::Queued | State::Notified | State::Downloading | State::Verifying | State::Installing => None,
            State::Succeeded | State::AlreadyInstalled => None,
        }
    }

    /// When Loam stops waiting for it: so long after it was notified if it said nothing, so long after its first word, and so
    /// long after it began to install, which may be in its window only. `None`: there is nothing to wait for.
    #[must_use]
    pub fn due_at(&self, timers: &Timers) -> Option<Timestamp> {
        match self.state() {
            State::Notified => self.notified_at.map(|at| at.plus_millis(timers.offline_millis)),
            State::Downloading | State::Verifying => self.started_at.map(|at| at.plus_millis(timers.waiting_millis)),
            State::Installing => {
                self.installing_at.or(self.started_at).map(|at| at.plus_millis(timers.progress_millis))
            }
            State::Queued | State::Succeeded | State::Failed | State::Rejected | State::TimedOut => None,
            State::Unreached | State::AlreadyInstalled | State::Incompatible | State::Removed => None,
        }
    }

    /// Whether the device may begin, or go on: it was asked, and is not done. Who was given up may still prove the contrary.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        let state = self.state();
        self.claimed_at.is_some() && (state.is_open() || self.is_given_up())
    }

    /// Whether Loam waits no longer for it, and still may hear of it: its order is where it was, if nobody took it back.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        !self.withdrawn && matches!(self.state(), State::TimedOut | State::Unreached)
    }

    /// The delivery that is under way at `now`.
    #[must_use]
    pub fn in_flight(&self, now: Timestamp) -> Option<Lease> {
        self.lease.filter(|lease| now < lease.until)
    }
}

/// How long Loam waits for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timers {
    /// For its first word after it was notified, in milliseconds: it may be offline.
    pub offline_millis: i64,
    /// For its first word of installing after its first word, in milliseconds: it may wait for its window.
    pub waiting_millis: i64,
    /// For its end after it began to install, in milliseconds.
    pub progress_millis: i64,
}

impl Lease {
    /// Whether the order may still be written to the shadow.
    #[must_use]
    pub const fn may_deliver(&self, now: Timestamp) -> bool {
        self.until.millis_since(now) > LEASE_MILLIS - DELIVERED_WITHIN_MILLIS
    }
}
