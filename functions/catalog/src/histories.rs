//! Histories of a thing against a model of its row: whatever order, batches, repeats, deaths and rivals its news meet, the
//! row ends as that of one run in order.
//!
//! The model is one compare-and-set cell and the record as it is at the time; `LOAM_HISTORIES=10000` makes the run long.

use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{ThingName, Timestamp};
use loam_kit::{Chance, number_of};
use loam_things::LifeCycle;
use loam_things::twins::{PresenceView, RecordView, ShadowView, Twin};
use serde_json::{Map, json};

use crate::decide::{News, next};
use crate::event::Source;

/// A message: what it says, and the version of the record that it tells of.
#[derive(Debug, Clone)]
struct Told {
    source: Source,
    record: u64,
}

/// The table and the thing's record, at one time.
struct World {
    thing: ThingName,
    row: Option<Twin>,
    record: u64,
    /// From this version on the record says that the thing retires.
    retires: Option<u64>,
}

/// A handler at work on a batch; each step makes one call, so that others can come in between.
struct Worker {
    batch: Vec<Told>,
    news: News,
    loaded: Option<Option<Twin>>,
    asked: bool,
}

pub(crate) fn record(version: u64) -> RecordView {
    RecordView {
        version,
        epoch: 1,
        state: LifeCycle::Active,
        thing_type: None,
        groups: BTreeSet::new(),
        attributes: BTreeMap::from([("v".to_owned(), version.to_string())]),
        registered_at: Timestamp::from_millis(0),
        told: BTreeMap::new(),
        capabilities: None,
        firmware: None,
    }
}

/// A few lives of a shadow, each begun anew after more than 48 hours, with ends that are followed at once.
fn shadows(chance: &mut Chance) -> Vec<ShadowView> {
    let (mut all, mut at) = (Vec::new(), 1_000_000_i64);
    for _ in 0..chance.number(1, 3) {
        let mut version = 0;
        for _ in 0..chance.number(1, 8) {
            version += 1;
            at += i64::try_from(chance.number(0, 40_000_000)).unwrap();
            let reported = Map::from_iter([("n".to_owned(), json!(all.len()))]);
            let at = Timestamp::from_millis(at);
            all.push(ShadowView { version, at, deleted: false, desired: Map::new(), reported });
        }
        let at_end = Timestamp::from_millis(at);
        all.push(ShadowView { version, at: at_end, deleted: true, desired: Map::new(), reported: Map::new() });
        at += 48 * 3_600_000 + 1;
    }
    if chance.number(0, 1) == 0 {
        all.pop();
    }
    all
}

/// What happened to a thing, in order.
fn history(chance: &mut Chance) -> Vec<Told> {
    let shadow = |shadow| Told { source: Source::Shadow(shadow), record: 1 };
    let mut all: Vec<Told> = shadows(chance).into_iter().map(shadow).collect();
    for version in 1..=u64::try_from(chance.number(0, 8)).unwrap() {
        let connectivity = Map::from_iter([("connected".to_owned(), json!(version % 2 == 1))]);
        all.push(Told { source: Source::Presence(PresenceView { version, connectivity }), record: 1 });
    }
    let last = u64::try_from(chance.number(1, 6)).unwrap();
    all.extend((1..=last).map(|record| Told { source: Source::Record, record }));
    if chance.number(0, 3) == 0 {
        all.push(Told { source: Source::End, record: last + 1 });
    }
    all
}

/// Each message one to five times, in any order.
fn deliveries(chance: &mut Chance, history: &[Told]) -> Vec<Told> {
    let mut all = Vec::new();
    for told in history {
        all.extend(vec![told.clone(); chance.number(1, 5)]);
    }
    for at in (1..all.len()).rev() {
        all.swap(at, chance.number(0, at));
    }
    all
}

impl Worker {
    fn on(batch: Vec<Told>) -> Self {
        let mut news = News::default();
        batch.iter().for_each(|told| news.add(told.source.clone()));
        Self { batch, news, loaded: None, asked: false }
    }

