//! Every sample event is what its name says.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use aws_lambda_events::sqs::SqsEvent;
use loam_domain::{Event, EventType};
use serde_json::Value;

use crate::DescribeMessage;

/// What is expected of each description, by file: its code where it is refused.
const DESCRIPTIONS: [(&str, Result<(), &str>); 21] = [
    ("another-topic", Err("unknown-topic")),
    ("capability-with-a-space", Err("invalid-capability")),
    ("description", Ok(())),
    ("description-of-another-thing", Err("not-itself")),
    ("description-with-capabilities-and-firmware", Ok(())),
    ("description-with-empty-texts", Ok(())),
    ("description-with-unknown-fields", Ok(())),
    ("firmware-as-number", Err("wrong-type")),
    ("firmware-too-large", Err("firmware-too-large")),
    ("lone-surrogate", Err("not-json")),
    ("missing-field", Err("missing-field")),
    ("not-a-rule-message", Err("not-a-rule-message")),
    ("not-an-object", Err("not-an-object")),
    ("not-base64", Err("not-base64")),
    ("not-json", Err("not-json")),
    ("not-utf8", Err("not-utf8")),
    ("null-field", Err("missing-field")),
    ("number-as-version", Err("wrong-type")),
    ("text-too-long", Err("too-long")),
    ("thing-with-wildcard", Err("invalid-thing-name")),
    ("too-many-capabilities", Err("too-many-capabilities")),
];

/// The queue's own event.
const RETIRING: &str = "retiring";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/onboarding")
}

fn event(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()).unwrap()
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in DESCRIPTIONS {
        let outcome = DescribeMessage::from_event(&event(name)).map(drop).map_err(|refused| refused.code());
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn the_queues_sample_is_a_thing_that_begins_to_retire() {
    let records: SqsEvent = serde_json::from_value(event(RETIRING)).unwrap();
    let told: Event = serde_json::from_str(records.records[0].body.as_ref().unwrap()).unwrap();
    assert_eq!((told.kind, told.thing.unwrap().as_str()), (EventType::ThingRetiring, "soilSensor1"));
}

#[test]
fn no_sample_event_is_left_out() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let known = DESCRIPTIONS.iter().map(|(name, _)| (*name).to_owned()).chain([RETIRING.to_owned()]);
    assert_eq!(files, known.collect());
}
