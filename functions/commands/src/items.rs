//! The rows of CommandsTable, and back.
//!
//! | thing | item | holds |
//! | --- | --- | --- |
//! | the thing | `command#{id}` | a [`Command`]; while it is open it stands in the indexes `open` and `expiry` as well |
//! | the thing | `line` | a [`Line`] |
//! | the thing | `event#{time}#{id}#{version}` | an event, for the relay |
//! | `command#{id}` | `thing` | whose command that is: an id alone names no thing |
//! | `repeat#{mark}` | `command` | what became of an order that may come twice |
//! | `order#{id}` | `order`, `to#{thing}` | an order for many things, and what it became for each |
//!
//! A thing's name holds no `#`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{Event, ThingName, Timestamp};

use crate::command::{Command, State};
use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::line::Line;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// What the sort keys of commands begin with.
pub(crate) const COMMAND: &str = "command#";
/// The sort key of a thing's line.
pub(crate) const LINE: &str = "line";
/// In how many parts the open commands of all things lie, by the last digit of their ids: each sweep reads all.
pub(crate) const SHARDS: u8 = 8;
/// So long after its end a command is remembered, in milliseconds: 30 days.
const KEPT_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;

pub(crate) fn key(thing: &str, item: &str) -> Item {
    Item::from([("thing".to_owned(), text(thing)), ("item".to_owned(), text(item))])
}

pub(crate) fn command_key(thing: &ThingName, id: &CommandId) -> Item {
    key(thing.as_str(), &format!("{COMMAND}{id}"))
}

pub(crate) fn pointer_key(id: &CommandId) -> Item {
    key(&format!("{COMMAND}{id}"), "thing")
}

pub(crate) fn repeat_key(mark: &str) -> Item {
    key(&format!("repeat#{mark}"), "command")
}

pub(crate) fn shard(number: u8) -> String {
    format!("open#{number}")
}

/// The row of a command as it is after `now`.
pub(crate) fn command_item(command: &Command, now: Timestamp) -> Result<Item, CommandsFailure> {
    let mut item = command_key(&command.thing, &command.id);
    item.insert("command".to_owned(), text(serde_json::to_string(command)?));
    item.insert("version".to_owned(), number(command.version));
    item.insert("expireAt".to_owned(), seconds(command.expires_at));
    if is_open(command, now) {
        let digit = command.id.as_str().bytes().last().map_or(0, |byte| byte % SHARDS);
        item.insert("open".to_owned(), text(command.id.as_str()));
        item.insert("shard".to_owned(), text(shard(digit)));
        item.insert("expiresAt".to_owned(), AttributeValue::N(command.expires_at.as_millis().to_string()));
    }
    Ok(item)
}

/// Whether something of a command is still to be done: until its end is known, and told.
fn is_open(command: &Command, now: Timestamp) -> bool {
    let state = command.state(now);
    !state.is_over() || (state == State::Expired && !command.expiry_told)
}

pub(crate) fn command_of(item: &Item) -> Result<Command, CommandsFailure> {
    read(item, "command")
}

pub(crate) fn pointer_item(command: &Command) -> Item {
    let mut item = pointer_key(&command.id);
    item.insert("of".to_owned(), text(command.thing.as_str()));
    item.insert("expireAt".to_owned(), seconds(command.expires_at));
    item
}

pub(crate) fn repeat_item(mark: &str, command: &Command) -> Item {
    let mut item = repeat_key(mark);
    item.insert("of".to_owned(), text(command.thing.as_str()));
    item.insert("id".to_owned(), text(command.id.as_str()));
    item.insert("expireAt".to_owned(), seconds(command.issued_at));
    item
}

pub(crate) fn line_item(thing: &ThingName, line: &Line) -> Result<Item, CommandsFailure> {
    let mut item = key(thing.as_str(), LINE);
    item.insert("line".to_owned(), text(serde_json::to_string(line)?));
    item.insert("version".to_owned(), number(line.version));
    Ok(item)
}

pub(crate) fn line_of(item: &Item) -> Result<Line, CommandsFailure> {
    read(item, "line")
}

/// The row of what `version` of a command told.
pub(crate) fn event_item(command: &Command, event: &Event) -> Result<Item, CommandsFailure> {
    let (at, id, version) = (event.at.as_millis().clamp(0, 9_999_999_999_999), &command.id, command.version);
    let mut item = key(command.thing.as_str(), &format!("event#{at:013}#{id}#{version:05}"));
    item.insert("event".to_owned(), text(serde_json::to_string(event)?));
    item.insert("expireAt".to_owned(), seconds(event.at));
    Ok(item)
}

pub(crate) fn id_in(item: &Item, attribute: &'static str) -> Result<CommandId, CommandsFailure> {
    CommandId::parse(text_in(item, attribute)?).map_err(|_| CommandsFailure::BadRow { attribute })
}

pub(crate) fn thing_in(item: &Item, attribute: &'static str) -> Result<ThingName, CommandsFailure> {
    ThingName::parse(text_in(item, attribute)?).map_err(|_| CommandsFailure::BadRow { attribute })
}

pub(crate) fn text_in<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a str, CommandsFailure> {
    let text = item.get(attribute).and_then(|value| value.as_s().ok());
    text.map(String::as_str).ok_or(CommandsFailure::BadRow { attribute })
}

/// What an attribute holds as JSON.
pub(crate) fn read<T: serde::de::DeserializeOwned>(item: &Item, attribute: &'static str) -> Result<T, CommandsFailure> {
    serde_json::from_str(text_in(item, attribute)?).map_err(|_| CommandsFailure::BadRow { attribute })
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// When DynamoDB deletes what ends at `end`.
pub(crate) fn seconds(end: Timestamp) -> AttributeValue {
    AttributeValue::N(end.plus_millis(KEPT_MILLIS).as_secs().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::{at, command};
    use crate::command::{Intent, Transition, next};

    fn after(command: &Command, intent: &Intent, millis: i64) -> Command {
        let Transition::Change(change) = next(command, intent, at(millis)) else { panic!("{intent:?}") };
        change.command
    }

    fn stands_in_indexes(command: &Command, millis: i64) -> bool {
        let item = command_item(command, at(millis)).unwrap();
        assert_eq!(command_of(&item).unwrap(), *command);
        let names = ["open", "shard", "expiresAt"].map(|name| item.contains_key(name));
        assert!(names.iter().all(|each| *each == names[0]));
        names[0]
    }

    #[test]
    fn a_command_is_open_until_its_end_is_told() {
        assert!(stands_in_indexes(&command(), 0));
        assert!(stands_in_indexes(&command(), 60_000), "it expired, and nobody was told");
        assert!(!stands_in_indexes(&after(&command(), &Intent::TellExpiry, 90_000), 90_000));
        assert!(!stands_in_indexes(&after(&command(), &Intent::Cancel, 1), 1));
    }

    #[test]
    fn rows_of_a_command_are_kept_for_thirty_days_after_its_end() {
        let end = AttributeValue::N((60 + 30 * 86_400).to_string());
        assert_eq!(command_item(&command(), at(0)).unwrap()["expireAt"], end);
        assert_eq!(pointer_item(&command())["expireAt"], end);
    }
}
