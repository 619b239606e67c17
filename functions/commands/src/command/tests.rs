//! The boundaries of a command's life, one sentence each.

use serde_json::value::RawValue;

use super::*;
use crate::feedback::{Feedback, Kind};

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A command that lives for 60 s from 0 on and is sent three times at most.
pub(crate) fn command() -> Command {
    let payload = RawValue::from_string("{}".to_owned()).unwrap();
    let order = Order::new("blink", &payload, Some(60), Some(3)).unwrap();
    let thing = ThingName::parse("t1").unwrap();
    Command::ordered(CommandId::new(Timestamp::from_millis(0), [1; 10]), thing, 1, "u1".to_owned(), order, at(0))
}

pub(crate) fn heard(kind: Kind, millis: i64) -> Intent {
    Intent::Hear(Feedback { kind, received_at: at(millis), note: Note::default() })
}

pub(crate) fn word(verdict: Verdict, millis: i64) -> Intent {
    heard(Kind::Final(verdict), millis)
}

struct Life {
    command: Command,
}

impl Life {
    fn new() -> Self {
        Self { command: command() }
    }

    fn sent() -> Self {
        let mut life = Self::new();
        life.change(&Intent::Send, 1_000);
        life
    }

    fn delivered() -> Self {
        let mut life = Self::sent();
        life.settle(Sent::Confirmed, 2_000);
        life
    }

    fn change(&mut self, intent: &Intent, millis: i64) -> Option<Told> {
        let came = next(&self.command, intent, at(millis));
        let Transition::Change(change) = came else { panic!("{intent:?}: {came:?}") };
        assert_eq!(change.command.version, self.command.version + 1);
        self.command = change.command;
        change.told
    }

    fn settle(&mut self, sent: Sent, millis: i64) -> Option<Told> {
        let version = self.command.lease.unwrap().version;
        self.change(&Intent::Settle { version, sent }, millis)
    }

    fn refused(&self, intent: &Intent, millis: i64) -> Why {
        let came = next(&self.command, intent, at(millis));
        let Transition::Nothing(Outcome::Refused(why)) = came else { panic!("{intent:?}: {came:?}") };
        why
    }

    fn is_already(&self, intent: &Intent, millis: i64) -> bool {
        next(&self.command, intent, at(millis)) == Transition::Nothing(Outcome::Already)
    }

    fn state(&self, millis: i64) -> &'static str {
        self.command.state(at(millis)).as_str()
    }
}

#[test]
fn a_command_goes_from_queued_to_succeeded_and_each_step_is_told() {
    let mut life = Life::new();
    assert_eq!(life.state(0), "queued");
    assert_eq!(life.change(&Intent::Send, 1_000), None);
    assert_eq!(life.settle(Sent::Confirmed, 2_000), Some(Told::State(State::Delivered)));
    assert_eq!(life.change(&heard(Kind::Accepted, 2_100), 2_200), Some(Told::State(State::Accepted)));
    assert_eq!(life.change(&heard(Kind::Progress, 2_300), 2_400), Some(Told::Progress));
    assert_eq!(life.state(2_400), "accepted");
    assert_eq!(life.change(&word(Verdict::Succeeded, 2_500), 2_600), Some(Told::State(State::Succeeded)));
    assert_eq!((life.state(2_600), life.state(i64::MAX)), ("succeeded", "succeeded"));
}

#[test]
fn an_acknowledgement_is_no_success_and_neither_is_silence() {
    let life = Life::delivered();
    assert_eq!((life.state(59_999), life.state(60_000)), ("delivered", "expired"));
    assert_eq!(life.command.reached().as_str(), "not-accepted");
    assert_eq!(Life::new().state(60_000), "expired");
    assert_eq!(Life::new().command.reached().as_str(), "not-sent");
}

