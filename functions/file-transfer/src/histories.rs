//! Laws that hold whatever workers, devices, people and time do to a transfer, in any order, with deaths anywhere.
//!
//! The model of the store is one compare-and-set row; of S3: a versioned source, multipart uploads, bodies, heads. 2,000
//! histories run with every test run; `LOAM_HISTORIES=10000` says how many, from `LOAM_SEED` on.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::digest::FileDigest;
use crate::ids::{AttemptId, TransferId};
use crate::order::{Direction, Sha256Hex};
use crate::plan::{PART_BYTES, Plan};
use crate::slots::{MOST_ACTIVE, Slots};
use crate::transfer::tests::{at, attempt, transfer};
use crate::transfer::{Attempt, How, Intent, State, Transfer, Transition, Work, next, work};

/// Three parts.
const SIZE: u64 = 2 * PART_BYTES + 5;
const PARTS: u32 = 3;

fn number_of(name: &str, everyday: u64) -> u64 {
    let given = std::env::vars().find(|(variable, _)| variable == name);
    given.map_or(everyday, |(_, text)| text.parse().unwrap())
}

/// A source of chance that gives the same for the same seed; what it gives first resembles the next seed's first.
fn chance(seed: u64) -> TestRng {
    let mut bytes = [13_u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut chance = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    (0..32).for_each(|_| {
        chance.random_bool(0.5);
    });
    chance
}

/// A content stands for a whole file; the digest of its parts.
fn take(digest: &mut FileDigest, content: u8, part: u32) {
    digest.update(&[content, u8::try_from(part).unwrap()]);
}

fn digest_of(content: u8) -> Sha256Hex {
    let mut digest = FileDigest::default();
    (1..=PARTS).for_each(|part| take(&mut digest, content, part));
    digest.finish()
}

/// What is stored, and what was ever sealed.
struct World {
    row: Transfer,
    sources: BTreeMap<String, u8>,
    /// Every version that ever was.
    versions: BTreeMap<String, u8>,
    uploads: BTreeMap<String, BTreeMap<u32, u8>>,
    bodies: BTreeMap<AttemptId, BTreeMap<u32, u8>>,
    heads: BTreeSet<AttemptId>,
    /// For each attempt and part the content that was sealed with its keys: never two.
    sealed: BTreeMap<(AttemptId, u32), u8>,
    /// Contents that a receiver took for whole.
    received: Vec<u8>,
    attempts: u8,
    frees: u32,
}

/// Somebody at work, held up before each step.
enum Worker {
    Reads,
    /// It has made up its mind by this row.
    Acts(Box<Transfer>, Work),
    Creates(Box<Transfer>, Attempt),
    Writes(Box<Transfer>, Intent),
    /// It erases, store by store: heads, uploads, then bodies, since an upload may just become one; sources.
    Erases(Box<Transfer>, u8),
}

impl World {
    fn new(direction: Direction) -> Self {
        Self {
            row: transfer(direction, SIZE),
            sources: BTreeMap::new(),
            versions: BTreeMap::new(),
            uploads: BTreeMap::new(),
            bodies: BTreeMap::new(),
            heads: BTreeSet::new(),
            sealed: BTreeMap::new(),
            received: vec![],
            attempts: 0,
            frees: 0,
        }
    }

    /// One conditional write of what was read; whether it won.
    fn write(&mut self, read: &Transfer, intent: &Intent, now: i64) -> bool {
        let Transition::Change(change) = next(read, intent, at(now)) else { return false };
        if read.version != self.row.version {
            return false;
        }
        self.frees += u32::from(change.frees);
        assert!(self.row.ready.is_none() || change.transfer.ready == self.row.ready);
        assert!(self.row.end.is_none() || change.transfer.end == self.row.end);
        self.row = change.transfer;
        true
    }

    fn apply(&mut self, intent: &Intent, now: i64) {
        let read = self.row.clone();
        self.write(&read, intent, now);
    }

    fn new_attempt(&mut self, sha256: Option<Sha256Hex>) -> Attempt {
        self.attempts += 1;
        attempt(self.attempts, SIZE, sha256)
    }

    /// Seals a part with an attempt's keys.
    fn seal(&mut self, attempt: &Attempt, part: u32, content: u8) {
        let before = self.sealed.insert((attempt.id.clone(), part), content);
        assert!(before.is_none_or(|before| before == content), "one nonce for two plaintexts");
        if let Some(parts) = self.uploads.get_mut(&attempt.upload) {
            parts.insert(part, content);
        }
    }

    /// Does the worker's step; what it does next, if anything.
    fn step(&mut self, worker: Worker, now: i64) -> Option<Worker> {
        match worker {
            Worker::Reads => {
                let read = self.row.clone();
                let work = work(&read, at(now));
                return Some(Worker::Acts(Box::new(read), work));
            }
            Worker::Acts(read, work) => return self.act(read, work),
            Worker::Creates(read, attempt) => {
                self.uploads.insert(attempt.upload.clone(), BTreeMap::new());
                let replaces = read.attempt.as_ref().map(|attempt| attempt.id.clone());
                return Some(Worker::Writes(read, Intent::Begin { attempt, replaces }));
            }
            Worker::Writes(read, intent) => {
                let won = self.write(&read, &intent, now);
                // Who lost takes away what it made, unless it dies before.
                if let (false, Intent::Begin { attempt, .. }) = (won, intent) {
                    self.heads.remove(&attempt.id);
                    self.uploads.remove(&attempt.upload);
                }
            }
            Worker::Erases(read, 4) => return Some(Worker::Writes(read, Intent::Erased)),
            Worker::Erases(read, store) => {
                match store {
                    0 => self.heads.clear(),
                    1 => self.uploads.clear(),
                    2 => self.bodies.clear(),
                    _ => self.sources.clear(),
                }
                return Some(Worker::Erases(read, store + 1));
            }
        }
        None
    }

    fn act(&mut self, read: Box<Transfer>, work: Work) -> Option<Worker> {
        let intent = match work {
            Work::Nothing => return None,
            Work::Begin => {
                let attempt = self.new_attempt(None);
                self.heads.insert(attempt.id.clone());
                return Some(Worker::Creates(read, attempt));
            }
            Work::Seal(attempt, part) => {
                let source = read.source.as_ref().unwrap();
                match self.sources.get(&source.version).copied() {
                    None => failed(&attempt, "source-gone"),
                    Some(content) => {
                        self.seal(&attempt, part.number, content);
                        done(&read, &attempt, part.number, content)
                    }
                }
            }
            Work::Assemble(attempt) => self.assemble(&attempt),
            Work::Verify(attempt, part) => match self.bodies.get(&attempt.id) {
                None => failed(&attempt, "body-gone"),
                Some(body) => done(&read, &attempt, part.number, body[&part.number]),
            },
            Work::Finish(attempt) => Intent::Finish { attempt: attempt.id },
            Work::Expire => Intent::Expire,
            Work::Erase => return Some(Worker::Erases(read, 0)),
        };
        Some(Worker::Writes(read, intent))
    }

    fn assemble(&mut self, attempt: &Attempt) -> Intent {
        let whole = self.uploads.get(&attempt.upload).is_some_and(|parts| parts.len() == PARTS as usize);
        if whole {
            let parts = self.uploads.remove(&attempt.upload).unwrap();
            self.bodies.insert(attempt.id.clone(), parts);
        }
        if self.bodies.contains_key(&attempt.id) {
            Intent::Assembled { attempt: attempt.id.clone(), body: "e".to_owned() }
        } else {
            failed(attempt, "part-missing")
        }
    }

    /// Somebody sends: a person a source, a device its parts.
    fn send(&mut self, now: i64, chance: &mut TestRng) {
        let content = chance.random_range(0..3);
        match self.row.order.direction {
            Direction::Download => {
                let version = format!("v{}", self.versions.len());
                if self.row.state(at(now)).is_over() {
                    return;
                }
                self.sources.insert(version.clone(), content);
                self.versions.insert(version.clone(), content);
                // The next one replaces it before or after it is pinned.
                if chance.random_bool(0.7) {
                    self.apply(&Intent::Pin { version, bytes: SIZE }, now);
                }
            }
            Direction::Upload => self.send_parts(content, now, chance),
        }
    }

    /// The device sends the file that it announced: what it announces anew has keys of its own.
    fn send_parts(&mut self, content: u8, now: i64, chance: &mut TestRng) {
        let sha256 = digest_of(content);
        let known = self.row.attempt.clone().filter(|attempt| attempt.sha256.as_ref() == Some(&sha256));
        let Some(attempt) = known else {
            let attempt = self.new_attempt(Some(sha256));
            self.heads.insert(attempt.id.clone());
            self.uploads.insert(attempt.upload.clone(), BTreeMap::new());
            let replaces = self.row.attempt.as_ref().map(|attempt| attempt.id.clone());
            return self.apply(&Intent::Begin { attempt, replaces }, now);
        };
        for part in 1..=PARTS {
            if chance.random_bool(0.8) {
                self.seal(&attempt, part, content);
            }
        }
        let all = self.uploads.get(&attempt.upload).is_some_and(|parts| parts.len() == PARTS as usize);
        if all {
            self.apply(&Intent::Uploaded { attempt: attempt.id }, now);
        }
    }

    /// The receiver reads what it was granted.
    /// The device gives up the attempt that it knows.
    fn refuse(&mut self, now: i64) {
        if let Some(attempt) = self.row.attempt.as_ref().map(|attempt| attempt.id.clone()) {
            self.apply(&Intent::Refuse { attempt, reason: "x".to_owned() }, now);
        }
    }

    fn receive(&mut self, now: i64) {
        if self.row.state(at(now)) != State::Ready {
            return;
        }
        let attempt = self.row.attempt.clone().unwrap();
        assert!(self.heads.contains(&attempt.id), "ready without its keys");
        let body = &self.bodies[&attempt.id];
        let contents: BTreeSet<u8> = body.values().copied().collect();
        assert_eq!((contents.len(), body.len()), (1, PARTS as usize), "a body of two files");
        let content = *contents.first().unwrap();
        if let Some(source) = &self.row.source {
            assert_eq!(self.versions[&source.version], content);
        }
        assert_eq!(self.row.ready.as_ref().unwrap().sha256, digest_of(content));
        self.received.push(content);
        self.apply(&Intent::Receive { sha256: Some(digest_of(content)), bytes: Some(SIZE) }, now);
    }
}

fn failed(attempt: &Attempt, reason: &str) -> Intent {
    Intent::Fail { attempt: Some(attempt.id.clone()), reason: reason.to_owned() }
}

fn done(read: &Transfer, attempt: &Attempt, part: u32, content: u8) -> Intent {
    let mut digest = FileDigest::go_on(read.progress.digest.as_ref()).unwrap();
    take(&mut digest, content, part);
    Intent::Done { attempt: attempt.id.clone(), part, digest: digest.keep(part == PARTS) }
}

/// A history of up to 90 steps: up to four workers, a sender, a receiver, people, and time.
fn live(seed: u64) -> World {
    let mut chance = chance(seed);
    let direction = [Direction::Download, Direction::Upload][usize::from(chance.random_bool(0.5))];
    let mut world = World::new(direction);
    let (mut workers, mut now) = (vec![], 0);
    for _ in 0..chance.random_range(1..90) {
        let longest = if chance.random_ratio(1, 60) { 40_000 } else { 500 };
        now += chance.random_range(0..longest);
        match chance.random_range(0..100) {
            0..12 => world.send(now, &mut chance),
            12..16 => world.receive(now),
            16 => world.apply(&Intent::Cancel, now),
            17 => world.apply(&Intent::Close { reason: "unpaired" }, now),
            18 if !world.sources.is_empty() && chance.random_bool(0.2) => world.sources.clear(),
            19 => world.refuse(now),
            20..35 if workers.len() < 4 => workers.push(Worker::Reads),
            _ if !workers.is_empty() => {
                let worker = workers.swap_remove(chance.random_range(0..workers.len()));
                // One step in twenty is a worker's last, after it was done.
                let then = world.step(worker, now);
                workers.extend(then.filter(|_| chance.random_ratio(19, 20)));
            }
            _ => {}
        }
    }
    settle(&mut world, workers, now);
    world
}

/// Everybody who lives goes on to the end, then time passes, and somebody looks.
fn settle(world: &mut World, mut workers: Vec<Worker>, now: i64) {
    for now in [now, now.max(60_000)] {
        for _ in 0..40 {
            while let Some(worker) = workers.pop() {
                workers.extend(world.step(worker, now));
            }
            workers.push(Worker::Reads);
        }
        world.receive(now);
    }
    for _ in 0..40 {
        while let Some(worker) = workers.pop() {
            workers.extend(world.step(worker, 60_000.max(now)));
        }
        workers.push(Worker::Reads);
    }
}

#[test]
fn no_history_seals_two_files_with_one_nonce_or_hands_over_half_a_file_or_leaves_a_key() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000));
    let mut ends = BTreeMap::<How, u64>::new();
    for seed in first..first + count {
        let world = live(seed);
        let row = &world.row;
        let how = row.end.as_ref().unwrap_or_else(|| panic!("seed {seed}: not over: {row:?}")).how;
        assert!(row.erased_at.is_some() && world.frees == 1, "seed {seed}: {row:?}");
        assert!(how != How::Completed || !world.received.is_empty(), "seed {seed}");
        // What a dead worker left behind may be keys, but never keys that sealed anything, and never a file.
        let used = world.heads.iter().any(|head| world.sealed.keys().any(|(attempt, _)| attempt == head));
        assert!(!used && world.bodies.is_empty(), "seed {seed}");
        *ends.entry(how).or_default() += 1;
    }
    assert!(ends.len() == 4 && ends.values().all(|ends| *ends > count / 100), "these prove little: {ends:?}");
}

