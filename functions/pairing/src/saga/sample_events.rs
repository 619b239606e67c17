//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use super::Message;

/// What is expected of each message, by file.
const EVENTS: [(&str, &[&str]); 18] = [
    ("another-publisher", &["other-publisher"]),
    ("erasure-acknowledged", &["acknowledged"]),
    ("event-of-another-type", &["not ours"]),
    ("not-a-rule-message", &["not-a-rule-message"]),
    ("not-base64", &["not-base64"]),
    ("not-json", &["not-json"]),
    ("over-https", &["other-publisher"]),
    ("reserved-name", &["not ours"]),
    ("reset", &["reset of 3"]),
    ("reset-of-a-device-that-forgot", &["reset"]),
    ("reset-of-no-epoch", &["not-a-reset"]),
    ("thing-retiring", &["retiring"]),
    ("unknown-event", &["not-an-event"]),
    ("unknown-topic", &["unknown-topic"]),
    ("window", &["window of 300"]),
    ("window-for-an-hour", &["window of 3600"]),
    ("window-with-a-mistyped-code", &["not-a-press"]),
    ("window-with-a-negative-time", &["not-a-press"]),
];

fn outcome(body: &str) -> String {
    match Message::parse(body) {
        Ok(Message::Window(_, press, _)) => format!("window of {}", press.seconds),
        Ok(Message::Reset(_, reset)) => reset.epoch.map_or("reset".to_owned(), |epoch| format!("reset of {epoch}")),
        Ok(Message::Acknowledged(_)) => "acknowledged".to_owned(),
        Ok(Message::Retiring(_)) => "retiring".to_owned(),
        Ok(Message::NotOurs) => "not ours".to_owned(),
        Err(refused) => refused.code().to_owned(),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in EVENTS {
        let bodies = SampleEvents::of("pairing").bodies(name);
        let outcomes: Vec<_> = bodies.iter().map(|body| outcome(body)).collect();
        assert_eq!(outcomes, expected, "{name}");
    }
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("pairing").are(EVENTS.map(|(name, _)| name));
}
