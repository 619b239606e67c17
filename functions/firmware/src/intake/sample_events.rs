//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use super::notice::Notice;

/// What is expected of each message, by file: its kind, or the code of its refusal.
const EVENTS: [(&str, &str); 7] = [
    ("deleted", "not-a-notice"),
    ("encoded-key", "upload"),
    ("no-version", "no-version"),
    ("other-key", "unexpected-key"),
    ("test-event", "test"),
    ("upload", "upload"),
    ("upload-in-parts", "upload"),
];

fn kind(body: &str) -> &'static str {
    match Notice::parse(body) {
        Ok(Notice::Test) => "test",
        Ok(Notice::Uploads(_)) => "upload",
        Err(refused) => refused.code(),
    }
}

#[test]
fn every_sample_is_what_its_name_says() {
    let samples = SampleEvents::of("firmware-intake");
    samples.are(EVENTS.map(|(name, _)| name));
    for (name, expected) in EVENTS {
        let kinds: Vec<_> = samples.bodies(name).iter().map(|body| kind(body)).collect();
        assert_eq!(kinds, [expected], "{name}");
    }
}
