use loam_domain::{Event, ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::items;
use crate::{PresenceFailure, Store};

/// Some of what was told of a thing's presence, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page begins; `None` at the end. There may be nothing behind it.
    pub next: Option<HistoryPosition>,
}

/// A place in a thing's history, for a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HistoryPosition(String);

impl Store {
    /// Up to `limit` (at least 1) events of a thing that became known at `since` or later, the newest first, after the
    /// place `after`. What is older than the history is kept is left out, deleted or not; so a page may hold less, and
    /// yet have a next one.
    ///
    /// # Errors
    /// [`PresenceFailure::HistoryNotRead`], [`PresenceFailure::BadRow`].
    pub async fn history(
        &self,
        thing: &ThingName,
        after: Option<&HistoryPosition>,
        limit: u16,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<HistoryPage, PresenceFailure> {
        let (first, last) = items::events_since(since);
        if after.is_some_and(|place| place.0 <= first) {
            // A cursor of a time when the caller could see more: DynamoDB would refuse to begin there.
            return Ok(HistoryPage { events: vec![], next: None });
        }
        let query = self.client.query().table_name(&self.table).scan_index_forward(false).consistent_read(true);
        let query = query
            .key_condition_expression("thing = :thing AND #item BETWEEN :first AND :last")
            .filter_expression("expireAt > :now")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":thing", items::text(thing.as_str()))
            .expression_attribute_values(":first", items::text(&first))
            .expression_attribute_values(":last", items::text(&last))
            .expression_attribute_values(":now", items::number(now.as_secs()))
            .limit(i32::from(limit.max(1)))
            .set_exclusive_start_key(after.map(|place| items::key(thing, &place.0)));
        let answer = query.send().await.map_err(|error| PresenceFailure::HistoryNotRead(Box::new(error)))?;
        let events = answer.items().iter().map(items::event_of).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key().map(|key| items::text_in(key, "item")).transpose()?;
        Ok(HistoryPage { events, next: next.map(|place| HistoryPosition(place.to_owned())) })
    }
}
