//! What follows from what was heard: a thing's row is moved, and the conductor woken where that may move its rollout.

use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use loam_releases::names::Id;
use loam_things::Things;

use crate::FirmwareFailure;
use crate::assignment::Assignment;
use crate::aws::executions::{Executions, Move, With};
use crate::aws::rollouts::Rollouts;
use crate::aws::table::{Written, wait_after};
use crate::conductor::{count, epoch_of};
use crate::execution::{Execution, Intent, Outcome, State, Transition, Why, next};
use crate::queue::{Queue, Work};
use crate::told;

/// Rows of things, as those who hear devices move them.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) rollouts: Rollouts,
    pub(crate) executions: Executions,
    pub(crate) things: Things,
    pub(crate) queue: Queue,
}

/// What came of a word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Applied {
    /// The thing stands there now.
    Moved(State),
    /// It changes nothing.
    Nothing(Outcome),
    /// No rollout has the thing, or another one.
    NotOurs,
}

impl Applied {
    /// Its word in logs.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Moved(state) => state.as_str(),
            Self::Nothing(Outcome::Already) => "known",
            Self::Nothing(Outcome::Refused(Why::Unsolicited)) => "unsolicited",
            Self::Nothing(Outcome::Refused(_)) => "over",
            Self::NotOurs => "not-ours",
        }
    }
}

impl Rows {
    pub(crate) fn new(sdk: &SdkConfig, table: &str, things_table: String, queue_url: String) -> Self {
        Self {
            rollouts: Rollouts::new(sdk, table.to_owned()),
            executions: Executions::new(sdk, table.to_owned()),
            things: Things::new(sdk, things_table),
            queue: Queue::new(sdk, queue_url),
        }
    }

    /// Whose a thing is, and its row there.
    pub(crate) async fn held(&self, thing: &ThingName) -> Result<Option<(Assignment, Execution)>, FirmwareFailure> {
        let Some(held) = self.executions.assignment(thing).await? else { return Ok(None) };
        let place = (usize::from(held.wave), held.shard);
        let row = self.executions.get(&held.rank.rollout, place, thing).await?;
        Ok(row.map(|row| (held, row)))
    }

    /// Reads, decides and writes, again while others are faster; `of` is the rollout that is spoken of, if one is.
    pub(crate) async fn apply(
        &self,
        thing: &ThingName,
        of: Option<&Id>,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Applied, FirmwareFailure> {
        let mut tries = 0;
        loop {
            let Some((held, before)) = self.held(thing).await? else { return Ok(Applied::NotOurs) };
            if of.is_some_and(|of| *of != held.rank.rollout) {
                return Ok(Applied::NotOurs);
            }
            let after = match next(&before, intent, now) {
                Transition::Change(after) => *after,
                Transition::Nothing(outcome) => {
                    // A run that died after its write has not woken anybody.
                    self.wake(&before).await?;
                    return Ok(Applied::Nothing(outcome));
                }
            };
            if self.write(&before, &after, held.shard, now).await? == Written::Yes {
                count(&before, &after);
                if before.state() != after.state() {
                    self.wake(&after).await?;
                }
                return Ok(Applied::Moved(after.state()));
            }
            tries = wait_after(tries).await?;
        }
    }

    async fn write(
        &self,
        before: &Execution,
        after: &Execution,
        shard: u32,
        now: Timestamp,
    ) -> Result<Written, FirmwareFailure> {
        let event = match told::kind_of_move(before, after) {
            Some(kind) => Some(told::of_move(after, kind, epoch_of(&self.things, &after.thing).await?, now)),
            None => None,
        };
        let moves = [Move { before: before.clone(), after: after.clone(), shard }];
        self.executions.save(&moves, With { event: event.as_ref(), ..With::default() }).await
    }

    /// Wakes the conductor if the counters of the thing's wave may move its rollout on, or stop it.
    async fn wake(&self, row: &Execution) -> Result<(), FirmwareFailure> {
        if row.state().is_open() {
            return Ok(());
        }
        let Some(rollout) = self.rollouts.get(&row.rollout).await? else { return Ok(()) };
        let wave = usize::from(row.wave);
        if rollout.listens() && rollout.stirs(wave, &self.rollouts.tally(&rollout, wave).await?) {
            self.queue.send(&Work::Rollout(rollout.id)).await?;
        }
        Ok(())
    }
}
