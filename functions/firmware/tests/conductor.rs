//! The conductor against the local AWS: whole rollouts, on tables that the deployed one does not read.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod fleet;
#[expect(dead_code, reason = "other tests use the rest of it")]
mod operators;

use std::collections::BTreeSet;

use firmware::rollout::Status;
use loam_kit::unique_thing;
use serde_json::{Value, json};

use crate::fleet::{Fleet, LEASE_MILLIS};

const MINUTE: i64 = 60_000;
/// What is told of a rollout of one wave that is stopped.
const STOPPED: [&str; 4] = ["rollout.started", "rollout.wave-opened", "rollout.stopping", "rollout.stopped"];

/// One wave of all.
fn one_wave() -> Value {
    json!([{"size": "rest", "successPercent": 100, "errors": {"count": 0}, "soakMinutes": 0}])
}

/// A first wave of one thing, then the others.
fn two_waves() -> Value {
    let wave = |size: Value| json!({"size": size, "successPercent": 90, "errors": {"percent": 10}, "soakMinutes": 5});
    json!([wave(json!({"count": 1})), wave(json!("rest"))])
}

#[tokio::test]
async fn waves_open_one_after_the_other_and_a_rollout_is_complete_when_all_things_report_to_run_it() {
    let fleet = Fleet::new(3).await;
    let id = fleet.started("2.1.0", &two_waves(), &json!({})).await;
    let first: Vec<_> = fleet.executions(&id).await.into_values().filter(|one| one.wave == 0).collect();
    let [first] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!(first.state().as_str(), "notified");
    let order = fleet.desired(&first.thing).await;
    assert_eq!((&order["rollout"], &order["version"], &order["attempt"]), (&json!(id), &json!("2.1.0"), &json!(1)));
    fleet.updates(&first.thing, &id, "2.1.0").await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await.iter().filter(|state| **state == "queued").count(), 2, "the soak");
    fleet.wait(5 * MINUTE);
    fleet.conduct(&id).await;
    for thing in fleet.things.iter().filter(|thing| **thing != first.thing) {
        fleet.updates(thing, &id, "2.1.0").await;
    }
    fleet.conduct(&id).await;
    fleet.wait(5 * MINUTE);
    fleet.conduct(&id).await;
    assert_eq!(fleet.rollout(&id).await.status, Status::Completed);
    assert_eq!(fleet.states(&id).await, ["succeeded"; 3]);
    let told = fleet.told(&format!("rollout#{id}")).await;
    let expected = ["rollout.started", "rollout.wave-opened", "rollout.wave-passed", "rollout.completed"];
    assert_eq!(told, expected);
    assert_eq!(fleet.told(first.thing.as_str()).await, ["firmware.succeeded"]);
}

#[tokio::test]
async fn a_bad_release_stops_itself_takes_its_orders_back_and_is_rolled_back() {
    let fleet = Fleet::new(3).await;
    fleet.world.published("2.0.0").await;
    let waves = json!([{"size": "rest", "successPercent": 100, "errors": {"count": 0}}]);
    let id = fleet.started("2.1.0", &waves, &json!({"rollBack": true})).await;
    assert_eq!(fleet.states(&id).await, ["notified"; 3]);
    let [done, fails, waits] = fleet.things.as_slice() else { panic!() };
    fleet.updates(done, &id, "2.1.0").await;
    fleet.say(fails, &id, "downloading").await;
    fleet.say(fails, &id, "failed").await;
    assert!(fleet.conductor_queue.texts().await.iter().any(|body| body.contains("rollout")), "it was woken");
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["succeeded", "failed", "removed"]);
    assert_eq!(fleet.desired(waits).await, Value::Null);
    assert_eq!(fleet.rollout(&id).await.status.as_str(), "stopped");
    assert_eq!(fleet.told(fails.as_str()).await, ["firmware.failed"]);
    assert_eq!(fleet.told(&format!("rollout#{id}")).await, STOPPED);
    let listed = fleet.world.get("/v1/rollouts").await.json();
    let back = listed["items"].as_array().unwrap().iter().find(|item| item["rolloutId"] != json!(id)).unwrap();
    let back = loam_releases::names::Id::parse(back["rolloutId"].as_str().unwrap()).unwrap();
    fleet.conduct(&back).await;
    assert_eq!(fleet.executions(&back).await.keys().collect::<Vec<_>>(), [done]);
    let order = fleet.desired(done).await;
    assert_eq!((&order["rollout"], &order["version"]), (&json!(back), &json!("2.0.0")));
    fleet.updates(done, &back, "2.0.0").await;
    fleet.conduct(&back).await;
    assert_eq!(fleet.rollout(&back).await.status, Status::Completed);
    let told = fleet.told(&format!("rollout#{back}")).await;
    assert_eq!(told, ["rollout.started", "rollout.wave-opened", "rollout.completed"]);
}

