//! Laws that hold whatever senders, devices and people do to a command, in any order, as often as may be.
//!
//! The model of the store is one compare-and-set cell. 2,000 histories run with every test run; `LOAM_HISTORIES=10000` says
//! how many, from `LOAM_SEED` on.

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::command::tests::{at, command, heard, word};
use crate::command::{Command, Intent, Sent, State, Told, Transition, next};
use crate::feedback::{Feedback, Kind, Note, Verdict};

pub(crate) fn number_of(name: &str, everyday: u64) -> u64 {
    let given = std::env::vars().find(|(variable, _)| variable == name);
    given.map_or(everyday, |(_, text)| text.parse().unwrap())
}

/// A source of chance that gives the same for the same seed; what it gives first resembles the next seed's first.
pub(crate) fn chance(seed: u64) -> TestRng {
    let mut bytes = [11_u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut chance = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    (0..32).for_each(|_| {
        chance.random_bool(0.5);
    });
    chance
}

/// A word with a note of its own, or with none.
fn noted(intent: Intent, chance: &mut TestRng) -> Intent {
    let Intent::Hear(feedback) = intent else { return intent };
    let reason_code = chance.random_bool(0.5).then(|| ["a", "b"][chance.random_range(0..2)].to_owned());
    Intent::Hear(Feedback { note: Note { reason_code, ..Note::default() }, ..feedback })
}

const VERDICTS: [Verdict; 3] = [Verdict::Failed, Verdict::Rejected, Verdict::Succeeded];

fn said(chance: &mut TestRng, received_at: i64) -> Intent {
    let said = match chance.random_range(0..5) {
        0 => heard(Kind::Accepted, received_at),
        1 => heard(Kind::Progress, received_at),
        _ => word(VERDICTS[chance.random_range(0..3)], received_at),
    };
    noted(said, chance)
}

/// A command in its store, and what really happened to it.
struct World {
    cell: Command,
    /// Messages that may have reached the device.
    reached: u32,
    /// What the device really said, and when AWS IoT took it.
    said: Vec<Intent>,
    confirmed: bool,
    told: Vec<Told>,
}

/// A run that sends: it may read and die, claim and die, send and die, or settle too late.
struct Sender {
    read: Option<Command>,
    claimed: Option<(u64, Sent)>,
}

impl World {
    fn new() -> Self {
        Self { cell: command(), reached: 0, said: vec![], confirmed: false, told: vec![] }
    }

    /// One conditional write of what was read; whether it won.
    fn write(&mut self, read: &Command, intent: &Intent, now: i64) -> bool {
        let Transition::Change(change) = next(read, intent, at(now)) else { return false };
        if read.version != self.cell.version {
            return false;
        }
        self.assert_law(&change.command, now);
        self.told.extend(change.told);
        self.cell = change.command;
        true
    }

    /// Read, decide, write, as often as it takes.
    fn apply(&mut self, intent: &Intent, now: i64) {
        let read = self.cell.clone();
        self.write(&read, intent, now);
    }

    fn assert_law(&self, after: &Command, now: i64) {
        assert_eq!(after.version, self.cell.version + 1);
        assert!(after.deliveries <= after.order.max_deliveries);
        let state = after.state(at(now));
        let verdict = match state {
            State::Succeeded => Some(Verdict::Succeeded),
            State::Failed => Some(Verdict::Failed),
            State::Rejected => Some(Verdict::Rejected),
            State::Queued | State::Delivered | State::Accepted | State::Expired | State::Cancelled => None,
        };
        if let Some(verdict) = verdict {
            let in_time = |said: &&Intent| matches!(said, Intent::Hear(said) if said.kind == Kind::Final(verdict) && said.received_at < after.ends_at());
            assert!(self.said.iter().any(|said| in_time(&said)), "{state:?} without the device's word");
        }
        assert!(state != State::Delivered || self.confirmed, "delivered without an acknowledgement");
        assert!(state != State::Accepted || !self.said.is_empty(), "accepted without the device's word");
    }

    /// A half-step of a sender.
    fn send(&mut self, sender: &mut Sender, now: i64, chance: &mut TestRng) {
        if let Some((version, sent)) = sender.claimed.take() {
            return self.apply(&Intent::Settle { version, sent }, now);
        }
        let Some(read) = sender.read.take() else {
            sender.read = Some(self.cell.clone());
            return;
        };
        if !self.write(&read, &Intent::Send, now) {
            return;
        }
        let sent = [Sent::Confirmed, Sent::NotReached, Sent::Unknown][chance.random_range(0..3)];
        self.reached += u32::from(sent != Sent::NotReached);
        self.confirmed |= sent == Sent::Confirmed;
        // A third of all runs die between sending and writing so.
        if chance.random_ratio(2, 3) {
            sender.claimed = Some((self.cell.lease.unwrap().version, sent));
        }
    }
}

/// A history of up to 40 steps: two senders, a device that speaks once it may have the message, people, and time.
fn live(seed: u64) -> World {
    let mut chance = chance(seed);
    let mut world = World::new();
    let mut senders = [Sender { read: None, claimed: None }, Sender { read: None, claimed: None }];
    let mut now = 0;
    for _ in 0..chance.random_range(1..40) {
        let longest = if chance.random_ratio(1, 6) { 45_000 } else { 3_000 };
        now += chance.random_range(0..longest);
        match chance.random_range(0..10) {
            0..5 => world.send(&mut senders[usize::from(chance.random_bool(0.3))], now, &mut chance),
            5..8 if world.reached > 0 => {
                let received_at = now - chance.random_range(0..=now.min(5_000));
                let intent = said(&mut chance, received_at);
                world.said.push(intent.clone());
                world.apply(&intent, now);
            }
            8 => world.apply(&Intent::Cancel, now),
            9 => world.apply(&Intent::TellExpiry, now),
            _ => {}
        }
    }
    world
}

#[test]
fn no_history_sends_too_often_or_says_what_no_device_said() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000));
    let mut ends = std::collections::BTreeMap::<State, u64>::new();
    for seed in first..first + count {
        let world = live(seed);
        let most = world.cell.order.max_deliveries;
        assert!(world.reached <= most, "seed {seed}: sent {} times", world.reached);
        let expiries = world.told.iter().filter(|told| **told == Told::State(State::Expired)).count();
        assert!(expiries <= 1, "seed {seed}: {:?}", world.told);
        *ends.entry(world.cell.state(at(i64::MAX))).or_default() += 1;
    }
    assert!(ends.len() == 5 && ends.values().all(|ends| *ends > count / 100), "these prove little: {ends:?}");
}