    /// One call; whether the batch is done.
    fn step(&mut self, world: &mut World) -> bool {
        if self.news.end {
            world.row = None;
            return true;
        }
        let Some(before) = &self.loaded else {
            self.loaded = Some(world.row.clone());
            self.asked = false;
            return false;
        };
        if (before.is_none() || self.news.reread) && !self.asked {
            if world.retires.is_some_and(|retires| world.record >= retires) {
                return true;
            }
            self.news.record = Some(record(world.record));
            self.asked = true;
            return false;
        }
        let Some(twin) = next(&world.thing, before.as_ref(), &self.news) else { return true };
        // The first row of a thing is written together with the condition that the thing stays.
        if before.is_none() && world.retires.is_some_and(|retires| world.record >= retires) && world.row.is_none() {
            return true;
        }
        let same = world.row.as_ref().map(|row| row.version) == before.as_ref().map(|before| before.version);
        if same {
            world.row = Some(twin);
        }
        self.loaded = None;
        same
    }
}

impl World {
    fn new(history: &[Told]) -> Self {
        let retires = history.iter().find(|told| told.source == Source::End).map(|told| told.record);
        Self { thing: ThingName::parse("t1").unwrap(), row: None, record: 1, retires }
    }

    /// A message is told only after the record says so.
    fn arrive(&mut self, batch: &[Told]) {
        let told = batch.iter().map(|told| told.record).max().unwrap_or_default();
        self.record = self.record.max(told);
    }

    fn seen(self) -> Option<Twin> {
        self.row.map(|row| Twin { version: 0, ..row })
    }
}

fn in_order(history: &[Told]) -> Option<Twin> {
    let mut world = World::new(history);
    for told in history {
        world.arrive(std::slice::from_ref(told));
        let mut worker = Worker::on(vec![told.clone()]);
        while !worker.step(&mut world) {}
    }
    world.seen()
}

/// Up to eight handlers side by side, each of which may die after any call; then its batch comes again.
fn at_random(chance: &mut Chance, history: &[Told]) -> (Option<Twin>, usize) {
    let (mut world, mut deaths) = (World::new(history), 0);
    let mut waiting = deliveries(chance, history);
    let mut workers: Vec<Worker> = Vec::new();
    while !waiting.is_empty() || !workers.is_empty() {
        if workers.len() < 8 && !waiting.is_empty() && chance.number(0, 2) > 0 {
            let rest = waiting.split_off(chance.number(1, waiting.len().min(10)));
            let batch = std::mem::replace(&mut waiting, rest);
            world.arrive(&batch);
            workers.push(Worker::on(batch));
        }
        if workers.is_empty() {
            continue;
        }
        let at = chance.number(0, workers.len() - 1);
        if deaths < 20 && chance.number(0, 29) == 0 {
            waiting.extend(workers.swap_remove(at).batch);
            deaths += 1;
        } else if workers[at].step(&mut world) {
            workers.swap_remove(at);
        }
    }
    (world.seen(), deaths)
}

#[test]
fn every_history_ends_as_if_it_had_come_in_order() {
    let (mut deaths, mut erased) = (0, 0);
    let played = number_of("LOAM_HISTORIES", 2_000_u64);
    for seed in 0..played {
        let mut chance = Chance::new(number_of("LOAM_SEED", 0_u64) + seed);
        let history = history(&mut chance);
        let expected = in_order(&history);
        let (row, died) = at_random(&mut chance, &history);
        assert_eq!(row, expected, "seed {seed}: {history:#?}");
        deaths += died;
        erased += usize::from(expected.is_none());
    }
    println!("figure: catalog histories: {played} played, {deaths} deaths, {erased} erased, 0 end elsewhere");
    assert!(deaths > 0 && erased > 0, "{deaths} deaths, {erased} erased");
}
