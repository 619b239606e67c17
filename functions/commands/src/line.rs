//! In which order, and how fast, a thing's commands go out.
//!
//! One run at a time sends to a thing, one command at a time, in the order in which they were ordered: the next one goes
//! when the device has acknowledged the one before, or when that one is over. So a device never gets the second of two
//! commands first, and a device that does not listen is not flooded.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::command::{Command, State};
use crate::command_id::CommandId;

/// How long a run holds a thing's line without a sign of life, in milliseconds: longer than one delivery.
pub const HELD_MILLIS: i64 = 60_000;

/// How many commands a thing gets within a second. AWS IoT takes 100 messages a second to one client, and calls of methods
/// and grants of files are among them. Source: AWS IoT Core quotas, "Direct Messaging".
pub const MOST_A_SECOND: u32 = 20;

/// Who sends to a thing: one row, written on its version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// One more with each write; 0: there is no row yet.
    pub version: u64,
    /// The run that holds it.
    pub held: Option<Held>,
}

/// A run that sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Which run: its request id.
    pub run: String,
    /// From then on it is taken for dead.
    pub until: Timestamp,
    /// Whether somebody came meanwhile who has news: the run looks once more before it leaves.
    #[serde(default)]
    pub knocked: bool,
}

/// What leaving a line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// Nobody came meanwhile: this is the line after it.
    Free(Line),
    /// Somebody did: the run goes on, with this line.
    Again(Line),
    /// Another run has it by now.
    Gone,
}

impl Line {
    /// The line after `run` takes it, or goes on with it, at `now`.
    ///
    /// # Errors
    /// Until when another run holds it.
    pub fn take(&self, run: &str, now: Timestamp) -> Result<Self, Timestamp> {
        match &self.held {
            Some(held) if held.run != run && now < held.until => Err(held.until),
            Some(_) | None => {
                let held = Held { run: run.to_owned(), until: now.plus_millis(HELD_MILLIS), knocked: false };
                Ok(Self { version: self.version + 1, held: Some(held) })
            }
        }
    }

    /// The line after somebody with news found it held; `None` if that is known already, or nobody holds it.
    #[must_use]
    pub fn knock(&self) -> Option<Self> {
        let held = self.held.as_ref().filter(|held| !held.knocked)?;
        Some(Self { version: self.version + 1, held: Some(Held { knocked: true, ..held.clone() }) })
    }

    /// What becomes of the line when `run` is done at `now`.
    #[must_use]
    pub fn leave(&self, run: &str, now: Timestamp) -> Leave {
        match &self.held {
            Some(held) if held.run == run && held.knocked => self.take(run, now).map_or(Leave::Gone, Leave::Again),
            Some(held) if held.run == run => Leave::Free(Self { version: self.version + 1, held: None }),
            Some(_) | None => Leave::Gone,
        }
    }
}

/// How many were sent in the present second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    second: i64,
    sent: u32,
}

impl Pace {
    /// The pace after one more was sent at `now`.
    #[must_use]
    pub const fn after_one(self, now: Timestamp) -> Self {
        let second = now.as_secs();
        if second == self.second { Self { second, sent: self.sent + 1 } } else { Self { second, sent: 1 } }
    }

    /// When the next one may go; now, or at the beginning of the next second.
    #[must_use]
    pub const fn next_at(self, now: Timestamp) -> Timestamp {
        if now.as_secs() == self.second && self.sent >= MOST_A_SECOND {
            return Timestamp::from_millis((self.second + 1) * 1_000);
        }
        now
    }
}

/// What the run that holds the line does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Send this one.
    Send(CommandId),
    /// Nothing before this time.
    Wait {
        /// When to look again.
        until: Timestamp,
    },
    /// The device is not there: its next connect brings the next run.
    Offline,
    /// Nothing waits.
    Done,
}

