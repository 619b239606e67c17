//! Every sample event is what its name says.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use aws_lambda_events::sqs::SqsEvent;

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

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/jitr")
}

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
