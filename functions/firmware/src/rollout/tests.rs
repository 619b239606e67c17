use loam_releases::samples::firmware;
use serde_json::{Value, json};

use super::definition::tests::{wave, with_waves};
use super::*;
use crate::execution::State;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn definition(sizes: &[Value]) -> Definition {
    let waves: Vec<_> = sizes.iter().map(wave).collect();
    Definition::parse(with_waves(&waves).to_string().as_bytes()).unwrap()
}

pub(crate) fn issued() -> Issued {
    Issued { sequence: 9, at: at(0), not_after: at(30 * 86_400_000) }
}

/// A rollout of three waves that is filled, approved, started and signed; each wave 90 % to pass, 10 % to stop, a minute to
/// soak.
pub(crate) fn running() -> Rollout {
    let definition = definition(&[json!({"count": 1}), json!({"count": 10}), json!("rest")]);
    let rollout =
        Rollout::ordered(Id::of("rollout", &["r"]), definition, firmware("2.1.0"), false, "ann".to_owned(), at(0));
    let rollout = apply(&rollout, Change::Filled, at(0)).unwrap().0;
    let rollout = act(&rollout, Action::Approve, "bob", true, 2, at(0)).unwrap();
    Rollout { manifest: Some(issued()), ..act(&rollout, Action::Start, "ann", true, 3, at(0)).unwrap() }
}

fn tally(counts: &[(State, u64)]) -> Tally {
    let mut tally = Tally::default();
    for (state, count) in counts {
        (0..*count).for_each(|_| tally.enter(*state));
    }
    tally
}

fn queued(counts: [u64; 3]) -> [Tally; 3] {
    counts.map(|count| tally(&[(State::Queued, count)]))
}

/// Applies what the rollout does by itself until it does nothing more to its own row.
fn settle(mut rollout: Rollout, tallies: &[Tally], now: i64) -> (Rollout, Vec<Step>) {
    for _ in 0..20 {
        let steps = plan(&rollout, tallies, at(now));
        let [Step::Write(change)] = steps.as_slice() else { return (rollout, steps) };
        rollout = apply(&rollout, *change, at(now)).unwrap().0;
    }
    panic!("it writes for ever: {rollout:?}");
}

#[test]
fn a_wave_opens_when_the_one_before_has_passed_and_soaked_and_not_a_millisecond_before() {
    let mut tallies = queued([1, 10, 89]);
    let (rollout, steps) = settle(running(), &tallies, 0);
    assert_eq!(steps, [Step::Ask { wave: 0, most: 1 }]);
    tallies[0] = tally(&[(State::Installing, 1)]);
    let (rollout, steps) = settle(rollout, &tallies, 10);
    assert_eq!(steps, [Step::LookForSilence { wave: 0 }]);
    tallies[0] = tally(&[(State::Succeeded, 1)]);
    let (rollout, steps) = settle(rollout, &tallies, 20);
    assert_eq!((steps, rollout.waves[0].gate_at), (vec![], Some(at(20))));
    let (rollout, _) = settle(rollout, &tallies, 60_019);
    assert_eq!(rollout.waves[1].opened_at, None);
    let (rollout, steps) = settle(rollout, &tallies, 60_020);
    assert_eq!((rollout.waves[1].opened_at, steps), (Some(at(60_020)), vec![Step::Ask { wave: 1, most: 10 }]));
}

#[test]
fn a_wave_that_falls_back_while_it_soaks_soaks_again_or_stops() {
    let mut tallies = queued([1, 10, 89]);
    let mut rollout = settle(running(), &tallies, 0).0;
    tallies[0] = tally(&[(State::Succeeded, 1)]);
    rollout = settle(rollout, &tallies, 20).0;
    rollout = settle(rollout, &tallies, 60_020).0;
    tallies[1] = tally(&[(State::Succeeded, 9), (State::Notified, 1)]);
    rollout = settle(rollout, &tallies, 70_000).0;
    assert_eq!(rollout.waves[1].gate_at, Some(at(70_000)));
    tallies[1] = tally(&[(State::Succeeded, 8), (State::Failed, 1), (State::Notified, 1)]);
    rollout = settle(rollout, &tallies, 80_000).0;
    assert_eq!((rollout.waves[1].gate_at, rollout.status), (None, Status::Running));
    tallies[1] = tally(&[(State::Succeeded, 8), (State::Failed, 2)]);
    let (rollout, steps) = settle(rollout, &tallies, 90_000);
    assert_eq!(rollout.status, Status::Stopping(Stop::Errors));
    assert_eq!(steps, [Step::TakeOut { wave: 2 }]);
    tallies[2] = tally(&[(State::Removed, 89)]);
    assert_eq!(settle(rollout, &tallies, 90_001).0.status, Status::Stopped(Stop::Errors));
}

