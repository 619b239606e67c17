//! Rows as items of the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{Event, ThingName, Timestamp};

use crate::error::BadRow;
use crate::row::Row;
use crate::store::Known;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The sort key of the truth.
pub(crate) const PRESENCE: &str = "presence";

/// What the sort keys of events begin with; the relay's stream filter knows it.
pub(crate) const EVENT_PREFIX: &str = "event#";

/// The key of `item` of a thing.
pub(crate) fn key(thing: &ThingName, item: &str) -> Item {
    Item::from([("thing".to_owned(), text(thing.as_str())), ("item".to_owned(), text(item))])
}

/// The row: the truth as JSON, the version for the condition, and what a person looks for.
pub(crate) fn row_item(thing: &ThingName, row: &Row) -> Result<Item, serde_json::Error> {
    let mut item = key(thing, PRESENCE);
    item.extend([
        ("version".to_owned(), number(row.version)),
        ("connected".to_owned(), AttributeValue::Bool(row.is_connected())),
        ("state".to_owned(), text(serde_json::to_string(row)?)),
    ]);
    Ok(item)
}

/// What stays of a thing that retired: that it did. Nothing can be written over it by whoever still works on an event.
pub(crate) fn erased_item(thing: &ThingName, expire_at: i64) -> Item {
    let mut item = key(thing, PRESENCE);
    item.extend([("erased".to_owned(), AttributeValue::Bool(true)), ("expireAt".to_owned(), number(expire_at))]);
    item
}

/// What an item of the key [`PRESENCE`] says.
pub(crate) fn known_of(item: &Item) -> Result<Known, BadRow> {
    if item.contains_key("erased") {
        return Ok(Known::Erased);
    }
    let version = item.get("version").and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok());
    let row: Row = serde_json::from_str(text_in(item, "state")?).map_err(|_| BadRow { attribute: "state" })?;
    let version = version.ok_or(BadRow { attribute: "version" })?;
    Ok(Known::Row(Box::new(Row { version, ..row })))
}

/// The sort key of the event that `version` of a row told; text sorts as time, then version, do.
pub(crate) fn event_sk(at: Timestamp, version: u64) -> String {
    format!("{EVENT_PREFIX}{:013}#{version:010}", at.as_millis())
}

/// Between which sort keys the events lie that became known at `since` or later; all of them without it.
pub(crate) fn events_since(since: Option<Timestamp>) -> (String, String) {
    let first = since.map(|since| Timestamp::from_millis(since.as_millis().max(0)));
    let digits = first.map(|first| format!("{:013}", first.as_millis())).unwrap_or_default();
    // A colon follows the digits.
    (format!("{EVENT_PREFIX}{digits}"), format!("{EVENT_PREFIX}:"))
}

/// The item of an event, told by `version` of the row and forgotten at `expire_at` (seconds since the epoch).
pub(crate) fn event_item(
    thing: &ThingName,
    event: &Event,
    version: u64,
    expire_at: i64,
) -> Result<Item, serde_json::Error> {
    let mut item = key(thing, &event_sk(event.at, version));
    item.insert("event".to_owned(), text(serde_json::to_string(event)?));
    item.insert("expireAt".to_owned(), number(expire_at));
    Ok(item)
}

/// The event in an item.
pub(crate) fn event_of(item: &Item) -> Result<Event, BadRow> {
    serde_json::from_str(text_in(item, "event")?).map_err(|_| BadRow { attribute: "event" })
}

/// The text of an attribute.
pub(crate) fn text_in<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a str, BadRow> {
    item.get(attribute).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(BadRow { attribute })
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    #[test]
    fn a_row_comes_back_from_its_item_with_its_version() {
        let row = Row { version: 7, ..Row::unseen(2) };
        let item = row_item(&thing(), &row).unwrap();
        assert_eq!(known_of(&item).unwrap(), Known::Row(Box::new(row)));
        assert_eq!(item["connected"], AttributeValue::Bool(false));
    }

    #[test]
    fn an_erased_row_says_nothing_but_that() {
        let item = erased_item(&thing(), 9);
        assert_eq!(known_of(&item).unwrap(), Known::Erased);
        assert_eq!(item.len(), 4);
    }

    #[test]
    fn an_item_that_is_no_row_is_not_taken_for_a_fresh_one() {
        let mut item = row_item(&thing(), &Row::unseen(2)).unwrap();
        item.insert("state".to_owned(), text("{}"));
        assert_eq!(known_of(&item).unwrap_err(), BadRow { attribute: "state" });
        item.remove("state");
        assert_eq!(known_of(&item).unwrap_err(), BadRow { attribute: "state" });
    }

    #[test]
    fn an_event_of_the_first_millisecond_is_within_and_that_of_the_one_before_is_not() {
        let at = Timestamp::from_millis;
        let within = |since: Option<i64>, millis: i64| {
            let (first, last) = events_since(since.map(at));
            (first..=last).contains(&event_sk(at(millis), 1))
        };
        assert!(
            within(Some(1_598_536_072_677), 1_598_536_072_677) && !within(Some(1_598_536_072_677), 1_598_536_072_676)
        );
        assert!(within(Some(-5), 0) && within(None, 0) && within(None, 9_999_999_999_999));
        let (first, last) = events_since(None);
        assert!(!(first..=last).contains(&PRESENCE.to_owned()));
    }

    #[test]
    fn events_sort_by_time_and_then_by_version() {
        let at = Timestamp::from_millis;
        assert_eq!(event_sk(at(1_598_536_072_677), 12), "event#1598536072677#0000000012");
        assert!(event_sk(at(999), 12) < event_sk(at(1_000), 2) && event_sk(at(7), 9) < event_sk(at(7), 10));
    }
}
