//! Commands and the end of an owner's time: whoever orders, sends, ends, erases and begins at the same instant, no device
//! gets a former owner's command in the next owner's time.
//!
//! The model of the store has the thing's epoch, which ordering and claiming a delivery take as a condition, and a version
//! for each command. Callers are held up between their steps, and some die. `LOAM_HISTORIES` and `LOAM_SEED` as in
//! `histories`.

use std::collections::BTreeMap;

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

use crate::command::tests::{at, command};
use crate::command::{Command, Intent, Lease, Sent, Transition, next};
use crate::command_id::CommandId;
use crate::histories::{chance, number_of};

/// What follows an owner's end before anything that is erased counts: as pairing has it.
const QUIET_MILLIS: i64 = 35_000;

/// How long a route may run.
const ROUTE_MILLIS: i64 = 29_000;

struct Store {
    epoch: u64,
    paired: bool,
    /// When the last owner's time ended.
    ended_at: i64,
    /// Whether nothing of it is left.
    erased: bool,
    commands: BTreeMap<CommandId, Command>,
    received: u64,
    /// Commands that arrived after their owner's end and before the next one's time.
    stragglers: u64,
}

enum Worker {
    Orders { since: i64, epoch: u64 },
    Reads,
    Claims(Box<Command>),
    Sends { id: CommandId, epoch: u64, lease: Lease },
    Settles { id: CommandId, version: u64, sent: Sent },
    Ends,
    Erases { looked_at: i64 },
    Begins,
}

impl Store {
    /// Does the worker's step; what it does next, if anything.
    fn step(&mut self, worker: Worker, now: i64, chance: &mut TestRng) -> Option<Worker> {
        match worker {
            Worker::Orders { since, epoch } => self.order(epoch, now - since, now),
            Worker::Reads => {
                let all: Vec<_> = self.commands.values().collect();
                let one = all.get(chance.random_range(0..all.len().max(1)))?;
                return Some(Worker::Claims(Box::new((*one).clone())));
            }
            Worker::Claims(read) => return self.claim(&read, now),
            Worker::Sends { id, epoch, lease } => {
                let sent = self.send(epoch, lease, now, chance);
                return Some(Worker::Settles { id, version: lease.version, sent });
            }
            Worker::Settles { id, version, sent } => {
                // What was erased meanwhile is not written again: its condition is a version.
                let known = self.commands.get(&id)?.clone();
                if let Transition::Change(change) = next(&known, &Intent::Settle { version, sent }, at(now)) {
                    self.commands.insert(id, change.command);
                }
            }
            Worker::Ends if self.paired => {
                (self.epoch, self.paired, self.ended_at, self.erased) = (self.epoch + 1, false, now, false);
            }
            Worker::Erases { looked_at } if !self.paired && looked_at >= self.ended_at + QUIET_MILLIS => {
                self.commands.clear();
                self.erased = true;
            }
            Worker::Begins if !self.paired && self.erased => self.paired = true,
            Worker::Ends | Worker::Erases { .. } | Worker::Begins => {}
        }
        None
    }

    fn order(&mut self, epoch: u64, took: i64, now: i64) {
        if took < ROUTE_MILLIS && self.paired && self.epoch == epoch {
            let id = CommandId::new(at(now), [u8::try_from(self.commands.len()).unwrap(); 10]);
            let expires_at = at(now + 600_000);
            self.commands.insert(id.clone(), Command { id, epoch, issued_at: at(now), expires_at, ..command() });
        }
    }

    fn claim(&mut self, read: &Command, now: i64) -> Option<Worker> {
        let Transition::Change(change) = next(read, &Intent::Send, at(now)) else { return None };
        let stands = self.commands.get(&read.id).is_some_and(|known| known.version == read.version);
        if !stands || !self.paired || self.epoch != read.epoch {
            return None;
        }
        let (id, epoch, lease) = (read.id.clone(), read.epoch, change.command.lease?);
        self.commands.insert(id.clone(), change.command);
        Some(Worker::Sends { id, epoch, lease })
    }

    fn send(&mut self, epoch: u64, lease: Lease, now: i64, chance: &mut TestRng) -> Sent {
        if !lease.may_send(at(now)) {
            return Sent::NotReached;
        }
        assert!(epoch == self.epoch || (epoch + 1 == self.epoch && !self.paired), "a former owner's command");
        self.received += 1;
        self.stragglers += u64::from(epoch != self.epoch);
        [Sent::Confirmed, Sent::NotReached, Sent::Unknown][chance.random_range(0..3)]
    }

    fn anybody(&self, now: i64, chance: &mut TestRng) -> Worker {
        match chance.random_range(0..12) {
            0..4 => Worker::Orders { since: now, epoch: self.epoch },
            4..8 => Worker::Reads,
            8 => Worker::Ends,
            9..11 => Worker::Erases { looked_at: now },
            _ => Worker::Begins,
        }
    }
}

fn live(seed: u64) -> (u64, u64) {
    let mut chance = chance(seed);
    let (commands, mut now) = (BTreeMap::new(), 0);
    let mut store = Store { epoch: 1, paired: true, ended_at: 0, erased: false, commands, received: 0, stragglers: 0 };
    let mut workers: Vec<Worker> = vec![];
    for _ in 0..chance.random_range(20..120) {
        let longest = if chance.random_ratio(1, 10) { 40_000 } else { 1_500 };
        now += chance.random_range(0..longest);
        if workers.len() < 8 {
            workers.push(store.anybody(now, &mut chance));
        }
        let worker = workers.swap_remove(chance.random_range(0..workers.len()));
        // Some die where they stand.
        let alive = !chance.random_ratio(1, 30);
        workers.extend(store.step(worker, now, &mut chance).filter(|_| alive));
    }
    (store.received, store.stragglers)
}

#[test]
fn no_device_gets_a_former_owners_command_in_the_next_owners_time() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000));
    let lived = (first..first + count).map(live);
    let (received, stragglers) = lived.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(received > count && stragglers > count / 100, "{received} and {stragglers} prove little");
}
