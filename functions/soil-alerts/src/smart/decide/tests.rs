use serde_json::{Value, json};

use super::*;
use crate::smart::{Acknowledgement, MAX_WINDOW, NoticeKind, Reaction, RuleSpec, Snooze, Status, acknowledge};

/// An ordinary time of day; the numbers of the tests are seconds after it.
const START: i64 = 1_598_536_072_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(START + 1000 * second)
}

fn rule(mut fields: Value) -> AlertRule {
    fields["path"] = json!("humidity");
    AlertRule::try_from(serde_json::from_value::<RuleSpec>(fields).unwrap()).unwrap()
}

fn classic() -> AlertRule {
    AlertRule::classic(35.0)
}

fn seen(second: i64, value: f64) -> Observation {
    Observation { name: "soilSensor1".to_owned(), sample: Sample::new(at(second), value) }
}

fn fresh() -> State {
    State::new("thing1", "humidity")
}

/// `state` after `readings` of (second, value), one message each, that arrive in this order and without delay; with
/// all notices still in the outbox.
fn after(mut state: State, rule: &AlertRule, readings: &[(i64, f64)]) -> State {
    for (second, value) in readings {
        if let Decision::Save(next, _) = decide(&state, rule, &[seen(*second, *value)], at(*second)) {
            state = *next;
        }
    }
    state
}

/// `state` with a snooze to this second.
fn snoozed(state: State, second: i64) -> State {
    State { snooze: Some(Snooze { until: at(second), by: "ann".to_owned(), at: at(0) }), ..state }
}

/// `state` with its episode, which opened in this second, acknowledged.
fn acknowledged(state: &State, second: i64) -> State {
    let who = Acknowledgement { by: "ann".to_owned(), at: at(second) };
    let Reaction::Save(state) = acknowledge(state, at(second), who) else { panic!("expected a change") };
    *state
}

fn kinds(state: &State) -> Vec<NoticeKind> {
    state.outbox.iter().map(|notice| notice.kind).collect()
}

use NoticeKind::{Opened, Recovered, Reminder};

#[test]
fn a_reading_of_exactly_35_does_not_alert_and_one_of_34_9_does() {
    assert_eq!(kinds(&after(fresh(), &classic(), &[(0, 35.0)])), []);
    assert_eq!(kinds(&after(fresh(), &classic(), &[(0, 34.9)])), [Opened]);
}

#[test]
fn an_episode_is_told_of_once_however_many_readings_it_has() {
    let state = after(fresh(), &classic(), &[(0, 20.0), (1, 19.0), (2, 18.0), (3, 21.0)]);
    assert_eq!(kinds(&state), [Opened]);
    assert_eq!(state.status(), Status::Alarm);
}

#[test]
fn a_recovery_is_told_with_the_duration_and_the_lowest_value() {
    let state = after(fresh(), &classic(), &[(0, 20.0), (30, 12.0), (90, 41.0)]);
    assert_eq!(kinds(&state), [Opened, Recovered]);
    assert_eq!(
        state.outbox[1].body,
        "Humidity 41 no longer under threshold for device name soilSensor1, after 1 min 30 s, lowest 12"
    );
    assert_eq!(state.status(), Status::Ok);
}

#[test]
fn the_same_reading_again_changes_nothing() {
    let state = after(fresh(), &classic(), &[(0, 20.0)]);
    let Decision::Unchanged(tally) = decide(&state, &classic(), &[seen(0, 20.0)], at(9)) else { panic!() };
    assert_eq!(tally, Tally { duplicate: 1, ..Tally::default() });
}

#[test]
fn a_dry_reading_from_before_the_recovery_does_not_open_the_episode_again() {
    let state = after(fresh(), &classic(), &[(0, 20.0), (10, 50.0)]);
    for second in [-1, 0, 5, 10] {
        let Decision::Unchanged(tally) = decide(&state, &classic(), &[seen(second, 10.0)], at(20)) else { panic!() };
        assert_eq!(tally.late, 1, "{second}");
    }
    assert_eq!(kinds(&after(state, &classic(), &[(11, 10.0)])), [Opened, Recovered, Opened]);
}

