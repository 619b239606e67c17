//! The handlers against the local AWS, each under its function's own role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod api;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loam_domain::EventType;
use loam_kit::{Budget, number_of};
use loam_runtime::Failure as _;
use loam_things::LifeCycle;
use onboarding::retire::CAPABILITIES;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use world::{World, invocation, message};

fn attributes(version: &str) -> BTreeMap<String, String> {
    [("manufacturerName", "Acme_Gardens"), ("modelName", "Moist_2"), ("version", version)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[tokio::test]
async fn the_first_description_fills_catalog_registry_and_shadow_and_onboards_the_thing() {
    let desired = json!({"interval": 30}).as_object().cloned();
    let world = World::with("first", desired, None).await;
    let mut description = world.description("1");
    description["capabilities"] = json!(["soil"]);
    description["colour"] = json!("green");
    world.deliver(0, &description).await.unwrap();
    assert_eq!(world.item().await.unwrap(), world.description("1"));
    assert_eq!(world.attributes().await.unwrap(), attributes("1"));
    let reported = json!({"manufacturerName": "Acme Gardens", "modelName": "Moist 2", "version": "1"});
    let shadow = world.shadow().await.unwrap();
    assert_eq!((&shadow["desired"], &shadow["reported"]), (&json!({"interval": 30}), &reported));
    let record = world.record().await;
    assert_eq!((record.state, record.shadow_seeded), (LifeCycle::Onboarded, true));
    assert_eq!(record.capabilities.unwrap().into_iter().collect::<Vec<_>>(), ["soil"]);
    let told = [EventType::ThingRegistered, EventType::ThingActive, EventType::ThingOnboarded];
    assert_eq!(world.told().await, told);
}

#[tokio::test]
async fn a_description_that_comes_again_changes_nothing() {
    let world = World::new("again").await;
    world.deliver(0, &world.description("1")).await.unwrap();
    let before = (world.record().await, world.shadow().await);
    world.deliver(0, &world.description("1")).await.unwrap();
    assert_eq!((world.record().await, world.shadow().await), before);
}

#[tokio::test]
async fn a_later_description_changes_catalog_and_registry_and_leaves_the_shadow() {
    let world = World::new("later").await;
    world.deliver(0, &world.description("1")).await.unwrap();
    let shadow = world.shadow().await;
    world.write_shadow(None, &json!({"reported": {"version": null}})).await;
    world.deliver(1, &world.description("2")).await.unwrap();
    assert_eq!(world.item().await.unwrap(), world.description("2"));
    assert_eq!(world.attributes().await.unwrap(), attributes("2"));
    assert_ne!(world.shadow().await, shadow);
    assert!(world.shadow().await.unwrap()["reported"].get("version").is_none());
    assert_eq!(world.told().await.last(), Some(&EventType::ThingDescribed));
}

#[tokio::test]
async fn a_description_that_was_overtaken_changes_nothing() {
    let world = World::new("stale").await;
    world.deliver(1, &world.description("2")).await.unwrap();
    world.deliver(0, &world.description("1")).await.unwrap();
    assert_eq!(world.item().await.unwrap(), world.description("2"));
    assert_eq!(world.attributes().await.unwrap(), attributes("2"));
}

#[tokio::test]
async fn what_presence_and_people_put_into_the_shadow_before_stays() {
    let desired = json!({"interval": 30, "mode": "eco"}).as_object().cloned();
    let world = World::with("shadow", desired, None).await;
    world.write_shadow(None, &json!({"desired": {"interval": 60}, "reported": {"connected": true}})).await;
    world.deliver(0, &world.description("1")).await.unwrap();
    let shadow = world.shadow().await.unwrap();
    assert_eq!(shadow["desired"], json!({"interval": 60, "mode": "eco"}));
    assert_eq!((&shadow["reported"]["connected"], &shadow["reported"]["version"]), (&json!(true), &json!("1")));
}

#[tokio::test]
async fn the_attributes_of_others_stay_and_keep_their_room() {
    let world = World::new("room").await;
    let others =
        aws_sdk_iot::types::AttributePayload::builder().attributes("site", "x").attributes("line", "y").build();
    world.iot.update_thing().thing_name(world.thing.as_str()).attribute_payload(others).send().await.unwrap();
    world.deliver(0, &world.description("1")).await.unwrap();
    let attributes = world.attributes().await.unwrap();
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["line", "manufacturerName", "site"]);
}

#[tokio::test]
async fn a_client_that_is_no_thing_of_ours_is_left_alone() {
    let world = World::empty("foreign").await;
    world.iot.create_thing().thing_name(world.thing.as_str()).send().await.unwrap();
    world.deliver(0, &world.description("1")).await.unwrap();
    assert_eq!((world.item().await, world.shadow().await, world.letters().await), (None, None, 0));
    assert_eq!(world.attributes().await, Some(BTreeMap::new()));
}

#[tokio::test]
async fn a_refused_description_is_kept_with_its_code_and_nothing_of_it_is_stored() {
    let world = World::new("refused").await;
    let mut description = world.description("1");
    description["clientId"] = json!("soilSensor2");
    world.deliver(0, &description).await.unwrap();
    let kept = world.kept().await;
    assert_eq!((&kept["code"], &kept["keptBy"]), (&json!("not-itself"), &json!("onboarding")));
    assert_eq!(kept["event"], world.event(0, description.to_string().as_bytes()));
    assert_eq!((world.item().await, world.record().await.described_at), (None, None));
}

#[tokio::test]
async fn a_thing_that_somebody_deleted_from_the_registry_fails_with_its_code() {
    let world = World::new("deleted").await;
    let thing = world.thing.as_str();
    world.iot.detach_thing_principal().thing_name(thing).principal(&world.arn).send().await.unwrap();
    world.iot.delete_thing().thing_name(thing).send().await.unwrap();
    let failure = world.deliver(0, &world.description("1")).await.unwrap_err();
    assert_eq!(failure.code(), "thing-not-in-registry");
}

#[tokio::test]
async fn a_retirement_leaves_nothing_and_ends_when_everybody_acknowledged() {
    let world = World::new("retire").await;
    world.deliver(0, &world.description("1")).await.unwrap();
    world.write_shadow(Some("config"), &json!({"reported": {"a": 1}})).await;
    assert_eq!(world.left().await.len(), 6);
    assert_eq!(world.retire().await.unwrap(), "nothing-to-do");
    world.begin_retirement(&CAPABILITIES).await;
    assert_eq!(world.retire().await.unwrap(), "awaits-others");
    assert_eq!(world.left().await, [""; 0]);
    // Another capability writes a shadow at its last moment.
    world.write_shadow(None, &json!({"reported": {"connected": false}})).await;
    world.others_acknowledge().await;
    // The deployed function hears of our acknowledgement and may be faster.
    assert!(["retired", "nothing-to-do"].contains(&world.retire().await.unwrap()));
    assert_eq!((world.record().await.state, world.left().await.len()), (LifeCycle::Retired, 0));
    assert_eq!(world.retire().await.unwrap(), "nothing-to-do");
    world.deliver(1, &world.description("2")).await.unwrap();
    assert_eq!(world.left().await.len(), 0);
}

#[tokio::test]
async fn a_certificate_that_is_attached_elsewhere_makes_the_event_come_again() {
    let world = World::new("attached").await;
    let (other, retirer) = (format!("{}-other", world.thing), world.retirer.clone().waiting(Duration::from_millis(1)));
    world.iot.create_thing().thing_name(&other).send().await.unwrap();
    world.iot.attach_thing_principal().thing_name(&other).principal(&world.arn).send().await.unwrap();
    world.begin_retirement(&CAPABILITIES).await;
    let failure = world.retire_with(&retirer).await.unwrap_err();
    assert_eq!(failure.code(), "certificate-still-attached");
    world.iot.detach_thing_principal().thing_name(&other).principal(&world.arn).send().await.unwrap();
    assert_eq!(world.retire_with(&retirer).await.unwrap(), "awaits-others");
    assert_eq!(world.left().await.len(), 0);
}

#[tokio::test]
async fn a_message_that_is_no_event_of_a_thing_is_kept_and_does_not_come_again() {
    let world = World::new("odd").await;
    let body = json!({"odd": format!("/{}/", world.thing)}).to_string();
    assert_eq!(world.retirer.handle(message(&body), &invocation()).await.unwrap(), [""; 0]);
    assert_eq!(world.kept().await["code"], "not-an-event");
}

#[tokio::test]
async fn eight_at_once_retire_a_thing_once() {
    let world = World::new("rivals").await;
    world.begin_retirement(&CAPABILITIES[..1]).await;
    let rivals = (0..8).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.retire().await.is_ok() })
    });
    for rival in rivals.collect::<Vec<_>>() {
        rival.await.unwrap();
    }
    assert!(["retired", "nothing-to-do"].contains(&world.retire().await.unwrap()));
    assert_eq!(world.left().await.len(), 0);
    let ends = world.told().await.into_iter().filter(|kind| *kind == EventType::ThingRetired).count();
    assert_eq!(ends, 1);
}