#[tokio::test]
async fn who_runs_the_target_or_something_newer_is_not_asked_and_who_needs_a_step_between_neither() {
    let fleet = Fleet::new(4).await;
    let [done, newer, too_old, at_the_minimum] = fleet.things.as_slice() else { panic!() };
    for (thing, version) in [(done, "2.1.0"), (newer, "3.0.0"), (too_old, "2.0.0"), (at_the_minimum, "2.0.1")] {
        fleet.runs(thing, version).await;
    }
    let release = fleet.world.published_with("2.1.0", &json!({"minimumFrom": "2.0.1"})).await;
    let id = fleet.order_release(&release, &one_wave(), &json!({})).await;
    fleet.conduct(&id).await;
    fleet.start(&id).await;
    assert_eq!(fleet.states(&id).await, ["already-installed", "incompatible", "incompatible", "notified"]);
    let executions = fleet.executions(&id).await;
    assert_eq!([newer, too_old].map(|thing| executions[thing].reason()), [Some("runs-newer"), Some("from-too-old")]);
    for thing in [done, newer, too_old] {
        assert_eq!(fleet.desired(thing).await, Value::Null);
    }
    fleet.updates(at_the_minimum, &id, "2.1.0").await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.rollout(&id).await.status, Status::Completed);
}

#[tokio::test]
async fn silence_is_no_evidence_and_a_gate_that_is_missed_waits_for_an_operator() {
    let fleet = Fleet::new(2).await;
    let timers = json!({"offlineMinutes": 10, "progressMinutes": 5});
    let id = fleet.started("2.1.0", &one_wave(), &timers).await;
    fleet.say(&fleet.things[0], &id, "downloading").await;
    fleet.wait(11 * MINUTE);
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["timed-out", "unreached"]);
    assert_eq!(fleet.rollout(&id).await.status.as_str(), "stopped", "one that began and went silent speaks against it");
    assert_eq!(fleet.told(&format!("rollout#{id}")).await, STOPPED);
    let other = fleet.started("2.2.0", &one_wave(), &timers).await;
    fleet.wait(11 * MINUTE);
    fleet.conduct(&other).await;
    assert_eq!(fleet.states(&other).await, ["unreached"; 2]);
    assert_eq!(fleet.rollout(&other).await.status.as_str(), "paused");
    let told = fleet.events(&format!("rollout#{other}")).await;
    let paused = told.last().unwrap();
    assert_eq!((&paused["type"], told.len()), (&json!("rollout.paused"), 3), "{told:?}");
    assert_eq!((&paused["data"]["reason"], &paused["data"]["wave"]), (&json!("gate-missed"), &json!(1)));
    fleet.act(&other, "ann", "retry").await;
    fleet.conduct(&other).await;
    assert_eq!(fleet.states(&other).await, ["notified"; 2]);
    assert_eq!(fleet.desired(&fleet.things[1]).await["attempt"], 2);
    // Who began and went silent has failed; who was never reached has not.
    assert_eq!(fleet.told(fleet.things[0].as_str()).await, ["firmware.failed"]);
    assert_eq!(fleet.told(fleet.things[1].as_str()).await, [""; 0]);
}

