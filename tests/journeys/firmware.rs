//! Firmware: thirty devices in three waves, releases that stop themselves and are led back, devices that were away, jobs,
//! sealed images, forgeries, and operators in each other's way.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_iot::types::JobExecutionStatus;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_device::ota::Fault;
use loam_kit::{Inbox, eventually_within, figure};
use loam_releases::names::Digest;
use loam_releases::signature::{Keyring, PublicKey};
use serde_json::{Value, json};

use crate::fleet::{FACTORY, Fleet, act, count, long, try_to};

/// In three waves: these, eight more, the rest. More errors than that of the second one stop it.
fn three_waves(first: &[String], errors: u32) -> Value {
    json!([
        {"size": {"list": first}, "successPercent": 100, "errors": {"count": 0}},
        {"size": {"count": 8}, "successPercent": 75, "errors": {"count": errors}},
        {"size": "rest", "successPercent": 100, "errors": {"count": 0}},
    ])
}

/// All at once, and whatever happens.
pub(crate) fn one_wave() -> Value {
    json!([{"size": "rest", "successPercent": 1, "errors": {"count": 1_000}}])
}

pub(crate) fn all(version: &str, devices: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(version.to_owned(), devices)])
}

fn sizes(rollout: &Value) -> Vec<u64> {
    rollout["waves"].as_array().unwrap().iter().map(|wave| wave["things"].as_u64().unwrap()).collect()
}

