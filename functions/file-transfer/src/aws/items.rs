//! Rows as items of the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{Event, ThingName, Timestamp};

use crate::FileFailure;
use crate::ids::TransferId;
use crate::slots::Slots;
use crate::transfer::Transfer;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The sort key of a thing's [`Slots`].
pub(crate) const SLOTS: &str = "slots";

/// What the sort keys of transfers begin with.
pub(crate) const TRANSFER: &str = "transfer#";

/// What the sort keys of events begin with; the relay's stream filter knows it.
const EVENT: &str = "event#";

/// How many shards the index of what ends has: that many queries find all of it.
pub(crate) const SHARDS: u8 = 4;

/// For how long a row stays after its end, in milliseconds.
const KEPT_MILLIS: i64 = 30 * 24 * 3_600 * 1_000;

pub(crate) fn key(thing: &str, item: &str) -> Item {
    Item::from([("thing".to_owned(), text(thing)), ("item".to_owned(), text(item))])
}

pub(crate) fn transfer_key(thing: &ThingName, id: &TransferId) -> Item {
    key(thing.as_str(), &format!("{TRANSFER}{id}"))
}

/// Where the thing of a transfer is found: a partition of its own, as no thing's name holds `#`.
pub(crate) fn pointer_key(id: &TransferId) -> Item {
    key(&format!("{TRANSFER}{id}"), "pointer")
}

pub(crate) fn pointer_item(transfer: &Transfer) -> Item {
    let mut item = pointer_key(&transfer.id);
    item.insert("of".to_owned(), text(transfer.thing.as_str()));
    item.insert("expireAt".to_owned(), number(kept_until(transfer)));
    item
}

pub(crate) fn thing_of(item: &Item) -> Result<ThingName, FileFailure> {
    ThingName::parse(text_in(item, "of")?).map_err(|_| FileFailure::BadRow("of"))
}

pub(crate) fn transfer_item(transfer: &Transfer) -> Result<Item, FileFailure> {
    let mut item = transfer_key(&transfer.thing, &transfer.id);
    item.insert("version".to_owned(), number(transfer.version));
    item.insert("transfer".to_owned(), text(serde_json::to_string(transfer)?));
    item.insert("expireAt".to_owned(), number(kept_until(transfer)));
    if transfer.erased_at.is_none() {
        item.insert("open".to_owned(), text(shard_of(&transfer.id)));
        // The sweep finds what ended early, too: whoever ended it may have died before it asked for the erasure.
        let ended_at = transfer.end.as_ref().map_or(transfer.expires_at, |end| end.at.min(transfer.expires_at));
        item.insert("endsAt".to_owned(), number(ended_at.as_millis()));
    }
    Ok(item)
}

pub(crate) fn transfer_of(item: &Item) -> Result<Transfer, FileFailure> {
    serde_json::from_str(text_in(item, "transfer")?).map_err(|_| FileFailure::BadRow("transfer"))
}

pub(crate) fn slots_item(thing: &ThingName, slots: &Slots) -> Result<Item, FileFailure> {
    let mut item = key(thing.as_str(), SLOTS);
    item.insert("version".to_owned(), number(slots.version));
    item.insert("slots".to_owned(), text(serde_json::to_string(slots)?));
    Ok(item)
}

pub(crate) fn slots_of(item: &Item) -> Result<Slots, FileFailure> {
    serde_json::from_str(text_in(item, "slots")?).map_err(|_| FileFailure::BadRow("slots"))
}

/// The item of an event; it is forgotten with its transfer.
pub(crate) fn event_item(transfer: &Transfer, event: &Event) -> Result<Item, FileFailure> {
    let sort = format!("{EVENT}{:013}#{}#{:010}", event.at.as_millis(), transfer.id, transfer.version);
    let mut item = key(transfer.thing.as_str(), &sort);
    item.insert("event".to_owned(), text(serde_json::to_string(event)?));
    item.insert("expireAt".to_owned(), number(kept_until(transfer)));
    Ok(item)
}

/// Which shard of the index a transfer is in, by the last digit of its id.
fn shard_of(id: &TransferId) -> String {
    shard(id.as_str().bytes().last().unwrap_or_default() % SHARDS)
}

pub(crate) fn shard(number: u8) -> String {
    format!("open#{number}")
}

fn kept_until(transfer: &Transfer) -> i64 {
    transfer.expires_at.plus_millis(KEPT_MILLIS).as_secs()
}

/// A key of the index: whose transfer it is, and which.
pub(crate) fn of_index(item: &Item) -> Result<(ThingName, TransferId), FileFailure> {
    let thing = ThingName::parse(text_in(item, "thing")?).map_err(|_| FileFailure::BadRow("thing"))?;
    let id = text_in(item, "item")?.strip_prefix(TRANSFER).and_then(|id| TransferId::parse(id).ok());
    Ok((thing, id.ok_or(FileFailure::BadRow("item"))?))
}

pub(crate) fn text_in<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a str, FileFailure> {
    let value = item.get(attribute).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or(FileFailure::BadRow(attribute))
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The condition's value for what must have ended by `now`.
pub(crate) fn time(now: Timestamp) -> AttributeValue {
    number(now.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Direction;
    use crate::transfer::tests::{at, transfer};
    use crate::transfer::{End, How};

    #[test]
    fn a_transfer_comes_back_from_its_item_and_leaves_the_index_when_it_is_erased() {
        let one = transfer(Direction::Upload, 3);
        let item = transfer_item(&one).unwrap();
        assert_eq!(transfer_of(&item).unwrap(), one);
        assert_eq!(of_index(&item).unwrap(), (one.thing.clone(), one.id.clone()));
        assert!(item.contains_key("open") && item.contains_key("endsAt"));
        let end = Some(End { how: How::Cancelled, at: at(2), reason: None });
        assert_eq!(transfer_item(&Transfer { end, ..one.clone() }).unwrap().get("endsAt"), Some(&time(at(2))));
        let erased = Transfer { erased_at: Some(at(1)), ..one };
        assert!(!transfer_item(&erased).unwrap().contains_key("open"));
    }

    #[test]
    fn every_digit_has_a_shard() {
        for digit in "0123456789abcdef".bytes() {
            assert!(digit % SHARDS < SHARDS);
        }
    }

    #[test]
    fn a_pointer_names_its_thing_and_another_item_is_none() {
        let one = transfer(Direction::Upload, 3);
        assert_eq!(thing_of(&pointer_item(&one)).unwrap(), one.thing);
        assert!(thing_of(&transfer_item(&one).unwrap()).is_err());
        assert!(transfer_of(&pointer_item(&one)).is_err());
    }
}
