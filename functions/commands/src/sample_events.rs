//! Every sample event is what its name says.

use loam_kit::SampleEvents;
use loam_things::Erasure;

use crate::event::Message;

/// What is expected of each message, by file.
const EVENTS: [(&str, &[&str]); 26] = [
    ("accepted", &["word"]),
    ("command-queued", &["deliver"]),
    ("deliver", &["deliver"]),
    ("erase-once-more", &["end"]),
    ("event-of-another-type", &["not-an-event"]),
    ("failed", &["word"]),
    ("feedback-not-utf8", &["not-feedback"]),
    ("feedback-that-is-a-list", &["not-feedback"]),
    ("good-and-bad-messages", &["deliver", "not-json", "word"]),
    ("not-a-rule-message", &["not-a-rule-message"]),
    ("not-base64", &["not-base64"]),
    ("not-json", &["not-json"]),
    ("presence-connected", &["deliver"]),
    ("progress", &["word"]),
    ("reason-too-long", &["reason-too-long"]),
    ("rejected-as-expired", &["word"]),
    ("spread", &["spread"]),
    ("succeeded", &["word"]),
    ("thing-retired", &["end"]),
    ("thing-retiring", &["end"]),
    ("thing-unpaired", &["end of an owner's time"]),
    ("unknown-event", &["not-an-event"]),
    ("unknown-word", &["unknown-topic"]),
    ("wish-that-is-none", &["wish: invalid-body"]),
    ("wished-command", &["wish: ok"]),
    ("wished-state", &["wish: ok"]),
];

fn outcome(body: &str) -> String {
    match Message::parse(body) {
        Ok(Message::Deliver(_)) => "deliver".to_owned(),
        Ok(Message::Heard { .. }) => "word".to_owned(),
        Ok(Message::Erasure(Erasure::OfPeople(_))) => "end of an owner's time".to_owned(),
        Ok(Message::Erasure(_)) => "end".to_owned(),
        Ok(Message::Spread { .. }) => "spread".to_owned(),
        Ok(Message::Wish(wished)) => {
            let code = wished.address.wish(&wished.payload).map_or_else(|bad| bad.code(), |_| "ok");
            format!("wish: {code}")
        }
        Err(refused) => refused.code().to_owned(),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    let samples = SampleEvents::of("commands");
    for (name, expected) in EVENTS {
        let outcomes: Vec<_> = samples.bodies(name).iter().map(|body| outcome(body)).collect();
        assert_eq!(outcomes, expected, "{name}");
    }
    samples.are(EVENTS.map(|(name, _)| name));
}
