//! The handlers against the local AWS, under the functions' own roles.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod histories;
#[path = "world/mod.rs"]
mod world;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use histories::{HANDLERS, History, histories, truth};
use loam_domain::EventType::{PresenceConnected, PresenceDisconnected, PresencePrincipalChanged};
use loam_kit::{Budget, number_of};
use loam_things::LifeCycle;
use presence::fact::{Answer, Ending, Fact};
use presence::{Keeper, Kept, Known};
use serde_json::{Value, json};
use world::World;

const NOTHING_AGAIN: [String; 0] = [];

#[tokio::test]
async fn a_thing_that_connects_is_present_in_table_shadow_and_history() {
    let world = World::new("connects").await;
    world.at_once(world.connected(0, 7)).await;
    assert_eq!(world.known().await, Some((true, 7, None)));
    assert_eq!(world.shadow().await.unwrap().0, json!(true));
    assert_eq!(world.told().await, [PresenceConnected, PresencePrincipalChanged]);
}

#[tokio::test]
async fn a_thing_that_left_is_absent_with_its_reason_once_the_delay_is_over() {
    let world = World::new("leaves").await;
    world.at_once(world.connected(0, 7)).await;
    assert_eq!(world.later([world.disconnected(60, 7, "MQTT_KEEP_ALIVE_TIMEOUT")]).await, NOTHING_AGAIN);
    assert_eq!(world.known().await, Some((false, 7, Some("MQTT_KEEP_ALIVE_TIMEOUT".to_owned()))));
    assert_eq!(world.shadow().await.unwrap().0, json!(false));
    assert_eq!(world.told().await.last(), Some(&PresenceDisconnected));
}

#[tokio::test]
async fn a_thing_that_came_back_within_the_delay_was_never_shown_offline() {
    let world = World::new("back").await;
    world.at_once(world.connected(0, 7)).await;
    let shadow = world.shadow().await;
    world.at_once(world.connected(63, 8)).await;
    let late = [world.disconnected(60, 7, "CONNECTION_LOST"), world.disconnected(60, 7, "CONNECTION_LOST")];
    assert_eq!(world.later(late).await, NOTHING_AGAIN);
    assert_eq!(world.known().await, Some((true, 8, Some("CONNECTION_LOST".to_owned()))));
    assert_eq!(world.shadow().await, shadow, "the shadow was not even touched");
    assert!(!world.told().await.contains(&PresenceDisconnected));
}

#[tokio::test]
async fn a_client_that_is_no_thing_of_ours_is_left_alone_whatever_it_sends() {
    let world = World::of_nobody("stranger").await;
    world.at_once(world.connected(0, 7)).await;
    let broken = world.rule(&format!("lwt/{}", world.thing), world.thing.as_str(), b"{");
    assert_eq!(world.later([world.disconnected(60, 7, "X"), world.will(&json!(false)), broken]).await, NOTHING_AGAIN);
    assert_eq!(world.rows.load(&world.thing).await.unwrap(), Known::Nothing);
    assert_eq!((world.shadow().await, world.refused().await), (None, vec![]));
}

