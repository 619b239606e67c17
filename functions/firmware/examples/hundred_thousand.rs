//! A rollout to 100,000 things, planned and applied minute by minute with the real decisions, against a model of the store that
//! only counts: `cargo run -p firmware --example hundred_thousand`.
//!
//! Prints what each wave took in steps, calls and dollars, and how long it took to plan. Prices: us-east-1, per million.
#![expect(clippy::print_stdout, reason = "it is a table for people")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use firmware::execution::{Execution, Intent, Phase, Running, Said, State, Transition, Verdict, next};
use firmware::rollout::definition::Definition;
use firmware::rollout::waves::{deal, shard};
use firmware::rollout::{Action, Change, Issued, Rollout, Step, act, apply, grant, plan};
use firmware::tally::{Tally, shards};
use loam_domain::{ThingName, Timestamp};
use loam_releases::manifest::Firmware;
use loam_releases::names::{Digest, Hardware, Id};
use loam_releases::version::Version;

const THINGS: usize = 100_000;
const MINUTE: i64 = 60_000;
const DEFINITION: &str = r#"{"release": "00000000000000000000000000000000", "targets": {"filter": "tags.site = 'all'"},
    "perMinute": 1000, "offlineMinutes": 1440, "progressMinutes": 60, "waves": [
    {"size": {"count": 10}, "successPercent": 100, "errors": {"count": 0}, "soakMinutes": 60},
    {"size": {"percent": 1}, "successPercent": 90, "errors": {"percent": 5}, "soakMinutes": 60},
    {"size": {"percent": 10}, "successPercent": 90, "errors": {"percent": 5}, "soakMinutes": 120},
    {"size": "rest", "successPercent": 90, "errors": {"percent": 5}, "soakMinutes": 0}]}"#;

/// What was used, by wave.
#[derive(Default)]
struct Used {
    things: u64,
    steps: u64,
    write_units: u64,
    read_units: u64,
    transactions: u64,
    shadows: u64,
    messages: u64,
    invocations: u64,
    first: i64,
    last: i64,
}

impl Used {
    /// A transaction of so many small items: two units each.
    fn transact(&mut self, items: u64) {
        self.transactions += 1;
        self.write_units += 2 * items;
    }

    fn dollars(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "these are counts of what happened")]
        let million = |count: u64, price: f64| count as f64 * price / 1e6;
        million(self.write_units, 0.625)
            + million(self.read_units, 0.125)
            + million(self.shadows, 1.25)
            // Publish, rule and action, three requests to the queue.
            + million(self.messages, 1.0 + 0.15 + 0.15 + 1.2)
            // 128 MB for 50 ms on ARM, and the request.
            + million(self.invocations, 0.2 + 0.05 * 0.125 * 13.334)
    }
}

struct Fleet {
    rollout: Rollout,
    executions: Vec<Execution>,
    places: BTreeMap<ThingName, usize>,
    queues: Vec<Vec<usize>>,
    tallies: Vec<Vec<Tally>>,
    used: Vec<Used>,
    /// What devices say, by minute.
    news: BTreeMap<i64, Vec<(usize, Intent)>>,
    planning: Vec<Duration>,
    dealing: Duration,
}

fn fleet() -> Result<Fleet, Box<dyn Error>> {
    let firmware = Firmware {
        release: Id::of("release", &["2.1.0"]),
        version: Version::parse("2.1.0")?,
        hardware: [Hardware::parse("c3")?].into(),
        size: 1 << 20,
        sha256: Digest::of(b"image"),
        minimum_from: None,
        security_counter: 1,
    };
    let (id, definition) = (Id::of("rollout", &["simulated"]), Definition::parse(DEFINITION.as_bytes())?);
    let names: Result<_, _> = (0..THINGS).map(|number| ThingName::parse(&format!("thing-{number:06}"))).collect();
    let begun = Instant::now();
    let dealt = deal(&definition, &id, names?);
    let dealing = begun.elapsed();
    let rollout = Rollout::ordered(id, definition, firmware, false, "ann".to_owned(), Timestamp::from_millis(0));
    let rollout = apply(&rollout, Change::Filled, Timestamp::from_millis(0)).ok_or("not filling")?.0;
    let rollout = operate(&rollout, Action::Approve)?;
    let manifest =
        Issued { sequence: 1, at: Timestamp::from_millis(0), not_after: Timestamp::from_millis(90 * 1440 * MINUTE) };
    let rollout = Rollout { manifest: Some(manifest), ..operate(&rollout, Action::Start)? };
    let (mut executions, mut queues, mut tallies, mut used) = (vec![], vec![], vec![], vec![]);
    for (number, wave) in dealt.into_iter().enumerate() {
        let things = wave.len() as u64;
        let count = shards(things);
        let mut all = vec![Tally::default(); usize::try_from(count)?];
        let mut queue = vec![];
        for thing in wave {
            let place = shard(&rollout.id, &thing, count);
            all.get_mut(usize::try_from(place)?).ok_or("no shard")?.enter(State::Queued);
            queue.push(executions.len());
            let target = rollout.firmware.version.clone();
            executions.push(Execution::queued(rollout.id.clone(), thing, u16::try_from(number)?, target));
        }
        // Written down by 97, their counter, the chunk's own row, and a look at the rollout's: 100 items a transaction.
        let mut wave = Used { things, ..Used::default() };
        (0..things.div_ceil(97)).for_each(|_| wave.transact(3));
        wave.write_units += 2 * things;
        queue.reverse();
        queues.push(queue);
        tallies.push(all);
        used.push(wave);
    }
    let places = executions.iter().enumerate().map(|(place, row)| (row.thing.clone(), place)).collect();
    let (news, planning) = (BTreeMap::new(), vec![]);
    Ok(Fleet { rollout, executions, places, queues, tallies, used, news, planning, dealing })
}

