use loam_domain::Timestamp;

use super::definition::Wave;
use super::{Granted, Issued, Pause, Rank, Rollout, Standing, Status, Stop, tally_of};
use crate::execution::State;
use crate::tally::Tally;

/// A manifest is signed anew when less than this part of its time is left.
const RENEWED_AT: i64 = 3;

/// One thing that the conductor does. It may be repeated, and interrupted anywhere: the next plan finds what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write the rollout, by [`apply`], on its version; then plan again.
    Write(Change),
    /// Write down the targets.
    Fill,
    /// Sign a manifest: there is none, or it ends soon. Then write it into the rollout.
    Sign,
    /// Ask things of this wave, at most so many; [`grant`] first.
    Ask {
        /// Which wave.
        wave: usize,
        /// How many things.
        most: u32,
    },
    /// Look for things of this wave that said nothing in time.
    LookForSilence {
        /// Which wave.
        wave: usize,
    },
    /// Put everything of the open waves that failed, refused or timed out, in an attempt lower than the rollout's, back into
    /// its queue; then write [`Change::Retried`].
    Retry,
    /// Take out whatever has not come too far, in this wave.
    TakeOut {
        /// Which wave.
        wave: usize,
    },
    /// Take back the orders of who was given up in these waves; then write [`Change::Stopped`]. Whoever comes later would
    /// install what was stopped.
    Withdraw {
        /// Which waves.
        waves: Vec<usize>,
    },
}

/// What a rollout does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// All targets are written down.
    Filled,
    /// A wave opens.
    Open(usize),
    /// Enough of this wave run the target; the soak begins.
    Gate(usize),
    /// They do not any more; the soak begins anew when they do.
    Ungate(usize),
    /// Nothing is expected of the wave any more, and too few run it.
    Miss(usize),
    /// More than the limit of this wave speak against it.
    Fail(usize),
    /// What failed was put back.
    Retried,
    /// There are no targets.
    Empty,
    /// Nothing is left to take out.
    Stopped,
    /// All waves have passed.
    Complete,
}

/// What is told of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// `rollout.started`: without an operator, as it was approved before it was filled.
    Started,
    /// `rollout.wave-opened`.
    WaveOpened(usize),
    /// `rollout.wave-passed`.
    WavePassed(usize),
    /// `rollout.paused`: it missed its gate.
    Paused(usize),
    /// `rollout.stopping`: it stops itself.
    Stopping(usize),
    /// `rollout.stopped`.
    Stopped,
    /// `rollout.completed`.
    Completed,
}

/// What to do now, given the counters of each wave. Nothing is left to do until something changes when it is empty.
///
/// The rollout's own changes come first and alone: what is done to things rests on them.
#[must_use]
pub fn plan(rollout: &Rollout, tallies: &[Tally], now: Timestamp) -> Vec<Step> {
    match rollout.status {
        Status::Filling => vec![Step::Fill],
        Status::Ready | Status::Approved | Status::Stopped(_) | Status::Completed => vec![],
        Status::Stopping(_) => stopping(rollout, tallies),
        Status::Running | Status::Paused(_) if rollout.retrying => vec![Step::Retry],
        Status::Paused(_) => match failing(rollout, tallies) {
            Some(wave) => vec![Step::Write(Change::Fail(wave))],
            None => silence(rollout, tallies),
        },
        Status::Running => match change(rollout, tallies, now) {
            Some(change) => vec![Step::Write(change)],
            None => work(rollout, tallies, now),
        },
    }
}

fn stopping(rollout: &Rollout, tallies: &[Tally]) -> Vec<Step> {
    let installing: u64 = tallies.iter().map(|tally| tally.get(State::Installing)).sum();
    let open: u64 = tallies.iter().map(Tally::open).sum();
    if open == 0 {
        return vec![last_of_stopping(tallies)];
    }
    let left = |tally: &Tally| tally.open() > tally.get(State::Installing);
    let waves = tallies.iter().enumerate().filter(|(_, tally)| left(tally));
    let mut steps: Vec<Step> = waves.map(|(wave, _)| Step::TakeOut { wave }).collect();
    if installing > 0 {
        steps.extend(silence(rollout, tallies));
    }
    steps
}

fn last_of_stopping(tallies: &[Tally]) -> Step {
    let given_up = |tally: &Tally| tally.get(State::TimedOut) + tally.get(State::Unreached) > 0;
    let waves = tallies.iter().enumerate().filter(|(_, tally)| given_up(tally));
    let waves: Vec<usize> = waves.map(|(wave, _)| wave).collect();
    if waves.is_empty() { Step::Write(Change::Stopped) } else { Step::Withdraw { waves } }
}

/// The first wave of which more than the limit speak against it; also one that has passed, as things fall back late.
fn failing(rollout: &Rollout, tallies: &[Tally]) -> Option<usize> {
    let over = |(index, _, _): &(usize, &Wave, &Standing)| rollout.fails(*index, &tally_of(tallies, *index));
    rollout.opened().find(over).map(|(index, _, _)| index)
}