#[test]
fn no_crowd_that_creates_at_once_gets_more_than_ten() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000) / 10);
    for seed in first..first + count {
        let mut chance = chance(seed);
        let (mut cell, mut read) = (Slots::default(), vec![]);
        let mut ids: Vec<TransferId> = vec![];
        for step in 0..200_u8 {
            match chance.random_range(0..5) {
                0..2 => read.push((cell.clone(), TransferId::new(at(0), [step; 10]))),
                2..4 if !read.is_empty() => {
                    let (slots, id) = read.swap_remove(chance.random_range(0..read.len()));
                    let taken = slots.take(&id, at(1_000), at(0)).ok().filter(|_| slots.version == cell.version);
                    if let Some(after) = taken {
                        cell = after;
                        ids.push(id);
                    }
                }
                _ if !ids.is_empty() && chance.random_bool(0.3) => {
                    let id = ids.swap_remove(chance.random_range(0..ids.len()));
                    cell = cell.release(&id).unwrap();
                }
                _ => {}
            }
            assert!(ids.len() <= MOST_ACTIVE && cell.active.len() == ids.len(), "seed {seed}");
        }
    }
}

#[test]
fn the_model_has_as_many_parts_as_its_plan() {
    assert_eq!(Plan::new(attempt(1, SIZE, None).layout).unwrap().parts(), PARTS);
}
