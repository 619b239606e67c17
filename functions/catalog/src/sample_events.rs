//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use crate::event::{Message, Source};

/// What is expected of each message, by file.
const EVENTS: [(&str, &[&str]); 19] = [
    ("event-of-another-type", &["not ours"]),
    ("good-and-bad-messages", &["shadow", "not-a-rule-message", "record"]),
    ("named-shadow", &["unknown-topic"]),
    ("not-a-rule-message", &["not-a-rule-message"]),
    ("not-base64", &["not-base64"]),
    ("not-json", &["not-json"]),
    ("not-utf8", &["not-a-shadow-document"]),
    ("presence-connected", &["presence"]),
    ("presence-disconnected", &["presence"]),
    ("presence-without-a-version", &["not-an-event"]),
    ("shadow-deleted", &["shadow"]),
    ("shadow-document", &["shadow"]),
    ("shadow-from-the-future", &["from-the-future"]),
    ("shadow-of-a-reserved-name", &["not ours"]),
    ("shadow-without-state", &["shadow"]),
    ("shadow-without-version", &["not-a-shadow-document"]),
    ("thing-onboarded", &["record"]),
    ("thing-retiring", &["end"]),
    ("unknown-event", &["not-an-event"]),
];

fn outcome(body: &str) -> &'static str {
    match Message::parse(body) {
        Ok(Message::News(_, Source::Shadow(_))) => "shadow",
        Ok(Message::News(_, Source::Presence(_))) => "presence",
        Ok(Message::News(_, Source::Record)) => "record",
        Ok(Message::News(_, Source::End)) => "end",
        Ok(Message::NotOurs) => "not ours",
        Err(refused) => refused.code(),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in EVENTS {
        let bodies = SampleEvents::of("catalog").bodies(name);
        let outcomes: Vec<_> = bodies.iter().map(|body| outcome(body)).collect();
        assert_eq!(outcomes, expected, "{name}");
    }
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("catalog").are(EVENTS.map(|(name, _)| name));
}
