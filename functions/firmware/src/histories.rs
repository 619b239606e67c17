//! Laws that hold whatever conductors, devices and operators do at the same time, and wherever they die.
//!
//! Two rollouts over the same things, up to eight workers that are held up between their steps, messages that are lost,
//! doubled and out of order. 200 histories run with every test run; `LOAM_HISTORIES=10000` says how many, from `LOAM_SEED`
//! on.

use std::collections::BTreeMap;

use loam_domain::ThingName;
use loam_releases::names::Id;
use loam_releases::samples::{firmware, version};
use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::json;

use crate::execution::tests::{execution, said};
use crate::execution::{End, Execution, Intent, Phase, State, Transition, Verdict, next};
use crate::rollout::tests::{definition, issued};
use crate::rollout::{Action, Change, Issued, Rollout, Status, Step, act, apply, grant, plan};
use crate::world::{Asked, Message, Nature, Store, at, device};

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

/// So many things a conductor asks before it looks at the rollout again.
const AT_ONCE: usize = 5;
const WORKERS: usize = 8;

/// What somebody is about to do, with what they read before.
enum Worker {
    Plans(Id),
    Writes(Rollout, Change),
    Grants(Rollout, usize, u32),
    Asks { rollout: Id, wave: usize, left: usize },
    Claims { asked: Box<Asked>, then: Box<Worker> },
    Delivers { claimed: Box<Execution>, sequence: u64, then: Box<Worker> },
    Signs(Rollout),
    Notifies { claimed: Box<Execution>, then: Box<Worker> },
    LooksForSilence { rollout: Id, wave: usize },
    TakesOut { rollout: Id, wave: usize },
    Clears { read: Box<Execution>, shadow: u64 },
    Removes(Box<Execution>),
    Hears(Message),
    Operates(Rollout, Action),
}

struct World {
    store: Store,
    chance: TestRng,
    now: i64,
    mail: Vec<Message>,
}

