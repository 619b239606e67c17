//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use crate::queue::Work;

/// What is expected of each message, by file.
const EVENTS: [(&str, &str); 10] = [
    ("forget", "forget"),
    ("join", "join"),
    ("not-an-id", "refused"),
    ("not-json", "refused"),
    ("rollout", "rollout"),
    ("round", "round"),
    ("sign", "sign"),
    ("tick", "tick"),
    ("two-works", "refused"),
    ("unknown-work", "refused"),
];

fn kind(body: &str) -> &'static str {
    match serde_json::from_str(body) {
        Ok(Work::Rollout(_)) => "rollout",
        Ok(Work::Round(_)) => "round",
        Ok(Work::Sign(_)) => "sign",
        Ok(Work::Join(_)) => "join",
        Ok(Work::Forget(_)) => "forget",
        Ok(Work::Tick(_)) => "tick",
        Err(_) => "refused",
    }
}

#[test]
fn every_sample_is_what_its_name_says() {
    let samples = SampleEvents::of("firmware-conductor");
    samples.are(EVENTS.map(|(name, _)| name));
    for (name, expected) in EVENTS {
        let kinds: Vec<_> = samples.bodies(name).iter().map(|body| kind(body)).collect();
        assert_eq!(kinds, [expected], "{name}");
    }
}
