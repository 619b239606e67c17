//! The reference device does its part: what it says is what Loam understands, and the other way round.

use std::path::PathBuf;

use loam_device::Message;
use loam_device::files::{Desk, Http, Notice, Word};
use loam_kit::{now, unique_thing};
use serde_json::{Value, json};

use super::{PART, bytes};
use crate::device::{Mail, sha256};
use crate::world::{World, put, receive};

/// A desk in a directory of its own.
struct Place {
    desk: Desk,
    directory: PathBuf,
}

impl Place {
    fn new(world: &World) -> Self {
        let directory = std::env::temp_dir().join(unique_thing("desk").to_string());
        let desk = Desk::open(&world.thing, &directory, Http::new(None).unwrap(), vec![]).unwrap();
        Self { desk, directory }
    }

    /// Hands the desk a message and tells what it has to say; its words.
    async fn hear(&mut self, world: &World, kind: &str, payload: &Value, at: loam_domain::Timestamp) -> Vec<Word> {
        let topic = format!("loam/{}/files/{}/{kind}", world.thing, payload["transferId"].as_str().unwrap());
        let payload = payload.to_string().into_bytes();
        let message = Message { topic, payload, response_topic: None, correlation_data: None, duplicate: false };
        let notice = Notice::parse(world.thing.as_str(), &message).unwrap();
        let words = self.desk.hear(notice, at.as_millis()).await.unwrap().words;
        for word in &words {
            world.say(word.kind, &word.payload).await;
        }
        words
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[tokio::test]
async fn the_reference_device_receives_a_file_of_two_parts_once() {
    let world = World::new("reference").await;
    let mail = Mail::open(&world).await;
    let mut place = Place::new(&world);
    let file = bytes(PART + 77);
    let id = world.sealed(&file).await;
    let grant = mail.next(&id, "grant").await;
    let expired = loam_domain::Timestamp::from_millis(grant["expiresAt"].as_i64().unwrap());
    assert_eq!(place.hear(&world, "grant", &grant, expired).await, []);
    let words = place.hear(&world, "grant", &grant, now()).await;
    assert!(std::fs::read(place.directory.join(format!("inbox/{id}-f"))).unwrap() == file);
    world.work(&id).await;
    world.becomes(&id, "completed").await;
    // A replay of the grant: nothing is fetched, and the URL leads nowhere any more.
    assert_eq!(place.hear(&world, "grant", &grant, now()).await, words);
    assert_eq!(world.show(&id).await["state"], "completed");
    assert_eq!(world.left(&id).await, (0, 0, 0));
}

#[tokio::test]
async fn the_reference_device_sends_what_is_wanted_in_two_parts_and_says_so_once() {
    let world = World::new("reference").await;
    let mail = Mail::open(&world).await;
    let mut place = Place::new(&world);
    let file = bytes(PART + 77);
    std::fs::write(place.directory.join("outbox/log"), &file).unwrap();
    let created = world.create(&json!({"direction": "upload", "name": "log"})).await;
    let id = created["transfer"]["transferId"].as_str().unwrap().to_owned();
    world.work(&id).await;
    let wanted = mail.next(&id, "grant").await;
    place.hear(&world, "grant", &wanted, now()).await;
    let grant = mail.next_with(&id, "grant", "uploads").await;
    let words = place.hear(&world, "grant", &grant, now()).await;
    assert_eq!((words[0].kind, &words[0].payload["sha256"]), ("complete", &json!(sha256(&file))));
    world.work(&id).await;
    world.becomes(&id, "ready").await;
    let answer = world.refresh(&id).await.json();
    assert!(receive(&answer["grant"], &world.thing).await == file);
}

#[tokio::test]
async fn the_reference_device_refuses_a_file_that_was_changed_and_the_transfer_fails_with_its_reason() {
    let world = World::new("reference").await;
    let mail = Mail::open(&world).await;
    let mut place = Place::new(&world);
    let id = world.sealed(&bytes(1_000)).await;
    let mut grant = mail.next(&id, "grant").await;
    // The body of another transfer of the same thing behind the URL.
    let other = world.sealed(&bytes(1_000)).await;
    let foreign = mail.next(&other, "grant").await;
    grant["body"] = foreign["body"].clone();
    let words = place.hear(&world, "grant", &grant, now()).await;
    assert_eq!(words[0].payload["refused"], "frame-not-authentic");
    world.work(&id).await;
    assert_eq!(world.becomes(&id, "failed").await["reason"], "frame-not-authentic");
    // Another transfer's header and key in its own envelope.
    let mut spliced = foreign.clone();
    spliced["transferId"] = grant["transferId"].clone();
    assert_eq!(place.hear(&world, "grant", &spliced, now()).await[0].payload["refused"], "context-mismatch");
    assert_eq!(world.show(&other).await["state"], "ready");
}

/// A grant for a device's own file of 1,000 bytes in frames of 512.
async fn small_frames(world: &World, mail: &Mail, name: &str) -> Value {
    let digest = sha256(&bytes(1_000));
    world.say("request", &json!({"name": name, "size": 1_000, "sha256": digest, "frameLength": 512})).await;
    mail.any("grant").await
}

#[tokio::test]
async fn frames_that_are_swapped_or_of_another_transfer_are_refused_and_a_body_of_another_length_is_missing() {
    let world = World::new("frames").await;
    let mail = Mail::open(&world).await;
    let file = bytes(1_000);
    let first = small_frames(&world, &mail, "a").await;
    let sealed = crate::world::seal(&first, &world.thing, &file);
    let second = small_frames(&world, &mail, "b").await;
    let other = crate::world::seal(&second, &world.thing, &file);
    let spliced = [&sealed[..544], &other[544..]].concat();
    let whole = other.clone();
    for (grant, body) in [(&first, spliced), (&second, [&whole[496..], &whole[..496]].concat())] {
        let url = grant["uploads"][0]["url"].as_str().unwrap();
        let id = grant["transferId"].as_str().unwrap();
        let said = json!({"transferId": id, "attempt": grant["attempt"], "size": 1_000, "sha256": sha256(&file)});
        for wrong in [&body[..body.len() - 1], &[body.as_slice(), &[0]].concat()] {
            assert_eq!(put(url, wrong).await, 200);
            world.say("complete", &said).await;
            assert_eq!(mail.next(id, "rejected").await["code"], "part-missing");
        }
        assert_eq!(put(url, &body).await, 200);
        world.say("complete", &said).await;
        world.work(id).await;
        assert_eq!(world.becomes(id, "failed").await["reason"], "not-authentic");
    }
}
