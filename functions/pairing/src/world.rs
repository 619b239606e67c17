//! The tenancy, the thing's record and the memberships, as one transaction writes them: whatever happens, they agree.
//!
//! The model of the store has a version for the tenancy and one for the record. Callers read both one after the other, so
//! that what they read may belong to two different times. `LOAM_HISTORIES` and `LOAM_SEED` as in `histories`.

use std::collections::{BTreeMap, BTreeSet};

use loam_things::{Acknowledged, EpochErasure as Erasure, QUIET_MILLIS};
use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

use crate::histories::{chance, number_of, wanted};
use crate::people::{Role, UserId};
use crate::tenancy::tests::at;
use crate::tenancy::{Change, Intent, MembershipWrite, RecordStep, Standing, Tenancy, Transition, next};

/// As much of a thing's record as concerns its owner.
#[derive(Debug, Clone, PartialEq)]
struct Record {
    version: u64,
    epoch: u64,
    paired: bool,
    erasure: Option<Erasure>,
    /// What other functions write there, counted.
    descriptions: u32,
}

#[derive(Debug)]
struct Store {
    tenancy: Tenancy,
    record: Record,
    memberships: BTreeMap<UserId, (Role, u64)>,
    /// The epochs in which erasures were finished, and how many people they had to wait for.
    finished: usize,
    /// How often the record was described.
    descriptions: u32,
}

/// Somebody at work, between their reads and their write.
enum Worker {
    /// Wants something of the tenancy.
    Wants { intent: Box<Intent>, tenancy: Option<Box<Tenancy>>, record: Option<Record> },
    /// A capability that erases: it began to look at that time.
    Erases { capability: &'static str, looked_at: i64, record: Option<Record> },
    /// Another function, which writes the record for reasons of its own.
    Describes { record: Option<Record> },
}

fn capabilities() -> BTreeSet<String> {
    ["catalog", "commands"].map(str::to_owned).into()
}

impl Store {
    fn new() -> Self {
        let record = Record { version: 1, epoch: 1, paired: false, erasure: None, descriptions: 0 };
        Self { tenancy: Tenancy::vacant(1), record, memberships: BTreeMap::new(), finished: 0, descriptions: 0 }
    }

    /// One transaction, on the condition of all that was read; whether it was written.
    fn commit(&mut self, read: (&Tenancy, &Record), change: &Change, now: i64) -> bool {
        let (tenancy, record) = read;
        let step = change.record_step(tenancy);
        let record_stands = match step {
            // The record changes its epoch only with the tenancy, whose version is the condition.
            RecordStep::Same => true,
            RecordStep::Paired | RecordStep::Ended | RecordStep::Erased { .. } => self.record.version == record.version,
        };
        if self.tenancy.version != tenancy.version || !record_stands {
            return false;
        }
        for write in change.memberships(tenancy) {
            match write {
                MembershipWrite::Put { user, role, epoch, .. } => {
                    self.memberships.insert(user, (role, epoch));
                }
                MembershipWrite::Delete { user } => {
                    self.memberships.remove(&user);
                }
            }
        }
        self.record = stepped(record, step, &change.tenancy, now).unwrap_or_else(|| self.record.clone());
        self.finished += usize::from(matches!(step, RecordStep::Erased { .. }));
        self.tenancy = change.tenancy.clone();
        self.assert_agrees();
        true
    }

    fn assert_agrees(&self) {
        let Self { tenancy, record, memberships, .. } = self;
        assert_eq!(record.descriptions, self.descriptions, "a write of another function is lost");
        let gone = tenancy.standing == Standing::Gone;
        assert!(gone || record.epoch == tenancy.epoch, "{self:?}");
        assert!(gone || record.paired == (tenancy.standing == Standing::Paired), "{self:?}");
        let erasing = matches!(tenancy.standing, Standing::Erasing { .. });
        assert!(gone || record.erasure.is_some() == erasing, "{self:?}");
        let expected: BTreeMap<_, _> =
            tenancy.members.iter().map(|(user, member)| (user.clone(), (member.role, tenancy.epoch))).collect();
        assert_eq!(*memberships, expected, "{self:?}");
    }