#[test]
fn each_minute_another_shard_is_the_first_and_none_is_left_out() {
    let rollout = running().dealt(&[1, 1_500, 0]);
    let shards = |wave, minute| rollout.shards_by_turns(wave, at(minute * 60_000)).collect::<Vec<_>>();
    let all = rollout.waves[1].shards;
    assert!(all > 2, "{all} prove little");
    let rotated = |first: u32| (first..all).chain(0..first).collect::<Vec<_>>();
    assert_eq!([shards(1, 0), shards(1, 1), shards(1, i64::from(all) + 2)], [0, 1, 2].map(rotated));
    assert_eq!((shards(0, 7), shards(3, 7)), (vec![0], vec![]));
}

#[test]
fn who_is_silent_is_looked_for_before_others_are_asked() {
    let mut tallies = queued([1, 10, 89]);
    let mut rollout = settle(running(), &tallies, 0).0;
    tallies[0] = tally(&[(State::Succeeded, 1)]);
    rollout = settle(settle(rollout, &tallies, 20).0, &tallies, 60_020).0;
    tallies[1] = tally(&[(State::Queued, 8), (State::Downloading, 2)]);
    let steps = plan(&rollout, &tallies, at(60_030));
    assert_eq!(steps, [Step::LookForSilence { wave: 1 }, Step::Ask { wave: 1, most: 8 }]);
}

#[test]
fn a_rollout_is_stopped_when_the_orders_of_who_was_given_up_are_taken_back_and_not_before() {
    let stopping = Rollout { status: Status::Stopping(Stop::Operator), ..running() };
    let mut tallies = queued([0, 0, 0]);
    tallies[0] = tally(&[(State::Succeeded, 1)]);
    tallies[1] = tally(&[(State::Unreached, 2), (State::Succeeded, 8)]);
    tallies[2] = tally(&[(State::TimedOut, 1), (State::Removed, 8), (State::Notified, 1)]);
    assert_eq!(plan(&stopping, &tallies, at(1)), [Step::TakeOut { wave: 2 }]);
    tallies[2] = tally(&[(State::TimedOut, 1), (State::Removed, 9)]);
    assert_eq!(plan(&stopping, &tallies, at(1)), [Step::Withdraw { waves: vec![1, 2] }]);
    tallies[1] = tally(&[(State::Failed, 2), (State::Rejected, 8)]);
    tallies[2] = tally(&[(State::Removed, 10)]);
    assert_eq!(plan(&stopping, &tallies, at(1)), [Step::Write(Change::Stopped)], "these are done with it");
}

#[test]
fn the_first_wave_still_counts_when_the_last_one_is_under_way() {
    let mut tallies = queued([1, 10, 89]);
    let mut rollout = settle(running(), &tallies, 0).0;
    tallies[0] = tally(&[(State::Succeeded, 1)]);
    rollout = settle(settle(rollout, &tallies, 20).0, &tallies, 60_020).0;
    tallies[0] = tally(&[(State::Failed, 1)]);
    assert_eq!(plan(&rollout, &tallies, at(60_030)), [Step::Write(Change::Fail(0))]);
}

#[test]
fn a_wave_of_which_nothing_is_expected_and_that_did_not_pass_waits_for_an_operator() {
    let mut tallies = queued([1, 10, 89]);
    let rollout = settle(running(), &tallies, 0).0;
    tallies[0] = tally(&[(State::Unreached, 1)]);
    let (rollout, steps) = settle(rollout, &tallies, 10);
    assert_eq!((rollout.status, steps), (Status::Paused(Pause::GateMissed), vec![]));
    let rollout = act(&rollout, Action::Resume, "ann", true, rollout.version, at(20)).unwrap();
    let (rollout, _) = settle(rollout, &tallies, 20);
    assert_eq!((rollout.status, rollout.waves[0].gate_at), (Status::Running, Some(at(20))));
    assert!(settle(rollout, &tallies, 60_020).0.waves[1].opened_at.is_some());
}

