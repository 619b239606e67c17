use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::TelemetryFailure;
use crate::aggregate::{Aggregate, days};
use crate::point::{HOUR_MILLIS, Metric, Sample};
use crate::range::Span;
use crate::rows::{self, Item};

/// The hours of a day.
const HOURS: usize = 24;

/// Reads the table page by page: one `Query` a page, whatever is on it.
#[derive(Debug, Clone)]
pub struct Reader {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// A place in a list of rows, for a cursor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(String);

/// Which page of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Of which time; without anything in it where it ends before it begins.
    pub span: Span,
    /// Whether the newest comes first.
    pub descending: bool,
    /// How many at most; at least 1.
    pub limit: u16,
    /// Behind which place.
    pub after: Option<Place>,
}

/// What is on a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// In the order that was asked for. May be less than the limit, as what is expired is left out.
    pub items: Vec<T>,
    /// Behind which place the next page begins; `None` on the last one.
    pub next: Option<Place>,
}

/// Rows of one partition, in the order that was asked for, and whether there are more behind them.
#[derive(Debug, Default)]
struct Rows {
    items: Vec<Item>,
    more: bool,
}

/// Between which sort keys, both included.
struct Keys {
    partition: String,
    first: String,
    last: String,
}

impl Reader {
    /// The table of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// The latest value of each series of a thing, by the series' name, without what was measured before `since`.
    ///
    /// # Errors
    /// [`TelemetryFailure::NotRead`], [`TelemetryFailure::BadRow`].
    pub async fn latest(
        &self,
        thing: &ThingName,
        after: Option<&Place>,
        limit: u16,
        since: Option<Timestamp>,
    ) -> Result<Found<(Metric, Sample)>, TelemetryFailure> {
        let keys = Keys {
            partition: thing.to_string(),
            first: rows::LATEST_PREFIX.to_owned(),
            last: rows::AFTER_LATEST.to_owned(),
        };
        let rows = self.rows(keys, after, false, limit.into()).await?;
        let next = rows.next();
        let of_row = |item| Ok((rows::latest_metric(item)?, rows::sample_of(item)?));
        let mut items: Vec<(Metric, Sample)> =
            rows.items.iter().map(of_row).collect::<Result<_, TelemetryFailure>>()?;
        items.retain(|(_, sample)| since.is_none_or(|since| sample.measured_at >= since));
        Ok(Found { items, next })
    }

    /// The samples of a series whose millisecond lies in the window, without those that are expired at `now`.
    ///
    /// # Errors
    /// As [`Reader::latest`].
    pub async fn samples(
        &self,
        thing: &ThingName,
        metric: &Metric,
        window: &Window,
        now: Timestamp,
    ) -> Result<Found<Sample>, TelemetryFailure> {
        // A sample's key has its digest behind its time: the end itself is the key of none.
        let (first, last) = (rows::sample_sk_from(window.span.from), rows::sample_sk_from(window.span.to));
        let rows = self.series(thing, metric, window, (first, last), window.limit.into()).await?;
        let items = unexpired(&rows.items, now).map(rows::sample_of).collect::<Result<_, _>>()?;
        Ok(Found { items, next: rows.next() })
    }

    /// The aggregates of the hours that begin in the window, without those that are expired at `now`.
    ///
    /// # Errors
    /// As [`Reader::latest`].
    pub async fn hours(
        &self,
        thing: &ThingName,
        metric: &Metric,
        window: &Window,
        now: Timestamp,
    ) -> Result<Found<(Timestamp, Aggregate)>, TelemetryFailure> {
        let rows = self.series(thing, metric, window, hour_keys(window), window.limit.into()).await?;
        let items = unexpired(&rows.items, now).map(hour).collect::<Result<_, _>>()?;
        Ok(Found { items, next: rows.next() })
    }

    /// The aggregates of the days (UTC) of which hours begin in the window, merged from these. A page holds whole days: its
    /// last one is left to the next page where rows of it may be missing. DynamoDB answers with 1 MB at most: so many rows
    /// are more than 40 days.
    ///
    /// # Errors
    /// As [`Reader::latest`].
    pub async fn days(
        &self,
        thing: &ThingName,
        metric: &Metric,
        window: &Window,
        now: Timestamp,
    ) -> Result<Found<(Timestamp, Aggregate)>, TelemetryFailure> {
        let limit = usize::from(window.limit.max(1));
        let rows = self.series(thing, metric, window, hour_keys(window), limit * HOURS + 1).await?;
        let rows = rows.whole_days(limit)?;
        let hours = unexpired(&rows.items, now).map(hour).collect::<Result<Vec<_>, _>>()?;
        let mut items: Vec<_> = days(hours).into_iter().collect();
        if window.descending {
            items.reverse();
        }
        Ok(Found { items, next: rows.next() })
    }

    async fn series(
        &self,
        thing: &ThingName,
        metric: &Metric,
        window: &Window,
        (first, last): (String, String),
        most: usize,
    ) -> Result<Rows, TelemetryFailure> {
        if window.span.from >= window.span.to {
            return Ok(Rows::default());
        }
        let keys = Keys { partition: rows::series_pk(thing, metric), first, last };
        self.rows(keys, window.after.as_ref(), window.descending, most).await
    }

