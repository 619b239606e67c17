//! What a stream's record says.

use loam_domain::Event;
use serde_json::Value;

use crate::Refused;

/// What the sort keys of event items begin with; the mapping's filter knows it too.
const EVENT_PREFIX: &str = "event#";

/// An event to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The envelope.
    pub event: Event,
    /// The envelope as the item holds it: the message.
    pub message: String,
}

impl Told {
    /// The event of a record; `None` for a record that the mapping's filter would have left out: no new item, or none of
    /// an event.
    ///
    /// # Errors
    /// [`Refused`]: what such a record must hold and does not.
    pub fn of(record: &Value) -> Result<Option<Self>, Refused> {
        let kind = text(record, "/eventName", "eventName")?;
        let thing = text(record, "/dynamodb/Keys/thing/S", "dynamodb.Keys.thing.S")?;
        let item = text(record, "/dynamodb/Keys/item/S", "dynamodb.Keys.item.S")?;
        if kind != "INSERT" || !item.starts_with(EVENT_PREFIX) {
            return Ok(None);
        }
        let message = text(record, "/dynamodb/NewImage/event/S", "dynamodb.NewImage.event.S")?;
        let event: Event = serde_json::from_str(message).map_err(|_| Refused::NotAnEvent)?;
        // An event of no thing lies in a partition that is no thing's either: no name holds `#`.
        let fits = event.thing.as_ref().map_or_else(|| thing.contains('#'), |told| told.as_str() == thing);
        if !fits {
            return Err(Refused::ForeignEvent);
        }
        Ok(Some(Self { event, message: message.to_owned() }))
    }

    /// How much of a batch it takes: the message, and each attribute's name, type and value.
    /// Source: SNS developer guide, "Message attributes": they count towards the size of the message.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attribute = |(name, value): (&str, &str)| name.len() + "String".len() + value.len();
        self.message.len() + self.event.attributes().map(attribute).sum::<usize>()
    }
}

fn text<'a>(record: &'a Value, pointer: &str, missing: &'static str) -> Result<&'a str, Refused> {
    record.pointer(pointer).and_then(Value::as_str).ok_or(Refused::NotAStreamRecord { missing })
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// The record of a new event item.
    pub(crate) fn record(thing: &str, number: u32, data: &str) -> Value {
        let event = json!({"id": format!("{thing}.{number}"), "type": "thing.active", "thing": thing, "at": number,
            "epoch": 1, "data": {"text": data}});
        let item = format!("event#{number:013}#{number:010}");
        json!({"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": {
            "Keys": {"thing": {"S": thing}, "item": {"S": item}}, "SequenceNumber": number.to_string(),
            "NewImage": {"thing": {"S": thing}, "item": {"S": item}, "event": {"S": event.to_string()}},
            "StreamViewType": "NEW_IMAGE"}})
    }

    #[test]
    fn the_message_is_the_envelope_as_the_item_holds_it() {
        let record = record("t1", 7, "x");
        let told = Told::of(&record).unwrap().unwrap();
        assert_eq!(told.event.id, "t1.7");
        assert_eq!(told.message, record["dynamodb"]["NewImage"]["event"]["S"]);
        assert_eq!(told.bytes(), told.message.len() + "typeStringthing.active".len() + "thingStringt1".len());
    }

    #[test]
    fn what_is_no_new_event_item_is_left_out() {
        for change in [("/eventName", "MODIFY"), ("/eventName", "REMOVE"), ("/dynamodb/Keys/item/S", "record")] {
            let mut record = record("t1", 7, "x");
            *record.pointer_mut(change.0).unwrap() = change.1.into();
            assert_eq!(Told::of(&record), Ok(None), "{change:?}");
        }
    }

    #[test]
    fn a_record_that_lacks_what_the_relay_reads_names_it() {
        let missing = |pointer: &str| {
            let mut record = record("t1", 7, "x");
            *record.pointer_mut(pointer).unwrap() = Value::Null;
            Told::of(&record).unwrap_err()
        };
        for (pointer, name) in [
            ("/eventName", "eventName"),
            ("/dynamodb", "dynamodb.Keys.thing.S"),
            ("/dynamodb/Keys/item", "dynamodb.Keys.item.S"),
            ("/dynamodb/NewImage", "dynamodb.NewImage.event.S"),
        ] {
            assert_eq!(missing(pointer), Refused::NotAStreamRecord { missing: name });
        }
    }

    #[test]
    fn an_event_of_another_thing_than_its_item_is_refused() {
        let mut record = record("t1", 7, "x");
        record["dynamodb"]["Keys"]["thing"]["S"] = "t2".into();
        assert_eq!(Told::of(&record), Err(Refused::ForeignEvent));
    }

    #[test]
    fn an_event_of_no_thing_is_told_from_a_partition_that_is_no_things_and_from_no_other() {
        let told = |partition: &str| {
            let mut record = record(partition, 7, "x");
            let event = json!({"id": "r.7", "type": "release.published", "at": 7, "epoch": 0, "data": {}});
            record["dynamodb"]["NewImage"]["event"]["S"] = event.to_string().into();
            Told::of(&record).map(|told| told.is_some())
        };
        assert_eq!((told("release#r"), told("t1")), (Ok(true), Err(Refused::ForeignEvent)));
    }
}