#[tokio::test]
async fn of_two_rollouts_the_one_that_was_started_later_has_its_way() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let older = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    let newer = fleet.started("2.2.0", &one_wave(), &json!({})).await;
    assert_eq!((fleet.states(&older).await, fleet.states(&newer).await), (vec!["removed"], vec!["notified"]));
    assert_eq!(fleet.desired(thing).await["rollout"], json!(newer));
    fleet.say(thing, &older, "failed").await;
    fleet.conduct(&older).await;
    assert_eq!(fleet.desired(thing).await["rollout"], json!(newer), "what was taken over is not taken back");
    fleet.updates(thing, &newer, "2.2.0").await;
    assert_eq!((fleet.states(&older).await, fleet.states(&newer).await), (vec!["removed"], vec!["succeeded"]));
}

#[tokio::test]
async fn an_older_version_that_is_started_later_takes_no_thing_from_a_newer_one_and_gives_back_what_it_has() {
    let fleet = Fleet::new(2).await;
    let newer = fleet.started("2.2.0", &two_waves(), &json!({})).await;
    let of_wave = async |wave: u16| {
        let mut rows = fleet.executions(&newer).await.into_values();
        rows.find(|row| row.wave == wave).unwrap().thing
    };
    let (first, second) = (of_wave(0).await, of_wave(1).await);
    let older = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    let rows = fleet.executions(&older).await;
    assert_eq!((rows[&first].state().as_str(), rows[&first].reason()), ("removed", Some("superseded")));
    assert_eq!(fleet.desired(&first).await["rollout"], json!(newer));
    // Of the newer one the turn of this thing has not come.
    assert_eq!(fleet.desired(&second).await["rollout"], json!(older));
    fleet.updates(&first, &newer, "2.2.0").await;
    fleet.conduct(&newer).await;
    fleet.wait(5 * MINUTE);
    fleet.conduct(&newer).await;
    assert_eq!(fleet.desired(&second).await["rollout"], json!(newer));
    assert_eq!(fleet.states(&older).await, ["removed"; 2]);
    fleet.updates(&second, &newer, "2.2.0").await;
    assert_eq!(fleet.states(&newer).await, ["succeeded"; 2]);
}

#[tokio::test]
async fn no_more_things_are_asked_in_a_minute_than_the_rollout_allows_and_none_out_of_its_window() {
    let fleet = Fleet::new(3).await;
    // From the beginning of a minute.
    fleet.wait(MINUTE - fleet.now().as_millis().rem_euclid(MINUTE));
    let id = fleet.started("2.1.0", &one_wave(), &json!({"perMinute": 2})).await;
    let asked = async |id| fleet.states(id).await.iter().filter(|state| **state == "notified").count();
    assert_eq!(asked(&id).await, 2);
    fleet.wait(MINUTE);
    fleet.conduct(&id).await;
    assert_eq!(asked(&id).await, 3);
    let minute = fleet.now().as_secs().div_euclid(60).rem_euclid(1_440);
    // Begins in six hours, on whatever day, for an hour.
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let window = json!({"days": days, "fromMinute": (minute + 360) % 1_440, "minutes": 60});
    let id = fleet.started("2.2.0", &one_wave(), &json!({"window": window})).await;
    assert_eq!(asked(&id).await, 0);
    fleet.wait(361 * MINUTE);
    fleet.conduct(&id).await;
    assert_eq!(asked(&id).await, 3);
}

#[tokio::test]
async fn a_rollout_that_no_thing_can_run_is_paused_and_not_complete() {
    let fleet = Fleet::new(2).await;
    for thing in &fleet.things {
        fleet.runs(thing, "3.0.0").await;
    }
    let id = fleet.started("2.1.0", &two_waves(), &json!({})).await;
    let rollout = fleet.rollout(&id).await;
    assert_eq!((rollout.status.as_str(), rollout.status.why()), ("paused", Some("gate-missed")));
    let mut states = fleet.states(&id).await;
    states.sort_unstable();
    assert_eq!(states, ["incompatible", "queued"]);
    let told = fleet.told(&format!("rollout#{id}")).await;
    assert_eq!(told, ["rollout.started", "rollout.wave-opened", "rollout.paused"]);
}

