use super::*;
use crate::fact::How;

const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_600_000);

fn mark(seconds: i64, version_number: i64, stage: Stage) -> Mark {
    Mark { at: NOON.plus_millis(seconds * 1000), version_number, session: format!("s{version_number}"), stage }
}

fn connect(seconds: i64, number: i64) -> Fact {
    connect_as(seconds, number, "one")
}

fn connect_as(seconds: i64, number: i64, principal: &str) -> Fact {
    let principal = Some(principal.to_owned());
    Fact::Began(Beginning { mark: mark(seconds, number, Stage::Began), principal })
}

fn disconnect(seconds: i64, number: i64, reason: &str) -> Fact {
    let how = How::new(Some(reason.to_owned()), false);
    Fact::Ended(Ending { mark: mark(seconds, number, Stage::Ended), principal: Some("one".to_owned()), how })
}

fn lost(seconds: i64, number: i64) -> Fact {
    disconnect(seconds, number, "CONNECTION_LOST")
}

fn taken_over(seconds: i64, number: i64) -> Fact {
    disconnect(seconds, number, "DUPLICATE_CLIENTID")
}

const GONE: Fact = Fact::Hint { connected: false };

fn step(row: &Row, fact: &Fact) -> (Row, Decision) {
    let decision = decide(row, fact, NOW);
    (decision.next.as_deref().cloned().unwrap_or_else(|| row.clone()), decision)
}

fn after(facts: &[Fact]) -> Row {
    facts.iter().fold(Row::unseen(1), |row, fact| step(&row, fact).0)
}

fn answered(row: &Row, answer: &Answer) -> (Row, Decision) {
    let decision = decide_answer(row, answer, NOW);
    (decision.next.as_deref().cloned().unwrap_or_else(|| row.clone()), decision)
}

fn reason(row: &Row) -> Option<&str> {
    row.last_end.as_ref().and_then(|end| end.how.reason.as_deref())
}

#[test]
fn the_first_connect_makes_a_thing_present_and_tells_its_certificate() {
    let (row, decision) = step(&Row::unseen(3), &connect(0, 0));
    assert!(row.is_connected());
    assert_eq!((row.version, row.epoch, row.told_at, row.last_seen()), (2, 3, NOW, NOON));
    assert_eq!(decision.told, [Told::Connected, Told::PrincipalChanged { before: None }]);
    assert_eq!((row.status.unwrap().since, decision.verdict), (NOON, Verdict::Applied));
}

#[test]
fn a_disconnect_of_the_same_version_number_takes_it_away_with_its_reason() {
    let (row, decision) = step(&after(&[connect(0, 4)]), &disconnect(60, 4, "CLIENT_INITIATED_DISCONNECT"));
    assert!(!row.is_connected());
    assert_eq!((reason(&row), row.last_end.as_ref().unwrap().how.clean), (Some("CLIENT_INITIATED_DISCONNECT"), true));
    assert_eq!(
        (row.status.as_ref().unwrap().since, row.last_seen()),
        (NOON.plus_millis(60_000), NOON.plus_millis(60_000))
    );
    assert_eq!(decision.told, [Told::Disconnected]);
}

#[test]
fn a_repeat_changes_nothing_and_tells_nobody() {
    let row = after(&[connect(0, 4), lost(60, 4)]);
    for (fact, verdict) in [(connect(0, 4), Verdict::Late), (lost(60, 4), Verdict::Duplicate)] {
        let decision = decide(&row, &fact, NOW.plus_millis(1));
        assert_eq!(decision, Decision { verdict, next: None, told: vec![], ask: false });
    }
}

#[test]
fn a_disconnect_that_overtakes_its_connect_wins() {
    let row = after(&[connect(0, 3), lost(60, 4), connect(30, 4)]);
    assert!(!row.is_connected());
    assert_eq!(row.status, after(&[connect(0, 3), connect(30, 4), lost(60, 4)]).status);
}

#[test]
fn a_thing_that_came_back_before_its_disconnect_is_looked_at_is_never_shown_offline() {
    let back = after(&[connect(0, 4), connect(62, 5)]);
    let (row, decision) = step(&back, &lost(60, 4));
    assert!(row.is_connected());
    assert_eq!((decision.verdict, decision.told.len(), row.status == back.status), (Verdict::Late, 0, true));
    assert_eq!(reason(&row), Some("CONNECTION_LOST"), "how the connection before ended is remembered");
}

#[test]
fn a_takeover_is_never_offline_in_either_order() {
    let orders =
        [[connect(0, 4), connect(60, 5), taken_over(59, 4)], [connect(0, 4), taken_over(59, 4), connect(60, 5)]];
    for facts in orders {
        let mut row = Row::unseen(1);
        for fact in &facts {
            let (next, decision) = step(&row, fact);
            assert!(next.is_connected() && !decision.told.contains(&Told::Disconnected));
            row = next;
        }
        assert_eq!(row.status.as_ref().unwrap().mark.version_number, 5);
        assert_eq!(reason(&row), Some("DUPLICATE_CLIENTID"));
    }
}

#[test]
fn a_takeover_whose_successor_stays_away_is_asked_about() {
    let row = after(&[connect(0, 4)]);
    assert!(decide(&row, &taken_over(60, 4), NOW).ask);
    let known = after(&[connect(0, 4), connect(60, 5)]);
    assert!(!decide(&known, &taken_over(60, 4), NOW).ask);
}

