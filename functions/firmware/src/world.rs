//! A fleet, its devices, and the store: what the histories and the simulation live in.
//!
//! The store is a model of conditional writes: each row has a version, a transaction checks all of them, and the counters
//! move with the rows. After every write the counters are what the rows say; nothing else is checked so often.

use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{ThingName, Timestamp};
use loam_releases::names::Id;
use loam_releases::samples::{hardware, version};
use loam_releases::version::Version;

use crate::assignment::{Assignment, Bid, Turn, turn};
use crate::execution::{Admission, End, Execution, Glimpse, Intent, Phase, Running, Said, State, Transition, Verdict};
use crate::execution::{admit, next};
use crate::rollout::Rollout;
use crate::rollout::waves::{deal, shard};
use crate::tally::{Tally, shards};

/// How a device takes to an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    Good,
    Fails,
    Rejects,
    FallsBack,
    Offline,
}

pub(crate) struct Device {
    pub(crate) nature: Nature,
    pub(crate) runs: Version,
    /// When it last reported what it runs; its shadow has it.
    pub(crate) reported: Running,
    pub(crate) shadow_version: u64,
    /// `desired.firmware`.
    pub(crate) desired: Option<(Id, u32, Version)>,
    /// The number of the manifest there, and the highest that it began with.
    offered: u64,
    seen: u64,
    /// What it is at, how far.
    at_work: Option<(Id, u32, Version)>,
    stage: u8,
    done: BTreeSet<(Id, u32)>,
}

/// A device's message on its way, of a rollout or (`None`) of what it runs.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) thing: ThingName,
    pub(crate) rollout: Option<Id>,
    pub(crate) intent: Intent,
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) rollouts: BTreeMap<Id, Rollout>,
    pub(crate) executions: BTreeMap<(Id, ThingName), Execution>,
    tallies: BTreeMap<(Id, u16, u32), Tally>,
    pub(crate) shards: BTreeMap<(Id, u16), u32>,
    pub(crate) assignments: BTreeMap<ThingName, Assignment>,
    pub(crate) devices: BTreeMap<ThingName, Device>,
    /// How many orders were written to shadows after their rollout was told to stop.
    pub(crate) after_stop: u32,
    pub(crate) writes: u64,
    /// The number of the last manifest.
    pub(crate) sequence: u64,
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn device(nature: Nature, runs: &str) -> Device {
    let runs = version(runs);
    let reported = Running { at: at(0), version: runs.clone() };
    Device {
        nature,
        runs,
        reported,
        shadow_version: 1,
        desired: None,
        offered: 0,
        seen: 0,
        at_work: None,
        stage: 0,
        done: BTreeSet::new(),
    }
}

impl Store {
    /// Writes down the targets of a rollout: all things.
    pub(crate) fn fill(&mut self, rollout: Rollout) {
        let waves = deal(&rollout.definition, &rollout.id, self.devices.keys().cloned().collect());
        for (number, things) in waves.into_iter().enumerate() {
            let wave = u16::try_from(number).unwrap();
            self.shards.insert((rollout.id.clone(), wave), shards(things.len() as u64));
            for thing in things {
                let target = rollout.firmware.version.clone();
                let execution = Execution::queued(rollout.id.clone(), thing.clone(), wave, target);
                self.tally(&execution).enter(State::Queued);
                self.executions.insert((rollout.id.clone(), thing), execution);
                self.writes += 1;
            }
        }
        self.rollouts.insert(rollout.id.clone(), rollout);
    }

    fn tally(&mut self, execution: &Execution) -> &mut Tally {
        let shards = self.shards[&(execution.rollout.clone(), execution.wave)];
        let shard = shard(&execution.rollout, &execution.thing, shards);
        self.tallies.entry((execution.rollout.clone(), execution.wave, shard)).or_default()
    }

    /// The counters of each wave, summed over their shards.
    pub(crate) fn tallies(&self, rollout: &Id) -> Vec<Tally> {
        let mut waves = vec![Tally::default(); self.rollouts[rollout].waves.len()];
        for ((_, wave, _), tally) in self.tallies.iter().filter(|((of, ..), _)| of == rollout) {
            waves[usize::from(*wave)].add(tally);
        }
        waves
    }