#[tokio::test]
async fn who_is_a_target_is_decided_once_and_late_joiners_come_in_the_wave_that_is_not_open() {
    let fleet = Fleet::new(2).await;
    // Later than any order of this test, so that targets are chosen at once.
    fleet.wait(MINUTE);
    let until = fleet.now().plus_millis(60 * MINUTE);
    let id = fleet.started("2.1.0", &two_waves(), &json!({"joinUntil": until})).await;
    let late = unique_thing("late");
    fleet.runs(&late, "2.0.0").await;
    fleet.conduct(&id).await;
    assert!(!fleet.executions(&id).await.contains_key(&late));
    for _ in 0..2 {
        fleet.hand_conductor(&json!({"join": late})).await;
        assert_eq!(fleet.executions(&id).await[&late].wave, 1);
    }
    fleet.hand_conductor(&json!({"join": fleet.things[0]})).await;
    assert_eq!(fleet.executions(&id).await.len(), 3);
    fleet.wait(60 * MINUTE);
    let too_late = unique_thing("late");
    fleet.runs(&too_late, "2.0.0").await;
    fleet.hand_conductor(&json!({"join": too_late})).await;
    assert_eq!(fleet.executions(&id).await.len(), 3);
}

#[tokio::test]
async fn a_thing_that_the_catalog_comes_to_know_of_just_after_the_order_is_a_target_too_where_others_may_join() {
    let fleet = Fleet::new(1).await;
    let until = fleet.now().plus_millis(60 * MINUTE);
    let id = fleet.order("2.1.0", &one_wave(), &json!({"joinUntil": until})).await;
    let queued = async |work: &Value| {
        let work = work.to_string();
        fleet.conductor_queue.texts().await.iter().filter(|text| **text == work).count()
    };
    let before = queued(&json!({"rollout": id})).await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.rollout(&id).await.status, Status::Filling);
    assert_eq!(queued(&json!({"rollout": id})).await, before + 1, "it is looked at when it is time");
    let described = unique_thing("just-before");
    fleet.runs(&described, "2.0.0").await;
    fleet.hand_conductor(&json!({"join": described})).await;
    assert_eq!(queued(&json!({"join": described})).await, 1, "to be asked when targets are written down");
    fleet.wait(MINUTE / 2);
    fleet.conduct(&id).await;
    assert_eq!(fleet.rollout(&id).await.status, Status::Ready);
    fleet.hand_conductor(&json!({"join": described})).await;
    let targets: BTreeSet<_> = fleet.executions(&id).await.into_keys().collect();
    assert_eq!(targets, BTreeSet::from([fleet.things[0].clone(), described.clone()]));
    assert_eq!(queued(&json!({"join": described})).await, 1);
}

#[tokio::test]
async fn a_rollout_that_an_older_conductor_half_filled_is_filled_to_its_end() {
    let fleet = Fleet::new(100).await;
    let id = fleet.half_filled("2.1.0", &one_wave()).await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["queued"; 100]);
    assert_eq!(fleet.rollout(&id).await.status, Status::Ready);
}

#[tokio::test]
async fn a_rollout_is_not_taken_for_filled_when_more_is_written_down_than_its_row_says() {
    let fleet = Fleet::new(2).await;
    let id = fleet.order("2.1.0", &one_wave(), &json!({})).await;
    fleet.write_down(&id, &fleet.things[..1]).await;
    fleet.conduct_in_vain(&id).await;
    assert_eq!(fleet.rollout(&id).await.status, Status::Filling);
    assert_eq!(fleet.executions(&id).await.len(), 1);
}

#[tokio::test]
async fn a_stop_takes_back_what_was_ordered_and_what_is_being_installed_ends_by_itself() {
    let fleet = Fleet::new(2).await;
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    let [installs, waits] = fleet.things.as_slice() else { panic!() };
    fleet.say(installs, &id, "installing").await;
    fleet.act(&id, "bob", "stop").await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["installing", "removed"]);
    assert_eq!(fleet.desired(waits).await, Value::Null);
    assert_eq!(fleet.rollout(&id).await.status.as_str(), "stopping");
    fleet.report(installs, "2.1.0").await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.rollout(&id).await.status.as_str(), "stopped");
    assert_eq!(fleet.states(&id).await, ["succeeded", "removed"]);
    assert_eq!(fleet.told(&format!("rollout#{id}")).await, STOPPED);
}