#[test]
fn across_a_reset_the_small_number_wins_and_the_old_ones_do_not_come_back() {
    let hours = 2 * 3600;
    let reset = after(&[connect(0, 700), lost(60, 700), connect(hours, 0)]);
    assert!(reset.is_connected());
    for fact in [connect(0, 700), lost(60, 700), connect(-60, 699), lost(-30, 699)] {
        let (row, decision) = step(&reset, &fact);
        assert!(row.is_connected() && decision.told.is_empty(), "{fact:?}");
    }
    assert!(!after(&[connect(hours, 0), connect(0, 700), lost(hours + 5, 0), lost(60, 700)]).is_connected());
}

#[test]
fn a_hint_asks_only_where_it_contradicts_what_is_known() {
    let (there, gone) = (after(&[connect(0, 4)]), after(&[connect(0, 4), lost(60, 4)]));
    let back = Fact::Hint { connected: true };
    assert!(decide(&there, &GONE, NOW).ask && decide(&gone, &back, NOW).ask);
    for (row, hint) in [(&gone, &GONE), (&there, &back), (&Row::unseen(1), &GONE), (&Row::unseen(1), &back)] {
        assert_eq!(decide(row, hint, NOW).verdict, Verdict::Agrees);
        assert!(!decide(row, hint, NOW).ask);
    }
    assert_eq!(decide(&there, &GONE, NOW).next, None, "a hint alone changes nothing");
}

#[test]
fn an_answer_that_it_is_gone_takes_it_away_until_aws_says_how() {
    let left = NOON.plus_millis(50_000);
    let (row, decision) = answered(&after(&[connect(0, 4)]), &Answer::Gone(Some(left), None));
    assert_eq!((row.is_connected(), row.status.as_ref().unwrap().since, reason(&row)), (false, left, None));
    assert_eq!(decision.told, [Told::Disconnected]);
    let (row, decision) = step(&row, &lost(60, 4));
    assert_eq!((reason(&row), decision.told.len()), (Some("CONNECTION_LOST"), 0));
    assert_eq!(row.status, after(&[connect(0, 4), lost(60, 4)]).status);
}

#[test]
fn the_connect_that_is_known_does_not_come_back_after_an_answer_that_it_is_gone() {
    let (row, _) = answered(&after(&[connect(0, 4)]), &Answer::Gone(None, None));
    assert!(!step(&row, &connect(0, 4)).0.is_connected());
    assert!(step(&row, &connect(61, 5)).0.is_connected());
}

#[test]
fn an_answer_that_it_is_there_repairs_until_the_next_connection_is_told() {
    let gone = after(&[connect(0, 4), lost(60, 4)]);
    let (row, decision) = answered(&gone, &Answer::There(Some(NOON.plus_millis(90_000))));
    assert_eq!((row.is_connected(), row.last_seen()), (true, NOW));
    assert_eq!(decision.told, [Told::Connected]);
    assert!(step(&row, &lost(60, 4)).0.is_connected(), "the end that is known does not come back");
    assert!(!step(&row, &lost(95, 5)).0.is_connected());
    let (again, _) = answered(&row, &Answer::Gone(None, None));
    assert!(!again.is_connected());
}

#[test]
fn an_answer_about_a_connection_that_ended_is_stale() {
    let gone = after(&[connect(0, 4), lost(3600, 4)]);
    assert!(!answered(&gone, &Answer::There(Some(NOON))).0.is_connected());
    let just = NOON.plus_millis(3_600_000 - RESET_GAP_MILLIS);
    assert!(answered(&gone, &Answer::There(Some(just))).0.is_connected());
    assert!(!answered(&gone, &Answer::There(Some(just.plus_millis(-1)))).0.is_connected());
}

#[test]
fn an_answer_that_says_what_is_known_changes_nothing() {
    let (there, gone) = (after(&[connect(0, 4)]), after(&[connect(0, 4), lost(60, 4)]));
    assert_eq!(answered(&there, &Answer::There(None)).1.next, None);
    assert_eq!(answered(&gone, &Answer::Gone(None, None)).1.next, None);
    assert_eq!(answered(&Row::unseen(1), &Answer::Gone(None, None)).1.next, None);
}

#[test]
fn a_thing_that_was_never_told_of_is_found_and_its_first_event_is_news() {
    let (row, _) = answered(&Row::unseen(1), &Answer::There(None));
    assert!(row.is_connected());
    assert_eq!(decide(&row, &connect(0, 0), NOW).verdict, Verdict::Applied);
}

#[test]
fn another_certificate_is_told_once() {
    let row = after(&[connect_as(0, 4, "one")]);
    let (row, decision) = step(&row, &connect_as(60, 5, "two"));
    assert!(decision.told.contains(&Told::PrincipalChanged { before: Some("one".to_owned()) }));
    assert_eq!(step(&row, &connect_as(120, 6, "two")).1.told, [Told::Connected]);
    assert_eq!(step(&row, &connect_as(30, 3, "three")).1.told, [], "a late one changes no principal");
}

#[test]
fn nothing_is_told_with_a_time_before_the_last() {
    let row = after(&[connect(0, 4)]);
    let decision = decide(&row, &lost(60, 4), NOW.plus_millis(-5_000));
    assert_eq!(decision.next.unwrap().told_at, NOW);
}
