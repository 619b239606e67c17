//! Smart mode under everything that a network and eight handlers can do to readings.
//!
//! Some histories run with every test run; `LOAM_HISTORIES=10000` says how many, from `LOAM_SEED` (default 0) on.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod histories;
#[path = "histories/model.rs"]
mod model;

use std::collections::{BTreeMap, BTreeSet};

use histories::{History, Kind, histories, oracle};
use model::{Outcome, play, play_attended};
use soil_alerts::smart::{NoticeKind, Status};

fn number_of(variable: &str, default: u64) -> u64 {
    let given = std::env::var_os(variable);
    given.map_or(default, |text| text.to_str().and_then(|text| text.parse().ok()).expect("a whole number"))
}

fn all(kind: Kind) -> impl Iterator<Item = History> {
    histories(kind, number_of("LOAM_HISTORIES", 1_000), number_of("LOAM_SEED", 0))
}

fn is_alarm(outcome: &Outcome) -> bool {
    outcome.state.status() == Status::Alarm
}

/// What was sent is what was due; each beginning has its end before the next.
fn assert_notices(history: &History, outcome: &Outcome) {
    let seed = history.seed;
    let due: BTreeSet<_> = outcome.committed.iter().map(|notice| &notice.id).collect();
    let sent: BTreeSet<_> = outcome.sent.iter().collect();
    assert_eq!(due.len(), outcome.committed.len(), "seed {seed}: an id came twice");
    assert_eq!(due, sent, "seed {seed}");
    if outcome.crashes == 0 {
        assert_eq!(outcome.sent.len(), sent.len(), "seed {seed}: a notice was sent twice though nobody died");
    }
    assert!(outcome.state.outbox.is_empty(), "seed {seed}: something was left in the outbox");
    let mut open = false;
    for notice in &outcome.committed {
        let expected = match notice.kind {
            NoticeKind::Opened => !open,
            NoticeKind::Recovered | NoticeKind::Reminder => open,
            NoticeKind::NoData | NoticeKind::DataBack => panic!("seed {seed}: nobody asked for it"),
        };
        assert!(expected, "seed {seed}: {:?} while open = {open}", notice.kind);
        open = notice.kind != NoticeKind::Recovered;
    }
}

#[test]
fn under_immediate_rules_every_history_ends_as_if_it_had_arrived_in_order() {
    for history in all(Kind::Immediate) {
        let outcome = play(&history, 0);
        assert_eq!(is_alarm(&outcome), oracle::alarm_after(&history, None), "seed {}", history.seed);
        let told = outcome.committed.iter().filter(|notice| notice.kind == NoticeKind::Opened).count();
        let ended = outcome.committed.iter().filter(|notice| notice.kind == NoticeKind::Recovered).count();
        assert_eq!(told - ended, usize::from(is_alarm(&outcome)), "seed {}", history.seed);
        assert_notices(&history, &outcome);
    }
}

#[test]
fn under_any_rule_every_history_ends_as_its_distinct_readings_say() {
    for history in all(Kind::General) {
        let outcome = play(&history, 0);
        let expected = oracle::alarm_after(&history, outcome.state.barrier());
        assert_eq!(is_alarm(&outcome), expected, "seed {}", history.seed);
        assert_notices(&history, &outcome);
    }
}

#[test]
fn handlers_that_die_anywhere_change_neither_the_end_nor_what_people_are_told() {
    let mut crashes = 0;
    for kind in [Kind::Immediate, Kind::General] {
        for history in all(kind) {
            let outcome = play(&history, 20);
            crashes += outcome.crashes;
            let barrier = if kind == Kind::Immediate { None } else { outcome.state.barrier() };
            assert_eq!(is_alarm(&outcome), oracle::alarm_after(&history, barrier), "seed {}", history.seed);
            assert_notices(&history, &outcome);
        }
    }
    assert!(crashes > 0, "nobody died");
}

/// Each episode enters the history once, when it is over, with whoever took care of it; and nobody was told of anything that
/// they had asked not to be told of.
fn assert_attended(history: &History, outcome: &Outcome) {
    let seed = history.seed;
    assert!(outcome.untimely.is_empty(), "seed {seed}: {:?}", outcome.untimely);
    let past: BTreeMap<_, _> = outcome.past.iter().map(|past| (past.opening.at(), past)).collect();
    assert_eq!(past.len(), outcome.past.len(), "seed {seed}: an episode stands in the history twice");
    let open = outcome.state.episode.as_ref();
    assert!(open.is_none_or(|open| !past.contains_key(&open.opened_at())), "seed {seed}: an open one does");
    let recovered: BTreeSet<_> =
        outcome.committed.iter().filter(|notice| notice.kind == NoticeKind::Recovered).map(|it| &it.id).collect();
    let told = outcome.past.iter().filter(|past| past.told_at.is_some());
    let held = told.filter(|past| !recovered.contains(&format!("soilSensor1:{}:recovered", past.id()))).count();
    assert_eq!(
        recovered.len() + held,
        outcome.past.iter().filter(|past| past.told_at.is_some()).count(),
        "seed {seed}"
    );
    for (opened_at, who) in &outcome.acknowledged {
        let open = open.filter(|open| open.opened_at() == *opened_at).and_then(|open| open.acknowledged.as_ref());
        let kept = open.or_else(|| past.get(opened_at)?.acknowledged.as_ref());
        assert_eq!(kept, Some(who), "seed {seed}: an acknowledgement was lost");
    }
}

#[test]
fn people_who_acknowledge_and_snooze_change_what_is_told_and_neither_the_status_nor_the_history() {
    let (mut acknowledged, mut snoozed, mut crashes) = (0, 0, 0);
    for history in all(Kind::General) {
        for most_crashes in [0, 20] {
            let outcome = play_attended(&history, most_crashes);
            let expected = oracle::alarm_after(&history, outcome.state.barrier());
            assert_eq!(is_alarm(&outcome), expected, "seed {}", history.seed);
            assert_notices(&history, &outcome);
            assert_attended(&history, &outcome);
            acknowledged += outcome.acknowledged.len();
            snoozed += usize::from(outcome.state.snooze.is_some());
            crashes += outcome.crashes;
        }
    }
    assert!(acknowledged > 0 && snoozed > 0 && crashes > 0, "{acknowledged}, {snoozed}, {crashes}: nothing happened");
}

#[test]
fn the_histories_hold_what_they_are_made_for() {
    let (mut alarms, mut notices, mut settled, mut repeats) = (0, 0, 0, 0);
    for history in histories(Kind::General, 200, 0) {
        let outcome = play(&history, 0);
        alarms += u32::from(is_alarm(&outcome));
        settled += u32::from(outcome.state.barrier().is_some());
        notices += outcome.committed.len();
        repeats += history.deliveries.len() - history.events.len();
    }
    assert!((20..180).contains(&alarms), "{alarms} of 200 end in alarm");
    assert!(
        notices > 200 && settled > 50 && repeats > 5_000,
        "{notices} notices, {settled} barriers, {repeats} repeats"
    );
}