#[tokio::test]
async fn whoever_starts_pauses_or_stops_a_rollout_is_told_of_by_name_and_what_it_does_itself_has_none() {
    let fleet = Fleet::new(1).await;
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    fleet.act(&id, "bob", "pause").await;
    fleet.act(&id, "ann", "stop").await;
    fleet.conduct(&id).await;
    let events = fleet.events(&format!("rollout#{id}")).await;
    let seen = |event: &Value| {
        let data = &event["data"];
        [&event["type"], &data["by"], &data["status"], &data["reason"]]
            .map(|word| word.as_str().unwrap_or("-").to_owned())
    };
    let seen: Vec<_> = events.iter().map(|event| seen(event).join(" ")).collect();
    let expected = [
        "rollout.started ann running -",
        "rollout.wave-opened - running -",
        "rollout.paused bob paused operator",
        "rollout.stopping ann stopping operator",
        "rollout.stopped - stopped operator",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_silence_says_is_heard_before_anybody_else_is_asked() {
    let fleet = Fleet::new(3).await;
    // From the beginning of a minute.
    fleet.wait(MINUTE - fleet.now().as_millis().rem_euclid(MINUTE));
    let timers = json!({"perMinute": 1, "offlineMinutes": 30, "progressMinutes": 5});
    let id = fleet.started("2.1.0", &one_wave(), &timers).await;
    let asked = fleet.executions(&id).await.into_values().filter(|row| row.claimed_at.is_some());
    let asked: Vec<_> = asked.map(|row| row.thing).collect();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    fleet.say(asked, &id, "downloading").await;
    fleet.wait(6 * MINUTE);
    fleet.conduct(&id).await;
    assert_eq!(fleet.rollout(&id).await.status.as_str(), "stopped");
    let rows = fleet.executions(&id).await;
    assert_eq!(rows[asked].state().counter(), "timed-out");
    assert_eq!(rows.values().filter(|row| row.claimed_at.is_some()).count(), 1, "nobody was asked after it");
}

#[tokio::test]
async fn a_stop_takes_back_the_orders_of_things_that_were_given_up() {
    let fleet = Fleet::new(3).await;
    let waves = json!([{"size": "rest", "successPercent": 100, "errors": {"count": 3}}]);
    let timers = json!({"offlineMinutes": 10, "progressMinutes": 5});
    let id = fleet.started("2.1.0", &waves, &timers).await;
    let [stalls, done, away] = fleet.things.as_slice() else { panic!() };
    fleet.updates(done, &id, "2.1.0").await;
    fleet.say(stalls, &id, "downloading").await;
    fleet.wait(11 * MINUTE);
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["timed-out", "succeeded", "unreached"]);
    assert_eq!(fleet.desired(away).await["rollout"], json!(id), "while it is not stopped, it may come back");
    fleet.act(&id, "bob", "stop").await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.rollout(&id).await.status.as_str(), "stopped");
    assert_eq!(fleet.states(&id).await, ["timed-out", "succeeded", "unreached"]);
    for thing in [stalls, away] {
        assert_eq!(fleet.desired(thing).await, Value::Null);
        assert!(fleet.executions(&id).await[thing].withdrawn);
    }
}

#[tokio::test]
async fn a_job_ends_with_its_thing_and_that_of_a_thing_that_was_away_too_long_is_cancelled() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    fleet.register(thing).await;
    let by_job = json!({"delivery": "job", "offlineMinutes": 10, "progressMinutes": 7});
    let id = fleet.started("2.1.0", &one_wave(), &by_job).await;
    let row = fleet.executions(&id).await[thing].clone();
    assert_eq!(fleet.job_status(&row).await, "QUEUED");
    let (minutes, aborts) = fleet.job_limits(&row).await;
    assert_eq!(minutes, Some(7));
    assert_eq!(aborts, ["FAILED CANCEL 100 1", "REJECTED CANCEL 100 1", "TIMED_OUT CANCEL 100 1"]);
    fleet.wait(11 * MINUTE);
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["unreached"]);
    assert_eq!(fleet.job_status(&row).await, "CANCELED");
}