fn started(name: &str, text: &str) -> Rollout {
    let mut definition = definition(&[json!({"count": 2}), json!({"count": 4}), json!("rest")]);
    (definition.offline_minutes, definition.progress_minutes) = (10, 5);
    definition.waves.iter_mut().for_each(|wave| wave.success_percent = 60);
    let mut rollout =
        Rollout::ordered(Id::of("rollout", &[name]), definition, firmware(text), false, "ann".to_owned(), at(0));
    rollout = apply(&rollout, Change::Filled, at(0)).unwrap().0;
    rollout = act(&rollout, Action::Approve, "bob", true, rollout.version, at(0)).unwrap();
    Rollout { manifest: Some(issued()), ..rollout }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = chance(seed);
        let mut store = Store::default();
        let bad = chance.random_range(0..5);
        for number in 0..chance.random_range(6..14) {
            let nature = match chance.random_range(0..20) {
                0 => Nature::Offline,
                1 => Nature::Rejects,
                odd if odd < 2 + bad => Nature::Fails,
                19 => Nature::FallsBack,
                _ => Nature::Good,
            };
            let runs = if chance.random_ratio(1, 10) { "2.1.0" } else { "2.0.0" };
            store.devices.insert(ThingName::parse(&format!("t{number}")).unwrap(), device(nature, runs));
        }
        store.sequence = issued().sequence;
        store.fill(started("one", "2.1.0"));
        store.fill(started("two", "2.2.0"));
        Self { store, chance, now: 1, mail: vec![] }
    }

    fn any_rollout(&mut self) -> Id {
        Id::of("rollout", &[if self.chance.random_bool(0.5) { "one" } else { "two" }])
    }

    fn any_of(&mut self, rollout: &Id, wave: usize, wanted: impl Fn(State) -> bool) -> Option<Execution> {
        let fits = |of: &Id, row: &Execution| of == rollout && usize::from(row.wave) == wave && wanted(row.state());
        let rows: Vec<_> = self.store.executions.iter().filter(|((of, _), row)| fits(of, row)).collect();
        let place = self.chance.random_range(0..rows.len().max(1));
        rows.get(place).map(|(_, row)| (*row).clone())
    }

    fn write(&mut self, read: &Rollout, after: Rollout) -> bool {
        let row = self.store.rollouts.get_mut(&read.id).unwrap();
        let stands = row.version == read.version;
        if stands {
            *row = after;
        }
        stands
    }

    /// Does a worker's step; what it does next, if anything.
    fn step(&mut self, worker: Worker) -> Option<Worker> {
        let now = self.now;
        match worker {
            Worker::Plans(rollout) => self.plans(&rollout),
            Worker::Writes(read, change) => {
                let (after, _) = apply(&read, change, at(now))?;
                self.write(&read, after).then_some(Worker::Plans(read.id))
            }
            Worker::Grants(read, wave, most) => {
                let after = grant(&read, most, at(now))?;
                let left = usize::try_from(most).unwrap().min(AT_ONCE);
                self.write(&read, after).then_some(Worker::Asks { rollout: read.id, wave, left })
            }
            Worker::Asks { rollout, wave, left } => self.asks(rollout, wave, left),
            Worker::Claims { asked, then } => self.claims(&asked, then),
            Worker::Delivers { claimed, sequence, then } => {
                self.store.deliver(&claimed, sequence, now).then_some(Worker::Notifies { claimed, then })
            }
            Worker::Notifies { claimed, then } => Some(self.notifies(&claimed, *then)),
            Worker::Signs(read) => {
                self.store.sequence += 1;
                let manifest = Some(Issued { sequence: self.store.sequence, ..issued() });
                let after = Rollout { manifest, version: read.version + 1, ..read.clone() };
                self.write(&read, after);
                None
            }
            Worker::LooksForSilence { rollout, wave } => {
                self.looks_for_silence(&rollout, wave);
                None
            }
            Worker::TakesOut { rollout, wave } => self.takes_out(&rollout, wave),
            Worker::Clears { read, shadow } => {
                let device = self.store.devices.get_mut(&read.thing).unwrap();
                if device.shadow_version != shadow {
                    return None;
                }
                (device.desired, device.shadow_version) = (None, shadow + 1);
                Some(Worker::Removes(read))
            }
            Worker::Removes(read) => {
                let removed = next(&read, &Intent::End(End::Stopped), at(now));
                if let Transition::Change(after) = removed {
                    self.store.transact(&[(*read, *after)], None);
                }
                None
            }
            Worker::Hears(message) => {
                self.hears(&message);
                None
            }
            Worker::Operates(read, action) => {
                self.operates(&read, action);
                None
            }
        }
    }

    fn operates(&mut self, read: &Rollout, action: Action) {
        if let Ok(after) = act(read, action, "bob", true, read.version, at(self.now)) {
            self.write(read, after);
        }
    }

    /// Puts back what failed, and may die in the middle of it: then it is done again.
    fn retries(&mut self, read: &Rollout) -> Option<Worker> {
        let fits = |row: &&Execution| row.rollout == read.id && row.attempt < read.attempts;
        let opened = |row: &&Execution| read.waves[usize::from(row.wave)].opened_at.is_some();
        let rows: Vec<ThingName> =
            self.store.executions.values().filter(fits).filter(opened).map(|row| row.thing.clone()).collect();
        for thing in rows {
            if self.chance.random_ratio(1, 40) {
                return None;
            }
            self.store.apply(&read.id, &thing, &Intent::Retry, self.now);
        }
        Some(Worker::Writes(read.clone(), Change::Retried))
    }

    /// Takes back the orders of who was given up, and may die in the middle of it: then it goes on.
    fn withdraws(&mut self, read: &Rollout, waves: &[usize]) -> Option<Worker> {
        let fits = |row: &&Execution| row.rollout == read.id && waves.contains(&usize::from(row.wave));
        let rows: Vec<Execution> =
            self.store.executions.values().filter(fits).filter(|row| row.is_given_up()).cloned().collect();
        for row in rows {
            if row.in_flight(at(self.now)).is_some() || self.chance.random_ratio(1, 40) {
                return None;
            }
            let device = self.store.devices.get_mut(&row.thing).unwrap();
            if device.desired.as_ref().is_some_and(|(of, ..)| *of == read.id) {
                (device.desired, device.shadow_version) = (None, device.shadow_version + 1);
            }
            if self.chance.random_ratio(1, 40) {
                return None;
            }
            self.store.apply(&read.id, &row.thing, &Intent::Withdraw, self.now);
        }
        Some(Worker::Writes(read.clone(), Change::Stopped))
    }

    fn claims(&mut self, asked: &Asked, then: Box<Worker>) -> Option<Worker> {
        if !self.store.transact(&asked.moves, asked.assign.clone()) {
            return Some(*then);
        }
        let (claimed, Some((_, assignment))) = (asked.moves[0].1.clone(), &asked.assign) else { return Some(*then) };
        let opened_at = self.store.rollouts[&claimed.rollout].waves[usize::from(claimed.wave)].opened_at;
        assert!(opened_at.is_some(), "a thing of a wave that is not open");
        Some(Worker::Delivers { claimed: Box::new(claimed), sequence: assignment.sequence, then })
    }

    fn notifies(&mut self, claimed: &Execution, then: Worker) -> Worker {
        let intent = Intent::Notified(claimed.version);
        self.store.apply(&claimed.rollout, &claimed.thing, &intent, self.now);
        then
    }

    fn plans(&mut self, rollout: &Id) -> Option<Worker> {
        let read = self.store.rollouts[rollout].clone();
        let steps = plan(&read, &self.store.tallies(rollout), at(self.now));
        let place = self.chance.random_range(0..steps.len().max(1));
        let rollout = rollout.clone();
        Some(match steps.into_iter().nth(place)? {
            Step::Write(change) => Worker::Writes(read, change),
            Step::Ask { wave, most } => Worker::Grants(read, wave, most),
            Step::LookForSilence { wave } => Worker::LooksForSilence { rollout, wave },
            Step::TakeOut { wave } => Worker::TakesOut { rollout, wave },
            Step::Retry => return self.retries(&read),
            Step::Withdraw { waves } => return self.withdraws(&read, &waves),
            Step::Fill | Step::Sign => panic!("both were done"),
        })
    }

    fn asks(&mut self, rollout: Id, wave: usize, left: usize) -> Option<Worker> {
        let left = left.checked_sub(1)?;
        let row = self.any_of(&rollout, wave, |state| state == State::Queued)?;
        let asked = self.store.ask(&rollout, &row.thing, self.now);
        let then = Worker::Asks { rollout, wave, left };
        Some(match asked {
            Some(asked) if asked.moves.is_empty() => Worker::Signs(self.store.rollouts[&row.rollout].clone()),
            Some(asked) => Worker::Claims { asked: Box::new(asked), then: Box::new(then) },
            None => then,
        })
    }

    /// What a thing's shadow reports may have been lost on its way: it is looked up before its silence counts.
    fn looks_for_silence(&mut self, rollout: &Id, wave: usize) {
        let Some(row) = self.any_of(rollout, wave, |state| state.is_open() && state != State::Queued) else { return };
        let reported = self.store.devices[&row.thing].reported.clone();
        if row.running.as_ref().is_none_or(|known| *known < reported) {
            self.store.apply(rollout, &row.thing, &Intent::Report(reported), self.now);
        }
        let timers = self.store.rollouts[rollout].definition.timers();
        self.store.apply(rollout, &row.thing, &Intent::TimeOut(timers), self.now);
    }

    /// The shadow is read first: whoever takes the thing over after that changes it, and then nothing is cleared.
    fn takes_out(&mut self, rollout: &Id, wave: usize) -> Option<Worker> {
        let row = self.any_of(rollout, wave, |state| state.is_open() && state != State::Installing)?;
        let shadow = self.store.devices[&row.thing].shadow_version;
        if row.in_flight(at(self.now)).is_some() {
            return None;
        }
        let holds = self.store.assignments.get(&row.thing).is_some_and(|held| held.rank.rollout == *rollout);
        let read = Box::new(row);
        Some(if holds { Worker::Clears { read, shadow } } else { Worker::Removes(read) })
    }

    /// A report is about the rollout that has the thing; a word about the one that it names.
    fn hears(&mut self, message: &Message) {
        let held = self.store.assignments.get(&message.thing).map(|held| held.rank.rollout.clone());
        if let Some(rollout) = message.rollout.clone().or(held) {
            self.store.apply(&rollout, &message.thing, &message.intent, self.now);
        }
    }

    fn device_acts(&mut self, reliable: bool) {
        let things: Vec<ThingName> = self.store.devices.keys().cloned().collect();
        let thing = &things[self.chance.random_range(0..things.len())];
        let Some(message) = self.store.device_acts(thing, self.now) else { return };
        // What a device says may be lost; what its shadow reports comes through a queue, late and twice, but it comes.
        let least = u32::from(message.rollout.is_none());
        let copies = if reliable { 1 } else { self.chance.random_range(least..3) };
        self.mail.extend((0..copies).map(|_| message.clone()));
    }

    fn somebody(&mut self) -> Option<Worker> {
        if self.chance.random_bool(0.4) && !self.mail.is_empty() {
            let place = self.chance.random_range(0..self.mail.len());
            return Some(Worker::Hears(self.mail.swap_remove(place)));
        }
        let rollout = self.any_rollout();
        if self.chance.random_ratio(1, 30) {
            return Some(Worker::Signs(self.store.rollouts[&rollout].clone()));
        }
        if self.chance.random_ratio(9, 10) {
            return Some(Worker::Plans(rollout));
        }
        let actions = [Action::Start, Action::Start, Action::Pause, Action::Resume, Action::Retry, Action::Stop];
        let stays = self.chance.random_ratio(5, 6);
        let place = self.chance.random_range(0..actions.len() - usize::from(stays));
        Some(Worker::Operates(self.store.rollouts[&rollout].clone(), actions[place]))
    }

    /// Everybody at once, some held up, some dead; every write leaves counters that add up.
    fn storm(&mut self) {
        let mut workers: Vec<Worker> = vec![];
        let mut writes = 0;
        for _ in 0..self.chance.random_range(50..600) {
            let longest = if self.chance.random_ratio(1, 20) { 90_000 } else { 3_000 };
            self.now += self.chance.random_range(0..longest);
            self.device_acts(false);
            if workers.len() < WORKERS {
                workers.extend(self.somebody());
            }
            let worker = workers.swap_remove(self.chance.random_range(0..workers.len()));
            let lives = !self.chance.random_ratio(1, 25);
            workers.extend(self.step(worker).filter(|_| lives));
            if writes != self.store.writes {
                writes = self.store.writes;
                self.store.assert_adds_up();
            }
        }
        // Whoever still stands there dies; but a queue keeps what was not heard.
        for worker in workers {
            if let Worker::Hears(message) = worker {
                self.mail.push(message);
            }
        }
        let most = u32::try_from(WORKERS * AT_ONCE).unwrap() * 2;
        assert!(self.store.after_stop <= most, "{} orders after the stop", self.store.after_stop);
    }

    /// After the storm: one conductor, nothing lost, until both rollouts are over.
    fn calm(&mut self) {
        for round in 0..4_000 {
            self.now += 20_000;
            self.device_acts(true);
            while let Some(message) = self.mail.pop() {
                self.hears(&message);
            }
            let rollouts: Vec<Id> = self.store.rollouts.keys().cloned().collect();
            for id in rollouts {
                let row = self.store.rollouts[&id].clone();
                let action = match row.status {
                    Status::Approved => Some(Action::Start),
                    Status::Paused(_) if round < 3_000 => Some(Action::Resume),
                    Status::Filling | Status::Ready | Status::Running | Status::Paused(_) => None,
                    Status::Stopping(_) | Status::Stopped(_) | Status::Completed => None,
                };
                let mut worker = action.map_or(Worker::Plans(id), |action| Worker::Operates(row, action));
                while let Some(then) = self.step(worker) {
                    worker = then;
                }
            }
            let over = |row: &Rollout| matches!(row.status, Status::Stopped(_) | Status::Completed);
            if self.store.rollouts.values().all(over) {
                return;
            }
        }
        panic!(
            "it does not come to an end: {:?}",
            self.store.rollouts.values().map(|row| row.status).collect::<Vec<_>>()
        );
    }

    fn assert_end(&self) {
        self.store.assert_adds_up();
        for ((rollout, thing), row) in &self.store.executions {
            assert!(!row.state().is_open(), "{row:?}");
            let newest = row.target == version("2.2.0");
            assert!(!newest || row.end != Some(End::Superseded), "an older version took it: {row:?}");
            let device = &self.store.devices[thing];
            let held = &self.store.assignments.get(thing);
            let mine = held.is_some_and(|held| held.rank.rollout == *rollout);
            assert!(row.state() != State::Succeeded || !mine || device.reported.version == row.target, "{row:?}");
            let wanted = device.desired.as_ref().is_some_and(|(of, ..)| of == rollout);
            assert!(row.state() != State::Removed || !wanted, "what was taken out is still wanted: {row:?}");
            let stopped = matches!(self.store.rollouts[rollout].status, Status::Stopped(_));
            assert!(!stopped || !row.is_given_up(), "what was stopped may still begin: {row:?}");
            assert!(!stopped || !row.withdrawn || !wanted, "what was taken back is still wanted: {row:?}");
            let told = mine && row.notified_at.is_some() && self.store.rollouts[rollout].status == Status::Completed;
            assert!(!told || wanted, "what it was told is not in its shadow: {row:?}");
        }
    }
}

