//! Past episodes: items beside the states.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use super::store::{Item, condition_of, field, item_of, number, state_of, text};
use super::{EpisodeId, PastEpisode, State, StateStore, StoreError};

/// What the keys of past episodes begin with. It sorts before every path, as those begin with a letter.
const PAST: &str = "#episode#";

/// The first letter that a path can begin with.
const FIRST_PATH: &str = "A";

/// The most items of one transaction. Source: DynamoDB API reference, `TransactWriteItems`.
const MOST_ITEMS: usize = 100;

/// Some past episodes of a thing, by their beginnings, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct PastPage {
    /// The episodes.
    pub episodes: Vec<PastEpisode>,
    /// Where the next page begins; `None` at the end. There may be nothing behind it.
    pub next: Option<PastPosition>,
}

/// A place among a thing's past episodes, for a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PastPosition(String);

impl StateStore {
    /// Saves `state` together with the episodes that it closes, if the version before it is still there. They are kept up to
    /// `expire_at`.
    ///
    /// # Errors
    /// As [`StateStore::save`].
    pub async fn save_closing(&self, state: &State, expire_at: Timestamp) -> Result<(), StoreError> {
        let mut items = vec![self.put_of(state)?];
        for past in state.past() {
            let put = Put::builder().table_name(&self.table).set_item(Some(item_of_past(state, past, expire_at)?));
            items.push(TransactWriteItem::builder().put(put.build()?).build());
        }
        self.transact(items).await
    }

    /// Saves all of `states`, or none of them (of more than 100, so many together): each if the version before it is still
    /// there.
    ///
    /// # Errors
    /// As [`StateStore::save`].
    pub async fn save_all(&self, states: &[State]) -> Result<(), StoreError> {
        for some in states.chunks(MOST_ITEMS) {
            self.transact(some.iter().map(|state| self.put_of(state)).collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }

    fn put_of(&self, state: &State) -> Result<TransactWriteItem, StoreError> {
        let (condition, before) = condition_of(state);
        let put = Put::builder().table_name(&self.table).set_item(Some(item_of(state)?));
        let put = put.condition_expression(condition).set_expression_attribute_values(before);
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let request = self.client.transact_write_items().set_transact_items(Some(items));
        request.send().await.map_err(StoreError::of_transaction)?;
        Ok(())
    }

    /// The states of `thing` under all paths, as they are now.
    ///
    /// # Errors
    /// As [`StateStore::load`].
    pub async fn of_thing(&self, thing: &ThingName) -> Result<Vec<State>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing AND #rule >= :first");
        let query = query.expression_attribute_names("#rule", "rule");
        let query = query.expression_attribute_values(":thing", text(thing.as_str()));
        let mut pages = query.expression_attribute_values(":first", text(FIRST_PATH)).into_paginator().send();
        let mut states = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StoreError::Look(Box::new(error)))?;
            states.extend(page.items().iter().map(state_of).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(states)
    }

    /// Up to `limit` (at least 1) past episodes of `thing` that began at or after `since` (`None`: all), the newest first,
    /// after the place `after`. What is older than the history is kept is left out, deleted or not; so a page may hold less,
    /// and yet have a next one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn past(
        &self,
        thing: &ThingName,
        since: Option<Timestamp>,
        (after, limit): (Option<&PastPosition>, u16),
        now: Timestamp,
    ) -> Result<PastPage, StoreError> {
        let since = since.map_or(PAST.to_owned(), |since| format!("{PAST}{:013}", since.as_millis().max(0)));
        let query = self.client.query().table_name(&self.table).scan_index_forward(false).consistent_read(true);
        let query = query
            .key_condition_expression("thing = :thing AND #rule BETWEEN :since AND :last")
            .filter_expression("expireAt > :now")
            .expression_attribute_names("#rule", "rule")
            .expression_attribute_values(":thing", text(thing.as_str()))
            .expression_attribute_values(":since", text(since))
            .expression_attribute_values(":last", text(format!("{PAST}~")))
            .expression_attribute_values(":now", number(now.as_secs()))
            .limit(i32::from(limit.max(1)))
            .set_exclusive_start_key(after.map(|place| key(thing, &place.0)));
        let answer = query.send().await.map_err(|error| StoreError::Look(Box::new(error)))?;
        let episodes = answer.items().iter().map(past_of).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key().map(|key| field(key, "rule")).transpose()?;
        Ok(PastPage { episodes, next: next.map(|place| PastPosition(place.to_owned())) })
    }

    /// Whether the history holds this episode of `thing`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_past(&self, thing: &ThingName, id: &EpisodeId, now: Timestamp) -> Result<bool, StoreError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.set_key(Some(key(thing, &key_of(id)))).send().await;
        let item = answer.map_err(|error| StoreError::Load(Box::new(error)))?.item;
        let expires = item.as_ref().and_then(|item| item.get("expireAt")?.as_n().ok()?.parse().ok());
        Ok(expires.is_some_and(|at: i64| at > now.as_secs()))
    }
}

fn key(thing: &ThingName, rule: &str) -> Item {
    Item::from([("thing".to_owned(), text(thing.as_str())), ("rule".to_owned(), text(rule))])
}

/// Text sorts as time, then path, do.
fn key_of(id: &EpisodeId) -> String {
    format!("{PAST}{:013}#{}", id.opened_at.as_millis(), id.path)
}

fn item_of_past(state: &State, past: &PastEpisode, expire_at: Timestamp) -> Result<Item, StoreError> {
    let json = serde_json::to_string(past).map_err(StoreError::Unwritable)?;
    Ok(Item::from([
        ("thing".to_owned(), text(&state.thing)),
        ("rule".to_owned(), text(key_of(&past.id()))),
        ("episode".to_owned(), text(json)),
        ("expireAt".to_owned(), number(expire_at.as_secs())),
    ]))
}

fn past_of(item: &Item) -> Result<PastEpisode, StoreError> {
    serde_json::from_str(field(item, "episode")?).map_err(StoreError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::{AlertRule, Decision, Observation, Sample, decide};

    fn closed() -> State {
        let seen = |millis: i64, value| Observation {
            name: "soilSensor1".to_owned(),
            sample: Sample::new(Timestamp::from_millis(1_598_536_072_677 + millis), value),
        };
        let at = Timestamp::from_millis(1_598_536_072_677);
        let batch = [seen(0, 20.0), seen(1, 50.0)];
        let decision = decide(&State::new("t1", "humidity"), &AlertRule::classic(35.0), &batch, at);
        let Decision::Save(state, _) = decision else { panic!("expected a change") };
        *state
    }

    #[test]
    fn a_past_episode_survives_the_way_through_the_table() {
        let state = closed();
        let item = item_of_past(&state, &state.past()[0], Timestamp::from_millis(1_600_000_000_999)).unwrap();
        assert_eq!(past_of(&item).unwrap(), state.past()[0]);
        assert_eq!(field(&item, "rule").unwrap(), "#episode#1598536072677#humidity");
        assert_eq!(item["expireAt"], number(1_600_000_000));
    }

    #[test]
    fn the_keys_of_past_episodes_sort_before_every_path_and_by_time() {
        let key = |millis, path: &str| {
            key_of(&EpisodeId { path: path.to_owned(), opened_at: Timestamp::from_millis(millis) })
        };
        assert!(key(9, "z") < key(10, "A") && key(10, "A") < key(10, "B"));
        assert!(key(9_999_999_999_999, "z").as_str() < FIRST_PATH && key(0, "a").as_str() > PAST);
        assert!(format!("{PAST}~") > key(9_999_999_999_999, "z"));
    }
}