#[test]
fn a_wave_that_nobody_can_run_does_not_pass_by_itself_and_the_next_one_stays_closed() {
    let mut tallies = queued([1, 10, 89]);
    let rollout = settle(running(), &tallies, 0).0;
    tallies[0] = tally(&[(State::Incompatible, 1)]);
    let (rollout, steps) = settle(rollout, &tallies, 10);
    assert_eq!((rollout.status, steps), (Status::Paused(Pause::GateMissed), vec![]));
    assert_eq!(rollout.waves[1].opened_at, None);
    let rollout = act(&rollout, Action::Resume, "ann", true, rollout.version, at(20)).unwrap();
    let rollout = settle(rollout, &tallies, 20).0;
    assert!(settle(rollout, &tallies, 60_020).0.waves[1].opened_at.is_some(), "an operator let it pass");
}

#[test]
fn waves_without_things_pass_and_a_rollout_without_things_stops() {
    let (rollout, _) = settle(running(), &queued([0, 0, 0]), 0);
    assert_eq!(rollout.status, Status::Stopped(Stop::NoTargets));
    let tallies = queued([0, 0, 7]);
    let mut rollout = settle(running(), &tallies, 0).0;
    rollout = settle(rollout, &tallies, 60_000).0;
    assert_eq!(settle(rollout, &tallies, 120_000).1, [Step::Ask { wave: 2, most: 7 }]);
}

#[test]
fn a_rollout_without_targets_is_over_before_anybody_approves_it_unless_others_may_join() {
    let mut filling = Rollout { status: Status::Filling, rank: None, ..running() };
    assert_eq!([0, 1].map(|things| filling.filled(things, at(9))), [Change::Empty, Change::Filled]);
    let (stopped, told) = apply(&filling, Change::Empty, at(9)).unwrap();
    assert_eq!((stopped.status, told), (Status::Stopped(Stop::NoTargets), Some(Told::Stopped)));
    filling.definition.join_until = Some(at(10));
    assert_eq!([9, 10].map(|now| filling.filled(0, at(now))), [Change::Filled, Change::Empty]);
}

#[test]
fn a_rollout_is_complete_when_nothing_is_expected_of_anybody_and_nobody_may_join_any_more() {
    let done = || tally(&[(State::Succeeded, 9), (State::AlreadyInstalled, 1)]);
    let mut tallies = [tally(&[(State::Succeeded, 1)]), done(), tally(&[(State::Succeeded, 9), (State::Notified, 1)])];
    let mut rollout = running();
    rollout.definition.join_until = Some(at(500_000));
    for minute in 0..4 {
        rollout = settle(rollout, &tallies, minute * 60_000).0;
    }
    assert_eq!((rollout.status, rollout.late_joiner(at(240_000))), (Status::Running, Joining::Wave(2)));
    tallies[2] = done();
    assert_eq!(settle(rollout.clone(), &tallies, 499_999).0.status, Status::Running);
    assert_eq!(rollout.late_joiner(at(500_000)), Joining::No);
    assert_eq!(settle(rollout, &tallies, 500_000).0.status, Status::Completed);
}

#[test]
fn a_late_joiner_waits_for_a_wave_that_is_not_open_yet() {
    let mut rollout = running();
    rollout.definition.join_until = Some(at(500_000));
    let rollout = settle(rollout, &queued([1, 10, 89]), 0).0;
    assert_eq!(rollout.late_joiner(at(1)), Joining::Wave(1));
    assert_eq!(running().late_joiner(at(1)), Joining::No);
}

#[test]
fn not_more_things_are_granted_in_a_minute_than_the_rate_to_how_many_conductors_ever() {
    let mut rollout = settle(running(), &queued([1, 10, 5_000]), 0).0;
    rollout.definition.per_minute = 100;
    let first = grant(&rollout, 60, at(59_000)).unwrap();
    assert_eq!(grant(&first, 41, at(59_999)), None);
    let second = grant(&first, 40, at(59_999)).unwrap();
    assert_eq!((grant(&second, 1, at(59_999)), second.version), (None, rollout.version + 2));
    assert_eq!(grant(&second, 100, at(60_000)).unwrap().granted.things, 100);
    assert_eq!(grant(&Rollout { status: Status::Paused(Pause::Operator), ..second }, 1, at(60_000)), None);
}