    /// A step of a worker; whether it is done.
    fn step(&mut self, worker: &mut Worker, now: i64) -> bool {
        match worker {
            Worker::Wants { tenancy: tenancy @ None, .. } => *tenancy = Some(Box::new(self.tenancy.clone())),
            Worker::Wants { record: record @ None, .. } => *record = Some(self.record.clone()),
            Worker::Wants { intent, tenancy, record } => {
                let (Some(read), Some(known)) = (tenancy.take(), record.take()) else { return true };
                // Who says that all is erased has seen so in the record.
                let done = known.erasure.as_ref().is_some_and(Erasure::is_done);
                if matches!(**intent, Intent::Erased { .. }) && !done {
                    return true;
                }
                let Transition::Change(change) = next(&read, intent, at(now)) else { return true };
                return self.commit((&read, &known), &change, now);
            }
            Worker::Describes { record: Some(read) } => {
                if read.version == self.record.version {
                    self.descriptions += 1;
                    let (version, descriptions) = (read.version + 1, read.descriptions + 1);
                    self.record = Record { version, descriptions, ..read.clone() };
                }
                return true;
            }
            Worker::Erases { record: record @ None, .. } | Worker::Describes { record: record @ None } => {
                *record = Some(self.record.clone())
            }
            Worker::Erases { capability, looked_at, record } => {
                let Some(Record { version, erasure: Some(erasure), .. }) = record.take() else { return true };
                let came = erasure.acknowledge(capability, erasure.through, at(*looked_at));
                let Acknowledged::Yes(after) = came else { return true };
                assert!(*looked_at >= erasure.quiet_from().as_millis());
                if version == self.record.version {
                    self.record = Record { version: version + 1, erasure: Some(after), ..self.record.clone() };
                    return true;
                }
            }
        }
        false
    }
}

/// The record after a step; `None` if it is not written.
fn stepped(record: &Record, step: RecordStep, after: &Tenancy, now: i64) -> Option<Record> {
    let version = record.version + 1;
    let ended = Erasure::begin(record.erasure.as_ref(), record.epoch, &capabilities(), at(now));
    match step {
        RecordStep::Same => None,
        RecordStep::Paired => Some(Record { version, paired: true, ..record.clone() }),
        RecordStep::Ended => {
            Some(Record { version, epoch: after.epoch, paired: false, erasure: Some(ended), ..record.clone() })
        }
        RecordStep::Erased { paired } => Some(Record { version, paired, erasure: None, ..record.clone() }),
    }
}

fn worker(store: &Store, now: i64, chance: &mut TestRng) -> Worker {
    if chance.random_ratio(1, 3) {
        let capability = ["catalog", "commands"][chance.random_range(0..2)];
        return Worker::Erases { capability, looked_at: now, record: None };
    }
    if chance.random_ratio(1, 6) {
        return Worker::Describes { record: None };
    }
    Worker::Wants { intent: Box::new(wanted(&store.tenancy, chance)), tenancy: None, record: None }
}

fn live(seed: u64) -> Store {
    let mut chance = chance(seed);
    let mut store = Store::new();
    let mut now = 0;
    for _ in 0..chance.random_range(1..30) {
        now += chance.random_range(0..QUIET_MILLIS);
        let mut workers: Vec<_> = (0..chance.random_range(1..=8)).map(|_| worker(&store, now, &mut chance)).collect();
        while !workers.is_empty() {
            let place = chance.random_range(0..workers.len());
            // Some die where they stand.
            if chance.random_ratio(1, 40) || store.step(&mut workers[place], now) {
                workers.swap_remove(place);
            }
        }
    }
    store
}

#[test]
fn tenancy_record_and_memberships_always_agree() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000));
    let finished: usize = (first..first + count).map(|seed| live(seed).finished).sum();
    assert!(finished > usize::try_from(count / 2).unwrap(), "{finished} finished erasures prove little");
}
