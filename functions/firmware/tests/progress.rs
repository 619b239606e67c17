//! What devices say, ask for and report, and the end of things, against the local AWS.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod fleet;
#[expect(dead_code, reason = "other tests use the rest of it")]
mod operators;

use loam_releases::names::Id;
use serde_json::{Value, json};

use crate::fleet::Fleet;

fn one_wave() -> Value {
    json!([{"size": "rest", "successPercent": 100, "errors": {"count": 1}, "soakMinutes": 0}])
}

fn event(kind: &str, thing: &str) -> String {
    json!({"id": "x.1", "type": kind, "thing": thing, "at": 7, "epoch": 1, "data": {}}).to_string()
}

#[tokio::test]
async fn words_of_another_rollout_and_of_things_that_have_none_change_nothing() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    fleet.say(thing, &Id::of("rollout", &["another"]), "failed").await;
    fleet.say(&loam_kit::unique_thing("stray"), &id, "failed").await;
    assert_eq!(fleet.states(&id).await, ["notified"]);
    assert_eq!(fleet.dead_letters.texts().await, [""; 0]);
}

#[tokio::test]
async fn what_a_thing_says_twice_and_late_counts_once_and_what_it_reports_counts_more() {
    let fleet = Fleet::new(2).await;
    let [thing, _] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    for state in ["verifying", "downloading", "verifying"] {
        fleet.say(thing, &id, state).await;
        assert_eq!(fleet.states(&id).await[0], "verifying");
    }
    fleet.say(thing, &id, "succeeded").await;
    assert_eq!(fleet.states(&id).await[0], "installing", "what it runs, it reports");
    fleet.say(thing, &id, "failed").await;
    fleet.report(thing, "2.1.0").await;
    assert_eq!(fleet.states(&id).await[0], "succeeded");
    fleet.report(thing, "2.0.0").await;
    assert_eq!(fleet.states(&id).await[0], "failed");
    assert_eq!(fleet.executions(&id).await[thing].reason(), Some("fell-back"));
    let told = fleet.told(thing.as_str()).await;
    assert_eq!(told, ["firmware.failed", "firmware.succeeded", "firmware.failed"]);
}

#[tokio::test]
async fn how_far_a_thing_is_is_shown_by_tens_of_percent_while_it_is_at_work() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    let topic = format!("loam/{thing}/firmware/{id}/progress");
    let shown = async || fleet.world.get(&format!("/v1/rollouts/{id}/things")).await.json()["items"][0].clone();
    for percent in [0, 47, 30] {
        fleet.publish(thing, &topic, &json!({"state": "downloading", "percent": percent})).await;
    }
    let at_work = shown().await;
    assert_eq!((&at_work["state"], &at_work["percent"]), (&json!("downloading"), &json!(40)));
    fleet.publish(thing, &topic, &json!({"state": "failed", "reasonCode": "self-test"})).await;
    assert_eq!(shown().await.get("percent"), None);
}

#[tokio::test]
async fn a_failure_with_an_odd_reason_code_counts_at_once() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    let said = json!({"state": "failed", "reasonCode": "flash is full"});
    fleet.publish(thing, &format!("loam/{thing}/firmware/{id}/progress"), &said).await;
    assert_eq!(fleet.states(&id).await, ["failed"]);
    assert_eq!(fleet.executions(&id).await[thing].reason(), Some("odd-reason-code"));
    assert_eq!(fleet.dead_letters.texts().await, [""; 0]);
}

#[tokio::test]
async fn a_request_for_a_sealed_image_whose_head_is_gone_is_done_with_and_asked_again_by_the_device() {
    let fleet = Box::pin(Fleet::new(1)).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let mut descriptor = fleet.world.descriptor("2.2.0");
    descriptor["sealed"] = json!(true);
    let release = fleet.world.upload("sealed", &descriptor, b"image").await;
    let answer = fleet.world.post("ann", &format!("/v1/releases/{release}/publish"), "\"1\"").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let id = fleet.started("2.1.0", &one_wave(), &json!({"release": release})).await;
    let head = aws_sdk_s3::Client::new(&fleet.world.admin).delete_object();
    let head = head.bucket(&fleet.world.intake.firmware_bucket).key(format!("images/{release}.head"));
    head.send().await.unwrap();
    // It is handed over once; a message that fails would fail this.
    fleet.publish(thing, &format!("loam/{thing}/firmware/{id}/request"), &json!({"attempt": 1})).await;
    assert_eq!(fleet.states(&id).await, ["notified"]);
    assert_eq!(fleet.dead_letters.texts().await, [""; 0]);
}