#[tokio::test]
async fn what_a_thing_of_ours_sends_broken_is_kept() {
    let world = World::new("broken").await;
    let payload = format!(r#"{{"{}":1}}"#, world.thing);
    let will = world.rule(&format!("lwt/{}", world.thing), world.thing.as_str(), payload.as_bytes());
    assert_eq!(world.later([will]).await, NOTHING_AGAIN);
    assert_eq!(world.refused().await, ["not-a-will"]);
}

#[tokio::test]
async fn a_last_will_of_a_connection_that_aws_knows_no_more_takes_the_thing_away() {
    let world = World::new("will").await;
    world.at_once(world.connected(0, 7)).await;
    assert_eq!(world.later([world.will(&json!("false"))]).await, NOTHING_AGAIN);
    assert_eq!((world.known().await, world.shadow().await.unwrap().0), (Some((false, 7, None)), json!(false)));
    assert_eq!(world.later([world.disconnected(60, 7, "CONNECTION_LOST")]).await, NOTHING_AGAIN);
    assert_eq!(world.known().await, Some((false, 7, Some("CONNECTION_LOST".to_owned()))));
    let told = world.told().await;
    assert_eq!(told.iter().filter(|kind| **kind == PresenceDisconnected).count(), 1);
}

#[tokio::test]
async fn a_projection_that_was_lost_is_repaired_by_a_repeat_and_by_the_next_event() {
    let world = World::new("projection").await;
    world.write_shadow(&json!({"name": "Balcony", "connected": "yes"})).await;
    world.at_once(world.connected(0, 7)).await;
    assert_eq!(world.shadow().await.unwrap().0, json!(true));
    for event in [world.connected(0, 7), world.connected(30, 8)] {
        world.write_shadow(&json!({"connected": false})).await;
        world.at_once(event).await;
        assert_eq!(world.shadow().await.unwrap().0, json!(true));
    }
}

#[tokio::test]
async fn a_thing_that_retires_is_erased_acknowledged_and_does_not_come_back() {
    let world = World::new("retires").await;
    world.at_once(world.connected(0, 7)).await;
    assert_eq!(world.later([world.retiring()]).await, NOTHING_AGAIN);
    assert!(world.known().await.is_some(), "an order that is not in the record erases nothing");
    world.begin_retirement().await;
    assert_eq!(world.later([world.retiring(), world.retiring()]).await, NOTHING_AGAIN);
    assert_eq!(world.told().await, []);
    let record = world.things.get(&world.thing).await.unwrap().unwrap();
    let awaiting: Vec<_> = record.retirement.unwrap().awaiting.into_iter().collect();
    assert_eq!((record.state == LifeCycle::Retired, awaiting), (false, vec!["onboarding".to_owned()]));
    world.at_once(world.connected(30, 8)).await;
    assert_eq!(world.later([world.disconnected(60, 8, "API_INITIATED_DISCONNECT")]).await, NOTHING_AGAIN);
    assert_eq!(world.rows.load(&world.thing).await.unwrap(), Known::Erased);
    assert_eq!(world.told().await, []);
}

#[tokio::test]
async fn a_retiring_thing_whose_shadow_is_gone_gets_no_new_one() {
    let world = World::new("ghost").await;
    world.at_once(world.connected(0, 7)).await;
    world.begin_retirement().await;
    world.shadows.delete_thing_shadow().thing_name(world.thing.as_str()).send().await.unwrap();
    world.later([world.disconnected(60, 7, "API_INITIATED_DISCONNECT")]).await;
    assert_eq!(world.shadow().await, None);
}

#[tokio::test]
async fn a_message_that_is_no_json_is_kept_and_the_rest_of_its_batch_goes_on() {
    let world = World::new("batch").await;
    let batch = vec![
        loam_runtime::BatchItem { message_id: "a".to_owned(), body: format!("{{{}", world.thing) },
        loam_runtime::BatchItem { message_id: "b".to_owned(), body: world.connected(0, 7).to_string() },
    ];
    let again = world.delayed.handle_batch(batch, &world::invocation()).await.unwrap();
    assert_eq!((again, world.refused().await), (vec![], vec!["not-a-rule-message".to_owned()]));
    assert_eq!(world.known().await, Some((true, 7, None)));
}

/// Plays `history` with eight handlers at a time, as the functions do, but for the hints: there is no real device here
/// for AWS IoT to know of.
async fn play(keeper: &Keeper, world: &World, history: &History) {
    let facts = history.deliveries.iter().map(|index| history.facts[*index].clone());
    let facts = facts.filter(|fact| !matches!(fact, Fact::Hint { .. }));
    let queue = Arc::new(Mutex::new(facts.collect::<VecDeque<_>>()));
    let handlers: Vec<_> = (0..HANDLERS)
        .map(|_| {
            let (keeper, thing, queue) = (keeper.clone(), world.thing.clone(), queue.clone());
            tokio::spawn(async move {
                loop {
                    let Some(fact) = queue.lock().unwrap().pop_front() else { return };
                    match keeper.take(&thing, &fact, loam_kit::now()).await {
                        Ok(kept) => assert!(matches!(kept, Kept::Ours { .. })),
                        Err(_) => queue.lock().unwrap().push_back(fact),
                    }
                }
            })
        })
        .collect();
    for handler in handlers {
        handler.await.unwrap();
    }
}

async fn ends_in_order(mut history: History) {
    let world = World::new("history").await;
    let stack = loam_kit::Stack::deployed();
    let function = stack.function("PresenceDelayed");
    let config = presence::Config::from_lookup(&|name| function.variable(name)).unwrap();
    let keeper = Keeper::new(&stack.role_of(function, &stack.endpoint).await, &config.truth);
    // A handler that asks about a takeover waits for a second, as AWS allows one question a second: two of them do.
    if history.takeovers > 2 {
        for fact in &mut history.facts {
            if let Fact::Ended(Ending { how, .. }) = fact
                && how.is_taken_over()
            {
                how.reason = Some("CONNECTION_LOST".to_owned());
            }
        }
    }
    play(&keeper, &world, &history).await;
    let Known::Row(row) = world.rows.load(&world.thing).await.unwrap() else { panic!("seed {}", history.seed) };
    let (status, truth) = (row.status.as_ref().unwrap(), truth(&history));
    let found = (row.is_connected(), status.mark.version_number, status.since, &status.principal);
    let expected = (truth.connected, truth.version_number, truth.since, &truth.principal);
    assert_eq!(found, expected, "seed {}", history.seed);
    assert_eq!(row.last_end.and_then(|end| end.how.reason), truth.last_reason, "seed {}", history.seed);
    assert_eq!(world.shadow().await.unwrap().0, Value::Bool(truth.connected), "seed {}", history.seed);
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_end_on_the_real_table_and_in_the_real_shadow_as_if_they_had_come_in_order() {
    let queue = Mutex::new(histories(number_of("LOAM_STORE_HISTORIES", 24), 9_000));
    let (played, budget) = (Mutex::new((0, 0, 0)), Budget::start());
    let player = async || {
        while !budget.is_spent() {
            let Some(history) = queue.lock().unwrap().next() else { return };
            let (resets, connected) = (history.resets > 0, matches!(history.answer, Answer::There(_)));
            ends_in_order(history).await;
            let mut played = played.lock().unwrap();
            *played = (played.0 + 1, played.1 + u32::from(resets), played.2 + u32::from(connected));
        }
    };
    tokio::join!(Box::pin(player()), Box::pin(player()), Box::pin(player()), Box::pin(player()));
    let (played, resets, found) = played.into_inner().unwrap();
    println!(
        "figure: histories on the real store, presence: {played} played ({resets} with a reset, {found} end connected), \
         0 end elsewhere"
    );
}
