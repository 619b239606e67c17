//! Every sample event is what its name says.

use loam_domain::{Event, EventType};
use loam_kit::SampleEvents;

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

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in DESCRIPTIONS {
        let outcome = DescribeMessage::from_event(&SampleEvents::of("onboarding").event(name))
            .map(drop)
            .map_err(|refused| refused.code());
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn the_queues_sample_is_a_thing_that_begins_to_retire() {
    let told: Event = serde_json::from_str(&SampleEvents::of("onboarding").bodies(RETIRING)[0]).unwrap();
    assert_eq!((told.kind, told.thing.unwrap().as_str()), (EventType::ThingRetiring, "soilSensor1"));
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("onboarding").are(DESCRIPTIONS.map(|(name, _)| name).into_iter().chain([RETIRING]));
}
