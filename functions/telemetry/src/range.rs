//! Of which time a series is asked for, and how finely.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::point::HOUR_MILLIS;

/// Milliseconds of a day.
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// So far a device's clock may be ahead of ours and is believed: what is asked for up to now ends after that.
const AHEAD_MILLIS: i64 = 5 * 60 * 1000;

/// A stretch of time: from its start up to, and without, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first millisecond.
    pub from: Timestamp,
    /// The millisecond after the last.
    pub to: Timestamp,
}

/// How finely a series is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// Every number, as it was measured.
    #[default]
    Raw,
    /// One summary an hour.
    Hour,
    /// One summary a day (UTC).
    Day,
}

/// Why no series can be asked for like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRange {
    /// It ends before it begins.
    Reversed,
    /// It is longer than [`Resolution::most_days`].
    TooWide,
}

impl Resolution {
    /// Of how many days a series is asked for without a beginning.
    #[must_use]
    pub const fn usual_days(self) -> i64 {
        match self {
            Self::Raw => 1,
            Self::Hour => 7,
            Self::Day => 30,
        }
    }

    /// Of how many days a series may be asked for at most.
    #[must_use]
    pub const fn most_days(self) -> i64 {
        match self {
            Self::Raw => 31,
            Self::Hour => 366,
            Self::Day => 3_660,
        }
    }

    /// The time that is asked for: up to now, or to `from` if that is later; from [`Resolution::usual_days`] before its end.
    ///
    /// # Errors
    /// [`BadRange`].
    pub fn span(self, from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Result<Span, BadRange> {
        let end = now.plus_millis(AHEAD_MILLIS + 1);
        let to = to.unwrap_or_else(|| from.map_or(end, |from| end.max(from)));
        let from = from.unwrap_or_else(|| to.plus_millis(-self.usual_days() * DAY_MILLIS));
        match to.millis_since(from) {
            ..0 => Err(BadRange::Reversed),
            width if width > self.most_days() * DAY_MILLIS => Err(BadRange::TooWide),
            _ => Ok(Span { from, to }),
        }
    }

    /// The span of the rows that tell of `span`, for whoever may see what is of `since` and later: samples of their own
    /// millisecond, hours and days that begin in it, each whole. Only of the day of `since` the hours before are missing.
    #[must_use]
    pub fn rows_of(self, span: Span, since: Option<Timestamp>) -> Span {
        let step = match self {
            Self::Raw => 1,
            Self::Hour => HOUR_MILLIS,
            Self::Day => DAY_MILLIS,
        };
        let since = since.map(|since| next(since, step.min(HOUR_MILLIS)));
        let from = next(span.from, step);
        Span { from: since.map_or(from, |since| from.max(since)), to: next(span.to, step) }
    }
}

/// The first multiple of `step` that is not before `time`.
fn next(time: Timestamp, step: i64) -> Timestamp {
    time.plus_millis((-time.as_millis()).rem_euclid(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn days_ago(days: i64) -> Timestamp {
        NOW.plus_millis(-days * DAY_MILLIS)
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: Timestamp::from_millis(from), to: Timestamp::from_millis(to) }
    }

    #[test]
    fn without_times_the_usual_days_up_to_now_are_asked_for_and_a_clock_five_minutes_ahead_is_within() {
        for (resolution, days) in [(Resolution::Raw, 1), (Resolution::Hour, 7), (Resolution::Day, 30)] {
            let span = resolution.span(None, None, NOW).unwrap();
            assert_eq!(span.to, NOW.plus_millis(300_001));
            assert_eq!(span.to.millis_since(span.from), days * DAY_MILLIS);
        }
        let span = Resolution::Raw.span(None, Some(days_ago(9)), NOW).unwrap();
        assert_eq!(span, Span { from: days_ago(10), to: days_ago(9) });
    }

    #[test]
    fn a_range_of_the_most_days_is_taken_and_one_of_a_millisecond_more_is_not() {
        for resolution in [Resolution::Raw, Resolution::Hour, Resolution::Day] {
            let (from, to) = (days_ago(resolution.most_days()), NOW);
            assert_eq!(resolution.span(Some(from), Some(to), NOW), Ok(Span { from, to }));
            assert_eq!(resolution.span(Some(from.plus_millis(-1)), Some(to), NOW), Err(BadRange::TooWide));
        }
        assert_eq!(Resolution::Raw.span(Some(days_ago(32)), None, NOW), Err(BadRange::TooWide));
    }

    #[test]
    fn a_range_that_ends_where_it_begins_is_empty_and_one_that_ends_before_is_refused() {
        assert_eq!(Resolution::Raw.span(Some(NOW), Some(NOW), NOW), Ok(Span { from: NOW, to: NOW }));
        let before = NOW.plus_millis(-1);
        assert_eq!(Resolution::Raw.span(Some(NOW), Some(before), NOW), Err(BadRange::Reversed));
        let far = NOW.plus_millis(DAY_MILLIS);
        assert_eq!(Resolution::Raw.span(Some(far), None, NOW), Ok(Span { from: far, to: far }));
    }

    #[test]
    fn an_hour_and_a_day_count_when_they_begin_within() {
        let hours = |from, to| Resolution::Hour.rows_of(span(from, to), None);
        assert_eq!(hours(0, HOUR_MILLIS), span(0, HOUR_MILLIS));
        assert_eq!(hours(1, HOUR_MILLIS + 1), span(HOUR_MILLIS, 2 * HOUR_MILLIS));
        assert_eq!(Resolution::Day.rows_of(span(1, DAY_MILLIS + 1), None), span(DAY_MILLIS, 2 * DAY_MILLIS));
        assert_eq!(Resolution::Raw.rows_of(span(1, 9), None), span(1, 9));
    }

    #[test]
    fn nothing_of_before_a_members_own_time_is_within() {
        let rows = |resolution: Resolution, since| {
            let rows = resolution.rows_of(span(0, 2 * DAY_MILLIS), Some(Timestamp::from_millis(since)));
            rows.from.as_millis()
        };
        assert_eq!(rows(Resolution::Raw, 7), 7);
        assert_eq!(rows(Resolution::Hour, HOUR_MILLIS), HOUR_MILLIS);
        assert_eq!(rows(Resolution::Hour, HOUR_MILLIS + 1), 2 * HOUR_MILLIS);
        assert_eq!(rows(Resolution::Day, HOUR_MILLIS + 1), 2 * HOUR_MILLIS);
        assert_eq!(rows(Resolution::Day, -1), 0);
    }
}
