use loam_domain::{Event, EventType, Timestamp};
use serde_json::{Map, Value, json};

use crate::{Change, ThingRecord, Transition};

/// The largest time that the sort key of an event holds: 13 digits, in the year 2286.
const LATEST: i64 = 9_999_999_999_999;

/// A record in the making: each step gives it a version, and most an event.
pub(crate) struct Draft {
    pub(crate) record: ThingRecord,
    events: Vec<Event>,
}

impl Draft {
    /// Starts from `record`; no event of it is before an earlier one, whatever `now` says.
    pub(crate) fn of(record: &ThingRecord, now: Timestamp) -> Self {
        let mut record = record.clone();
        record.updated_at = clamped(now).max(record.updated_at);
        Self { record, events: vec![] }
    }

    /// One more version, with the event that tells of it.
    pub(crate) fn tell(&mut self, kind: EventType, data: Map<String, Value>) {
        let record = &mut self.record;
        record.version += 1;
        self.events.push(Event {
            id: format!("{}.{}", record.thing, record.version),
            kind,
            thing: Some(record.thing.clone()),
            at: record.updated_at,
            epoch: record.epoch,
            data,
        });
    }

    /// One more version of which nobody hears.
    pub(crate) fn step(&mut self) {
        self.record.version += 1;
    }

    /// Tells what the thing said of itself.
    pub(crate) fn tell_description(&mut self, kind: EventType) {
        let record = &self.record;
        let told = [
            ("describedAt", record.described_at.map(|at| json!(at))),
            ("description", Some(json!(record.told))),
            ("capabilities", record.capabilities.as_ref().map(|words| json!(words))),
            ("firmware", record.firmware.clone()),
        ];
        let data = told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        self.tell(kind, data);
    }

    /// The finished change.
    pub(crate) fn done(self) -> Transition {
        Transition::Change(Box::new(Change { record: self.record, events: self.events }))
    }
}

/// The data of an event: its fields by name.
pub(crate) fn data<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A time that the sort key of an event can hold.
pub(crate) fn clamped(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis().clamp(0, LATEST))
}