#[test]
fn a_wet_reading_from_before_a_dry_one_does_not_close_the_episode() {
    let state = after(fresh(), &classic(), &[(10, 20.0), (5, 50.0)]);
    assert_eq!((state.status(), kinds(&state)), (Status::Alarm, vec![Opened]));
}

#[test]
fn a_dry_reading_from_before_a_wet_one_does_not_open_an_episode() {
    let state = after(fresh(), &classic(), &[(10, 50.0), (5, 20.0)]);
    assert_eq!((state.status(), kinds(&state)), (Status::Ok, vec![]));
}

#[test]
fn within_one_millisecond_the_healthier_value_counts_as_the_later_one() {
    for readings in [[(0, 20.0), (0, 50.0)], [(0, 50.0), (0, 20.0)]] {
        assert_eq!(after(fresh(), &classic(), &readings).status(), Status::Ok);
    }
    let above = rule(json!({"threshold": 35, "direction": "above"}));
    for readings in [[(0, 20.0), (0, 50.0)], [(0, 50.0), (0, 20.0)]] {
        assert_eq!(after(fresh(), &above, &readings).status(), Status::Ok);
    }
}

#[test]
fn an_episode_that_a_late_reading_disproves_ends_and_cannot_come_back_under_its_id() {
    let rule = rule(json!({"threshold": 35, "breaches": 2, "of": 2}));
    let state = after(fresh(), &rule, &[(10, 20.0), (30, 20.0), (20, 50.0)]);
    assert_eq!((state.status(), kinds(&state)), (Status::Ok, vec![Opened, Recovered]));
    assert_eq!(state.barrier(), Some(at(30)));
    let state = after(state, &rule, &[(25, 20.0), (40, 20.0), (50, 20.0)]);
    assert_eq!(kinds(&state), [Opened, Recovered, Opened]);
    assert_ne!(state.outbox[0].id, state.outbox[2].id);
}

#[test]
fn a_batch_counts_like_its_readings_one_by_one_in_the_order_of_their_times() {
    let batch = [seen(2, 20.0), seen(0, 20.0), seen(1, 50.0), seen(1, 50.0)];
    let Decision::Save(state, tally) = decide(&fresh(), &classic(), &batch, at(3)) else { panic!() };
    assert_eq!(kinds(&state), [Opened, Recovered, Opened]);
    assert_eq!(tally, Tally { counted: 3, duplicate: 0, late: 1 });
    assert_eq!(state.version, 1);
}

#[test]
fn a_batch_of_hundreds_of_episodes_leaves_a_bounded_outbox_and_tells_of_the_last_when_there_is_room() {
    let batch: Vec<_> = (0..601).map(|second| seen(second, if second % 2 == 0 { 20.0 } else { 50.0 })).collect();
    let Decision::Save(state, _) = decide(&fresh(), &classic(), &batch, at(601)) else { panic!() };
    assert_eq!((state.status(), state.outbox.len()), (Status::Alarm, MAX_OUTBOX));
    let sent = state.without(&state.outbox).unwrap();
    assert_eq!(kinds(&after(sent, &classic(), &[(602, 19.0)])), [Opened]);
}

#[test]
fn a_reading_that_is_later_than_64_others_is_late() {
    let wet: Vec<_> = (1..=65).map(|second| (second, 50.0)).collect();
    let state = after(fresh(), &classic(), &wet);
    assert_eq!((state.window.len(), state.barrier()), (MAX_WINDOW, Some(at(1))));
    assert!(matches!(decide(&state, &classic(), &[seen(1, 20.0)], at(70)), Decision::Unchanged(_)));
    assert!(matches!(decide(&state, &classic(), &[seen(2, 20.0)], at(70)), Decision::Save(..)));
}

#[test]
fn an_episode_outlives_the_samples_that_opened_it() {
    let dry: Vec<_> = (0..200).map(|second| (second, 20.0)).collect();
    let state = after(fresh(), &classic(), &dry);
    assert_eq!(state.episode.as_ref().unwrap().opened_at(), at(0));
    assert_eq!(kinds(&after(state, &classic(), &[(200, 50.0)])), [Opened, Recovered]);
}

