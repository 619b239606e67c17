//! What a device says of its firmware, and when.

use crate::stand_in::{PUBACK, Peer, StandIn, device};
use loam_device::http::Http;
use loam_device::ota::{self, Machine, Settings};
use loam_releases::samples::{Signer, hardware, version};
use loam_releases::signature::Keyring;
use serde_json::{Value, json};
use std::time::Duration;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn settings() -> Settings {
    Settings {
        thing: "sensor".to_owned(),
        hardware: hardware("c3"),
        version: version("2.0.0"),
        keys: Keyring::new(vec![Signer::new().key()]).unwrap(),
        fault: None,
        power_cut: None,
        trial: Duration::from_secs(60),
        utc_offset_minutes: None,
    }
}

/// Takes what the device says after a connect: what it runs, and two questions.
async fn greeted(peer: &mut Peer) -> Value {
    let (topic, reported) = peer.acknowledge_publish().await;
    assert_eq!(topic, "$aws/things/sensor/shadow/update");
    assert_eq!(peer.acknowledge_publish().await, ("$aws/things/sensor/shadow/get".to_owned(), String::new()));
    assert_eq!(peer.acknowledge_publish().await.0, "$aws/things/sensor/jobs/$next/get");
    serde_json::from_str(&reported).unwrap()
}

#[tokio::test]
async fn a_device_reports_what_it_runs_after_each_connect_and_asks_for_what_is_desired() {
    let place = std::env::temp_dir().join(format!("loam-device-updates-{}", std::process::id()));
    let broker = StandIn::start().await;
    let device = device(&broker);
    let mut machine = Machine::start(settings(), &place, Http::new(None).unwrap()).unwrap();
    let talk = async {
        let mut peer = broker.accept_and_welcome().await;
        let mut filters = vec![];
        for _ in 0..6 {
            filters.push(peer.answer_subscribe(1).await);
        }
        let reported = greeted(&mut peer).await;
        let order =
            json!({"rollout": ID, "attempt": 2, "release": ID, "version": "2.1.0", "sequence": 9, "window": null});
        let shadow = json!({"version": 4, "state": {"desired": {"firmware": order}}});
        peer.publish("$aws/things/sensor/shadow/get/accepted", &shadow.to_string()).await;
        peer.expect(PUBACK).await;
        let asked = peer.acknowledge_publish().await;
        drop(peer);
        let mut peer = broker.accept_and_welcome().await;
        for _ in 0..6 {
            peer.answer_subscribe(1).await;
        }
        assert_eq!(greeted(&mut peer).await, reported);
        assert_eq!(peer.acknowledge_publish().await, asked, "the answer may have been lost");
        (filters, reported, asked)
    };
    let (filters, reported, asked) = tokio::select! {
        told = talk => told,
        outcome = ota::serve(&device, &mut machine) => panic!("{outcome:?}"),
    };
    assert!(filters.contains(&"loam/sensor/firmware/+/grant".to_owned()), "{filters:?}");
    let firmware = json!({"version": "2.0.0", "hardware": "c3", "slot": "a"});
    assert_eq!(reported, json!({"state": {"reported": {"firmware": firmware}}}));
    assert_eq!(asked, (format!("loam/sensor/firmware/{ID}/request"), r#"{"attempt":2}"#.to_owned()));
    let _ = std::fs::remove_dir_all(&place);
}
