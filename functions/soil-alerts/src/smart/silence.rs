use loam_domain::Timestamp;

use super::{AlertRule, Decision, Notice, State, Tally};

/// Judges at `now` what no reading brings about: that the readings of a thing stay away for too long under `rule`, the one
/// that holds for the state's path (`None` if there is none any more), and that a snooze is over which held notices back.
///
/// People are told once of silence, and again only after readings came back. At exactly the expected time a reading is not
/// yet overdue.
#[must_use]
pub fn decide_silence(state: &State, rule: Option<&AlertRule>, now: Timestamp) -> Decision {
    let mut next = state.next();
    next.release_held(now);
    overdue(&mut next, rule, now);
    if next.expect_by == state.expect_by && next.held.len() == state.held.len() {
        return Decision::Unchanged(Tally::default());
    }
    Decision::Save(Box::new(next), Tally::default())
}

fn overdue(state: &mut State, rule: Option<&AlertRule>, now: Timestamp) {
    let Some(seen) = state.last_seen.filter(|_| state.expect_by.is_some()) else { return };
    let due = rule.and_then(AlertRule::no_data_millis).map(|millis| seen.plus_millis(millis));
    state.expect_by = match due {
        None => None,                         // nobody wants to know any more
        Some(due) if now <= due => Some(due), // the rule may have become more patient
        Some(_) if state.is_snoozed(now) => state.snooze.as_ref().map(|snooze| snooze.until), // later, if still so
        Some(_) => {
            let notice = Notice::no_data(state, seen, now);
            state.silent_since = Some(seen);
            state.outbox.push(notice);
            None
        }
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::smart::{NoticeKind, Observation, RuleSpec, Sample, Snooze, Status, decide};

    const SEEN: Timestamp = Timestamp::from_millis(1_598_536_072_677);

    fn rule(no_data_seconds: Option<u32>) -> AlertRule {
        let spec: RuleSpec =
            serde_json::from_value(json!({"path": "humidity", "threshold": 35, "noDataSeconds": no_data_seconds}))
                .unwrap();
        AlertRule::try_from(spec).unwrap()
    }

    fn saved(decision: Decision) -> State {
        let Decision::Save(state, _) = decision else { panic!("expected a change") };
        *state
    }

    /// `state` after a healthy reading that was measured and arrived at `at`.
    fn heard(state: &State, at: Timestamp) -> State {
        let observation = Observation { name: "soilSensor1".to_owned(), sample: Sample::new(at, 50.0) };
        saved(decide(state, &rule(Some(600)), &[observation], at))
    }

    fn snoozed(state: State, until: Timestamp) -> State {
        State { snooze: Some(Snooze { until, by: "ann".to_owned(), at: SEEN }), ..state }
    }

    fn unchanged(decision: &Decision) -> bool {
        matches!(decision, Decision::Unchanged(_))
    }

    #[test]
    fn a_reading_is_overdue_one_millisecond_after_the_expected_time() {
        let state = heard(&State::new("thing1", "humidity"), SEEN);
        assert!(unchanged(&decide_silence(&state, Some(&rule(Some(600))), SEEN.plus_millis(600_000))));
        let silent = saved(decide_silence(&state, Some(&rule(Some(600))), SEEN.plus_millis(600_001)));
        let notice = silent.outbox.first().unwrap();
        assert_eq!(notice.kind, NoticeKind::NoData);
        assert_eq!(notice.id, "thing1:humidity:1598536072677:no-data");
        assert_eq!(notice.body, "No humidity data since 2020-08-27T13:47:52.677Z for device name soilSensor1");
        assert_eq!(silent.status(), Status::NoData);
    }

    #[test]
    fn people_are_told_once_until_data_comes_back() {
        let state = heard(&State::new("thing1", "humidity"), SEEN);
        let late = SEEN.plus_millis(700_000);
        let silent = saved(decide_silence(&state, Some(&rule(Some(600))), late));
        assert!(unchanged(&decide_silence(&silent, Some(&rule(Some(600))), late.plus_millis(900_000))));
        let back = heard(&silent, late.plus_millis(1));
        let kinds: Vec<_> = back.outbox.iter().map(|notice| notice.kind).collect();
        assert_eq!(kinds, [NoticeKind::NoData, NoticeKind::DataBack]);
        assert_eq!(back.outbox[1].body, "Humidity data back for device name soilSensor1, after 11 min 40 s");
        assert_eq!((back.status(), back.expect_by), (Status::Ok, Some(late.plus_millis(600_001))));
    }

    #[test]
    fn without_a_rule_for_it_nobody_is_told_and_nobody_looks_again() {
        let state = heard(&State::new("thing1", "humidity"), SEEN);
        for rule in [None, Some(&rule(None))] {
            let next = saved(decide_silence(&state, rule, SEEN.plus_millis(700_000)));
            assert_eq!((next.expect_by, next.outbox.len()), (None, 0));
        }
    }

    #[test]
    fn a_rule_that_became_more_patient_moves_the_time() {
        let state = heard(&State::new("thing1", "humidity"), SEEN);
        let next = saved(decide_silence(&state, Some(&rule(Some(1200))), SEEN.plus_millis(700_000)));
        assert_eq!((next.expect_by, next.outbox.len()), (Some(SEEN.plus_millis(1_200_000)), 0));
    }

    #[test]
    fn a_snooze_puts_the_alarm_off_to_its_end() {
        let until = SEEN.plus_millis(5_000_000);
        let state = snoozed(heard(&State::new("thing1", "humidity"), SEEN), until);
        let asleep = saved(decide_silence(&state, Some(&rule(Some(600))), SEEN.plus_millis(700_000)));
        assert_eq!((asleep.expect_by, asleep.outbox.len()), (Some(until), 0));
        let awake = saved(decide_silence(&asleep, Some(&rule(Some(600))), until));
        assert_eq!(awake.outbox.len(), 1);
    }

    #[test]
    fn an_event_that_arrived_earlier_does_not_bring_the_time_forward() {
        let state = heard(&State::new("thing1", "humidity"), SEEN);
        assert_eq!(heard(&state, SEEN.plus_millis(-1)).expect_by, state.expect_by);
    }

    #[test]
    fn what_a_snooze_held_back_is_told_at_its_end_also_when_no_reading_comes() {
        let until = SEEN.plus_millis(5_000);
        let dry = Observation { name: "soilSensor1".to_owned(), sample: Sample::new(SEEN, 20.0) };
        let told = saved(decide(&State::new("thing1", "humidity"), &rule(None), &[dry], SEEN));
        let told = told.without(&told.outbox).unwrap();
        let held = heard(&snoozed(told, until), SEEN.plus_millis(1_000));
        let held = State { expect_by: None, ..held };
        assert_eq!((held.outbox.len(), held.look_at()), (0, Some(until)));
        assert!(unchanged(&decide_silence(&held, Some(&rule(None)), until.plus_millis(-1))));
        let awake = saved(decide_silence(&held, Some(&rule(None)), until));
        let kinds: Vec<_> = awake.to_send().iter().map(|notice| notice.kind).collect();
        assert_eq!((kinds, awake.held.len()), (vec![NoticeKind::Recovered], 0));
    }
}