#[test]
fn by_jobs_no_more_things_are_asked_in_a_minute_than_jobs_can_be_created() {
    let mut rollout = settle(running(), &queued([1, 10, 5_000]), 0).0;
    rollout.definition.delivery = definition::Delivery::Job;
    assert_eq!((rollout.definition.per_minute, grant(&rollout, 601, at(59_000))), (1_000, None));
    let all = grant(&rollout, 600, at(59_000)).unwrap();
    assert_eq!((all.granted.things, grant(&all, 1, at(59_999))), (600, None));
    rollout.definition.per_minute = 7;
    assert!(grant(&rollout, 7, at(59_000)).is_some() && grant(&rollout, 8, at(59_000)).is_none());
}

#[test]
fn a_manifest_is_signed_before_anything_is_asked_and_again_in_the_last_third_of_its_time() {
    let unsigned = Rollout { manifest: None, ..running() };
    let tallies = queued([1, 10, 89]);
    let (rollout, steps) = settle(unsigned, &tallies, 0);
    assert_eq!(steps, [Step::Sign]);
    let signed = Rollout { manifest: Some(Issued { sequence: 9, at: at(0), not_after: at(300) }), ..rollout };
    assert_eq!(plan(&signed, &tallies, at(199)), [Step::Ask { wave: 0, most: 1 }]);
    assert_eq!(plan(&signed, &tallies, at(200)), [Step::Sign]);
}

#[test]
fn of_two_operators_at_once_one_is_stale_and_who_created_it_does_not_approve_it() {
    let rollout = running();
    let paused = act(&rollout, Action::Pause, "ann", true, rollout.version, at(0)).unwrap();
    assert_eq!(act(&paused, Action::Stop, "bob", true, rollout.version, at(0)), Err(Refusal::Stale));
    let fresh = Rollout { status: Status::Ready, ..rollout };
    let approve =
        |by, four_eyes| act(&fresh, Action::Approve, by, four_eyes, fresh.version, at(0)).map(|after| after.status);
    assert_eq!(approve("ann", true), Err(Refusal::OwnRollout));
    assert_eq!([approve("ann", false), approve("bob", true)], [Ok(Status::Approved), Ok(Status::Approved)]);
}

#[test]
fn what_an_operator_may_do_where() {
    use Action::{Approve, Pause as Hold, Resume, Retry, RollBack, Start, Stop as End};
    let actions = [Approve, Start, Hold, Resume, End, Retry, RollBack];
    for (status, allowed) in [
        (Status::Filling, vec![End]),
        (Status::Ready, vec![Approve, End]),
        (Status::Approved, vec![Approve, Start, End]),
        (Status::Running, vec![Hold, End, Retry]),
        (Status::Paused(Pause::Operator), vec![Resume, End, Retry]),
        (Status::Stopping(Stop::Errors), vec![]),
        (Status::Stopped(Stop::Operator), vec![RollBack]),
        (Status::Completed, vec![RollBack]),
    ] {
        let rollout = Rollout { status, ..running() };
        let may = |action: &Action| act(&rollout, *action, "bob", true, rollout.version, at(0)).is_ok();
        assert_eq!(actions.into_iter().filter(may).collect::<Vec<_>>(), allowed, "{status:?}");
    }
}

#[test]
fn a_change_that_comes_too_late_changes_nothing() {
    let stopped = Rollout { status: Status::Stopped(Stop::Operator), ..running() };
    let changes =
        [Change::Filled, Change::Open(1), Change::Gate(0), Change::Ungate(0), Change::Miss(0), Change::Fail(0)];
    for change in changes.into_iter().chain([Change::Retried, Change::Empty, Change::Stopped, Change::Complete]) {
        assert_eq!(apply(&stopped, change, at(0)), None, "{change:?}");
    }
    assert_eq!(apply(&running(), Change::Open(3), at(0)), None);
}