    /// Up to `most` rows behind `after`. One more is read, to know whether there is one.
    async fn rows(
        &self,
        keys: Keys,
        after: Option<&Place>,
        descending: bool,
        most: usize,
    ) -> Result<Rows, TelemetryFailure> {
        let Some(start) = keys.start(after, descending) else { return Ok(Rows::default()) };
        let query = self.client.query().table_name(&self.table).scan_index_forward(!descending);
        let query = query
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", rows::text(keys.partition))
            .expression_attribute_values(":from", rows::text(keys.first))
            .expression_attribute_values(":to", rows::text(keys.last))
            .limit(i32::try_from(most + 1).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let answer = query.send().await.map_err(|error| TelemetryFailure::NotRead(Box::new(error)))?;
        let cut = answer.last_evaluated_key.is_some();
        let mut items = answer.items.unwrap_or_default();
        let more = cut || items.len() > most;
        items.truncate(most);
        Ok(Rows { items, more })
    }
}

impl Keys {
    /// Where a query begins that goes on behind `after`: `Some(None)` at the end of the keys, `None` if nothing can be there.
    ///
    /// Who may see less than when their cursor was made comes from outside of the keys; DynamoDB refuses to begin there.
    #[expect(clippy::option_option, reason = "no start and no query are two things")]
    fn start(&self, after: Option<&Place>, descending: bool) -> Option<Option<Item>> {
        let Some(Place(after)) = after else { return Some(None) };
        let (is_before, is_behind) = (*after < self.first, *after > self.last);
        match (is_before, is_behind) {
            (false, false) => Some(Some(Item::from([
                ("pk".to_owned(), rows::text(self.partition.clone())),
                ("sk".to_owned(), rows::text(after.clone())),
            ]))),
            (before, _) if before == descending => None,
            _ => Some(None),
        }
    }
}

impl Rows {
    /// The place of the last row, if there are more behind it.
    fn next(&self) -> Option<Place> {
        let last = self.items.last().filter(|_| self.more)?;
        Some(Place(rows::sk(last).to_owned()))
    }

    /// Only the rows of the first `limit` (at least 1) days, and of those only of days that are surely whole.
    fn whole_days(mut self, limit: usize) -> Result<Self, TelemetryFailure> {
        let days = self.items.iter().map(|item| Ok(day(rows::hour_start(item)?)));
        let days = days.collect::<Result<Vec<_>, TelemetryFailure>>()?;
        let mut distinct = days.clone();
        distinct.dedup();
        // Behind the last row may be more of its day.
        let whole = if self.more { distinct.len().saturating_sub(1) } else { distinct.len() };
        let Some(end) = distinct.get(whole.min(limit)) else { return Ok(self) };
        self.items.truncate(days.iter().take_while(|day| *day != end).count());
        self.more = true;
        Ok(self)
    }
}

fn unexpired(items: &[Item], now: Timestamp) -> impl Iterator<Item = &Item> {
    items.iter().filter(move |item| !rows::is_expired(item, now))
}

fn hour(item: &Item) -> Result<(Timestamp, Aggregate), TelemetryFailure> {
    Ok((rows::hour_start(item)?, rows::hour_of(item)?.aggregate))
}

/// An hour's key has nothing behind its time: the last is the millisecond before the end.
fn hour_keys(window: &Window) -> (String, String) {
    (rows::hour_sk(window.span.from), rows::hour_sk(window.span.to.plus_millis(-1)))
}

const fn day(hour: Timestamp) -> i64 {
    hour.as_millis().div_euclid(24 * HOUR_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(hours: &[i64], more: bool) -> Rows {
        let item = |hour: &i64| {
            Item::from([("sk".to_owned(), rows::text(rows::hour_sk(Timestamp::from_millis(hour * HOUR_MILLIS))))])
        };
        Rows { items: hours.iter().map(item).collect(), more }
    }

    /// How many rows are left, and whether there are more.
    fn left(hours: &[i64], more: bool, limit: usize) -> (usize, bool) {
        let rows = rows_of(hours, more).whole_days(limit).unwrap();
        assert_eq!(rows.next().is_some(), rows.more && !rows.items.is_empty());
        (rows.items.len(), rows.more)
    }

    #[test]
    fn a_day_whose_rows_go_on_behind_the_page_is_left_to_the_next_one() {
        assert_eq!(left(&[0, 1, 24, 25, 48], true, 5), (4, true));
        assert_eq!(left(&[0, 1, 24, 25, 48], false, 5), (5, false));
        assert_eq!(left(&[48, 25, 24, 1], true, 5), (3, true));
    }

    #[test]
    fn a_page_has_no_more_days_than_asked_for_and_says_that_there_are_more() {
        assert_eq!(left(&[0, 1, 24, 25, 48], false, 2), (4, true));
        assert_eq!(left(&[0, 1, 24], false, 1), (2, true));
        assert_eq!(left(&[0, 1], false, 1), (2, false));
        assert_eq!(left(&[], false, 1), (0, false));
        let day_and_an_hour: Vec<_> = (0..25).collect();
        assert_eq!(left(&day_and_an_hour, true, 1), (24, true));
    }

    #[test]
    fn a_cursor_from_outside_begins_at_the_keys_end_or_finds_nothing() {
        let keys = || Keys { partition: "p".to_owned(), first: "b".to_owned(), last: "d".to_owned() };
        let start = |after: &str, descending| keys().start(Some(&Place(after.to_owned())), descending);
        assert!(start("c", false).is_some_and(|start| start.is_some()));
        assert_eq!((start("a", false), start("a", true)), (Some(None), None));
        assert_eq!((start("e", false), start("e", true)), (None, Some(None)));
        assert_eq!(keys().start(None, true), Some(None));
    }
}
