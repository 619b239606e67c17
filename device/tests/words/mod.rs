//! What a device says of its button and of its commands.

use crate::stand_in::{PUBACK, Peer, StandIn, device};
use loam_device::State;
use loam_device::commands::{self, Memory};
use loam_device::desired;
use loam_device::files::{self, Desk, Http};
use loam_device::pairing::{Button, tell};
use loam_domain::ThingName;
use serde_json::{Value, json};
use std::path::PathBuf;

const ID: &str = "0123456789abcdef0123456789abcdef";

/// A directory of its own that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!("loam-device-words-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&place);
        Self(place)
    }

    fn state(&self) -> State {
        State::open(&self.0).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends a command of this name and takes the device's acknowledgement.
async fn order(peer: &mut Peer, name: &str, expires_at: i64) {
    let request = json!({"id": ID, "name": name, "payload": 7, "issuedAt": 1, "expiresAt": expires_at});
    peer.publish(&format!("loam/sensor/commands/{ID}/request"), &request.to_string()).await;
    peer.expect(PUBACK).await;
}

/// What the device says next of the command.
async fn word(peer: &mut Peer) -> (String, Value) {
    let (topic, payload) = peer.acknowledge_publish().await;
    let word = topic.strip_prefix(&format!("loam/sensor/commands/{ID}/")).unwrap();
    (word.to_owned(), serde_json::from_str(&payload).unwrap())
}

#[tokio::test]
async fn a_reset_while_the_device_was_off_is_told_at_its_next_connect_and_once() {
    let place = Place::new("reset");
    let button = Button::of(place.state());
    button.reset().unwrap();
    let broker = StandIn::start().await;
    let device = device(&broker);
    let told = async {
        // The first acknowledgement is lost with its connection.
        drop(broker.accept_and_welcome().await);
        let mut peer = broker.accept_and_welcome().await;
        let told = peer.acknowledge_publish().await;
        while !button.is_told().unwrap() {
            tokio::task::yield_now().await;
        }
        button.press(300, None).unwrap();
        (told, peer.acknowledge_publish().await)
    };
    let ((topic, payload), (next, window)) = tokio::select! {
        told = told => told,
        outcome = tell(&device, &button) => panic!("{outcome:?}"),
    };
    assert_eq!((topic.as_str(), payload.as_str()), ("loam/sensor/pairing/reset", "{}"));
    assert_eq!(next, "loam/sensor/pairing/window");
    assert!(window.starts_with(r#"{"durationSeconds":"#), "{window}");
}

#[tokio::test]
async fn a_command_runs_once_and_its_repeat_after_a_reconnect_hears_the_same_word_again() {
    let broker = StandIn::start().await;
    let (device, mut memory) = (device(&broker), Memory::default());
    let talk = async {
        let mut peer = broker.accept_and_welcome().await;
        order(&mut peer, "blink", i64::MAX).await;
        let first = [word(&mut peer).await, word(&mut peer).await, word(&mut peer).await];
        assert_eq!(first.clone().map(|(word, _)| word), ["accepted", "progress", "succeeded"]);
        drop(peer);
        let mut peer = broker.accept_and_welcome().await;
        order(&mut peer, "blink", i64::MAX).await;
        assert_eq!(word(&mut peer).await, ("succeeded".to_owned(), json!({"result": 7})));
    };
    tokio::select! {
        () = talk => {}
        tally = commands::run(&device, &mut memory) => panic!("{tally:?}"),
    }
}

#[tokio::test]
async fn a_command_past_its_time_is_rejected_and_one_that_a_power_cut_ended_has_failed() {
    let place = Place::new("commands");
    let broker = StandIn::start().await;
    for (name, expires_at, expected) in [("blink", 1, "expired"), ("silent", i64::MAX, "interrupted")] {
        let mut memory = Memory::kept_in(place.state()).unwrap();
        if expected == "interrupted" {
            place.state().write("commands.json", &json!([{"id": ID}])).unwrap();
            memory = Memory::kept_in(place.state()).unwrap();
        }
        let device = device(&broker);
        let talk = async {
            let mut peer = broker.accept_and_welcome().await;
            order(&mut peer, name, expires_at).await;
            word(&mut peer).await
        };
        let (_, said) = tokio::select! {
            said = talk => said,
            tally = commands::run(&device, &mut memory) => panic!("{tally:?}"),
        };
        assert_eq!(said["reasonCode"], expected);
    }
}

#[tokio::test]
async fn what_was_desired_while_the_device_was_away_is_reported_when_it_is_back() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let talk = async {
        let mut peer = broker.accept_and_welcome().await;
        for _ in 0..2 {
            peer.answer_subscribe(1).await;
        }
        assert_eq!(peer.acknowledge_publish().await.0, "$aws/things/sensor/shadow/get");
        let document = json!({"version": 3, "state": {"delta": {"on": true}}});
        peer.publish("$aws/things/sensor/shadow/get/accepted", &document.to_string()).await;
        peer.expect(PUBACK).await;
        let reported = peer.acknowledge_publish().await;
        // A delta of an older version comes late: nothing is said of it, the next newer one is obeyed.
        for (version, on) in [(2, false), (4, false)] {
            let delta = json!({"version": version, "state": {"on": on, "version": version}});
            peer.publish("$aws/things/sensor/shadow/update/delta", &delta.to_string()).await;
            peer.expect(PUBACK).await;
        }
        (reported, peer.acknowledge_publish().await)
    };
    let (first, second) = tokio::select! {
        told = talk => told,
        outcome = desired::obey(&device) => panic!("{outcome:?}"),
    };
    assert_eq!(first.0, "$aws/things/sensor/shadow/update");
    assert_eq!(serde_json::from_str::<Value>(&first.1).unwrap(), json!({"state": {"reported": {"on": true}}}));
    let second: Value = serde_json::from_str(&second.1).unwrap();
    assert_eq!(second["state"]["reported"]["version"], 4);
}

#[tokio::test]
async fn a_device_asks_what_waits_after_each_connect_and_keeps_its_promise_of_a_file() {
    let place = Place::new("files");
    std::fs::create_dir_all(place.0.join("outbox")).unwrap();
    std::fs::write(place.0.join("outbox/log"), "abc").unwrap();
    let broker = StandIn::start().await;
    let device = device(&broker);
    let thing = ThingName::parse("sensor").unwrap();
    let mut desk = Desk::open(&thing, &place.0, Http::new(None).unwrap(), vec![]).unwrap();
    let talk = async {
        let mut peer = broker.accept_and_welcome().await;
        assert_eq!(peer.answer_subscribe(1).await, "loam/sensor/files/+/+");
        let asked = peer.acknowledge_publish().await;
        assert_eq!((asked.0.as_str(), asked.1.as_str()), ("loam/sensor/files/request", "{}"));
        let wanted = json!({"transferId": ID, "direction": "upload", "wanted": "log", "mostBytes": 3,
            "issuedAt": 1, "endsAt": i64::MAX});
        peer.publish(&format!("loam/sensor/files/{ID}/grant"), &wanted.to_string()).await;
        peer.expect(PUBACK).await;
        let promised = peer.acknowledge_publish().await;
        drop(peer);
        let mut peer = broker.accept_and_welcome().await;
        peer.answer_subscribe(1).await;
        assert_eq!(peer.acknowledge_publish().await, asked);
        (promised, peer.acknowledge_publish().await)
    };
    let (promised, again) = tokio::select! {
        told = talk => told,
        outcome = files::serve(&device, &mut desk) => panic!("{outcome:?}"),
    };
    assert_eq!(promised, again);
    let promised: Value = serde_json::from_str(&promised.1).unwrap();
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(promised, json!({"transferId": ID, "size": 3, "sha256": digest, "from": 1}));
}
