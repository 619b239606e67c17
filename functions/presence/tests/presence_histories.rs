//! Presence under everything that AWS IoT, a queue and eight handlers can do to its events.
//!
//! Some histories run with every test run; `LOAM_HISTORIES=10000` says how many, from `LOAM_SEED` (default 0) on.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod histories;
#[path = "histories/model.rs"]
mod model;

use histories::{History, Truth, histories, truth};
use loam_kit::number_of;
use model::{in_order, play};
use presence::row::Row;

fn all() -> impl Iterator<Item = History> {
    histories(number_of("LOAM_HISTORIES", 1_000), number_of("LOAM_SEED", 0))
}

/// The row without what depends on who came first: how often it was written, told and asked about.
fn settled(row: &Row) -> Row {
    Row { version: 0, asked_at: None, told_at: Row::unseen(1).told_at, ..row.clone() }
}

fn told_by(row: &Row) -> Truth {
    let status = row.status.clone().unwrap();
    Truth {
        connected: row.is_connected(),
        version_number: status.mark.version_number,
        session: status.mark.session,
        since: status.since,
        principal: status.principal,
        last_reason: row.last_end.as_ref().and_then(|end| end.how.reason.clone()),
    }
}

#[test]
fn every_history_shuffled_repeated_and_handled_by_eight_at_once_ends_as_in_order() {
    let (mut played, mut elsewhere) = (0, vec![]);
    for history in all() {
        played += 1;
        let row = play(&history, 0).row;
        if settled(&row) != settled(&in_order(&history)) || told_by(&row) != truth(&history) {
            elsewhere.push(history.seed);
        }
    }
    println!("figure: presence histories, no deaths: {played} played, {} end elsewhere", elsewhere.len());
    assert_eq!(elsewhere, [0_u64; 0], "seeds of histories that end elsewhere");
}

#[test]
fn handlers_that_die_anywhere_do_not_change_the_end() {
    let (mut played, mut crashes, mut asked, mut elsewhere) = (0, 0, 0, vec![]);
    for history in all() {
        played += 1;
        let outcome = play(&history, 20);
        (crashes, asked) = (crashes + outcome.crashes, asked + outcome.asked);
        if settled(&outcome.row) != settled(&in_order(&history)) {
            elsewhere.push(history.seed);
        }
    }
    println!(
        "figure: presence histories: {played} played, {crashes} deaths, {asked} questions, {} end elsewhere",
        elsewhere.len()
    );
    assert_eq!(elsewhere, [0_u64; 0], "seeds of histories that end elsewhere");
    assert!(crashes > 0 && asked > 0, "nobody died, or nobody asked");
}

#[test]
fn the_histories_hold_what_they_are_made_for() {
    let all: Vec<_> = histories(200, 0).collect();
    let count = |holds: fn(&History) -> bool| all.iter().filter(|history| holds(history)).count();
    let (resets, takeovers) = (count(|one| one.resets > 0), count(|one| one.takeovers > 0));
    let connected = all.iter().filter(|history| truth(history).connected).count();
    assert!(resets > 100 && takeovers > 100, "{resets} with a reset, {takeovers} with a takeover");
    assert!((30..170).contains(&connected), "{connected} of 200 end connected");
    assert!(all.iter().all(|history| history.facts.len() <= histories::MAX_EVENTS + 2));
}
