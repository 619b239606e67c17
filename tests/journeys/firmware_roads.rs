//! Firmware: the ways back that a rollout orders by itself, a wave that soaks, who joins late, and who is in its window.

use std::collections::{BTreeMap, BTreeSet};

use loam_device::ota::Fault;
use loam_domain::ThingName;
use loam_kit::now;
use serde_json::{Value, json};

use crate::firmware::{all, asked, one_wave};
use crate::fleet::{FACTORY, Fleet, act, count};

const MINUTE: i64 = 60_000;

/// Twelve hours, in minutes: so far from each other two clocks can be.
const HALF_A_DAY: i32 = 720;

/// What a rollout shows of one thing.
async fn shown(fleet: &Fleet, id: &str, thing: &ThingName) -> Value {
    let things = fleet.things(id, "").await;
    things.into_iter().find(|shown| shown["thing"] == thing.as_str()).unwrap()
}

/// The rollout that leads back to this release. It is ordered before the end of the one that it takes back is written.
async fn way_back_to(fleet: &Fleet, release: &str) -> Value {
    let mut cursor = String::new();
    loop {
        let page = fleet.operator().get(&format!("/v1/rollouts?limit=100{cursor}")).await.json();
        let leads_back = |rollout: &&Value| rollout["releaseId"] == release && rollout["downgrade"] == true;
        if let Some(way) = page["items"].as_array().unwrap().iter().find(leads_back) {
            return way.clone();
        }
        let Some(next) = page["cursor"].as_str() else { panic!("no way back to {release} was ordered") };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_rollout_that_stops_itself_leads_back_who_runs_its_release_without_being_asked() {
    let mut fleet = Fleet::new(2).await;
    let old = fleet.published("2.0.0", None).await;
    let id = fleet.created(&fleet.definition(&old, &one_wave())).await;
    fleet.start(&id).await;
    fleet.becomes(&id, "completed").await;
    fleet.report("2.0.0", 2).await;

    let bad = fleet.published("2.1.0", None).await;
    let [takes, refuses] = [0, 1].map(|at| fleet.nodes[at].thing.clone());
    fleet.switch_on(1, |settings| settings.fault = Some(Fault::SelfTest)).await;
    let waves = json!([
        {"size": {"list": [takes]}, "successPercent": 100, "errors": {"count": 0}},
        {"size": "rest", "successPercent": 100, "errors": {"count": 0}},
    ]);
    let mut definition = fleet.definition(&bad, &waves);
    definition["rollBack"] = json!(true);
    let id = fleet.created(&definition).await;
    fleet.start(&id).await;
    let stopped = fleet.becomes(&id, "stopped").await;
    assert_eq!((&stopped["why"], count(&stopped, 0, "succeeded")), (&json!("errors"), 1), "{stopped}");
    let failed = shown(&fleet, &id, &refuses).await;
    assert_eq!((&failed["state"], &failed["reason"]), (&json!("failed"), &json!("self-test")), "{failed}");

    let way = way_back_to(&fleet, &old).await;
    assert_eq!(way["approvedBy"], stopped["approvedBy"], "in the name of who approved what it takes back");
    let done = fleet.becomes(way["rolloutId"].as_str().unwrap(), "completed").await;
    assert_eq!(done["definition"]["targets"]["left"], json!({"rollout": id, "version": "2.0.0"}));
    assert_eq!((&done["things"], count(&done, 0, "succeeded")), (&json!(1), 1), "{done}");
    let back = shown(&fleet, way["rolloutId"].as_str().unwrap(), &takes).await;
    assert_eq!((&back["from"], &back["running"]), (&json!("2.1.0"), &json!("2.0.0")), "{back}");
    assert_eq!(fleet.versions().await, all("2.0.0", 2));
}

#[tokio::test]
async fn the_next_wave_opens_when_the_one_before_has_soaked_and_asks_nobody_earlier() {
    let fleet = Fleet::new(2).await;
    let release = fleet.published("2.0.0", None).await;
    let waves = json!([
        {"size": {"count": 1}, "successPercent": 100, "errors": {"count": 0}, "soakMinutes": 1},
        {"size": "rest", "successPercent": 100, "errors": {"count": 0}},
    ]);
    let id = fleet.created(&fleet.definition(&release, &waves)).await;
    fleet.start(&id).await;
    let soaks = fleet.shows(&id, "past its gate", |rollout| rollout["waves"][0]["gateAt"].is_i64()).await;
    assert_eq!((count(&soaks, 0, "succeeded"), count(&soaks, 1, "queued")), (1, 1), "{soaks}");
    let done = fleet.becomes(&id, "completed").await;
    let at = |pointer: &str| done.pointer(pointer).and_then(Value::as_i64).unwrap();
    let (gate, soaked, opened) = (at("/waves/0/gateAt"), at("/waves/0/soakedAt"), at("/waves/1/openedAt"));
    assert_eq!(soaked, gate + MINUTE);
    assert!(opened >= soaked, "it opened {} ms too early", soaked - opened);
    let second = fleet.things(&id, "&wave=2").await;
    let [second] = second.as_slice() else { panic!("{second:?}") };
    assert!(second["notifiedAt"].as_i64().unwrap() >= opened, "{second}");
    assert_eq!(fleet.versions().await, all("2.0.0", 2));
}

#[tokio::test]
async fn a_device_that_describes_itself_while_others_may_join_is_asked_and_installs() {
    let mut fleet = Fleet::new(1).await;
    let release = fleet.published("2.0.0", None).await;
    let until = now().plus_millis(30 * MINUTE).as_millis();
    let mut definition = fleet.definition(&release, &one_wave());
    definition["joinUntil"] = json!(until);
    let id = fleet.created(&definition).await;
    fleet.start(&id).await;
    fleet.shows(&id, "done for who was there", |rollout| count(rollout, 0, "succeeded") == 1).await;

    let late = fleet.grow().await;
    let both = fleet.shows(&id, "done for who came late", |rollout| count(rollout, 0, "succeeded") == 2).await;
    assert_eq!((&both["things"], &both["status"]), (&json!(2), &json!("running")), "more may come: {both}");
    let joined = shown(&fleet, &id, &late).await;
    assert_eq!((&joined["from"], &joined["running"]), (&json!(FACTORY), &json!("2.0.0")), "{joined}");
    assert!(joined["notifiedAt"].as_i64().unwrap() < until, "{joined}");
    assert_eq!(fleet.versions().await, all("2.0.0", 2));
    act(fleet.operator(), &id, "stop").await;
    fleet.becomes(&id, "stopped").await;
}

/// From an hour ago to two hours from now on every day, for whose clock is so far ahead of UTC.
fn open_for(offset_minutes: i32) -> Value {
    let minute = now().as_secs().div_euclid(60) + i64::from(offset_minutes) - 60;
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    json!({"days": days, "fromMinute": minute.rem_euclid(1_440), "minutes": 180})
}

#[tokio::test]
async fn of_two_devices_the_one_whose_own_clock_is_in_the_window_is_asked_and_installs() {
    let mut fleet = Fleet::new(2).await;
    let [near, far] = [0, 1].map(|at| fleet.nodes[at].thing.clone());
    fleet.switch_on(1, |settings| settings.utc_offset_minutes = Some(HALF_A_DAY)).await;
    let tag = json!({"tags": {"utcOffsetMinutes": HALF_A_DAY}});
    let answer = fleet.operator().send("PATCH", &format!("/v1/things/{far}"), &[], Some(&tag)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    fleet.are_listed(1, &format!("deviceId = '{far}' AND tags.utcOffsetMinutes = {HALF_A_DAY}")).await;

    let release = fleet.published("2.0.0", None).await;
    let mut definition = fleet.definition(&release, &one_wave());
    definition["window"] = open_for(HALF_A_DAY);
    let id = fleet.created(&definition).await;
    fleet.start(&id).await;
    let one = fleet.shows(&id, "done where its window is open", |rollout| count(rollout, 0, "succeeded") == 1).await;
    assert_eq!((count(&one, 0, "queued"), &one["status"]), (1, &json!("running")), "{one}");
    assert_eq!(asked(&fleet, &id).await, BTreeSet::from([far.to_string()]));
    assert!(!fleet.is_ordered(&id, near.as_str()).await);

    act(fleet.operator(), &id, "stop").await;
    let stopped = fleet.becomes(&id, "stopped").await;
    assert_eq!([count(&stopped, 0, "succeeded"), count(&stopped, 0, "removed")], [1, 1], "{stopped}");
    assert_eq!(fleet.versions().await, BTreeMap::from([(FACTORY.to_owned(), 1), ("2.0.0".to_owned(), 1)]));
}