#[test]
fn a_reminder_comes_when_its_time_has_passed_and_not_a_millisecond_earlier() {
    let rule = rule(json!({"threshold": 35, "reminderSeconds": 60}));
    let state = after(fresh(), &rule, &[(0, 20.0), (59, 20.0)]);
    assert_eq!(kinds(&state), [Opened]);
    let state = after(state, &rule, &[(60, 19.0), (61, 19.0), (120, 18.0)]);
    assert_eq!(kinds(&state), [Opened, Reminder, Reminder]);
    assert_eq!(state.outbox[2].body, "Humidity 18 still under threshold after 2 min 0 s for device name soilSensor1");
    assert_eq!(state.outbox[2].id, format!("thing1:humidity:{START}:reminder:2"));
}

#[test]
fn an_acknowledged_episode_is_not_reminded_of_but_its_end_is_told() {
    let rule = rule(json!({"threshold": 35, "reminderSeconds": 60}));
    let state = acknowledged(&after(fresh(), &rule, &[(0, 20.0)]), 0);
    assert_eq!(kinds(&after(state, &rule, &[(90, 20.0), (100, 50.0)])), [Opened, Recovered]);
}

#[test]
fn in_the_cool_down_an_episode_is_silent_and_is_told_of_if_it_lasts_beyond() {
    let rule = rule(json!({"threshold": 35, "cooldownSeconds": 100}));
    let state = after(fresh(), &rule, &[(0, 20.0), (10, 50.0), (20, 20.0), (109, 20.0)]);
    assert_eq!((state.status(), kinds(&state)), (Status::Alarm, vec![Opened, Recovered]));
    let state = after(state, &rule, &[(110, 19.0)]);
    assert_eq!(kinds(&state), [Opened, Recovered, Opened]);
    assert_eq!(state.outbox[2].body, "Humidity 19 under threshold for device name soilSensor1");
}

#[test]
fn a_message_that_was_overtaken_by_the_recovery_is_not_taken_for_one_in_a_cool_down() {
    let state = after(fresh(), &classic(), &[(0, 20.0), (10, 50.0)]);
    let Decision::Save(state, _) = decide(&state, &classic(), &[seen(11, 20.0)], at(9)) else { panic!() };
    assert_eq!(kinds(&state), [Opened, Recovered, Opened]);
}

#[test]
fn an_episode_that_nobody_was_told_of_ends_silently_and_does_not_prolong_the_cool_down() {
    let rule = rule(json!({"threshold": 35, "cooldownSeconds": 100}));
    let state = after(fresh(), &rule, &[(0, 20.0), (10, 50.0), (20, 20.0), (90, 50.0)]);
    assert_eq!((state.status(), kinds(&state)), (Status::Ok, vec![Opened, Recovered]));
    assert_eq!(kinds(&after(state, &rule, &[(110, 20.0)])), [Opened, Recovered, Opened]);
}

#[test]
fn a_snoozed_episode_is_told_of_with_the_first_reading_after_the_snooze() {
    let state = after(snoozed(fresh(), 60), &classic(), &[(0, 20.0), (59, 20.0)]);
    assert_eq!((state.status(), kinds(&state)), (Status::Alarm, vec![]));
    assert_eq!(kinds(&after(state, &classic(), &[(60, 20.0)])), [Opened]);
}

#[test]
fn an_end_in_a_snooze_is_told_after_it_and_before_the_next_beginning() {
    let state = snoozed(after(fresh(), &classic(), &[(0, 20.0)]), 60);
    let state = after(state, &classic(), &[(10, 50.0), (20, 20.0)]);
    assert_eq!(kinds(&state), [Opened]);
    let state = after(state, &classic(), &[(60, 20.0)]);
    assert_eq!(kinds(&state), [Opened, Recovered, Opened]);
    assert!(state.outbox[1..].iter().all(|notice| notice.committed == state.version));
}

#[test]
fn a_reminder_that_is_due_in_a_snooze_comes_with_the_first_reading_after_it() {
    let rule = rule(json!({"threshold": 35, "reminderSeconds": 60}));
    let state = snoozed(after(fresh(), &rule, &[(0, 20.0)]), 100);
    let state = after(state, &rule, &[(60, 19.0), (99, 19.0)]);
    assert_eq!(kinds(&state), [Opened]);
    assert_eq!(kinds(&after(state, &rule, &[(100, 18.0)])), [Opened, Reminder]);
}