/// Up to 20 descriptions, each at its own time and 1 to 5 times, shuffled.
fn history() -> impl Strategy<Value = (i64, Vec<i64>)> {
    vec(1..=5_usize, 1..20).prop_flat_map(|copies| {
        let sent: Vec<i64> = (0..).zip(&copies).flat_map(|(at, copies)| std::iter::repeat_n(at, *copies)).collect();
        let last = sent.last().copied().unwrap_or_default();
        (Just(last), Just(sent).prop_shuffle())
    })
}

async fn work_off(world: &World, queue: &Mutex<VecDeque<i64>>) {
    loop {
        let Some(at) = queue.lock().unwrap().pop_front() else { return };
        let delivered = Box::pin(world.deliver(at, &world.description(&at.to_string()))).await;
        if delivered.is_err() {
            queue.lock().unwrap().push_back(at);
        }
    }
}

/// Each from eight handlers at once.
#[tokio::test(flavor = "multi_thread")]
async fn histories_of_descriptions_end_in_the_newest_however_they_come() {
    let mut chance = TestRunner::deterministic();
    let first = World::new("histories").await;
    let (mut played, budget) = (0, Budget::start());
    while played < number_of("LOAM_STORE_HISTORIES", 12) && !budget.is_spent() {
        let (last, sent) = history().new_tree(&mut chance).unwrap().current();
        let (world, queue) = (first.another("history").await, Arc::new(Mutex::new(VecDeque::from(sent))));
        let rivals = (0..8).map(|_| {
            let (world, queue) = (world.clone(), queue.clone());
            tokio::spawn(async move { work_off(&world, &queue).await })
        });
        for rival in rivals.collect::<Vec<_>>() {
            rival.await.unwrap();
        }
        let newest = last.to_string();
        assert_eq!(world.item().await.unwrap(), world.description(&newest));
        assert_eq!(world.attributes().await.unwrap(), attributes(&newest));
        let seeded: Value = world.shadow().await.unwrap();
        assert!(seeded["reported"]["version"].is_string() && world.record().await.shadow_seeded);
        let told = world.told().await;
        assert_eq!(told.iter().filter(|kind| **kind == EventType::ThingOnboarded).count(), 1, "{told:?}");
        played += 1;
    }
    println!("figure: histories on the real store, onboarding: {played} played, 0 end elsewhere");
}