fn change(rollout: &Rollout, tallies: &[Tally], now: Timestamp) -> Option<Change> {
    if let Some(wave) = failing(rollout, tallies) {
        return Some(Change::Fail(wave));
    }
    let Some((index, wave, standing)) = rollout.current() else {
        let all: u64 = tallies.iter().map(Tally::total).sum();
        return Some(if all == 0 && !rollout.takes_joiners(now) { Change::Empty } else { Change::Open(0) });
    };
    let tally = tally_of(tallies, index);
    let fires = standing.waived || tally.gate_fires(wave.success_percent);
    match standing.gate_at {
        None if fires => Some(Change::Gate(index)),
        None if tally.open() == 0 => Some(Change::Miss(index)),
        None => None,
        Some(_) if !fires => Some(Change::Ungate(index)),
        Some(gate_at) => {
            let soaked = now.millis_since(gate_at) >= i64::from(wave.soak_minutes) * 60_000;
            let next = index + 1;
            if !soaked {
                return None;
            }
            (next < rollout.waves.len()).then_some(Change::Open(next)).or_else(|| complete(rollout, tallies, now))
        }
    }
}

fn complete(rollout: &Rollout, tallies: &[Tally], now: Timestamp) -> Option<Change> {
    let open: u64 = tallies.iter().map(Tally::open).sum();
    (open == 0 && !rollout.takes_joiners(now)).then_some(Change::Complete)
}

/// Whether more is left of a manifest's time than the part in which it is signed anew.
pub(super) const fn is_fresh(issued: &Issued, now: Timestamp) -> bool {
    let whole = issued.not_after.millis_since(issued.at);
    issued.not_after.millis_since(now) > whole / RENEWED_AT
}

fn work(rollout: &Rollout, tallies: &[Tally], now: Timestamp) -> Vec<Step> {
    if !rollout.manifest.as_ref().is_some_and(|issued| is_fresh(issued, now)) {
        return vec![Step::Sign];
    }
    let mut left = budget(rollout, now);
    // First: to ask may take all of a run's time, and what silence says may end it.
    let mut steps = silence(rollout, tallies);
    for (wave, _, _) in rollout.opened() {
        let queued = u32::try_from(tally_of(tallies, wave).get(State::Queued)).unwrap_or(u32::MAX);
        let most = queued.min(left);
        left -= most;
        if most > 0 {
            steps.push(Step::Ask { wave, most });
        }
    }
    steps
}

fn silence(rollout: &Rollout, tallies: &[Tally]) -> Vec<Step> {
    let waits = |tally: Tally| tally.open() > tally.get(State::Queued);
    let waves = rollout.opened().map(|(wave, _, _)| wave).filter(|wave| waits(tally_of(tallies, *wave)));
    waves.map(|wave| Step::LookForSilence { wave }).collect()
}

/// Which minute since the epoch it is.
pub(super) const fn minute(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(60)
}

/// How many things may still be asked in this minute.
fn budget(rollout: &Rollout, now: Timestamp) -> u32 {
    let granted = if rollout.granted.minute == minute(now) { rollout.granted.things } else { 0 };
    rollout.definition.pace().saturating_sub(granted)
}

/// The rollout with `most` things granted to whoever writes it: of two conductors, one. A grant that its holder does not use,
/// since it died, is lost, and the things come in another minute.
#[must_use]
pub fn grant(before: &Rollout, most: u32, now: Timestamp) -> Option<Rollout> {
    if !before.status.may_ask() || most == 0 || most > budget(before, now) {
        return None;
    }
    let things = before.definition.pace() - budget(before, now) + most;
    Some(Rollout { granted: Granted { minute: minute(now), things }, version: before.version + 1, ..before.clone() })
}

/// The rollout after a change, and what is told of it, both in one write on the version before. `None`: it does not fit
/// any more.
#[must_use]
pub fn apply(before: &Rollout, change: Change, now: Timestamp) -> Option<(Rollout, Option<Told>)> {
    let mut after = before.clone();
    after.version += 1;
    let running = before.status == Status::Running;
    let told = match change {
        Change::Filled if before.status == Status::Filling => {
            // A way back was approved by whoever asked for it, and nobody waits with it.
            let approved = before.approved_by.is_some();
            after.status = if approved { Status::Running } else { Status::Ready };
            after.rank = approved.then(|| Rank { at: now, rollout: before.id.clone() });
            approved.then_some(Told::Started)
        }
        Change::Open(wave) if running => {
            after.waves.get_mut(wave)?.opened_at = Some(now);
            Some(wave.checked_sub(1).map_or(Told::WaveOpened(wave), Told::WavePassed))
        }
        Change::Gate(wave) if running => {
            after.waves.get_mut(wave)?.gate_at = Some(now);
            None
        }
        Change::Ungate(wave) if running => {
            after.waves.get_mut(wave)?.gate_at = None;
            None
        }
        Change::Miss(wave) if running => {
            after.status = Status::Paused(Pause::GateMissed);
            Some(Told::Paused(wave))
        }
        Change::Fail(wave) if running || matches!(before.status, Status::Paused(_)) => {
            after.status = Status::Stopping(Stop::Errors);
            Some(Told::Stopping(wave))
        }
        Change::Retried if before.retrying => {
            after.retrying = false;
            None
        }
        Change::Empty if running || before.status == Status::Filling => {
            after.status = Status::Stopped(Stop::NoTargets);
            Some(Told::Stopped)
        }
        Change::Complete if running => {
            after.status = Status::Completed;
            Some(Told::Completed)
        }
        Change::Stopped => {
            let Status::Stopping(why) = before.status else { return None };
            after.status = Status::Stopped(why);
            Some(Told::Stopped)
        }
        Change::Filled | Change::Open(_) | Change::Gate(_) | Change::Ungate(_) => return None,
        Change::Miss(_) | Change::Fail(_) | Change::Retried | Change::Empty | Change::Complete => return None,
    };
    Some((after, told))
}