#[test]
fn what_the_device_said_in_time_counts_however_late_it_is_heard() {
    let mut life = Life::delivered();
    assert_eq!(life.state(70_000), "expired");
    assert_eq!(life.change(&word(Verdict::Succeeded, 59_999), 70_000), Some(Told::State(State::Succeeded)));
    assert_eq!(life.state(70_000), "succeeded");
    assert!(life.command.late_word().is_none());
}

#[test]
fn what_the_device_did_after_its_time_changes_no_state_and_is_told() {
    let mut life = Life::delivered();
    assert_eq!(life.change(&word(Verdict::Succeeded, 60_000), 60_001), Some(Told::Late(Verdict::Succeeded)));
    assert_eq!(life.state(60_001), "expired");
    assert_eq!(life.command.late_word().unwrap().verdict, Verdict::Succeeded);
}

#[test]
fn a_device_cannot_speak_of_what_it_was_never_sent() {
    let mut life = Life::new();
    assert_eq!(life.refused(&word(Verdict::Succeeded, 10), 10), Why::Unsolicited);
    life.change(&Intent::Send, 1_000);
    life.settle(Sent::NotReached, 2_000);
    assert_eq!(life.refused(&word(Verdict::Succeeded, 10), 10), Why::Unsolicited);
}

#[test]
fn a_word_proves_the_delivery_that_nobody_acknowledged() {
    let mut life = Life::sent();
    life.settle(Sent::Unknown, 2_000);
    assert_eq!((life.state(2_000), life.command.reached().as_str()), ("queued", "not-confirmed"));
    life.change(&heard(Kind::Progress, 2_500), 2_600);
    assert_eq!(life.state(2_600), "accepted");
    assert_eq!(life.refused(&Intent::Send, 50_000), Why::Delivered);
}

#[test]
fn the_third_delivery_is_sent_and_the_fourth_is_not() {
    let mut life = Life::new();
    for (sent_at, settled_at) in [(0, 1_000), (11_000, 12_000), (32_000, 33_000)] {
        life.change(&Intent::Send, sent_at);
        assert_eq!(life.refused(&Intent::Send, sent_at), Why::InFlight);
        life.settle(Sent::Unknown, settled_at);
    }
    assert_eq!(life.refused(&Intent::Send, 59_000), Why::Exhausted);
    assert_eq!(life.command.reached().as_str(), "deliveries-exhausted");
    assert_eq!(life.state(59_000), "queued");
    life.change(&word(Verdict::Succeeded, 58_000), 59_000);
    assert_eq!(life.state(59_000), "succeeded");
}

#[test]
fn what_certainly_did_not_reach_the_device_is_not_counted() {
    let mut life = Life::new();
    for time in 0..20 {
        life.change(&Intent::Send, time * 100);
        life.settle(Sent::NotReached, time * 100 + 50);
    }
    assert_eq!((life.command.deliveries, life.command.not_before), (0, None));
}

#[test]
fn after_a_delivery_that_nobody_acknowledged_the_next_waits_10_20_and_at_most_300_seconds() {
    let mut life = Life::sent();
    life.settle(Sent::Unknown, 2_000);
    assert_eq!(life.refused(&Intent::Send, 11_999), Why::TooEarly);
    life.change(&Intent::Send, 12_000);
    life.settle(Sent::Unknown, 13_000);
    assert_eq!(life.command.not_before, Some(at(33_000)));
    life.command.deliveries = 10;
    life.command.lease = Some(Lease { version: 99, until: at(0) });
    life.change(&Intent::Settle { version: 99, sent: Sent::Unknown }, 0);
    assert_eq!(life.command.not_before, Some(at(300_000)));
}

#[test]
fn a_sender_that_died_is_waited_for_40_seconds() {
    let mut life = Life::sent();
    assert_eq!(life.refused(&Intent::Send, 40_999), Why::InFlight);
    life.change(&Intent::Send, 41_000);
    assert_eq!(life.command.deliveries, 2);
}

#[test]
fn a_sender_that_was_held_up_for_five_seconds_sends_nothing_any_more() {
    let lease = Life::sent().command.lease.unwrap();
    assert!(lease.may_send(at(1_000)) && lease.may_send(at(5_999)) && !lease.may_send(at(6_000)));
}