/// What is known of a command in the end, without the count of writes.
fn facts(command: &Command) -> Command {
    Command { version: 0, lease: None, ..command.clone() }
}

/// A command that was sent once, then what the device said, in the given order.
fn after(said: &[Intent], cancelled_at: Option<i64>) -> Command {
    let mut world = World::new();
    world.said = said.to_vec();
    world.apply(&Intent::Send, 0);
    world.confirmed = true;
    world.apply(&Intent::Settle { version: 2, sent: Sent::Unknown }, 0);
    if let Some(time) = cancelled_at {
        world.apply(&Intent::Cancel, time);
    }
    for intent in said {
        world.apply(intent, 70_000);
    }
    facts(&world.cell)
}

#[test]
fn any_order_and_repetition_of_what_a_device_says_ends_the_same() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000));
    for seed in first..first + count {
        let mut chance = chance(seed);
        let cancelled_at = chance.random_ratio(1, 4).then(|| chance.random_range(0..60_000));
        let in_order: Vec<Intent> = {
            let mut times: Vec<i64> = (0..chance.random_range(1..12)).map(|_| chance.random_range(0..65_000)).collect();
            // Some of them in the same millisecond.
            times.iter_mut().filter(|time| **time % 2 == 1).for_each(|time| *time = *time / 30_000 * 30_000);
            times.sort_unstable();
            times.into_iter().map(|time| said(&mut chance, time)).collect()
        };
        let mut shuffled: Vec<Intent> = vec![];
        for intent in &in_order {
            for _ in 0..chance.random_range(1..=5) {
                let place = chance.random_range(0..=shuffled.len());
                shuffled.insert(place, intent.clone());
            }
        }
        assert_eq!(after(&in_order, cancelled_at), after(&shuffled, cancelled_at), "seed {seed}");
    }
}
