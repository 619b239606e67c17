//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use crate::event::Message;

/// What is expected of each message, by file.
const EVENTS: [(&str, &[&str]); 11] = [
    ("another-event", &["unknown-message"]),
    ("good-and-bad-messages", &["registered", "not-json", "recheck"]),
    ("id-in-capitals", &["unknown-message"]),
    ("not-json", &["not-json"]),
    ("principal-changed", &["principal-changed"]),
    ("principal-is-no-certificate", &["unknown-message"]),
    ("recheck", &["recheck"]),
    ("recheck-of-an-unknown-field", &["unknown-message"]),
    ("registered", &["registered"]),
    ("registered-again", &["registered"]),
    ("registered-without-ca", &["unknown-message"]),
];

fn outcome(body: &str) -> &'static str {
    match Message::parse(body) {
        Ok(Message::Registered(_)) => "registered",
        Ok(Message::Recheck(_)) => "recheck",
        Ok(Message::PrincipalChanged(_)) => "principal-changed",
        Err(bad) => bad.code(),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in EVENTS {
        let bodies = SampleEvents::of("jitr").bodies(name);
        let outcomes: Vec<_> = bodies.iter().map(|body| outcome(body)).collect();
        assert_eq!(outcomes, expected, "{name}");
    }
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("jitr").are(EVENTS.map(|(name, _)| name));
}
