//! Maintenance windows, in each thing's own time.

use std::collections::BTreeSet;

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The farthest that a thing's clock is from UTC, in minutes.
pub const MOST_OFFSET_MINUTES: i32 = 14 * 60;

/// When things may be asked, and may install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// The days on which it begins.
    pub days: BTreeSet<Day>,
    /// When it begins, in minutes after midnight: 0 to 1,439.
    pub from_minute: u16,
    /// How long it lasts, in minutes: 15 to 1,440. It may end on the next day.
    pub minutes: u16,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// The day of the week of the so many-th day since 1970-01-01, a Thursday.
    const fn of(days: i64) -> Self {
        match days.rem_euclid(7) {
            0 => Self::Thu,
            1 => Self::Fri,
            2 => Self::Sat,
            3 => Self::Sun,
            4 => Self::Mon,
            5 => Self::Tue,
            _ => Self::Wed,
        }
    }
}

impl Window {
    /// Whether there is such a window.
    #[must_use]
    pub fn makes_sense(&self) -> bool {
        !self.days.is_empty() && self.from_minute < 1_440 && (15..=1_440).contains(&self.minutes)
    }

    /// Whether it is open at `now` for a thing whose clock is `offset_minutes` ahead of UTC; beyond what there is, UTC.
    #[must_use]
    pub fn is_open(&self, now: Timestamp, offset_minutes: i32) -> bool {
        self.opens_at(now, offset_minutes) <= now
    }

    /// When it is open next: `now`, if it is open.
    #[must_use]
    pub fn opens_at(&self, now: Timestamp, offset_minutes: i32) -> Timestamp {
        let known = offset_minutes.abs() <= MOST_OFFSET_MINUTES;
        let offset = if known { i64::from(offset_minutes) * MINUTE } else { 0 };
        let local = now.as_millis().saturating_add(offset);
        let today = local.div_euclid(DAY);
        let begins = |day: i64| day * DAY + i64::from(self.from_minute) * MINUTE;
        let coming = (today - 1..=today + 7).filter(|day| self.days.contains(&Day::of(*day)));
        let open = coming.map(begins).find(|begins| local < begins + i64::from(self.minutes) * MINUTE);
        open.map_or(now, |begins| Timestamp::from_millis(begins - offset).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thursday 1970-01-01 and so many hours.
    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 60 * MINUTE)
    }

    fn window(days: &[Day], from_hour: u16, hours: u16) -> Window {
        Window { days: days.iter().copied().collect(), from_minute: from_hour * 60, minutes: hours * 60 }
    }

    #[test]
    fn a_window_is_open_from_its_first_millisecond_to_before_its_last() {
        let night = window(&[Day::Thu], 2, 2);
        let open = |millis| night.is_open(Timestamp::from_millis(at(2).as_millis() + millis), 0);
        assert_eq!([-1, 0, 2 * 3_600_000 - 1, 2 * 3_600_000].map(open), [false, true, true, false]);
        assert_eq!(night.opens_at(at(0), 0), at(2));
        assert_eq!(night.opens_at(at(4), 0), at(2 + 7 * 24));
    }

    #[test]
    fn a_window_across_midnight_belongs_to_the_day_on_which_it_begins() {
        let late = window(&[Day::Thu], 23, 3);
        assert!(late.is_open(at(25), 0) && !late.is_open(at(26), 0) && !late.is_open(at(1), 0));
        let whole = window(&[Day::Thu], 12, 24);
        assert!(whole.is_open(at(35), 0) && !whole.is_open(at(36), 0));
    }

    #[test]
    fn a_thing_has_its_own_clock() {
        let night = window(&[Day::Thu], 2, 2);
        // Two at night in a zone two hours ahead is midnight in UTC.
        assert!(night.is_open(at(0), 120) && !night.is_open(at(2), 120));
        assert_eq!(night.opens_at(at(0), -120), at(4));
        assert_eq!(night.opens_at(at(0), 100_000), at(2), "a clock that cannot be is UTC");
    }
}
