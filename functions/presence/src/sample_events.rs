//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use crate::event::Message;
use crate::fact::Fact;

/// What each event is understood as, by file: what it says, or the code of its refusal.
const EVENTS: [(&str, &str); 21] = [
    ("another-topic", "unknown-topic"),
    ("client-that-is-no-thing", "not ours"),
    ("connected", "began"),
    ("connected-as-another-thing", "not ours"),
    ("connected-as-exclusive-thing", "began"),
    ("connected-in-the-future", "contradictory-event"),
    ("connected-of-another-client", "contradictory-event"),
    ("connected-without-version-number", "not-a-life-cycle-event"),
    ("disconnected-clean", "ended, clean"),
    ("disconnected-keep-alive", "ended"),
    ("disconnected-taken-over", "taken over"),
    ("last-will", "gone, perhaps"),
    ("last-will-as-text", "gone, perhaps"),
    ("last-will-not-json", "not-json"),
    ("last-will-not-utf8", "not-utf8"),
    ("last-will-of-another-shape", "not-a-will"),
    ("last-will-on-another-things-topic", "other-publisher"),
    ("not-a-rule-message", "not-a-rule-message"),
    ("not-an-event", "not-an-event"),
    ("thing-onboarded", "not ours"),
    ("thing-retiring", "retiring"),
];

fn outcome(name: &str) -> &'static str {
    match Message::from_event(&SampleEvents::of("presence").event(name)) {
        Ok(Message::Said(_, Ok(Fact::Began(_)))) => "began",
        Ok(Message::Said(_, Ok(Fact::Ended(ending)))) if ending.how.is_taken_over() => "taken over",
        Ok(Message::Said(_, Ok(Fact::Ended(ending)))) if ending.how.clean => "ended, clean",
        Ok(Message::Said(_, Ok(Fact::Ended(_)))) => "ended",
        Ok(Message::Said(_, Ok(Fact::Hint { connected: false }))) => "gone, perhaps",
        Ok(Message::Said(_, Ok(Fact::Hint { connected: true }))) => "there, perhaps",
        Ok(Message::Retiring(_)) => "retiring",
        Ok(Message::NotOurs) => "not ours",
        Ok(Message::Said(_, Err(refused))) | Err(refused) => refused.code(),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in EVENTS {
        assert_eq!(outcome(name), expected, "{name}");
    }
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("presence").are(EVENTS.map(|(name, _)| name));
}
