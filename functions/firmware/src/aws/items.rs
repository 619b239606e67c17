//! Rows as items of the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{Event, ThingName, Timestamp};
use loam_releases::names::Id;

use crate::FirmwareFailure;
use crate::assignment::Assignment;
use crate::execution::{Execution, State};
use crate::order::Signed;
use crate::rollout::Rollout;
use crate::tally::Tally;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition of the list of rollouts.
pub(crate) const ROLLOUTS: &str = "rollouts";

/// What the sort keys of events begin with; the relay's stream filter knows it.
pub(crate) const EVENT: &str = "event#";

/// For how long an event's row stays, in milliseconds.
const EVENT_KEPT_MILLIS: i64 = 30 * 24 * 3_600 * 1_000;

pub(crate) fn key(partition: &str, sort: &str) -> Item {
    Item::from([("thing".to_owned(), text(partition)), ("item".to_owned(), text(sort))])
}

/// The partition of a rollout's own rows.
pub(crate) fn rollout_partition(id: &Id) -> String {
    format!("rollout#{id}")
}

pub(crate) fn rollout_key(id: &Id) -> Item {
    key(&rollout_partition(id), "rollout")
}

pub(crate) fn rollout_item(rollout: &Rollout) -> Result<Item, FirmwareFailure> {
    let mut item = rollout_key(&rollout.id);
    item.insert("version".to_owned(), number(rollout.version));
    item.insert("rollout".to_owned(), json(rollout)?);
    Ok(item)
}

pub(crate) fn rollout_of(item: &Item) -> Result<Rollout, FirmwareFailure> {
    read(item, "rollout")
}

/// The signed manifest of a rollout.
pub(crate) fn manifest_key(id: &Id) -> Item {
    key(&rollout_partition(id), "manifest")
}

pub(crate) fn manifest_item(id: &Id, signed: &Signed, sequence: u64) -> Item {
    let mut item = manifest_key(id);
    item.insert("sequence".to_owned(), number(sequence));
    item.insert("manifest".to_owned(), text(signed.manifest.clone()));
    item.insert("signature".to_owned(), text(signed.signature.clone()));
    item
}

pub(crate) fn manifest_of(item: &Item) -> Result<(Signed, u64), FirmwareFailure> {
    let signed =
        Signed { manifest: text_in(item, "manifest")?.to_owned(), signature: text_in(item, "signature")?.to_owned() };
    Ok((signed, number_in(item, "sequence")?))
}

/// What the sort keys of the list begin with: live ones apart from those that are over.
pub(crate) const fn list_prefix(over: bool) -> &'static str {
    if over { "over#" } else { "live#" }
}

/// Where a rollout stands in the list, by the time of its creation.
pub(crate) fn list_sort(over: bool, at: Timestamp, id: &Id) -> String {
    format!("{}{:013}#{id}", list_prefix(over), at.as_millis().max(0))
}

pub(crate) fn place_in_list(rollout: &Rollout, over: bool) -> Item {
    key(ROLLOUTS, &list_sort(over, rollout.created_at, &rollout.id))
}

pub(crate) fn list_item(rollout: &Rollout, over: bool) -> Item {
    let mut item = place_in_list(rollout, over);
    item.insert("id".to_owned(), text(rollout.id.as_str()));
    item.insert("version".to_owned(), number(rollout.version));
    let join_until = rollout.definition.join_until.map_or(0, |until| until.as_millis().unsigned_abs());
    item.insert("joinUntil".to_owned(), number(join_until));
    item
}

pub(crate) fn id_in(item: &Item) -> Result<Id, FirmwareFailure> {
    Id::parse(text_in(item, "id")?).map_err(|_| FirmwareFailure::BadRow("id"))
}

/// How many things a chunk had when its row did not say how many things are written down.
const SILENT_CHUNK: u64 = 97;

/// How far a shard of a wave is written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    /// How many chunks: the row's version.
    pub(crate) chunks: u64,
    /// How many things, from the first of its list. Another release of this function may make chunks of another size.
    pub(crate) things: u64,
}

impl Filled {
    /// After one more chunk, of so many things.
    pub(crate) const fn and(self, things: usize) -> Self {
        Self { chunks: self.chunks + 1, things: self.things + things as u64 }
    }
}

/// How far a shard of a wave is written down.
pub(crate) fn filled_key(id: &Id, wave: usize, shard: u32) -> Item {
    key(&rollout_partition(id), &format!("filled#{wave}#{shard}"))
}

pub(crate) fn filled_item(id: &Id, wave: usize, shard: u32, filled: Filled) -> Item {
    let mut item = filled_key(id, wave, shard);
    item.insert("version".to_owned(), number(filled.chunks));
    item.insert("things".to_owned(), number(filled.things));
    item
}

pub(crate) fn filled_of(item: &Item) -> Result<Filled, FirmwareFailure> {
    let chunks = number_in(item, "version")?;
    let said = item.contains_key("things").then(|| number_in(item, "things")).transpose()?;
    Ok(Filled { chunks, things: said.unwrap_or(chunks * SILENT_CHUNK) })
}

/// The partition of a shard of a wave: its counters, and its things.
pub(crate) fn shard_partition(id: &Id, wave: usize, shard: u32) -> String {
    format!("things#{id}#{wave}#{shard}")
}