#[test]
fn what_runs_the_target_goes_back_to_what_it_ran_before_even_if_it_was_taken_out() {
    use crate::execution::tests::{after, execution, notified, running as runs, said};
    use crate::execution::{End, Intent, Verdict};
    let succeeded = after(&notified(), &Intent::Report(runs("2.1.0", 500)), 500);
    let failed = after(&notified(), &said(Verdict::Failed, 500), 500);
    let fell = after(&succeeded, &Intent::Report(runs("2.0.0", 600)), 600);
    let removed = after(&notified(), &Intent::End(End::Stopped), 500);
    let late = after(&removed, &Intent::Report(runs("2.1.0", 600)), 600);
    let rows = [execution(), failed, fell, removed];
    assert!(ways_back(rows.iter()).is_empty());
    for row in [succeeded, late] {
        let ways: Vec<_> =
            ways_back([row].iter()).into_iter().map(|(to, things)| (to.to_string(), things.len())).collect();
        assert_eq!(ways, [("2.0.0".to_owned(), 1)]);
    }
    let left = loam_releases::samples::version("2.0.0");
    assert_eq!(back(&running(), &left, Id::of("release", &["2.0.0"])).check(), Ok(()));
}

#[test]
fn no_way_leads_back_below_the_security_counter_and_one_to_the_same_counter_does() {
    let rollout = running();
    let counter = rollout.firmware.security_counter;
    let left = |security_counter| loam_releases::manifest::Firmware { security_counter, ..firmware("2.0.0") };
    let leads = |counter| may_lead_back(&rollout, &left(counter));
    assert_eq!([leads(counter - 1), leads(counter), leads(counter + 1)], [false, true, true]);
}

#[test]
fn a_second_try_goes_on_where_the_gate_was_missed_and_lets_nothing_pass() {
    let mut tallies = queued([1, 10, 89]);
    let mut rollout = settle(running(), &tallies, 0).0;
    tallies[0] = tally(&[(State::Unreached, 1)]);
    rollout = settle(rollout, &tallies, 10).0;
    assert_eq!(rollout.status, Status::Paused(Pause::GateMissed));
    rollout = act(&rollout, Action::Retry, "ann", true, rollout.version, at(20)).unwrap();
    assert_eq!((rollout.status, rollout.attempts), (Status::Running, 2));
    assert_eq!(plan(&rollout, &tallies, at(20)), [Step::Retry]);
    tallies[0] = tally(&[(State::Queued, 1)]);
    rollout = apply(&rollout, Change::Retried, at(21)).unwrap().0;
    let (rollout, steps) = settle(rollout, &tallies, 21);
    assert_eq!((rollout.waves[0].waived, steps), (false, vec![Step::Ask { wave: 0, most: 1 }]));
}

#[test]
fn a_way_back_that_was_approved_when_it_was_ordered_starts_once_it_is_filled() {
    let definition = definition(&[json!("rest")]);
    let ordered =
        Rollout::ordered(Id::of("rollout", &["r"]), definition, firmware("2.1.0"), true, "ann".to_owned(), at(0));
    let back = Rollout { approved_by: Some("ann".to_owned()), ..ordered.clone() };
    let (filled, told) = apply(&back, Change::Filled, at(7)).unwrap();
    assert_eq!((filled.status, told), (Status::Running, Some(Told::Started)));
    assert_eq!(filled.rank.map(|rank| rank.at), Some(at(7)));
    let (filled, told) = apply(&ordered, Change::Filled, at(7)).unwrap();
    assert_eq!((filled.status, filled.rank, told), (Status::Ready, None, None));
}

#[test]
fn counters_of_one_wave_stir_a_rollout_when_its_gate_opens_or_closes_when_it_fails_and_when_nothing_is_left() {
    let mut rollout = running();
    let stirs = |rollout: &Rollout, counts: &[(State, u64)]| rollout.stirs(1, &tally(counts));
    assert!(!stirs(&rollout, &[(State::Notified, 2), (State::Succeeded, 8)]));
    assert!(stirs(&rollout, &[(State::Notified, 1), (State::Succeeded, 9)]), "the gate");
    assert!(stirs(&rollout, &[(State::Notified, 8), (State::Failed, 2)]), "too many speak against it");
    let failed = |failed| rollout.fails(1, &tally(&[(State::Queued, 10 - failed), (State::Failed, failed)]));
    assert!(failed(2) && !failed(1) && !rollout.fails(3, &tally(&[(State::Failed, 9)])));
    assert!(stirs(&rollout, &[(State::Unreached, 10)]), "nothing is expected any more");
    rollout.waves[1].gate_at = Some(at(1));
    assert!(!stirs(&rollout, &[(State::Notified, 1), (State::Succeeded, 9)]), "it is known");
    assert!(stirs(&rollout, &[(State::Notified, 2), (State::Succeeded, 8)]), "not any more");
}