    /// The counters are what the rows say, wave by wave.
    pub(crate) fn assert_adds_up(&self) {
        for rollout in self.rollouts.keys() {
            let mut counted = vec![Tally::default(); self.rollouts[rollout].waves.len()];
            for (_, execution) in self.executions.iter().filter(|((of, _), _)| of == rollout) {
                counted[usize::from(execution.wave)].enter(execution.state());
            }
            assert_eq!(counted, self.tallies(rollout));
        }
    }

    /// One transaction: every row is what was read, or nothing is written.
    pub(crate) fn transact(
        &mut self,
        moves: &[(Execution, Execution)],
        assign: Option<(Option<u64>, Assignment)>,
    ) -> bool {
        let stands = |read: &Execution| {
            self.executions
                .get(&(read.rollout.clone(), read.thing.clone()))
                .is_some_and(|row| row.version == read.version)
        };
        let thing = moves.first().map(|(read, _)| read.thing.clone());
        let held = thing.as_ref().and_then(|thing| self.assignments.get(thing)).map(|held| held.version);
        if !moves.iter().all(|(read, _)| stands(read)) || assign.as_ref().is_some_and(|(read, _)| *read != held) {
            return false;
        }
        for (read, after) in moves {
            self.writes += 1;
            if read.state() != after.state() {
                self.tally(read).moved(read.state(), after.state()).unwrap();
            }
            self.executions.insert((after.rollout.clone(), after.thing.clone()), after.clone());
        }
        if let (Some((_, assignment)), Some(thing)) = (assign, thing) {
            self.assignments.insert(thing, assignment);
        }
        true
    }

    /// Read, decide, write; whether it was written.
    pub(crate) fn apply(&mut self, rollout: &Id, thing: &ThingName, intent: &Intent, now: i64) -> bool {
        let Some(read) = self.executions.get(&(rollout.clone(), thing.clone())).cloned() else { return false };
        let Transition::Change(after) = next(&read, intent, at(now)) else { return false };
        self.transact(&[(read, *after)], None)
    }

    /// What a conductor decides for a thing whose turn has come: what it read, and the rows after it.
    pub(crate) fn ask(&self, rollout: &Id, thing: &ThingName, now: i64) -> Option<Asked> {
        let mine = self.rollouts[rollout].clone();
        let read = self.executions[&(rollout.clone(), thing.clone())].clone();
        let held = self.assignments.get(thing).cloned();
        let its = held.as_ref().and_then(|held| self.executions.get(&(held.rank.rollout.clone(), thing.clone())));
        let rank = mine.rank.clone()?;
        let mut other = None;
        let sequence = mine.manifest.map_or(0, |issued| issued.sequence);
        let (target, downgrade) = (&mine.firmware.version, mine.downgrade);
        match turn(&Bid { rank: &rank, target, downgrade, sequence }, held.as_ref(), its, at(now)) {
            Turn::Wait => return None,
            Turn::Sign => return Some(Asked { moves: vec![], assign: None }),
            Turn::Yield => return Asked::moved(&read, &Intent::End(End::Superseded), now),
            Turn::TakeOver => other = Some(Asked::moved(its?, &Intent::End(End::Superseded), now)?),
            Turn::Mine | Turn::Take => {}
        }
        let running = Some(self.devices[thing].reported.clone());
        let glimpse = Glimpse { running: running.clone(), hardware: Some(hardware("c3")), retired: false };
        // Once it is on its way, what it runs is a matter of its reports.
        if read.claimed_at.is_none()
            && let Admission::No(why) = admit(&mine.firmware, mine.downgrade, &glimpse)
        {
            return Asked::moved(&read, &Intent::TurnAway(why, glimpse), now);
        }
        let mut asked = Asked::moved(&read, &Intent::Claim(running), now)?;
        asked.moves.extend(other.into_iter().flat_map(|other| other.moves));
        let version = held.as_ref().map(|held| held.version);
        let shards = self.shards[&(rollout.clone(), read.wave)];
        let shard = shard(rollout, thing, shards);
        let (wave, after) = (read.wave, version.unwrap_or_default() + 1);
        let assignment = Assignment { rank, wave, shard, sequence, downgrade, version: after };
        asked.assign = Some((version, assignment));
        Some(asked)
    }

