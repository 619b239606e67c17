use loam_domain::{Event, ThingName, Timestamp};

use crate::{Things, ThingsFailure, rows};

/// Some of a thing's events, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page begins; `None` at the end. There may be nothing behind it.
    pub next: Option<HistoryPosition>,
}

/// A place in a thing's history, for a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPosition(String);

impl HistoryPosition {
    /// The place that [`HistoryPosition::as_str`] gave; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, version) = text.strip_prefix(rows::EVENT_PREFIX)?.split_once('#')?;
        let place = rows::event_sk(Timestamp::from_millis(at.parse().ok()?), version.parse().ok()?);
        (place == text).then_some(Self(place))
    }

    /// The place as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Things {
    /// Up to `limit` (at least 1) events of a thing, the newest first, after the place `after`.
    ///
    /// # Errors
    /// [`ThingsFailure::HistoryNotRead`], [`ThingsFailure::BadRow`].
    pub async fn history(
        &self,
        thing: &ThingName,
        after: Option<&HistoryPosition>,
        limit: u16,
    ) -> Result<HistoryPage, ThingsFailure> {
        let query = self.client.query().table_name(&self.table).scan_index_forward(false).consistent_read(true);
        let query = query
            .key_condition_expression("thing = :thing AND begins_with(#item, :prefix)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":thing", rows::text(thing.as_str()))
            .expression_attribute_values(":prefix", rows::text(rows::EVENT_PREFIX))
            .limit(i32::from(limit.max(1)))
            .set_exclusive_start_key(after.map(|place| rows::key(thing.as_str(), place.as_str())));
        let answer = query.send().await.map_err(|error| ThingsFailure::HistoryNotRead(Box::new(error)))?;
        let events = answer.items().iter().map(rows::event_of).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key().map(|key| rows::text_in(key, "item")).transpose()?;
        Ok(HistoryPage { events, next: next.map(|place| HistoryPosition(place.to_owned())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_from_its_text_and_nothing_else_is_a_place() {
        let text = rows::event_sk(Timestamp::from_millis(1_598_536_072_677), 12);
        assert_eq!(text, "event#1598536072677#0000000012");
        assert_eq!(HistoryPosition::parse(&text).unwrap().as_str(), text);
        for bad in ["", "record", "event#", "event#1#1", "event#1598536072677#12", "event#+598536072677#0000000012"] {
            assert_eq!(HistoryPosition::parse(bad), None, "{bad}");
        }
    }
}