#[tokio::test]
async fn a_thing_that_can_take_no_order_is_done_with_and_says_why() {
    let fleet = Fleet::new(2).await;
    let [known, unknown] = fleet.things.as_slice() else { panic!() };
    fleet.register(known).await;
    let waves = json!([{"size": "rest", "successPercent": 50, "errors": {"count": 1}}]);
    let id = fleet.started("2.1.0", &waves, &json!({"delivery": "job"})).await;
    assert_eq!(fleet.states(&id).await, ["notified", "rejected"]);
    assert_eq!(fleet.executions(&id).await[unknown].reason(), Some("order-refused"));
    assert_eq!(fleet.told(unknown.as_str()).await, ["firmware.failed"]);
    fleet.register(unknown).await;
    fleet.act(&id, "ann", "retry").await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["notified"; 2]);
}

#[tokio::test]
async fn a_run_that_asks_stops_asking_when_more_than_the_limit_speak_against_it() {
    // Of none of them AWS IoT knows: each order is refused, 25 at a time.
    let fleet = Fleet::new(30).await;
    let id = fleet.started("2.1.0", &one_wave(), &json!({"delivery": "job"})).await;
    let states = fleet.states(&id).await;
    let count = |state: &str| states.iter().filter(|found| **found == state).count();
    assert_eq!((count("rejected"), count("removed")), (25, 5));
    assert_eq!(fleet.rollout(&id).await.status.as_str(), "stopped");
}

#[tokio::test]
async fn who_takes_a_thing_over_takes_back_what_its_own_order_does_not_replace() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    fleet.register(thing).await;
    let by_job = fleet.started("2.1.0", &one_wave(), &json!({"delivery": "job"})).await;
    let older = fleet.executions(&by_job).await[thing].clone();
    let by_shadow = fleet.started("2.2.0", &one_wave(), &json!({})).await;
    assert_eq!((fleet.states(&by_job).await, fleet.job_status(&older).await), (vec!["removed"], "CANCELED".to_owned()));
    assert_eq!(fleet.desired(thing).await["rollout"], json!(by_shadow));
    let again = fleet.started("2.3.0", &one_wave(), &json!({"delivery": "job"})).await;
    assert_eq!((fleet.states(&by_shadow).await, fleet.desired(thing).await), (vec!["removed"], Value::Null));
    assert_eq!(fleet.job_status(&fleet.executions(&again).await[thing]).await, "QUEUED");
}

#[tokio::test]
async fn who_is_too_old_is_shown_the_way_and_comes_to_the_target_by_it_and_a_retry() {
    let fleet = Fleet::new(2).await;
    let [old, new] = fleet.things.as_slice() else { panic!() };
    fleet.runs(old, "1.0.0").await;
    let step = fleet.world.published("1.5.0").await;
    let target = fleet.world.published_with("2.1.0", &json!({"minimumFrom": "1.5.0"})).await;
    let id = fleet.started_of(&target, &one_wave(), &json!({})).await;
    assert_eq!(fleet.states(&id).await, ["incompatible", "notified"]);
    let shown = fleet.world.get(&format!("/v1/rollouts/{id}/things")).await.json();
    let items = shown["items"].as_array().unwrap();
    let of = |name: &str| items.iter().find(|item| item["thing"] == name).unwrap().clone();
    let (too_old, other) = (of(old.as_str()), of(new.as_str()));
    let way = json!([{"releaseId": step, "version": "1.5.0"}, {"releaseId": target, "version": "2.1.0"}]);
    assert_eq!((&too_old["reason"], &too_old["running"]), (&json!("from-too-old"), &json!("1.0.0")));
    assert_eq!((&too_old["upgradePath"], &other["upgradePath"]), (&way, &Value::Null));
    let between = fleet.started_of(&step, &one_wave(), &json!({})).await;
    assert_eq!(fleet.states(&between).await, ["notified", "removed"]);
    fleet.updates(old, &between, "1.5.0").await;
    fleet.act(&id, "ann", "retry").await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["notified"; 2]);
    fleet.updates(old, &id, "2.1.0").await;
    assert_eq!(fleet.states(&id).await, ["succeeded", "notified"]);
}

