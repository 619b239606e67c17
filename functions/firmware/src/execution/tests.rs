use loam_releases::samples::{firmware, hardware, version};

use super::*;

pub(crate) const TIMERS: Timers = Timers { offline_millis: 10_000, waiting_millis: 5_000, progress_millis: 5_000 };

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn execution() -> Execution {
    Execution::queued(Id::of("rollout", &["r"]), ThingName::parse("t1").unwrap(), 0, version("2.1.0"))
}

pub(crate) fn running(text: &str, millis: i64) -> Running {
    Running { at: at(millis), version: version(text) }
}

pub(crate) fn said(verdict: Verdict, millis: i64) -> Intent {
    Intent::Hear(Said { at: at(millis), verdict, code: Some("self-test".to_owned()) })
}

pub(crate) fn after(before: &Execution, intent: &Intent, now: i64) -> Execution {
    match next(before, intent, at(now)) {
        Transition::Change(after) => {
            assert_eq!(after.version, before.version + 1);
            *after
        }
        Transition::Nothing(outcome) => panic!("{intent:?} is {outcome:?} at {:?}", before.state()),
    }
}

fn refused(before: &Execution, intent: &Intent, now: i64) -> Why {
    match next(before, intent, at(now)) {
        Transition::Nothing(Outcome::Refused(why)) => why,
        Transition::Nothing(Outcome::Already) | Transition::Change(_) => panic!("{intent:?} is not refused"),
    }
}

pub(crate) fn notified() -> Execution {
    let claimed = after(&execution(), &Intent::Claim(Some(running("2.0.0", 0))), 100);
    after(&claimed, &Intent::Notified(2), 200)
}

#[test]
fn a_thing_has_succeeded_when_it_reports_the_target_and_not_when_it_says_so() {
    let mut now = notified();
    for (phase, state) in [
        (Phase::Downloading, State::Downloading),
        (Phase::Verifying, State::Verifying),
        (Phase::Installing, State::Installing),
    ] {
        now = after(&now, &Intent::Progress(phase, at(300)), 300);
        assert_eq!(now.state(), state);
    }
    let still = after(&now, &Intent::Report(running("2.0.0", 400)), 400);
    assert_eq!(still.state(), State::Installing);
    assert_eq!(after(&still, &Intent::Report(running("2.1.0", 500)), 500).state(), State::Succeeded);
}

#[test]
fn a_thing_that_falls_back_after_it_succeeded_has_failed_and_one_that_comes_back_again_has_not() {
    let succeeded = after(&notified(), &Intent::Report(running("2.1.0", 500)), 500);
    let fell = after(&succeeded, &Intent::Report(running("2.0.0", 600)), 600);
    assert_eq!((fell.state(), fell.reason()), (State::Failed, Some("fell-back")));
    assert_eq!(after(&fell, &Intent::Report(running("2.1.0", 700)), 700).state(), State::Succeeded);
}

#[test]
fn how_far_a_device_is_adds_up_by_tens_of_percent_within_its_farthest_phase() {
    let half = after(&notified(), &Intent::Within(Phase::Downloading, 57, at(300)), 300);
    assert_eq!((half.state(), half.percent), (State::Downloading, Some(50)));
    let nothing_new = |row: &Execution, intent: Intent| {
        assert_eq!(next(row, &intent, at(400)), Transition::Nothing(Outcome::Already), "{intent:?}");
    };
    nothing_new(&half, Intent::Within(Phase::Downloading, 59, at(400)));
    nothing_new(&half, Intent::Within(Phase::Downloading, 3, at(400)));
    nothing_new(&half, Intent::Progress(Phase::Downloading, at(400)));
    let verifying = after(&half, &Intent::Within(Phase::Verifying, 0, at(400)), 400);
    assert_eq!((verifying.state(), verifying.percent), (State::Verifying, Some(0)));
    nothing_new(&verifying, Intent::Within(Phase::Downloading, 100, at(400)));
    let installing = after(&verifying, &Intent::Progress(Phase::Installing, at(500)), 500);
    assert_eq!((installing.state(), installing.percent), (State::Installing, None));
}

#[test]
fn what_a_device_said_before_it_was_asked_is_not_about_it() {
    assert_eq!(refused(&execution(), &said(Verdict::Failed, 50), 50), Why::Unsolicited);
    assert_eq!(refused(&notified(), &said(Verdict::Failed, 99), 300), Why::Unsolicited);
    assert_eq!(refused(&notified(), &Intent::Report(running("2.1.0", 99)), 300), Why::Unsolicited);
    assert_eq!(after(&notified(), &said(Verdict::Failed, 100), 300).state(), State::Failed);
}

