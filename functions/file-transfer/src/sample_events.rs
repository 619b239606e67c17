//! Every sample event is what its name says.

use loam_kit::SampleEvents;
use loam_things::Erasure;

use crate::event::Message;

/// What is expected of each message, by file: its kind, or the code of its refusal.
const EVENTS: [(&str, &str); 11] = [
    ("bad-complete", "malformed-file-message"),
    ("complete", "said"),
    ("complete-refused", "said"),
    ("request-again", "said"),
    ("request-upload", "said"),
    ("request-upload-kms", "said"),
    ("request-waiting", "said"),
    ("sweep", "sweep"),
    ("thing-retiring", "erasure"),
    ("thing-unpaired", "unpaired"),
    ("work", "work"),
];

fn kind(body: &str) -> &'static str {
    match Message::parse(body) {
        Err(refused) => refused.code(),
        Ok(Message::Work(_)) => "work",
        Ok(Message::Sweep) => "sweep",
        Ok(Message::Said(..)) => "said",
        Ok(Message::Erasure(Erasure::OfPeople(_))) => "unpaired",
        Ok(Message::Erasure(_)) => "erasure",
    }
}

#[test]
fn every_sample_is_what_its_name_says() {
    let samples = SampleEvents::of("file-transfer");
    samples.are(EVENTS.map(|(name, _)| name));
    for (name, expected) in EVENTS {
        let kinds: Vec<_> = samples.bodies(name).iter().map(|body| kind(body)).collect();
        assert_eq!(kinds, [expected], "{name}");
    }
}
