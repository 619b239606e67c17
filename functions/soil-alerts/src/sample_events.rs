//! Every sample event is what its name says.

use loam_domain::DeviceClock;
use loam_kit::SampleEvents;

use crate::SoilMessage;
use crate::classic::{Decision, decide};

/// The refusal of the whole message, or how many of its readings are dry, not dry, and refused.
type Expected = Result<(usize, usize, usize), &'static str>;

/// What is expected of each event, by file.
const EVENTS: [(&str, Expected); 22] = [
    ("another-topic", Err("unknown-topic")),
    ("batch", Ok((2, 1, 0))),
    ("batch-with-bad-readings", Ok((1, 0, 3))),
    ("dry-reading", Ok((1, 0, 0))),
    ("dry-reading-as-text", Ok((1, 0, 0))),
    ("empty-batch", Err("empty-batch")),
    ("humidity-as-object", Ok((0, 0, 1))),
    ("humidity-as-word", Ok((0, 0, 1))),
    ("missing-humidity", Ok((0, 0, 1))),
    ("moist-reading", Ok((0, 1, 0))),
    ("name-with-wildcard", Ok((0, 0, 1))),
    ("not-a-rule-message", Err("not-a-rule-message")),
    ("not-an-object", Ok((0, 0, 1))),
    ("not-base64", Err("not-base64")),
    ("not-json", Err("not-json")),
    ("not-utf8", Err("not-utf8")),
    ("reading-at-the-threshold", Ok((0, 1, 0))),
    ("reading-under-another-name", Ok((1, 0, 0))),
    ("reading-with-an-absurd-clock", Ok((1, 0, 0))),
    ("reading-with-unknown-fields", Ok((1, 0, 0))),
    ("reading-without-a-clock", Ok((1, 0, 0))),
    ("thing-with-wildcard", Err("invalid-thing-name")),
];

fn outcome(name: &str) -> Expected {
    let message = SoilMessage::from_event(&SampleEvents::of("soil-alerts").event(name))
        .map_err(|refusal| refusal.code.as_str())?;
    let readings = &message.readings.accepted;
    let is_dry = |reading| matches!(decide(&message.thing, reading, 35.0), Decision::Notify(_));
    let dry = readings.iter().filter(|(_, reading)| is_dry(reading)).count();
    Ok((dry, readings.len() - dry, message.readings.refused.len()))
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in EVENTS {
        assert_eq!(outcome(name), expected, "{name}");
    }
}

#[test]
fn a_sample_event_about_clocks_has_the_clock_of_its_name() {
    let clock = |name: &str| {
        SoilMessage::from_event(&SampleEvents::of("soil-alerts").event(name)).unwrap().readings.accepted[0].1.clock
    };
    assert_eq!(clock("dry-reading"), DeviceClock::Believed);
    assert_eq!(clock("reading-without-a-clock"), DeviceClock::Missing);
    assert_eq!(clock("reading-with-an-absurd-clock"), DeviceClock::Absurd);
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("soil-alerts").are(EVENTS.map(|(name, _)| name));
}