#[test]
fn an_episode_that_begins_and_ends_in_a_snooze_is_told_to_nobody_and_stands_in_the_history() {
    let state = after(snoozed(fresh(), 60), &classic(), &[(0, 20.0), (10, 12.0), (20, 50.0)]);
    let past = state.past();
    assert_eq!((past.len(), past[0].told_at, past[0].ending), (1, None, Ending::Recovered));
    assert_eq!((past[0].worst.value(), past[0].closing.at()), (12.0, at(20)));
    assert_eq!(kinds(&after(state, &classic(), &[(61, 50.0)])), []);
}

#[test]
fn the_version_that_closes_an_episode_carries_it_into_the_history_and_the_next_one_does_not() {
    let rule = rule(json!({"threshold": 35, "reminderSeconds": 60}));
    let state = after(acknowledged(&after(fresh(), &rule, &[(0, 20.0)]), 0), &rule, &[(70, 50.0)]);
    let past = state.past();
    assert_eq!(past[0].id().to_string(), format!("humidity:{START}"));
    assert_eq!(past[0].acknowledged.as_ref().map(|who| who.by.as_str()), Some("ann"));
    assert_eq!((past[0].told_at, past[0].reminders, past[0].threshold), (Some(at(0)), 0, 35.0));
    assert!(after(state, &rule, &[(71, 50.0)]).past().is_empty());
}

#[test]
fn an_episode_that_a_late_reading_disproves_stands_in_the_history_as_disproved() {
    let rule = rule(json!({"threshold": 35, "breaches": 2, "of": 2}));
    let state = after(fresh(), &rule, &[(10, 20.0), (30, 20.0), (20, 50.0)]);
    assert_eq!(state.past()[0].ending, Ending::Disproved);
    assert_eq!(state.past()[0].opening.at(), at(30));
}

#[test]
fn of_hundreds_of_episodes_in_one_batch_the_64_newest_enter_the_history() {
    let batch: Vec<_> = (0..200).map(|second| seen(second, if second % 2 == 0 { 20.0 } else { 50.0 })).collect();
    let Decision::Save(state, _) = decide(&fresh(), &classic(), &batch, at(200)) else { panic!() };
    assert_eq!(state.past().len(), MAX_PAST);
    assert_eq!(state.past().last().unwrap().opening.at(), at(198));
}

#[test]
fn an_event_is_judged_by_its_arrival_and_a_repeat_of_it_the_same() {
    let rule = rule(json!({"threshold": 35, "cooldownSeconds": 100}));
    let first = decide(&fresh(), &rule, &[seen(0, 20.0)], at(0));
    assert_eq!(first, decide(&fresh(), &rule, &[seen(0, 20.0)], at(0)));
}

#[test]
fn the_digits_of_a_string_reading_stand_in_the_notice_as_they_came() {
    let sample = Sample::with_digits(at(0), 20.0, "20.0");
    let observation = Observation { name: "soilSensor1".to_owned(), sample };
    let Decision::Save(state, _) = decide(&fresh(), &classic(), &[observation], at(0)) else { panic!() };
    assert_eq!(state.outbox[0].body, "Humidity 20.0 under threshold for device name soilSensor1");
    assert_eq!(state.outbox[0].id, format!("thing1:humidity:{START}:opened"));
}

#[test]
fn a_notice_is_sent_by_who_committed_it() {
    let state = after(fresh(), &classic(), &[(0, 20.0)]);
    assert_eq!(state.to_send().len(), 1);
    assert_eq!(after(state, &classic(), &[(1, 20.0)]).to_send().len(), 0);
}

#[test]
fn a_notice_that_waits_for_more_than_a_minute_was_left_behind() {
    let state = after(fresh(), &classic(), &[(0, 20.0), (1, 20.0)]);
    assert_eq!((state.look_at(), state.left_behind(at(60)).len()), (Some(at(60)), 0));
    assert_eq!(state.left_behind(at(60).plus_millis(1)).len(), 1);
    assert_eq!(state.without(&state.outbox).unwrap().look_at(), None);
}