#[test]
fn an_offline_thing_has_its_own_timer_and_one_that_began_another() {
    let silent = notified();
    assert_eq!(refused(&silent, &Intent::TimeOut(TIMERS), 10_199), Why::TooEarly);
    let unreached = after(&silent, &Intent::TimeOut(TIMERS), 10_200);
    assert_eq!((unreached.state(), unreached.reason()), (State::Unreached, Some("unreached")));
    let begun = after(&silent, &Intent::Progress(Phase::Downloading, at(9_000)), 9_000);
    assert_eq!(refused(&begun, &Intent::TimeOut(TIMERS), 13_999), Why::TooEarly);
    assert_eq!(after(&begun, &Intent::TimeOut(TIMERS), 14_000).state(), State::TimedOut);
    // Whoever comes back later has its word, and its evidence.
    let late = after(&unreached, &Intent::Progress(Phase::Downloading, at(20_000)), 20_000);
    assert_eq!(late.state(), State::TimedOut);
    assert_eq!(after(&late, &Intent::Report(running("2.1.0", 21_000)), 21_000).state(), State::Succeeded);
}

#[test]
fn a_thing_that_waits_for_its_window_is_given_up_later_and_one_that_installs_as_soon_as_any() {
    let timers = Timers { waiting_millis: 10_000, ..TIMERS };
    let begun = after(&notified(), &Intent::Progress(Phase::Downloading, at(1_000)), 1_000);
    let waits = after(&begun, &Intent::Progress(Phase::Verifying, at(1_500)), 1_500);
    assert_eq!(refused(&waits, &Intent::TimeOut(timers), 10_999), Why::TooEarly);
    assert_eq!(after(&waits, &Intent::TimeOut(timers), 11_000).state(), State::TimedOut);
    let installs = after(&waits, &Intent::Progress(Phase::Installing, at(9_000)), 9_000);
    let again = next(&installs, &Intent::Progress(Phase::Installing, at(9_500)), at(9_500));
    assert_eq!(again, Transition::Nothing(Outcome::Already), "its first word counts");
    assert_eq!(refused(&installs, &Intent::TimeOut(timers), 13_999), Why::TooEarly);
    assert_eq!(after(&installs, &Intent::TimeOut(timers), 14_000).state(), State::TimedOut);
}

#[test]
fn only_the_order_of_who_was_given_up_is_withdrawn_and_what_it_proves_later_still_counts() {
    let unreached = after(&notified(), &Intent::TimeOut(TIMERS), 10_200);
    assert!(unreached.is_given_up() && unreached.may_begin());
    let withdrawn = after(&unreached, &Intent::Withdraw, 10_300);
    assert_eq!((withdrawn.state(), withdrawn.is_given_up(), withdrawn.may_begin()), (State::Unreached, false, false));
    assert_eq!(next(&withdrawn, &Intent::Withdraw, at(10_400)), Transition::Nothing(Outcome::Already));
    assert_eq!(after(&withdrawn, &Intent::Report(running("2.1.0", 10_500)), 10_500).state(), State::Succeeded);
    assert_eq!(refused(&notified(), &Intent::Withdraw, 300), Why::NotGivenUp);
    let failed = after(&unreached, &said(Verdict::Failed, 10_300), 10_300);
    assert_eq!(refused(&failed, &Intent::Withdraw, 10_400), Why::NotGivenUp);
}

#[test]
fn what_is_being_delivered_or_installed_is_not_taken_out_and_what_is_gone_is() {
    let claimed = after(&execution(), &Intent::Claim(None), 100);
    assert_eq!(refused(&claimed, &Intent::End(End::Stopped), 60_099), Why::InFlight);
    assert_eq!(after(&claimed, &Intent::End(End::Stopped), 60_100).state(), State::Removed);
    let installing = after(&notified(), &Intent::Progress(Phase::Installing, at(300)), 300);
    assert_eq!(refused(&installing, &Intent::End(End::Superseded), 400), Why::Installing);
    let gone = after(&installing, &Intent::End(End::Retired), 400);
    assert_eq!((gone.state(), gone.reason()), (State::Removed, Some("retired")));
    let late = next(&gone, &Intent::Report(running("2.1.0", 500)), at(500));
    assert!(matches!(late, Transition::Change(gone) if gone.state() == State::Removed), "taken out stays out");
}