#[tokio::test]
async fn a_rollout_of_nothing_is_stopped_before_anybody_approves_it() {
    let fleet = Fleet::new(0).await;
    let id = fleet.ordered("2.1.0", &one_wave(), &json!({})).await;
    let shown = fleet.world.get(&format!("/v1/rollouts/{id}")).await.json();
    assert_eq!(
        (&shown["status"], &shown["why"], &shown["things"]),
        (&json!("stopped"), &json!("no-targets"), &json!(0))
    );
    assert_eq!(fleet.told(&format!("rollout#{id}")).await, ["rollout.stopped"]);
}

#[tokio::test]
async fn each_live_rollout_is_asked_for_in_a_round_and_what_is_over_is_left_alone() {
    let fleet = Fleet::new(1).await;
    let id = fleet.ordered("2.1.0", &one_wave(), &json!({})).await;
    fleet.hand_conductor(&json!({"tick": true})).await;
    let round = json!({"round": id}).to_string();
    assert!(fleet.conductor_queue.texts().await.contains(&round));
    fleet.act(&id, "bob", "stop").await;
    fleet.conduct(&id).await;
    let rollout = fleet.rollout(&id).await;
    assert_eq!((rollout.status.as_str(), rollout.places().count()), ("stopped", 1));
    fleet.hand_conductor(&json!({"tick": true})).await;
    let rounds = fleet.conductor_queue.texts().await.iter().filter(|body| **body == round).count();
    assert_eq!(rounds, 1, "what is over is left alone");
}

#[tokio::test]
async fn a_rollout_is_forgotten_ninety_days_after_its_end_and_a_live_one_is_not() {
    let fleet = Fleet::new(1).await;
    fleet.runs(&fleet.things[0], "2.1.0").await;
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    assert_eq!(fleet.rollout(&id).await.status, Status::Completed);
    let live = fleet.ordered("2.2.0", &one_wave(), &json!({})).await;
    let asked = async || {
        fleet.hand_conductor(&json!({"tick": true})).await;
        fleet.conductor_queue.texts().await.iter().filter(|body| body.contains("forget")).count()
    };
    fleet.wait(90 * 24 * 60 * MINUTE - 10 * MINUTE);
    assert_eq!(asked().await, 0);
    fleet.wait(20 * MINUTE);
    assert_eq!(asked().await, 1);
    fleet.hand_conductor(&json!({"forget": live})).await;
    for _ in 0..2 {
        fleet.hand_conductor(&json!({"forget": id})).await;
    }
    assert_eq!(fleet.world.row(&format!("rollout#{id}"), "rollout").await, None);
    assert_eq!(fleet.world.row(&format!("things#{id}#0#0"), "tally").await, None);
    assert_eq!(fleet.executions(&live).await.len(), 1);
    assert_eq!(asked().await, 1, "it is in no list");
}

#[tokio::test]
async fn an_order_whose_run_died_goes_out_once_more_when_its_lease_is_over() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    // As if the run had died between the claim and the shadow.
    let executions = fleet.executions(&id).await;
    let mut claimed = executions[thing].clone();
    claimed.notified_at = None;
    let lease = firmware::execution::Lease { version: claimed.version, until: fleet.now().plus_millis(LEASE_MILLIS) };
    claimed.lease = Some(lease);
    fleet.rewrite(&id, &executions[thing], &claimed).await;
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["queued"]);
    fleet.wait(LEASE_MILLIS);
    fleet.conduct(&id).await;
    assert_eq!(fleet.states(&id).await, ["notified"]);
}

#[tokio::test]
async fn what_is_no_work_is_kept() {
    let fleet = Fleet::new(0).await;
    fleet.hand_conductor(&json!({"rollout": "x"})).await;
    let kept = fleet.dead_letters.texts().await;
    assert!(kept.len() == 1 && kept[0].contains("not-work"), "{kept:?}");
    fleet.hand_conductor(&json!({"rollout": "0".repeat(32)})).await;
    assert_eq!(fleet.dead_letters.texts().await.len(), 1, "one that is not there any more is no mistake");
}