#[tokio::test]
async fn a_request_of_a_device_that_went_away_again_is_answered_by_nothing_and_one_after_the_stop_neither() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    let topic = format!("loam/{thing}/firmware/{id}/request");
    fleet.publish(thing, &topic, &json!({"attempt": 1})).await;
    let assignment = fleet.world.row(thing.as_str(), "assignment").await.unwrap();
    let assignment: Value = serde_json::from_str(assignment["assignment"].as_s().unwrap()).unwrap();
    let manifest = fleet.rollout(&id).await.manifest.unwrap();
    assert_eq!(assignment["sequence"], manifest.sequence);
    fleet.act(&id, "bob", "stop").await;
    fleet.publish(thing, &topic, &json!({"attempt": 1})).await;
    assert_eq!(fleet.dead_letters.texts().await, [""; 0]);
}

#[tokio::test]
async fn a_manifest_that_ended_is_signed_anew_for_things_that_were_away_for_long() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    fleet.act(&id, "bob", "pause").await;
    let before = fleet.rollout(&id).await.manifest.unwrap();
    fleet.wait(31 * 24 * 3_600_000);
    let topic = format!("loam/{thing}/firmware/{id}/request");
    fleet.publish(thing, &topic, &json!({})).await;
    let work = json!({"sign": id});
    assert!(fleet.conductor_queue.texts().await.contains(&work.to_string()));
    fleet.hand_conductor(&work).await;
    let after = fleet.rollout(&id).await.manifest.unwrap();
    assert!(after.sequence > before.sequence && after.not_after > fleet.now());
    fleet.publish(thing, &topic, &json!({})).await;
    let assignment = fleet.world.row(thing.as_str(), "assignment").await.unwrap();
    assert!(assignment["assignment"].as_s().unwrap().contains(&format!("\"sequence\":{}", after.sequence)));
}

#[tokio::test]
async fn a_thing_that_retires_is_taken_out_and_forgotten_but_for_the_evidence() {
    let fleet = Fleet::new(2).await;
    let [open, done] = fleet.things.as_slice() else { panic!() };
    let id = fleet.started("2.1.0", &one_wave(), &json!({})).await;
    fleet.updates(done, &id, "2.1.0").await;
    for thing in [open, done] {
        // Twice, and once more after the thing's end.
        fleet.hand_progress(event("thing.retiring", thing.as_str())).await;
        fleet.hand_progress(event("thing.retiring", thing.as_str())).await;
        fleet.hand_progress(event("thing.retired", thing.as_str())).await;
        fleet.hand_progress(json!({"erase": thing}).to_string()).await;
        assert_eq!(fleet.world.row(thing.as_str(), "assignment").await, None);
        assert_eq!(fleet.told(thing.as_str()).await, [""; 0]);
    }
    assert_eq!(fleet.states(&id).await, ["removed", "succeeded"]);
    fleet.say(open, &id, "failed").await;
    assert_eq!(fleet.states(&id).await, ["removed", "succeeded"]);
}

#[tokio::test]
async fn a_thing_that_describes_itself_may_come_to_be_a_target() {
    let fleet = Fleet::new(1).await;
    let [thing] = fleet.things.as_slice() else { panic!() };
    fleet.hand_progress(event("thing.described", thing.as_str())).await;
    assert_eq!(fleet.conductor_queue.texts().await, [""; 0], "it has no record");
    loam_kit::register(&fleet.records, thing).await;
    fleet.hand_progress(event("thing.described", thing.as_str())).await;
    assert_eq!(fleet.conductor_queue.texts().await, [""; 0], "there is nothing that it could join");
    fleet.ordered("2.1.0", &one_wave(), &json!({})).await;
    fleet.hand_progress(event("thing.described", thing.as_str())).await;
    let join = json!({"join": thing}).to_string();
    assert!(!fleet.conductor_queue.texts().await.contains(&join), "nobody may join it");
    let until = loam_kit::now().plus_millis(3_600_000);
    fleet.ordered("2.2.0", &one_wave(), &json!({"joinUntil": until})).await;
    fleet.hand_progress(event("thing.described", thing.as_str())).await;
    assert!(fleet.conductor_queue.texts().await.contains(&join));
    fleet.hand_progress(event("thing.unpaired", thing.as_str())).await;
    assert_eq!(fleet.dead_letters.texts().await, [""; 0]);
}

#[tokio::test]
async fn what_nobody_understands_is_kept_with_its_reason() {
    let fleet = Fleet::new(0).await;
    let thing = loam_kit::unique_thing("odd");
    fleet.publish(&thing, &format!("loam/{thing}/firmware/x/progress"), &json!({})).await;
    let id = Id::of("rollout", &["r"]);
    fleet.say(&thing, &id, "exploded").await;
    fleet.hand_progress("{}".to_owned()).await;
    let kept = fleet.dead_letters.texts().await;
    let codes = kept.iter().map(|letter| serde_json::from_str::<Value>(letter).unwrap()["code"].clone());
    assert_eq!(codes.collect::<Vec<_>>(), [json!("unknown-topic"), json!("not-progress"), json!("not-a-rule-message")]);
}
