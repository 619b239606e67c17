use loam_domain::Timestamp;

use super::{Pause, Rank, Rollout, Status, Stop};

/// What an operator does with a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Says that it may be started.
    Approve,
    /// Begins.
    Start,
    /// Asks no more things; what was asked goes on.
    Pause,
    /// Goes on; of a wave that missed its gate: all the same.
    Resume,
    /// Ends it.
    Stop,
    /// Tries again what failed or had to go through a version between, in all waves that are open. A rollout that missed its gate goes on with that.
    Retry,
    /// May be rolled back: the shell creates a rollout for each version that ran before.
    RollBack,
}

/// Why it cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// `stale`: it was changed since it was read.
    Stale,
    /// `own-rollout`: who created it does not approve it.
    OwnRollout,
    /// `rollout-filling`: its targets are not written down yet.
    Filling,
    /// `rollout-not-approved`.
    NotApproved,
    /// `rollout-not-running`.
    NotRunning,
    /// `rollout-not-paused`.
    NotPaused,
    /// `rollout-over`.
    Over,
    /// `rollout-not-over`: it must be stopped first.
    NotOver,
    /// `rollout-started`: approved and started it was before.
    Started,
}

impl Refusal {
    /// Its stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::OwnRollout => "own-rollout",
            Self::Filling => "rollout-filling",
            Self::NotApproved => "rollout-not-approved",
            Self::NotRunning => "rollout-not-running",
            Self::NotPaused => "rollout-not-paused",
            Self::Over => "rollout-over",
            Self::NotOver => "rollout-not-over",
            Self::Started => "rollout-started",
        }
    }
}

/// The rollout after `action`, in one write on the version before. Which version the operator has seen is `expected`: of two
/// operators at once, one is [`Refusal::Stale`].
///
/// # Errors
/// [`Refusal`].
pub fn act(
    before: &Rollout,
    action: Action,
    by: &str,
    four_eyes: bool,
    expected: u64,
    now: Timestamp,
) -> Result<Rollout, Refusal> {
    if expected != before.version {
        return Err(Refusal::Stale);
    }
    let mut after = before.clone();
    match action {
        Action::Approve => {
            begun(before)?;
            if four_eyes && by == before.created_by {
                return Err(Refusal::OwnRollout);
            }
            (after.status, after.approved_by) = (Status::Approved, Some(by.to_owned()));
        }
        Action::Start => {
            begun(before)?;
            if before.status != Status::Approved {
                return Err(Refusal::NotApproved);
            }
            (after.status, after.rank) = (Status::Running, Some(Rank { at: now, rollout: before.id.clone() }));
        }
        Action::Pause => {
            running(before)?;
            after.status = Status::Paused(Pause::Operator);
        }
        Action::Resume => resume(&mut after)?,
        Action::Stop if before.status.is_over() => return Err(Refusal::Over),
        Action::Stop => after.status = Status::Stopping(Stop::Operator),
        Action::Retry if matches!(before.status, Status::Running | Status::Paused(_)) => {
            (after.attempts, after.retrying) = (before.attempts + 1, true);
            // The wave is to reach its gate after all; to resume would let it pass.
            if before.status == Status::Paused(Pause::GateMissed) {
                after.status = Status::Running;
            }
        }
        Action::Retry if before.status.is_over() => return Err(Refusal::Over),
        Action::Retry => return Err(Refusal::NotRunning),
        Action::RollBack if before.status.is_done() => {}
        Action::RollBack => return Err(Refusal::NotOver),
    }
    after.version += 1;
    Ok(after)
}

const fn begun(before: &Rollout) -> Result<(), Refusal> {
    match before.status {
        Status::Filling => Err(Refusal::Filling),
        Status::Ready | Status::Approved => Ok(()),
        Status::Running | Status::Paused(_) => Err(Refusal::Started),
        Status::Stopping(_) | Status::Stopped(_) | Status::Completed => Err(Refusal::Over),
    }
}

const fn running(before: &Rollout) -> Result<(), Refusal> {
    if matches!(before.status, Status::Running) {
        return Ok(());
    }
    Err(if before.status.is_over() { Refusal::Over } else { Refusal::NotRunning })
}

fn resume(after: &mut Rollout) -> Result<(), Refusal> {
    let Status::Paused(why) = after.status else {
        return Err(if after.status.is_over() { Refusal::Over } else { Refusal::NotPaused });
    };
    let last = after.waves.iter_mut().rfind(|wave| wave.opened_at.is_some());
    if let Some(wave) = last.filter(|_| why == Pause::GateMissed) {
        wave.waived = true;
    }
    after.status = Status::Running;
    Ok(())
}