/// What to do next with the commands of a thing in its present `epoch`.
#[must_use]
pub fn turn(commands: &[Command], epoch: u64, connected: bool, pace: Pace, now: Timestamp) -> Turn {
    let waits = |command: &&Command| {
        command.epoch == epoch
            && command.state(now) == State::Queued
            && (command.deliveries < command.order.max_deliveries || command.in_flight(now).is_some())
    };
    let first = commands.iter().filter(waits).min_by_key(|command| (command.issued_at, &command.id));
    let Some(first) = first else { return Turn::Done };
    if let Some(lease) = first.in_flight(now) {
        return Turn::Wait { until: lease.until };
    }
    if !connected {
        return Turn::Offline;
    }
    let until = first.not_before.map_or(now, |time| time.max(now)).max(pace.next_at(now));
    if until > now { Turn::Wait { until } } else { Turn::Send(first.id.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::{at, command};
    use crate::command::{Intent, Lease, Sent, Transition, next};

    fn issued(millis: i64, id: u8) -> Command {
        Command { id: CommandId::new(at(0), [id; 10]), issued_at: at(millis), ..command() }
    }

    fn id(id: u8) -> Turn {
        Turn::Send(CommandId::new(at(0), [id; 10]))
    }

    fn of(commands: &[Command], millis: i64) -> Turn {
        turn(commands, 1, true, Pace::default(), at(millis))
    }

    #[test]
    fn the_oldest_goes_first_and_of_two_at_once_always_the_same() {
        assert_eq!(of(&[issued(2, 1), issued(1, 9)], 10), id(9));
        assert_eq!(of(&[issued(1, 2), issued(1, 1)], 10), id(1));
        assert_eq!(of(&[], 10), Turn::Done);
    }

    #[test]
    fn the_second_waits_until_the_first_is_acknowledged_or_over() {
        let sent = Command { deliveries: 1, lease: Some(Lease { version: 2, until: at(500) }), ..issued(1, 1) };
        assert_eq!(of(&[sent.clone(), issued(2, 2)], 499), Turn::Wait { until: at(500) });
        let unconfirmed = Command { lease: None, not_before: Some(at(700)), ..sent.clone() };
        assert_eq!(of(&[unconfirmed.clone(), issued(2, 2)], 699), Turn::Wait { until: at(700) });
        assert_eq!(of(&[unconfirmed.clone(), issued(2, 2)], 700), id(1));
        let delivered = Command { lease: None, delivered_at: Some(at(400)), ..sent };
        assert_eq!(of(&[delivered, issued(2, 2)], 500), id(2));
        let exhausted = Command { deliveries: 3, ..unconfirmed };
        assert_eq!(of(&[exhausted, issued(2, 2)], 500), id(2));
        let cancelled = Command { cancelled_at: Some(at(3)), ..issued(1, 1) };
        assert_eq!(of(&[cancelled, issued(2, 2)], 500), id(2));
    }

    #[test]
    fn the_last_delivery_that_is_allowed_is_waited_for_too() {
        let lease = Some(Lease { version: 4, until: at(500) });
        let last = Command { deliveries: 3, lease, ..issued(1, 1) };
        assert_eq!(of(&[last, issued(2, 2)], 499), Turn::Wait { until: at(500) });
    }

    #[test]
    fn nothing_of_an_earlier_owner_and_nothing_that_expired_is_sent() {
        assert_eq!(turn(&[issued(1, 1)], 2, true, Pace::default(), at(10)), Turn::Done);
        assert_eq!(of(&[issued(1, 1)], 60_000), Turn::Done);
    }

    #[test]
    fn a_device_that_is_away_is_sent_nothing() {
        assert_eq!(turn(&[issued(1, 1)], 1, false, Pace::default(), at(10)), Turn::Offline);
        assert_eq!(turn(&[], 1, false, Pace::default(), at(10)), Turn::Done);
    }

    #[test]
    fn the_twentieth_of_a_second_goes_and_the_next_waits_for_the_next_second() {
        let paced = |count| (0..count).fold(Pace::default(), |pace: Pace, _| pace.after_one(at(5_500)));
        let one = [Command { expires_at: at(60_000), ..issued(1, 1) }];
        assert_eq!(turn(&one, 1, true, paced(19), at(5_900)), id(1));
        assert_eq!(turn(&one, 1, true, paced(20), at(5_900)), Turn::Wait { until: at(6_000) });
        assert_eq!(turn(&one, 1, true, paced(20), at(6_000)), id(1));
    }

    #[test]
    fn one_run_holds_a_line_and_a_dead_one_for_a_minute() {
        let held = Line::default().take("a", at(0)).unwrap();
        assert_eq!(held.take("b", at(59_999)), Err(at(60_000)));
        assert!(held.take("b", at(60_000)).is_ok());
        let longer = held.take("a", at(30_000)).unwrap();
        assert_eq!(longer.take("b", at(60_000)), Err(at(90_000)));
        assert_eq!(longer.leave("b", at(30_000)), Leave::Gone);
        let Leave::Free(left) = longer.leave("a", at(30_000)) else { panic!() };
        assert!(left.take("b", at(30_000)).is_ok());
    }

    #[test]
    fn who_leaves_while_somebody_knocked_looks_once_more() {
        let held = Line::default().take("a", at(0)).unwrap();
        assert_eq!(Line::default().knock(), None);
        let knocked = held.knock().unwrap();
        assert_eq!((knocked.version, knocked.knock()), (2, None), "once is enough");
        let Leave::Again(again) = knocked.leave("a", at(1_000)) else { panic!() };
        assert_eq!(again.version, 3);
        assert!(matches!(again.leave("a", at(2_000)), Leave::Free(_)));
        assert!(knocked.take("b", at(60_000)).is_ok(), "a dead one's line is free all the same");
    }

    #[test]
    fn a_hundred_commands_reach_a_device_in_order_at_its_pace() {
        let mut commands: Vec<Command> = (0..100).map(|number| issued(i64::from(number), number)).rev().collect();
        let (mut pace, mut now, mut seen) = (Pace::default(), 1_000, vec![]);
        loop {
            match turn(&commands, 1, true, pace, at(now)) {
                Turn::Send(id) => {
                    let place = commands.iter().position(|command| command.id == id).unwrap();
                    for intent in [Intent::Send, Intent::Settle { version: 2, sent: Sent::Confirmed }] {
                        let came = next(&commands[place], &intent, at(now));
                        let Transition::Change(change) = came else { panic!("{came:?}") };
                        commands[place] = change.command;
                    }
                    pace = pace.after_one(at(now));
                    seen.push((commands[place].issued_at.as_millis(), now));
                }
                Turn::Wait { until } => now = until.as_millis(),
                Turn::Offline => panic!(),
                Turn::Done => break,
            }
        }
        assert!(seen.iter().map(|(issued, _)| *issued).eq(0..100));
        assert_eq!((seen.len(), now), (100, 5_000));
    }
}
