//! The conductor: applies what [`crate::rollout::plan`] says. It may die anywhere, and run twice.

mod ask;
mod fill;
mod handler;
mod quiet;
mod run;
mod take_out;

#[cfg(test)]
mod sample_events;

use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use loam_things::Things;
use loam_things::twins::Twins;

use crate::aws::executions::{Executions, Move, TOGETHER, With};
use crate::aws::jobs::Jobs;
use crate::aws::rollouts::Rollouts;
use crate::aws::shadows::Shadows;
use crate::aws::signing::Signing;
use crate::aws::table::Written;
use crate::aws::targets::Targets;
use crate::clock::Clock;
use crate::execution::{Execution, Intent, State, Transition, next};
use crate::queue::Queue;
use crate::way_back::WayBack;
use crate::{ConductorConfig, FirmwareFailure, told};

pub use handler::ConductorHandler;

/// What it works with.
#[derive(Debug, Clone)]
pub(crate) struct Conductor {
    rollouts: Rollouts,
    executions: Executions,
    targets: Targets,
    shadows: Shadows,
    jobs: Jobs,
    signing: Signing,
    twins: Twins,
    things: Things,
    way_back: WayBack,
    queue: Queue,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stepped {
    /// Something is otherwise than it was: plan again.
    On,
    /// Nothing is.
    Still,
    /// Time is over: the rest in the next run.
    More,
    /// Time is over, and nothing came of it: the rest in the next round, as another run would find the same.
    Later,
}

impl Stepped {
    /// What a step is that time cut off.
    const fn cut(self) -> Self {
        match self {
            Self::On | Self::More => Self::More,
            Self::Still | Self::Later => Self::Later,
        }
    }
}

impl Conductor {
    pub(crate) fn new(sdk: &SdkConfig, config: &ConductorConfig) -> Self {
        Self {
            rollouts: Rollouts::new(sdk, config.firmware_table.clone()),
            executions: Executions::new(sdk, config.firmware_table.clone()),
            targets: Targets::new(sdk, config.firmware_bucket.clone()),
            shadows: Shadows::new(sdk),
            jobs: Jobs::new(sdk, config.firmware_bucket.clone(), config.url_role.clone(), &config.firmware_key),
            signing: Signing::new(sdk, config.firmware_key.clone(), config.firmware_table.clone()),
            twins: Twins::new(sdk, config.twins_table.clone()),
            things: Things::new(sdk, config.things_table.clone()),
            way_back: WayBack::new(sdk, &config.firmware_table),
            queue: Queue::new(sdk, config.queue_url.clone()),
        }
    }

    /// Writes what an intent makes of a thing's row, if it makes something of it; the row after it, if it was written.
    async fn apply(
        &self,
        before: &Execution,
        shard: u32,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Option<Execution>, FirmwareFailure> {
        let Transition::Change(after) = next(before, intent, now) else { return Ok(None) };
        let epoch = self.epoch_for(before, &after).await?;
        let kind = told::kind_of_move(before, &after);
        let event = kind.map(|kind| told::of_move(&after, kind, epoch, now));
        let moves = [Move { before: before.clone(), after: (*after).clone(), shard }];
        let with = With { event: event.as_ref(), ..With::default() };
        let written = self.executions.save(&moves, with).await?;
        if written == Written::Yes {
            count(before, &after);
        }
        Ok((written == Written::Yes).then_some(*after))
    }

    /// Writes what an intent of which nothing is told makes of rows of one shard, many at a time; whether any was written. Where
    /// one of them is not what was read any more, one by one.
    async fn apply_to_many(
        &self,
        rows: &[&Execution],
        shard: u32,
        intent: &Intent,
        clock: Clock,
    ) -> Result<bool, FirmwareFailure> {
        let mut any = false;
        for rows in rows.chunks(TOGETHER) {
            let moved = |row: &&Execution| match next(row, intent, clock.now()) {
                Transition::Change(after) => Some(Move { before: (*row).clone(), after: *after, shard }),
                Transition::Nothing(_) => None,
            };
            let moves: Vec<Move> = rows.iter().filter_map(moved).collect();
            if moves.is_empty() {
                continue;
            }
            if self.executions.save_many(&moves).await? == Written::Yes {
                moves.iter().for_each(|moved| count(&moved.before, &moved.after));
                any = true;
                continue;
            }
            for moved in &moves {
                any |= self.apply(&moved.before, shard, intent, clock.now()).await?.is_some();
            }
        }
        Ok(any)
    }

    /// Whose time it is, where something is told of it.
    async fn epoch_for(&self, before: &Execution, after: &Execution) -> Result<u64, FirmwareFailure> {
        if told::kind_of_move(before, after).is_none() {
            return Ok(0);
        }
        epoch_of(&self.things, &after.thing).await
    }
}

/// The epoch of a thing; 0 of one that is not registered any more.
pub(crate) async fn epoch_of(things: &Things, thing: &ThingName) -> Result<u64, FirmwareFailure> {
    Ok(things.get(thing).await?.map_or(0, |record| record.epoch))
}

/// Counts where a thing came to.
pub(crate) fn count(before: &Execution, after: &Execution) {
    let state = after.state();
    if state == before.state() {
        return;
    }
    match state {
        State::Succeeded => metrics::counter!("Succeeded").increment(1),
        State::Failed if after.reached => metrics::counter!("FellBack").increment(1),
        State::Failed | State::Rejected => metrics::counter!("Failed").increment(1),
        State::TimedOut | State::Unreached => metrics::counter!("TimedOut").increment(1),
        State::Notified if before.state() == State::Queued => metrics::counter!("Asked").increment(1),
        State::Queued | State::Notified | State::Downloading | State::Verifying | State::Installing => {}
        State::AlreadyInstalled | State::Incompatible | State::Removed => {}
    }
}
