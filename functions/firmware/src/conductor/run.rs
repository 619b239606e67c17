//! One run over a rollout: plan, do, plan again.

use loam_domain::Timestamp;
use loam_releases::names::Id;

use super::{Conductor, Stepped};
use crate::FirmwareFailure;
use crate::aws::table::Written;
use crate::clock::Clock;
use crate::queue::Work;
use crate::rollout::{Change, Issued, Rollout, Status, Step, Stop, apply, plan};
use crate::tally::Tally;
use crate::told;
use crate::way_back::Ended;

/// Where a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// Nothing is left to do until something changes.
    Out,
    /// Time was over: again.
    More,
    /// Time was over, and nothing came of it: in the next round.
    Later,
    /// There is no such rollout.
    Gone,
}

impl Ran {
    /// Its word in logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "done",
            Self::More => "again",
            Self::Later => "later",
            Self::Gone => "no-such-rollout",
        }
    }

    /// What a run is that time cut off when its steps had come to this.
    const fn cut(ended: Stepped) -> Self {
        match ended.cut() {
            Stepped::On | Stepped::More => Self::More,
            Stepped::Still | Stepped::Later => Self::Later,
        }
    }

    /// Whether another run is asked for. After a round comes the next one, within a minute: whoever asked for another would
    /// make them more and more.
    pub(crate) fn goes_on(self, cause: Cause) -> bool {
        self == Self::More && cause != Cause::Round
    }
}

/// Why a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Something happened.
    News,
    /// The schedule.
    Round,
    /// A device asked for a manifest that is no longer good.
    Sign,
}

impl Conductor {
    /// Does what is to be done for a rollout, as far as a run goes.
    pub(crate) async fn run(&self, id: &Id, cause: Cause, clock: Clock) -> Result<Ran, FirmwareFailure> {
        if cause == Cause::Sign {
            self.renew(id, clock).await?;
        }
        let (mut cause, mut ended) = (cause, Stepped::Still);
        loop {
            let Some(rollout) = self.rollouts.get(id).await? else { return Ok(Ran::Gone) };
            let tallies = self.rollouts.tallies(&rollout).await?;
            let (mut went_on, mut heard_silence) = (false, false);
            let steps = plan(&rollout, &tallies, clock.now());
            let looks = steps.iter().any(|step| matches!(step, Step::LookForSilence { .. }));
            for step in steps {
                if clock.is_over() {
                    return Ok(Ran::cut(ended));
                }
                let is_look = matches!(step, Step::LookForSilence { .. });
                if heard_silence && !is_look {
                    // The counters are not those that this was planned with.
                    break;
                }
                match Box::pin(self.step(&rollout, &tallies, step, cause, clock)).await? {
                    Stepped::On => (ended, went_on, heard_silence) = (Stepped::On, true, heard_silence || is_look),
                    Stepped::Still => {}
                    Stepped::More => return Ok(Ran::More),
                    Stepped::Later => return Ok(Ran::cut(ended)),
                }
            }
            if !went_on {
                return Ok(Ran::Out);
            }
            // Once a run is enough.
            cause = if looks { Cause::News } else { cause };
        }
    }

    async fn step(
        &self,
        rollout: &Rollout,
        tallies: &[Tally],
        step: Step,
        cause: Cause,
        clock: Clock,
    ) -> Result<Stepped, FirmwareFailure> {
        match step {
            Step::Write(change) => self.write(rollout, change, tallies, clock).await,
            Step::Fill => Box::pin(self.fill(rollout, clock)).await,
            Step::Sign => self.sign(rollout, clock).await,
            Step::Ask { wave, most } => Box::pin(self.ask(rollout, wave, most, clock)).await,
            // It reads all things that were asked: not for each word of a device.
            Step::LookForSilence { .. } if cause != Cause::Round => Ok(Stepped::Still),
            Step::LookForSilence { wave } => Box::pin(self.look_for_silence(rollout, wave, clock)).await,
            Step::Retry => Box::pin(self.retry(rollout, clock)).await,
            Step::TakeOut { wave } => Box::pin(self.take_out(rollout, wave, clock)).await,
            Step::Withdraw { waves } => Box::pin(self.withdraw(rollout, &waves, tallies, clock)).await,
        }
    }

