//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use super::message::Heard;

/// What is expected of the messages, by file: their kinds, or the codes of their refusals.
const EVENTS: [(&str, &[&str]); 18] = [
    ("downloading", &["word"]),
    ("event-of-another-type", &["not-a-rule-message"]),
    ("failed", &["word"]),
    ("good-and-bad-messages", &["word", "not-a-rule-message", "request"]),
    ("installing", &["word"]),
    ("not-a-rule-message", &["not-a-rule-message"]),
    ("not-json", &["not-a-rule-message"]),
    ("progress-not-utf8", &["not-progress"]),
    ("rejected", &["word"]),
    ("report", &["report"]),
    ("report-of-the-same", &["nothing"]),
    ("request", &["request"]),
    ("succeeded", &["word"]),
    ("thing-described", &["described"]),
    ("thing-retired", &["end"]),
    ("thing-retiring", &["end"]),
    ("unknown-topic", &["unknown-topic"]),
    ("unknown-word", &["not-progress"]),
];

fn kind(body: &str) -> &'static str {
    match Heard::parse(body) {
        Ok(Heard::Word(..)) => "word",
        Ok(Heard::Report(..)) => "report",
        Ok(Heard::Request(..)) => "request",
        Ok(Heard::Described(_)) => "described",
        Ok(Heard::Erasure(_)) => "end",
        Ok(Heard::Nothing) => "nothing",
        Err(refused) => refused.code(),
    }
}

#[test]
fn every_sample_is_what_its_name_says() {
    let samples = SampleEvents::of("firmware-progress");
    samples.are(EVENTS.map(|(name, _)| name));
    for (name, expected) in EVENTS {
        let kinds: Vec<_> = samples.bodies(name).iter().map(|body| kind(body)).collect();
        assert_eq!(kinds, expected, "{name}");
    }
}