/// The things that were asked, by their names.
pub(crate) async fn asked(fleet: &Fleet, id: &str) -> BTreeSet<String> {
    let things = fleet.things(id, "").await;
    let asked = things.iter().filter(|thing| !thing["notifiedAt"].is_null());
    asked.map(|thing| thing["thing"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_devices_take_a_good_release_in_three_waves_and_are_spared_bad_ones() {
    let mut fleet = Fleet::new(30).await;
    let first: Vec<String> = fleet.nodes.iter().take(2).map(|node| node.thing.to_string()).collect();
    Box::pin(a_good_release_comes_to_all(&fleet, &first)).await;
    Box::pin(one_that_is_bad_everywhere_reaches_two(&fleet, &first)).await;
    Box::pin(one_that_is_bad_for_some_reaches_ten_and_is_led_back(&mut fleet, &first)).await;
}

async fn a_good_release_comes_to_all(fleet: &Fleet, first: &[String]) {
    let release = fleet.published("2.0.0", None).await;
    let id = fleet.created(&fleet.definition(&release, &three_waves(first, 0))).await;
    fleet.start(&id).await;
    for (wave, things) in [2, 8, 20].into_iter().enumerate() {
        let what = format!("past wave {wave}");
        let gate = format!("/waves/{wave}/gateAt");
        let rollout = fleet.shows(&id, &what, |rollout| rollout.pointer(&gate).is_some()).await;
        assert!(wave == 1 || count(&rollout, wave, "succeeded") == things, "{rollout}");
    }
    let done = fleet.becomes(&id, "completed").await;
    assert_eq!((sizes(&done), count(&done, 1, "succeeded")), (vec![2, 8, 20], 8));
    assert_eq!(fleet.versions().await, all("2.0.0", 30));
    assert_eq!(fleet.things(&id, "&state=succeeded&wave=3").await.len(), 20);
    fleet.report("2.0.0", 30).await;
}

/// Each device that starts it finds that it does not work, and starts the old one again.
async fn one_that_is_bad_everywhere_reaches_two(fleet: &Fleet, first: &[String]) {
    let release = fleet.published("3.0.0", Some("self-test")).await;
    let id = fleet.created(&fleet.definition(&release, &three_waves(first, 0))).await;
    fleet.start(&id).await;
    let stopped = fleet.becomes(&id, "stopped").await;
    assert_eq!(stopped["why"], "errors");
    assert!(count(&stopped, 0, "failed") >= 1, "{stopped}");
    assert_eq!([count(&stopped, 1, "removed"), count(&stopped, 2, "removed")], [8, 20], "{stopped}");
    let failed = fleet.things(&id, "&state=failed").await;
    assert!(failed.iter().all(|thing| thing["reason"] == "self-test" && thing["running"] == "2.0.0"), "{failed:?}");
    let asked = asked(fleet, &id).await;
    figure(&format!("firmware journey: a release that is bad everywhere reached {} of 30", asked.len()));
    assert!(asked.iter().all(|thing| first.contains(thing)), "{asked:?}");
    for node in &fleet.nodes {
        assert!(asked.contains(node.thing.as_str()) || !fleet.is_ordered(&id, node.thing.as_str()).await);
    }
    assert_eq!(fleet.versions().await, all("2.0.0", 30));
    let seen = fleet.operator().get(&format!("/v1/rollouts/{id}")).await;
    let back = try_to(fleet.operator(), &id, "rollback", seen.header("etag")).await;
    assert_eq!((back.status, back.code().as_str()), (409, "nothing-to-roll-back"), "they went back by themselves");
}

/// Four of the second wave reach nobody with it; who keeps it is led back.
async fn one_that_is_bad_for_some_reaches_ten_and_is_led_back(fleet: &mut Fleet, first: &[String]) {
    let release = fleet.published("2.1.0", None).await;
    let id = fleet.created(&fleet.definition(&release, &three_waves(first, 1))).await;
    let second = fleet.things(&id, "&wave=2").await;
    let bad: BTreeSet<&str> = second.iter().take(4).map(|thing| thing["thing"].as_str().unwrap()).collect();
    for at in 0..fleet.nodes.len() {
        if bad.contains(fleet.nodes[at].thing.as_str()) {
            // Later than the others have shown that it works for them.
            let reaches_nobody = (Some(Fault::Connect), Duration::from_secs(25));
            fleet.switch_on(at, |settings| (settings.fault, settings.trial) = reaches_nobody).await;
        }
    }
    fleet.start(&id).await;
    fleet.shows(&id, "good for four of wave 2", |rollout| count(rollout, 1, "succeeded") == 4).await;
    let stopped = fleet.becomes(&id, "stopped").await;
    assert_eq!((&stopped["why"], count(&stopped, 0, "succeeded")), (&json!("errors"), 2), "{stopped}");
    let (failed, removed) = (count(&stopped, 1, "failed"), count(&stopped, 1, "removed"));
    assert!(failed >= 2 && failed + removed == 4, "{stopped}");
    assert_eq!(count(&stopped, 2, "removed"), 20);
    let asked = asked(fleet, &id).await;
    figure(&format!("firmware journey: a release that is bad for some reached {} of 30", asked.len()));
    let may: BTreeSet<String> = second.iter().map(|thing| thing["thing"].as_str().unwrap().to_owned()).collect();
    assert!(asked.iter().all(|thing| may.contains(thing) || first.contains(thing)), "{asked:?}");
    fleet.report("2.1.0", 6).await;

    let back = act(&fleet.second, &id, "rollback").await;
    let [way] = back["rollouts"].as_array().unwrap().as_slice() else { panic!("{back}") };
    let done = fleet.becomes(way.as_str().unwrap(), "completed").await;
    assert_eq!((sizes(&done), count(&done, 0, "succeeded")), (vec![6], 6), "{done}");
    assert_eq!((&done["downgrade"], fleet.versions().await), (&json!(true), all("2.0.0", 30)));
}

#[tokio::test]
async fn a_device_that_was_away_during_two_rollouts_comes_to_the_newer_one_alone() {
    let mut fleet = Fleet::new(2).await;
    let away = fleet.nodes[1].thing.to_string();
    fleet.nodes[1].switch_off().await;
    let (older, newer) = (fleet.published("2.0.0", None).await, fleet.published("3.0.0", None).await);
    let first = fleet.created(&fleet.definition(&older, &one_wave())).await;
    fleet.start(&first).await;
    fleet
        .shows(&first, "done where it can be", |shown| {
            count(shown, 0, "succeeded") == 1 && count(shown, 0, "notified") == 1
        })
        .await;
    let second = fleet.created(&fleet.definition(&newer, &one_wave())).await;
    fleet.start(&second).await;
    let over = fleet.becomes(&first, "completed").await;
    assert_eq!([count(&over, 0, "succeeded"), count(&over, 0, "removed")], [1, 1], "{over}");
    assert_eq!(fleet.things(&first, "&state=removed").await[0]["reason"], "superseded");
    fleet.shows(&second, "waiting for one", |shown| count(shown, 0, "succeeded") == 1).await;

    fleet.switch_on(1, |_| {}).await;
    let done = fleet.becomes(&second, "completed").await;
    assert_eq!(count(&done, 0, "succeeded"), 2);
    let things = fleet.things(&second, "").await;
    let back = things.iter().find(|thing| thing["thing"] == away.as_str()).unwrap();
    assert_eq!((&back["from"], &back["running"]), (&json!(FACTORY), &json!("3.0.0")), "{back}");
    assert_eq!(fleet.versions().await, all("3.0.0", 2));
}

#[tokio::test]
async fn by_jobs_devices_get_what_others_get_by_their_shadows() {
    let fleet = Fleet::new(2).await;
    let release = fleet.published("2.0.0", None).await;
    let mut definition = fleet.definition(&release, &one_wave());
    definition["delivery"] = json!("job");
    let id = fleet.created(&definition).await;
    fleet.start(&id).await;
    let done = fleet.becomes(&id, "completed").await;
    assert_eq!((count(&done, 0, "succeeded"), fleet.versions().await), (2, all("2.0.0", 2)));
    for node in &fleet.nodes {
        eventually_within(long(), "the device ends its job", async || {
            let list = fleet.newcomers.iot.list_job_executions_for_thing().thing_name(node.thing.as_str());
            let found = list.send().await.unwrap().execution_summaries.unwrap_or_default();
            let [one] = found.as_slice() else { panic!("{found:?}") };
            let summary = one.job_execution_summary.as_ref().unwrap();
            (summary.status == Some(JobExecutionStatus::Succeeded)).then_some(())
        })
        .await;
        assert!(!fleet.is_ordered(&id, node.thing.as_str()).await);
    }
}

#[tokio::test]
async fn a_sealed_release_travels_sealed_runs_on_its_devices_and_is_refused_when_a_byte_of_it_was_changed() {
    let fleet = Fleet::new(2).await;
    let release = fleet.published_sealed("2.0.0").await;
    let listed = fleet.operator().get(&format!("/v1/releases?channel={}", fleet.hardware)).await.json();
    assert_eq!(listed["items"][0]["sealed"], true, "{listed}");
    let sha256 = listed["items"][0]["sha256"].as_str().unwrap();
    assert_eq!(fleet.object(&format!("images/{sha256}")).await, None, "it is kept sealed only");
    let mut by_job = fleet.definition(&release, &one_wave());
    by_job["delivery"] = json!("job");
    let refused = fleet.operator().post("/v1/rollouts", &by_job).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "sealed-by-job"), "{}", refused.body);
    let id = fleet.created(&fleet.definition(&release, &one_wave())).await;
    fleet.start(&id).await;
    let done = fleet.becomes(&id, "completed").await;
    assert_eq!((count(&done, 0, "succeeded"), fleet.versions().await), (2, all("2.0.0", 2)));

    // The second frame of the next one.
    let release = fleet.published_sealed("2.1.0").await;
    let key = format!("images/{release}.sealed");
    let mut body = fleet.object(&key).await.unwrap();
    body[80_000] ^= 1;
    fleet.put(&key, body).await;
    let waves = json!([{"size": "rest", "successPercent": 1, "errors": {"count": 1}}]);
    let id = fleet.created(&fleet.definition(&release, &waves)).await;
    fleet.start(&id).await;
    let stopped = fleet.becomes(&id, "stopped").await;
    assert_eq!((&stopped["why"], count(&stopped, 0, "rejected")), (&json!("errors"), 2), "{stopped}");
    let rejected = fleet.things(&id, "&state=rejected").await;
    assert!(rejected.iter().all(|thing| thing["reason"] == "frame-not-authentic"), "{rejected:?}");
    assert_eq!(fleet.versions().await, all("2.0.0", 2));
}

/// The public half of somebody else's key.
const STRANGER: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkmOKyKXLtlw4EdSzwTSN/0FqyPfaltDF4BpHGcfJHQmzXYCyMAtgn6/GMZZF+ZQpCCXPSkfSmAGWsKCSQ/gK4Q==";

#[tokio::test]
async fn what_was_forged_is_refused_by_each_device_with_its_reason_and_stops_the_rollout() {
    let mut fleet = Fleet::new(3).await;
    let strict = fleet.nodes[2].thing.to_string();
    let stranger = PublicKey::from_spki(&STANDARD.decode(STRANGER).unwrap()).unwrap();
    fleet.switch_on(2, |settings| settings.keys = Keyring::new(vec![stranger]).unwrap()).await;
    let release = fleet.published("2.0.0", None).await;
    // Whoever may write into the bucket, or stands on the way, brings another image of the same length.
    let listed = fleet.operator().get(&format!("/v1/releases?channel={}", fleet.hardware)).await.json();
    let (size, sha256) = (&listed["items"][0]["size"], listed["items"][0]["sha256"].as_str().unwrap());
    let forged = vec![7; usize::try_from(size.as_u64().unwrap()).unwrap()];
    assert_ne!(Digest::of(&forged).to_string(), sha256);
    fleet.put(&format!("images/{sha256}"), forged).await;

    let waves = json!([{"size": "rest", "successPercent": 1, "errors": {"count": 2}}]);
    let id = fleet.created(&fleet.definition(&release, &waves)).await;
    fleet.start(&id).await;
    let stopped = fleet.becomes(&id, "stopped").await;
    assert_eq!((&stopped["why"], count(&stopped, 0, "rejected")), (&json!("errors"), 3), "{stopped}");
    for thing in fleet.things(&id, "&state=rejected").await {
        let reason = if thing["thing"] == strict.as_str() { "unknown-signer" } else { "image-digest" };
        assert_eq!(thing["reason"], reason, "{thing}");
    }
    assert_eq!(fleet.versions().await, all(FACTORY, 3));
}

/// What the mailbox of those who roll firmware out gets, of whatever rollout.
async fn rollout_mails(fleet: &Fleet) -> Inbox {
    let kinds = ["rollout.wave-passed", "rollout.paused", "rollout.stopping", "rollout.stopped", "rollout.completed"];
    Inbox::of_types(&fleet.newcomers.admin, fleet.newcomers.stack.output("EventsTopic"), &kinds).await
}

/// Waits until exactly these kinds of mail have come about this rollout, and takes the mailbox down.
async fn are_mailed(mails: &Inbox, id: &str, kinds: &[&str]) {
    let came = RefCell::new(BTreeSet::new());
    let wanted: BTreeSet<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    eventually_within(long(), &format!("{kinds:?} are mailed"), async || {
        let taken = mails.take().await;
        let events = taken.iter().map(|mail| serde_json::from_str::<Value>(&mail.message).unwrap());
        let ours = events.filter(|event| event["data"]["rolloutId"] == id);
        came.borrow_mut().extend(ours.map(|event| event["type"].as_str().unwrap().to_owned()));
        (came.borrow().len() >= wanted.len()).then_some(())
    })
    .await;
    mails.close().await;
    assert_eq!(came.into_inner(), wanted);
}

#[tokio::test]
async fn operators_pause_go_on_and_stop_one_at_a_time_and_who_was_away_is_not_asked_any_more() {
    let mut fleet = Fleet::new(3).await;
    for node in &mut fleet.nodes {
        node.switch_off().await;
    }
    let release = fleet.published("2.0.0", None).await;
    let mut definition = fleet.definition(&release, &one_wave());
    definition["perMinute"] = json!(2);
    let mails = rollout_mails(&fleet).await;
    let id = fleet.created(&definition).await;
    let (ann, bob) = (fleet.operator(), &fleet.second);
    let path = format!("/v1/rollouts/{id}");
    let ready = ann.get(&path).await.header("etag").to_owned();
    let own = try_to(ann, &id, "approve", &ready).await;
    assert_eq!((own.status, own.code().as_str()), (403, "own-rollout"));
    assert_eq!(ann.post(&format!("{path}/start"), &json!({})).await.status, 428, "what was seen must be said");
    assert_eq!(act(bob, &id, "approve").await["status"], "approved");
    assert_eq!(try_to(ann, &id, "start", &ready).await.status, 412, "it was approved meanwhile");
    let approved = ann.get(&path).await.header("etag").to_owned();
    let (one, other) = tokio::join!(try_to(ann, &id, "start", &approved), try_to(bob, &id, "start", &approved));
    assert_eq!(BTreeSet::from([one.status, other.status]), BTreeSet::from([200, 412]), "{} {}", one.body, other.body);

    fleet.shows(&id, "under way", |rollout| count(rollout, 0, "notified") >= 2).await;
    assert_eq!(act(bob, &id, "pause").await["why"], "operator");
    assert_eq!(act(ann, &id, "resume").await["status"], "running");
    assert_eq!(act(bob, &id, "stop").await["status"], "stopping");
    let stopped = fleet.becomes(&id, "stopped").await;
    assert_eq!((&stopped["why"], count(&stopped, 0, "removed")), (&json!("operator"), 3), "{stopped}");
    let asked = asked(&fleet, &id).await;
    assert!(asked.len() >= 2, "{asked:?}");
    are_mailed(&mails, &id, &["rollout.paused", "rollout.stopping", "rollout.stopped"]).await;
    for at in 0..fleet.nodes.len() {
        let thing = fleet.nodes[at].thing.to_string();
        assert!(!fleet.is_ordered(&id, &thing).await, "the order for {thing} was not taken back");
        fleet.switch_on(at, |_| {}).await;
    }
    assert_eq!(fleet.versions().await, all(FACTORY, 3));
}