    /// Writes a change, and what is told of it, with these counters if there are any. Whether it was written or somebody was
    /// faster: it is planned anew.
    pub(super) async fn write(
        &self,
        rollout: &Rollout,
        change: Change,
        tallies: &[Tally],
        clock: Clock,
    ) -> Result<Stepped, FirmwareFailure> {
        let now = clock.now();
        let Some((after, told)) = apply(rollout, change, now) else { return Ok(Stepped::On) };
        if change == Change::Stopped {
            self.order_ways_back(rollout, now).await?;
        }
        let event = told.map(|told| told::of_change(&after, told, tallies, now));
        if self.rollouts.replace(&after, event.as_ref()).await? == Written::Yes {
            match change {
                Change::Fail(_) => metrics::counter!("StoppedThemselves").increment(1),
                Change::Miss(_) => metrics::counter!("GatesMissed").increment(1),
                Change::Filled | Change::Open(_) | Change::Gate(_) | Change::Ungate(_) | Change::Retried => {}
                Change::Empty | Change::Stopped | Change::Complete => {}
            }
            let (id, status) = (after.id.as_str(), after.status.as_str());
            tracing::info!(rollout.id = id, outcome = status, change = ?change, "rollout changed");
        }
        Ok(Stepped::On)
    }

    /// A rollout that stopped itself is rolled back, if its definition says so: by whoever approved it. Ordered before its end
    /// is written, so that nobody who dies between the two forgets it.
    async fn order_ways_back(&self, rollout: &Rollout, now: Timestamp) -> Result<(), FirmwareFailure> {
        if !rollout.definition.roll_back || rollout.status != Status::Stopping(Stop::Errors) {
            return Ok(());
        }
        let by = rollout.approved_by.as_ref().unwrap_or(&rollout.created_by);
        for id in Box::pin(self.way_back.order(rollout, by, Ended::IsEnough, now)).await?.ids {
            self.queue.send(&Work::Rollout(id)).await?;
        }
        Ok(())
    }

    /// Signs a manifest and writes it into the rollout. Whoever dies between the two has left a gap in the numbers.
    pub(super) async fn sign(&self, rollout: &Rollout, clock: Clock) -> Result<Stepped, FirmwareFailure> {
        let now = clock.now();
        let (signed, verified) = self.signing.sign(&rollout.firmware, rollout.downgrade, now).await?;
        let manifest = verified.manifest();
        let issued = Issued { sequence: manifest.sequence, at: now, not_after: manifest.not_after };
        let after = Rollout { manifest: Some(issued), version: rollout.version + 1, ..rollout.clone() };
        self.rollouts.sign(&after, &signed).await?;
        Ok(Stepped::On)
    }

    /// Signs anew for a rollout whose plan does not: things that were away for long ask for what ended meanwhile.
    async fn renew(&self, id: &Id, clock: Clock) -> Result<(), FirmwareFailure> {
        let Some(rollout) = self.rollouts.get(id).await? else { return Ok(()) };
        if rollout.may_renew(clock.now()) {
            self.sign(&rollout, clock).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_time_cut_off_goes_on_at_once_only_if_something_came_of_it() {
        assert_eq!([Stepped::On.cut(), Stepped::Still.cut()], [Stepped::More, Stepped::Later]);
        assert_eq!([Stepped::On, Stepped::Still].map(Ran::cut), [Ran::More, Ran::Later]);
        let goes_on = |ran: Ran| [Cause::News, Cause::Sign, Cause::Round].map(|cause| ran.goes_on(cause));
        assert_eq!(goes_on(Ran::More), [true, true, false]);
        for ran in [Ran::Later, Ran::Out, Ran::Gone] {
            assert_eq!(goes_on(ran), [false; 3], "{ran:?}");
        }
    }
}
