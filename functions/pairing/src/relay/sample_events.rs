//! Every sample event is what its name says.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use aws_lambda_events::sqs::SqsEvent;

use super::Message;

/// What is expected of each message, by file.
const EVENTS: [(&str, &[&str]); 17] = [
    ("command-succeeded", &["commands"]),
    ("good-and-bad-messages", &["state", "not-json", "alerts"]),
    ("member-joined", &["members"]),
    ("named-shadow", &["unknown-topic"]),
    ("not-a-rule-message", &["not-a-rule-message"]),
    ("not-base64", &["not-base64"]),
    ("not-json", &["not-json"]),
    ("not-utf8", &["not-a-shadow-document"]),
    ("notice", &["alerts"]),
    ("notice-without-a-thing", &["not-a-notice"]),
    ("presence-connected", &["presence"]),
    ("presence-disconnected", &["presence"]),
    ("shadow-document", &["state"]),
    ("shadow-of-a-reserved-name", &["not ours"]),
    ("shadow-without-version", &["not-a-shadow-document"]),
    ("thing-unpaired", &["not ours"]),
    ("unknown-event", &["not-an-event"]),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/pairing-relay")
}

fn outcome(body: &str) -> &'static str {
    match Message::parse(body) {
        Ok(Message::News(news)) => news.subject.as_str(),
        Ok(Message::NotOurs) => "not ours",
        Err(refused) => refused.code(),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in EVENTS {
        let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let event: SqsEvent = serde_json::from_str(&text).unwrap();
        let outcomes: Vec<_> = event.records.iter().map(|record| outcome(record.body.as_ref().unwrap())).collect();
        assert_eq!(outcomes, expected, "{name}");
    }
}

#[test]
fn no_sample_event_is_left_out() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(files, EVENTS.iter().map(|(name, _)| (*name).to_owned()).collect());
}