    /// Writes an order to a shadow, if it is not too late for that.
    pub(crate) fn deliver(&mut self, claimed: &Execution, sequence: u64, now: i64) -> bool {
        if !claimed.lease.is_some_and(|lease| lease.may_deliver(at(now))) {
            return false;
        }
        self.after_stop += u32::from(self.rollouts[&claimed.rollout].status.is_over());
        let device = self.devices.get_mut(&claimed.thing).unwrap();
        device.desired = Some((claimed.rollout.clone(), claimed.attempt, claimed.target.clone()));
        device.offered = sequence;
        device.shadow_version += 1;
        true
    }

    /// The device's next move, and what it says.
    pub(crate) fn device_acts(&mut self, thing: &ThingName, now: i64) -> Option<Message> {
        let device = self.devices.get_mut(thing)?;
        if device.nature == Nature::Offline {
            return None;
        }
        // What is being installed is installed; everything else is left for what is wanted now.
        if device.stage < 3 && device.at_work != device.desired {
            (device.at_work, device.stage) = (device.desired.clone(), 0);
        }
        let Some((rollout, attempt, target)) = device.at_work.clone() else { return device.falls_back(thing, now) };
        if device.done.contains(&(rollout.clone(), attempt)) || device.runs == target && device.stage == 0 {
            return device.falls_back(thing, now);
        }
        if device.stage == 0 {
            assert!(device.offered >= device.seen, "a manifest that is older than one that it has seen");
            device.seen = device.offered;
        }
        device.stage += 1;
        let says = |intent| Some(Message { thing: thing.clone(), rollout: Some(rollout.clone()), intent });
        let verdict = |verdict| Intent::Hear(Said { at: at(now), verdict, code: None });
        match (device.stage, device.nature) {
            (1, Nature::Rejects) => {
                device.ends(&rollout, attempt);
                says(verdict(Verdict::Rejected))
            }
            (1, _) => says(Intent::Progress(Phase::Downloading, at(now))),
            (2, _) => says(Intent::Progress(Phase::Verifying, at(now))),
            (3, _) => says(Intent::Progress(Phase::Installing, at(now))),
            (_, Nature::Fails) => {
                device.ends(&rollout, attempt);
                says(verdict(Verdict::Failed))
            }
            _ => {
                device.ends(&rollout, attempt);
                device.runs = target;
                Some(device.report(thing, now))
            }
        }
    }
}

impl Device {
    fn ends(&mut self, rollout: &Id, attempt: u32) {
        self.done.insert((rollout.clone(), attempt));
        (self.at_work, self.stage) = (None, 0);
    }

    fn report(&mut self, thing: &ThingName, now: i64) -> Message {
        self.reported = Running { at: at(now), version: self.runs.clone() };
        Message { thing: thing.clone(), rollout: None, intent: Intent::Report(self.reported.clone()) }
    }

    fn falls_back(&mut self, thing: &ThingName, now: i64) -> Option<Message> {
        if self.nature != Nature::FallsBack || self.runs == version("2.0.0") {
            return None;
        }
        (self.runs, self.nature) = (version("2.0.0"), Nature::Good);
        Some(self.report(thing, now))
    }
}

/// What a conductor is about to write for a thing.
pub(crate) struct Asked {
    pub(crate) moves: Vec<(Execution, Execution)>,
    pub(crate) assign: Option<(Option<u64>, Assignment)>,
}

impl Asked {
    fn moved(read: &Execution, intent: &Intent, now: i64) -> Option<Self> {
        let Transition::Change(after) = next(read, intent, at(now)) else { return None };
        Some(Self { moves: vec![(read.clone(), *after)], assign: None })
    }
}
