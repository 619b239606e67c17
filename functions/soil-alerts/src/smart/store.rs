use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use loam_domain::{ThingName, Timestamp};

use super::State;
use super::store_error::StoreError;

pub(super) type Item = HashMap<String, AttributeValue>;

/// So many partitions the sparse index `silence` has: one alone would take no more than 1,000 writes a second.
pub const SHARDS: u8 = 4;

/// So many items of a thing that ends are deleted side by side.
const AT_ONCE: usize = 25;

/// The most states that one look into a shard brings.
const MOST_PER_LOOK: i32 = 500;

/// The states: one item per thing and rule, keys `thing` and `rule` (its path). Past episodes lie beside them, under keys
/// that no path can be.
#[derive(Debug, Clone)]
pub struct StateStore {
    pub(super) client: Client,
    pub(super) table: String,
}

impl StateStore {
    /// The table of this name.
    #[must_use]
    pub const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// What is known of `thing` under the rule of `path`: as it is now, not as it was a moment ago.
    ///
    /// # Errors
    /// [`StoreError`]; for an item that is no state, too: it must not be overwritten.
    pub async fn load(&self, thing: &ThingName, path: &str) -> Result<State, StoreError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.key("thing", text(thing.as_str())).key("rule", text(path));
        let answer = request.send().await.map_err(|error| StoreError::Load(Box::new(error)))?;
        answer.item.map_or_else(|| Ok(State::new(thing.as_str(), path)), |item| state_of(&item))
    }

    /// Saves `state`, which closes no episode, if the version before it is still there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was faster, or when the answer to this very write was lost and the
    /// SDK sent it again: load again and decide again.
    pub async fn save(&self, state: &State) -> Result<(), StoreError> {
        let (condition, before) = condition_of(state);
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item_of(state)?));
        let request = request.condition_expression(condition).set_expression_attribute_values(before);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if StoreError::is_lost_condition(&error) => Err(StoreError::Conflict),
            Err(error) => Err(StoreError::Save(Box::new(error))),
        }
    }

    /// Things and paths of one shard that the sweep should look at, the longest overdue first; at most 500.
    ///
    /// The index follows the table with some delay: whoever acts on it loads the state first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn silent(&self, now: Timestamp, shard: u8) -> Result<Vec<(String, String)>, StoreError> {
        let request = self.client.query().table_name(&self.table).index_name("silence").limit(MOST_PER_LOOK);
        let request = request.key_condition_expression("watch = :shard AND expectBy < :now");
        let request = request.expression_attribute_values(":shard", text(shard.to_string()));
        let request = request.expression_attribute_values(":now", number(now.as_millis()));
        let answer = request.send().await.map_err(|error| StoreError::Look(Box::new(error)))?;
        answer
            .items()
            .iter()
            .map(|item| Ok((field(item, "thing")?.to_owned(), field(item, "rule")?.to_owned())))
            .collect()
    }

    /// Forgets all that is known of `thing`, its past episodes and notices that wait too.
    ///
    /// # Errors
    /// [`StoreError`]; what is gone by then stays gone.
    pub async fn erase(&self, thing: &ThingName) -> Result<(), StoreError> {
        let request = self.client.query().table_name(&self.table).consistent_read(true);
        let request = request.key_condition_expression("thing = :thing").projection_expression("thing, #rule");
        let request = request.expression_attribute_names("#rule", "rule");
        let request = request.expression_attribute_values(":thing", text(thing.as_str()));
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StoreError::Look(Box::new(error)))?;
            for some in page.items.unwrap_or_default().chunks(AT_ONCE) {
                try_join_all(some.iter().map(|key| self.erase_item(key))).await?;
            }
        }
        Ok(())
    }

    async fn erase_item(&self, key: &Item) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key.clone()));
        delete.send().await.map_err(|error| StoreError::Erase(Box::new(error)))?;
        Ok(())
    }
}

/// The condition that the version before `state` is still there, and its values.
pub(super) fn condition_of(state: &State) -> (&'static str, Option<Item>) {
    match state.version.saturating_sub(1) {
        0 => ("attribute_not_exists(thing)", None),
        before => ("version = :before", Some(Item::from([(":before".to_owned(), number(before))]))),
    }
}

/// The item: keys, the version for the condition, the state as readable JSON, and, only where there is something to
/// look after, the keys of the sparse index.
pub(super) fn item_of(state: &State) -> Result<Item, StoreError> {
    let json = serde_json::to_string(state).map_err(StoreError::Unwritable)?;
    let mut item = Item::from([
        ("thing".to_owned(), text(&state.thing)),
        ("rule".to_owned(), text(&state.path)),
        ("version".to_owned(), number(state.version)),
        ("status".to_owned(), text(state.status().as_str())),
        ("state".to_owned(), text(json)),
    ]);
    if let Some(time) = state.look_at() {
        item.insert("watch".to_owned(), text(shard_of(&state.thing).to_string()));
        item.insert("expectBy".to_owned(), number(time.as_millis()));
    }
    Ok(item)
}

pub(super) fn state_of(item: &Item) -> Result<State, StoreError> {
    let mut state: State = serde_json::from_str(field(item, "state")?).map_err(StoreError::Unreadable)?;
    let version = item.get("version").and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok());
    state.version = version.ok_or(StoreError::MissingField("version"))?;
    Ok(state)
}

/// Spreads things evenly enough; names of one fleet differ in their last characters.
fn shard_of(thing: &str) -> u8 {
    thing.bytes().fold(0, u8::wrapping_add) % SHARDS
}

pub(super) fn field<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, StoreError> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(StoreError::MissingField(name))
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::{AlertRule, Decision, Observation, Sample, decide};

    const AT: Timestamp = Timestamp::from_millis(1_598_536_072_677);

    fn dry() -> State {
        let observation = Observation { name: "soilSensor1".to_owned(), sample: Sample::new(AT, 20.0) };
        let decision = decide(&State::new("t1", "humidity"), &AlertRule::classic(35.0), &[observation], AT);
        let Decision::Save(state, _) = decision else { panic!("a dry reading opens an episode") };
        *state
    }

    #[test]
    fn a_state_comes_back_from_its_item_with_its_version() {
        let state = dry();
        let item = item_of(&state).unwrap();
        assert_eq!(field(&item, "status").unwrap(), "alarm");
        assert_eq!(state_of(&item).unwrap(), state);
    }

    #[test]
    fn only_a_state_with_something_to_look_after_is_in_the_index() {
        let item = item_of(&dry()).unwrap();
        assert_eq!(item["expectBy"], number(AT.as_millis() + 60_000));
        assert!(["0", "1", "2", "3"].contains(&field(&item, "watch").unwrap()));
        let sent = dry().without(&dry().outbox).unwrap();
        let item = item_of(&sent).unwrap();
        assert!(!item.contains_key("watch") && !item.contains_key("expectBy"));
    }

    #[test]
    fn an_item_that_is_no_state_is_not_taken_for_a_fresh_one() {
        let mut item = item_of(&dry()).unwrap();
        item.insert("state".to_owned(), text("{}"));
        assert!(matches!(state_of(&item), Err(StoreError::Unreadable(_))));
        item.remove("state");
        assert!(matches!(state_of(&item), Err(StoreError::MissingField("state"))));
    }

    #[test]
    fn the_things_of_a_fleet_spread_over_all_shards() {
        let shards: std::collections::BTreeSet<_> = (0..8).map(|n| shard_of(&format!("soilSensor{n}"))).collect();
        assert_eq!(shards.len(), usize::from(SHARDS));
    }
}