#[test]
fn a_claim_is_for_one_at_a_time_and_only_its_own_delivery_notifies() {
    let claimed = after(&execution(), &Intent::Claim(None), 100);
    assert_eq!(refused(&claimed, &Intent::Claim(None), 60_099), Why::InFlight);
    let again = after(&claimed, &Intent::Claim(None), 60_100);
    assert_eq!(refused(&again, &Intent::Notified(2), 60_101), Why::OtherDelivery);
    assert_eq!(after(&again, &Intent::Notified(3), 60_101).state(), State::Notified);
    assert!(claimed.lease.unwrap().may_deliver(at(20_099)) && !claimed.lease.unwrap().may_deliver(at(20_100)));
}

#[test]
fn a_second_attempt_begins_anew_and_remembers_what_ran_before() {
    let failed = after(&notified(), &said(Verdict::Failed, 300), 300);
    let again = after(&failed, &Intent::Retry, 400);
    assert_eq!((again.state(), again.attempt, again.from.clone()), (State::Queued, 2, Some(version("2.0.0"))));
    assert_eq!(refused(&again, &said(Verdict::Failed, 500), 500), Why::Unsolicited);
    assert_eq!(refused(&again, &Intent::Retry, 500), Why::NotFailed);
}

#[test]
fn who_had_to_go_through_a_version_between_is_tried_again_and_who_cannot_run_it_is_not() {
    let glimpse = Glimpse { running: Some(running("1.0.0", 50)), hardware: Some(hardware("c3")), retired: false };
    let turned_away = |end| after(&execution(), &Intent::TurnAway(end, glimpse.clone()), 100);
    let old = turned_away(End::FromTooOld);
    assert_eq!((old.state(), old.reason()), (State::Incompatible, Some("from-too-old")));
    assert_eq!((old.running.clone(), old.hardware.clone()), (glimpse.running.clone(), glimpse.hardware.clone()));
    let twice = next(&old, &Intent::TurnAway(End::FromTooOld, glimpse.clone()), at(200));
    assert_eq!(twice, Transition::Nothing(Outcome::Already));
    let again = after(&old, &Intent::Retry, 300);
    assert_eq!((again.state(), again.attempt, again.end), (State::Queued, 2, None));
    for end in [End::WrongHardware, End::RunsNewer, End::AlreadyInstalled, End::Retired] {
        assert_eq!(refused(&turned_away(end), &Intent::Retry, 300), Why::NotFailed, "{end:?}");
    }
}

#[test]
fn who_is_asked_at_all() {
    let minimum = loam_releases::manifest::Firmware { minimum_from: Some(version("2.0.0")), ..firmware("2.1.0") };
    let glimpse = |text: Option<&str>, kind: Option<&str>| Glimpse {
        running: text.map(|text| running(text, 0)),
        hardware: kind.map(hardware),
        retired: false,
    };
    let end = |glimpse: &Glimpse, downgrade| match admit(&minimum, downgrade, glimpse) {
        Admission::Go => "go",
        Admission::No(end) => end.as_str(),
    };
    for (running, kind, expected) in [
        (Some("2.0.0"), Some("c3"), "go"),
        (None, None, "go"),
        (Some("2.1.0"), Some("c3"), "already-installed"),
        (Some("2.1.1"), Some("c3"), "runs-newer"),
        (Some("1.9.9"), Some("c3"), "from-too-old"),
        (Some("2.0.0"), Some("c2"), "wrong-hardware"),
    ] {
        assert_eq!(end(&glimpse(running, kind), false), expected);
    }
    assert_eq!(end(&glimpse(Some("2.1.1"), Some("c3")), true), "go", "an operator's roll back");
    assert_eq!(end(&Glimpse { retired: true, ..glimpse(None, None) }, false), "retired");
}

#[test]
fn what_another_rollout_heard_later_counts_more_than_a_twin_that_lags() {
    let known = |glimpse: &Glimpse, later: Option<Running>| glimpse.clone().or_later(later.as_ref()).running;
    let twin = Glimpse { running: Some(running("2.0.0", 300)), ..Glimpse::default() };
    assert_eq!(known(&twin, Some(running("3.0.0", 301))), Some(running("3.0.0", 301)));
    assert_eq!(known(&twin, Some(running("3.0.0", 299))), Some(running("2.0.0", 300)));
    assert_eq!(known(&Glimpse::default(), Some(running("3.0.0", 1))), Some(running("3.0.0", 1)));
    assert_eq!(known(&twin, None), Some(running("2.0.0", 300)));
}