fn operate(rollout: &Rollout, action: Action) -> Result<Rollout, Box<dyn Error>> {
    act(rollout, action, "bob", true, rollout.version, Timestamp::from_millis(0)).map_err(|no| no.as_str().into())
}

impl Fleet {
    fn waves(&self) -> Vec<Tally> {
        let sum = |shards: &Vec<Tally>| {
            shards.iter().fold(Tally::default(), |mut sum, shard| {
                sum.add(shard);
                sum
            })
        };
        self.tallies.iter().map(sum).collect()
    }

    /// What came of an intent, in its row and its counter.
    fn write(&mut self, place: usize, intent: &Intent, now: Timestamp, with: u64) -> Option<Execution> {
        let row = self.executions.get_mut(place)?;
        let used = self.used.get_mut(usize::from(row.wave))?;
        // The assignment, which names wave and shard, and the row.
        used.read_units += 2;
        let Transition::Change(after) = next(row, intent, now) else { return None };
        let (from, to) = (row.state(), after.state());
        let shards = self.tallies.get_mut(usize::from(row.wave))?;
        let shard = shard(&row.rollout, &row.thing, u32::try_from(shards.len()).ok()?);
        if from == to && with == 0 {
            used.write_units += 1;
        } else {
            used.transact(1 + with + u64::from(from != to));
        }
        if from != to {
            shards.get_mut(usize::try_from(shard).ok()?)?.moved(from, to).ok()?;
        }
        *row = *after;
        Some(row.clone())
    }

    /// One run of the conductor. Whether anything is left to do.
    fn conduct(&mut self, now: Timestamp) -> bool {
        loop {
            let tallies = self.waves();
            let begun = Instant::now();
            let steps = plan(&self.rollout, &tallies, now);
            self.planning.push(begun.elapsed());
            let open = self.rollout.waves.iter().rposition(|wave| wave.opened_at.is_some()).unwrap_or_default();
            if let Some(used) = self.used.get_mut(open) {
                used.steps += steps.len() as u64;
                used.invocations += 1;
                // The row, and all counters: 49 rows of some 200 bytes.
                used.read_units += 1 + 3;
                used.write_units += 2;
                used.first = if used.first == 0 { now.as_millis().max(1) } else { used.first };
                used.last = now.as_millis();
            }
            if let [Step::Write(change)] = steps.as_slice() {
                let Some((after, _)) = apply(&self.rollout, *change, now) else { return false };
                self.rollout = after;
                if self.rollout.status.is_over() {
                    return false;
                }
                continue;
            }
            for step in steps {
                match step {
                    Step::Ask { wave, most } => self.ask(wave, most, now),
                    Step::LookForSilence { wave } => self.look(wave, now),
                    Step::Write(_) | Step::Fill | Step::Sign | Step::Retry => {}
                    Step::TakeOut { .. } | Step::Withdraw { .. } => {}
                }
            }
            return true;
        }
    }

    fn ask(&mut self, wave: usize, most: u32, now: Timestamp) {
        let Some(granted) = grant(&self.rollout, most, now) else { return };
        self.rollout = granted;
        for _ in 0..most {
            let Some(place) = self.queues.get_mut(wave).and_then(Vec::pop) else { return };
            let Some(claimed) = self.write(place, &Intent::Claim(None), now, 1) else { continue };
            self.write(place, &Intent::Notified(claimed.version), now, 0);
            if let Some(used) = self.used.get_mut(wave) {
                used.shadows += 1;
                // The twin, and the row on a page of the queue.
                used.read_units += 2;
            }
            self.device(place, now);
        }
    }