#[test]
fn a_sender_that_was_taken_for_dead_settles_nothing_but_its_acknowledgement() {
    let mut life = Life::sent();
    let dead = life.command.lease.unwrap().version;
    life.change(&Intent::Send, 41_000);
    for sent in [Sent::NotReached, Sent::Unknown] {
        assert_eq!(life.refused(&Intent::Settle { version: dead, sent }, 42_000), Why::OtherDelivery);
    }
    life.change(&Intent::Settle { version: dead, sent: Sent::Confirmed }, 42_000);
    assert_eq!((life.state(42_000), life.command.deliveries), ("delivered", 2));
    assert!(life.command.in_flight(at(42_000)).is_some());
}

#[test]
fn an_acknowledgement_that_is_settled_twice_changes_nothing_the_second_time() {
    let mut life = Life::sent();
    let version = life.command.lease.unwrap().version;
    life.settle(Sent::Confirmed, 2_000);
    assert!(life.is_already(&Intent::Settle { version, sent: Sent::Confirmed }, 3_000));
}

#[test]
fn a_command_is_taken_back_while_it_waits_and_not_once_the_device_has_it() {
    let mut life = Life::new();
    assert_eq!(life.change(&Intent::Cancel, 500), Some(Told::State(State::Cancelled)));
    assert!(life.is_already(&Intent::Cancel, 600) && !life.command.may_have_run());
    assert_eq!(life.refused(&Intent::Send, 700), Why::Over);
    assert_eq!(life.state(i64::MAX), "cancelled");
    assert_eq!(Life::delivered().refused(&Intent::Cancel, 3_000), Why::Delivered);
    assert_eq!(Life::new().refused(&Intent::Cancel, 60_000), Why::Over);
}

#[test]
fn a_command_that_is_cancelled_on_its_way_says_that_it_may_have_run_and_what_came_of_it() {
    let mut life = Life::sent();
    life.change(&Intent::Cancel, 1_500);
    assert!(life.command.may_have_run());
    assert_eq!(life.settle(Sent::Confirmed, 2_000), None);
    assert_eq!(life.change(&word(Verdict::Succeeded, 1_500), 3_000), Some(Told::Late(Verdict::Succeeded)));
    assert_eq!(life.state(3_000), "cancelled");
    assert_eq!(life.change(&word(Verdict::Succeeded, 1_499), 3_000), Some(Told::State(State::Succeeded)));
}

#[test]
fn the_first_word_counts_and_a_device_that_contradicts_itself_is_known() {
    let mut life = Life::delivered();
    life.change(&word(Verdict::Succeeded, 5_000), 6_000);
    life.change(&word(Verdict::Failed, 5_001), 6_000);
    assert_eq!(life.state(6_000), "succeeded");
    assert!(life.command.contradicts_itself());
    life.change(&word(Verdict::Rejected, 4_999), 6_000);
    assert_eq!(life.state(6_000), "rejected");
    let mut tie = Life::delivered();
    tie.change(&word(Verdict::Succeeded, 5_000), 6_000);
    tie.change(&word(Verdict::Failed, 5_000), 6_000);
    assert_eq!(tie.state(6_000), "failed");
}

#[test]
fn an_expiry_is_told_once_and_half_a_minute_later() {
    let mut life = Life::delivered();
    assert_eq!(life.refused(&Intent::TellExpiry, 59_999), Why::TooEarly);
    assert_eq!(life.refused(&Intent::TellExpiry, 89_999), Why::TooEarly);
    assert_eq!(life.change(&Intent::TellExpiry, 90_000), Some(Told::State(State::Expired)));
    assert!(life.is_already(&Intent::TellExpiry, 90_001));
    life.change(&word(Verdict::Succeeded, 59_999), 95_000);
    assert_eq!(life.refused(&Intent::TellExpiry, 95_000), Why::Over);
}