pub(crate) fn tally_key(id: &Id, wave: usize, shard: u32) -> Item {
    key(&shard_partition(id, wave, shard), "tally")
}

/// Of which wave a row of counters is.
pub(crate) fn wave_of_tally(item: &Item) -> Result<usize, FirmwareFailure> {
    let wave = text_in(item, "thing")?.split('#').nth(2).and_then(|wave| wave.parse().ok());
    wave.ok_or(FirmwareFailure::BadRow("thing"))
}

pub(crate) fn tally_of(item: &Item) -> Tally {
    let mut tally = Tally::default();
    for state in State::ALL {
        // A counter that nobody touched yet is not there.
        tally.set(state, number_in(item, state.counter()).unwrap_or_default());
    }
    tally
}

/// What the sort key of a thing begins with, so that work is found by it.
pub(crate) const fn bucket(state: State) -> &'static str {
    match state {
        State::Queued => QUEUED,
        State::Notified | State::Downloading | State::Verifying | State::Installing => AT_WORK,
        State::Succeeded | State::Failed | State::Rejected | State::TimedOut | State::Unreached => REST,
        State::AlreadyInstalled | State::Incompatible | State::Removed => REST,
    }
}

/// Things that are queued.
pub(crate) const QUEUED: &str = "q#";
/// Things that were asked, and those at work.
pub(crate) const AT_WORK: &str = "a#";
/// All the others.
pub(crate) const REST: &str = "z#";

pub(crate) fn execution_key(execution: &Execution, shard: u32) -> Item {
    let bucket = bucket(execution.state());
    let partition = shard_partition(&execution.rollout, usize::from(execution.wave), shard);
    key(&partition, &format!("{bucket}{}", execution.thing))
}

/// All keys under which a thing's row can be.
pub(crate) fn execution_keys(id: &Id, wave: usize, shard: u32, thing: &ThingName) -> Vec<Item> {
    let partition = shard_partition(id, wave, shard);
    [QUEUED, AT_WORK, REST].map(|bucket| key(&partition, &format!("{bucket}{thing}"))).into()
}

pub(crate) fn execution_item(execution: &Execution, shard: u32) -> Result<Item, FirmwareFailure> {
    let mut item = execution_key(execution, shard);
    item.insert("version".to_owned(), number(execution.version));
    item.insert("execution".to_owned(), json(execution)?);
    Ok(item)
}

pub(crate) fn execution_of(item: &Item) -> Result<Execution, FirmwareFailure> {
    read(item, "execution")
}

pub(crate) fn assignment_key(thing: &ThingName) -> Item {
    key(thing.as_str(), "assignment")
}

pub(crate) fn assignment_item(thing: &ThingName, assignment: &Assignment) -> Result<Item, FirmwareFailure> {
    let mut item = assignment_key(thing);
    item.insert("version".to_owned(), number(assignment.version));
    item.insert("assignment".to_owned(), json(assignment)?);
    Ok(item)
}

pub(crate) fn assignment_of(item: &Item) -> Result<Assignment, FirmwareFailure> {
    read(item, "assignment")
}

/// The row of an event of this partition; `version` is that of what it tells of.
pub(crate) fn event_item(partition: &str, event: &Event, version: u64) -> Result<Item, FirmwareFailure> {
    let mut item = key(partition, &format!("{EVENT}{:013}#{version:010}", event.at.as_millis()));
    item.insert("event".to_owned(), json(event)?);
    item.insert(
        "expireAt".to_owned(),
        AttributeValue::N(event.at.plus_millis(EVENT_KEPT_MILLIS).as_secs().to_string()),
    );
    Ok(item)
}

pub(crate) fn text_in<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a str, FirmwareFailure> {
    let value = item.get(attribute).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or(FirmwareFailure::BadRow(attribute))
}

pub(crate) fn number_in(item: &Item, attribute: &'static str) -> Result<u64, FirmwareFailure> {
    let value = item.get(attribute).and_then(|value| value.as_n().ok());
    value.and_then(|digits| digits.parse().ok()).ok_or(FirmwareFailure::BadRow(attribute))
}

/// What an attribute holds as JSON.
pub(crate) fn read<T: serde::de::DeserializeOwned>(item: &Item, attribute: &'static str) -> Result<T, FirmwareFailure> {
    serde_json::from_str(text_in(item, attribute)?).map_err(|_| FirmwareFailure::BadRow(attribute))
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<AttributeValue, FirmwareFailure> {
    Ok(text(serde_json::to_string(value)?))
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_list_is_written_down_is_counted_in_things_and_was_in_chunks_of_97() {
        let id = Id::of("rollout", &["r"]);
        let filled = Filled::default().and(97).and(3);
        assert_eq!(filled, Filled { chunks: 2, things: 100 });
        let mut item = filled_item(&id, 1, 2, filled);
        assert_eq!(filled_of(&item).unwrap(), filled);
        item.remove("things");
        assert_eq!(filled_of(&item).unwrap(), Filled { chunks: 2, things: 194 });
        item.insert("things".to_owned(), text("many"));
        assert!(filled_of(&item).is_err());
    }
}