    /// What a device will say: 2 % are offline, half of them for good; 1.5 % fail, 0.5 % refuse, the others take 3 to 30 minutes.
    fn device(&mut self, place: usize, now: Timestamp) {
        let Some(row) = self.executions.get(place) else { return };
        let lot = Digest::of(row.thing.as_str().as_bytes()).place();
        let away = if lot.is_multiple_of(100) { 600 } else { 0 };
        if lot % 100 == 1 {
            return;
        }
        let minutes = i64::try_from(lot / 100 % 27).unwrap_or_default() + 3 + away;
        let at = |minutes: i64| now.plus_millis(minutes * MINUTE);
        let verdict = |verdict, minutes| Intent::Hear(Said { at: at(minutes), verdict, code: None });
        let mut say = |minutes: i64, intent| {
            self.news.entry(at(minutes).as_millis() / MINUTE).or_default().push((place, intent));
        };
        if lot % 200 == 2 {
            return say(1, verdict(Verdict::Rejected, 1));
        }
        say(1 + away, Intent::Progress(Phase::Downloading, at(1 + away)));
        say(minutes - 1, Intent::Progress(Phase::Verifying, at(minutes - 1)));
        say(minutes, Intent::Progress(Phase::Installing, at(minutes)));
        if lot % 1_000 < 15 + 3 && lot % 1_000 >= 3 {
            return say(minutes + 1, verdict(Verdict::Failed, minutes + 1));
        }
        let version = self.rollout.firmware.version.clone();
        say(minutes + 2, Intent::Report(Running { at: at(minutes + 2), version }));
    }

    fn look(&mut self, wave: usize, now: Timestamp) {
        // The index by time gives those that are due; looking costs a read a shard.
        let timers = self.rollout.definition.timers();
        let due = |row: &Execution| usize::from(row.wave) == wave && row.due_at(&timers).is_some_and(|at| at <= now);
        let due: Vec<ThingName> = self.executions.iter().filter(|row| due(row)).map(|row| row.thing.clone()).collect();
        if let Some(used) = self.used.get_mut(wave) {
            used.read_units += 16;
        }
        for thing in due {
            if let Some(place) = self.places.get(&thing) {
                self.write(*place, &Intent::TimeOut(timers), now, 0);
            }
        }
    }

    fn hear(&mut self, minute: i64) {
        for (place, intent) in self.news.remove(&minute).unwrap_or_default() {
            if let Some(used) = self.executions.get(place).and_then(|row| self.used.get_mut(usize::from(row.wave))) {
                used.messages += 1;
                used.invocations += u64::from(used.messages.is_multiple_of(10));
            }
            self.write(place, &intent, Timestamp::from_millis(minute * MINUTE), 0);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut fleet = fleet()?;
    let begun = Instant::now();
    let mut minute = 0;
    while fleet.conduct(Timestamp::from_millis(minute * MINUTE)) && minute < 10_000 {
        minute += 1;
        fleet.hear(minute);
    }
    let took = begun.elapsed();
    println!("{} after {minute} minutes of its time; simulated in {took:.1?}", fleet.rollout.status.as_str());
    println!("dealt out in {:.1?}; planned {} times", fleet.dealing, fleet.planning.len());
    fleet.planning.sort_unstable();
    let at = |part: usize| fleet.planning.get(fleet.planning.len() * part / 100).copied().unwrap_or_default();
    println!(
        "planning: p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
        at(50),
        at(99),
        fleet.planning.last().copied().unwrap_or_default()
    );
    println!(
        "{:>4} {:>7} {:>6} {:>8} {:>9} {:>9} {:>8} {:>8} {:>7} {:>7} {:>9}",
        "wave",
        "things",
        "steps",
        "transact",
        "write u.",
        "read u.",
        "shadows",
        "messages",
        "invoked",
        "minutes",
        "dollars"
    );
    let mut sum = 0.0;
    for (number, wave) in fleet.used.iter().enumerate() {
        sum += wave.dollars();
        println!(
            "{:>4} {:>7} {:>6} {:>8} {:>9} {:>9} {:>8} {:>8} {:>7} {:>7} {:>9.4}",
            number + 1,
            wave.things,
            wave.steps,
            wave.transactions,
            wave.write_units,
            wave.read_units,
            wave.shadows,
            wave.messages,
            wave.invocations,
            (wave.last - wave.first) / MINUTE,
            wave.dollars()
        );
    }
    println!("together {sum:.2} dollars, without the images' own transfer");
    let all = fleet.waves().iter().fold(Tally::default(), |mut sum, wave| {
        sum.add(wave);
        sum
    });
    let parts = State::ALL.map(|state| format!("{state:?} {}", all.get(state)));
    println!("{} things: {}", all.total(), parts.join(", "));
    if all.total() == THINGS as u64 { Ok(()) } else { Err("the counters do not add up".into()) }
}