#[test]
fn counters_add_up_after_every_write_and_every_history_comes_to_a_truthful_end() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 200));
    let mut ends = BTreeMap::<&str, u64>::new();
    let mut states = BTreeMap::<State, u64>::new();
    for seed in first..first + count {
        let mut world = World::new(seed);
        world.storm();
        world.calm();
        world.assert_end();
        world.store.rollouts.values().for_each(|row| *ends.entry(row.status.as_str()).or_default() += 1);
        world.store.executions.values().for_each(|row| *states.entry(row.state()).or_default() += 1);
    }
    assert!(ends.len() == 2 && ends.values().all(|ends| *ends > count / 20), "these prove little: {ends:?}");
    assert!(states.len() >= 7 && states.values().all(|things| *things > count / 50), "these prove little: {states:?}");
}

/// What is known of an execution in the end, without the count of writes.
fn facts(row: &Execution) -> Execution {
    Execution { version: 0, lease: None, ..row.clone() }
}

#[test]
fn any_order_and_repetition_of_what_a_device_says_ends_the_same() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000));
    let apply = |row: &Execution, intent: &Intent| match next(row, intent, at(100_000)) {
        Transition::Change(after) => *after,
        Transition::Nothing(_) => row.clone(),
    };
    for seed in first..first + count {
        let mut chance = chance(seed);
        let any = |chance: &mut TestRng| {
            let time = chance.random_range(0..20_000) / 1_000 * 1_000;
            match chance.random_range(0..7) {
                0 => said(Verdict::Failed, time),
                1 => said(Verdict::Rejected, time),
                2 => Intent::Progress(Phase::Downloading, at(time)),
                3 => Intent::Progress(Phase::Installing, at(time)),
                4 => Intent::Within(Phase::Downloading, u8::try_from(time / 200).unwrap(), at(time)),
                5 => Intent::Report(crate::execution::tests::running("2.0.0", time)),
                _ => Intent::Report(crate::execution::tests::running("2.1.0", time)),
            }
        };
        let in_order: Vec<Intent> = (0..chance.random_range(1..10)).map(|_| any(&mut chance)).collect();
        let mut shuffled: Vec<Intent> = vec![];
        for intent in &in_order {
            for _ in 0..chance.random_range(1..=5) {
                let place = chance.random_range(0..=shuffled.len());
                shuffled.insert(place, intent.clone());
            }
        }
        let claimed = apply(&execution(), &Intent::Claim(None));
        let claimed = Execution { claimed_at: Some(at(3_000)), ..claimed };
        let [one, other] = [&in_order, &shuffled]
            .map(|all| facts(&all.iter().fold(claimed.clone(), |row, intent| apply(&row, intent))));
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn the_end_of_an_older_rollout_does_not_clear_what_a_newer_one_wrote_in_between() {
    let mut world = World::new(1);
    let [one, two] = ["one", "two"].map(|name| Id::of("rollout", &[name]));
    for (id, time) in [(&one, 1), (&two, 2)] {
        let row = world.store.rollouts.get_mut(id).unwrap();
        *row = act(row, Action::Start, "bob", true, row.version, at(time)).unwrap();
        row.waves.iter_mut().for_each(|wave| wave.opened_at = Some(at(time)));
    }
    let asks = |world: &mut World, id: &Id, thing: &ThingName, now: i64| {
        let asked = world.store.ask(id, thing, now).unwrap();
        assert!(world.store.transact(&asked.moves, asked.assign));
        let claimed = asked.moves[0].1.clone();
        assert!(
            world.store.deliver(&claimed, 9, now)
                && world.store.apply(id, thing, &Intent::Notified(claimed.version), now)
        );
        claimed
    };
    let things: Vec<ThingName> = world.store.devices.keys().cloned().collect();
    let thing = things.iter().find(|thing| world.store.devices[*thing].runs == version("2.0.0"));
    let thing = thing.unwrap().clone();
    let wave = usize::from(asks(&mut world, &one, &thing, 10).wave);
    world.now = 100_000;
    let clears = (0..500).find_map(|_| match world.takes_out(&one, wave) {
        Some(Worker::Clears { read, shadow }) if read.thing == thing => Some(Worker::Clears { read, shadow }),
        _ => None,
    });
    asks(&mut world, &two, &thing, 100_001);
    assert!(world.step(clears.unwrap()).is_none());
    assert!(world.store.devices[&thing].desired.as_ref().is_some_and(|(of, ..)| *of == two));
    let older = &world.store.executions[&(one, thing)];
    assert_eq!((older.state(), older.reason()), (State::Removed, Some("superseded")));
}

#[test]
fn a_bad_release_reaches_the_waves_that_were_open_and_nobody_else_and_is_taken_back() {
    let mut world = World::new(1);
    world.store = Store::default();
    world.store.sequence = issued().sequence;
    for number in 0..30 {
        let thing = ThingName::parse(&format!("t{number}")).unwrap();
        world.store.devices.insert(thing, device(Nature::FallsBack, "2.0.0"));
    }
    world.store.fill(started("one", "2.1.0"));
    world.calm();
    world.assert_end();
    let row = world.store.rollouts.values().next().unwrap();
    assert_eq!(row.status, Status::Stopped(crate::rollout::Stop::Errors));
    let reached = world.store.executions.values().filter(|row| row.claimed_at.is_some()).count();
    let removed = world.store.executions.values().filter(|row| row.state() == State::Removed).count();
    // Each device runs it for a moment, reports so, and falls back: the gate of the first wave of two may fire, that of the
    // second of four does not hold.
    assert!((2..=6).contains(&reached) && removed >= 24, "{reached} reached, {removed} taken out");
}
