//! Every sample event is what its name says.

use loam_kit::SampleEvents;
use loam_runtime::StreamItem;

use crate::decide::{Step, plan};
use crate::event::Told;

/// What is expected of each batch, by file: how many events are told, and the codes of what is refused.
const EVENTS: [(&str, usize, &[&str]); 6] = [
    ("foreign-event", 0, &["foreign-event"]),
    ("good-and-bad-records", 2, &["not-an-event"]),
    ("no-events", 0, &[]),
    ("not-a-stream-event", 0, &["not-a-stream-record"]),
    ("thing-registered", 1, &[]),
    ("two-things", 3, &[]),
];

#[test]
fn every_sample_event_is_told_or_refused_as_its_name_says() {
    for (name, told, refused) in EVENTS {
        let items = StreamItem::all_of(serde_json::from_value(SampleEvents::of("event-relay").event(name)).unwrap());
        let (mut events, mut codes) = (0, Vec::new());
        for step in plan(items.iter().map(|item| Told::of(&item.record))) {
            match step {
                Step::Publish(call) => events += call.len(),
                Step::Keep(_, refused) => codes.push(refused.code()),
            }
        }
        assert_eq!((events, codes.as_slice()), (told, refused), "{name}");
    }
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("event-relay").are(EVENTS.map(|(name, ..)| name));
}
