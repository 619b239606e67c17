//! How many wrong claim codes somebody may try, and how long they wait after that.
//!
//! An attempt is counted by a conditional write *before* the code is compared, so that any number of callers at the same
//! instant get no more tries than one after the other. A right code gives its attempt back, and no more than that: who owns
//! one thing cannot wash away what they tried at another.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Bounds on attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many are compared before a wait.
    pub free: u32,
    /// The waits in milliseconds, the first, the second, and so on; the last one again and again.
    pub waits: &'static [i64],
    /// After so many milliseconds without an attempt all is forgotten.
    pub forgotten_after: i64,
}

/// Of one person at all things, also at those that do not exist: five, then 15 minutes; five more, then an hour; then a day
/// each time.
pub const PER_PERSON: Limit = Limit { free: 5, waits: &[15 * MINUTE, HOUR, 24 * HOUR], forgotten_after: 24 * HOUR };

/// Of all people at one thing: twenty, then an hour; then a day each time. The device's button opens it at once: a window
/// needs no code.
pub const PER_THING: Limit = Limit { free: 20, waits: &[HOUR, 24 * HOUR], forgotten_after: 24 * HOUR };

/// What was tried so far: one row, written on its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempts {
    /// One more with each write.
    pub version: u64,
    /// Attempts since the last wait.
    pub tried: u32,
    /// Waits so far.
    pub waits: u32,
    /// The end of the present wait; at this very time it is over.
    pub locked_until: Option<Timestamp>,
    /// When the last attempt was counted.
    pub last_at: Timestamp,
}

/// What comes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It may be compared, once this row is written in place of the one before.
    Counted(Attempts),
    /// Not before this time: 429 `too-many-attempts` with `Retry-After`.
    Locked {
        /// The end of the wait.
        until: Timestamp,
    },
}

/// One more attempt at `now`.
#[must_use]
pub fn count(before: Option<&Attempts>, limit: &Limit, now: Timestamp) -> Attempt {
    let version = before.map_or(0, |before| before.version);
    let known = before.filter(|before| !is_forgotten(before, limit, now));
    if let Some(until) = known.and_then(|known| known.locked_until).filter(|until| now < *until) {
        return Attempt::Locked { until };
    }
    let last_at = known.map_or(now, |known| known.last_at.max(now));
    let tried = known.map_or(0, |known| known.tried) + 1;
    let waits = known.map_or(0, |known| known.waits);
    let version = version + 1;
    if tried < limit.free {
        return Attempt::Counted(Attempts { version, tried, waits, locked_until: None, last_at });
    }
    // This one is still compared; the wait is for those after it.
    let wait = usize::try_from(waits).ok().and_then(|waits| limit.waits.get(waits)).or(limit.waits.last());
    let locked_until = wait.map(|wait| last_at.plus_millis(*wait));
    Attempt::Counted(Attempts { version, tried: 0, waits: waits.saturating_add(1), locked_until, last_at })
}

/// The row after the counted attempt `counted` proved right: as `before` it. To be written only if `counted` still stands;
/// if others counted meanwhile, theirs stay, and this one with them.
#[must_use]
pub fn given_back(before: Option<&Attempts>, counted: &Attempts) -> Attempts {
    let version = counted.version + 1;
    let nothing = Attempts { version, tried: 0, waits: 0, locked_until: None, last_at: counted.last_at };
    before.map_or(nothing, |before| Attempts { version, ..*before })
}

fn is_forgotten(known: &Attempts, limit: &Limit, now: Timestamp) -> bool {
    let quiet_since = known.locked_until.map_or(known.last_at, |until| until.max(known.last_at));
    now.millis_since(quiet_since) >= limit.forgotten_after
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Tries at the given times; answers those that were compared.
    fn compared(limit: &Limit, times: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut row = None;
        let mut compared = vec![];
        for time in times {
            if let Attempt::Counted(counted) = count(row.as_ref(), limit, at(time)) {
                row = Some(counted);
                compared.push(time);
            }
        }
        compared
    }

    #[test]
    fn of_twenty_guesses_in_a_row_five_are_compared() {
        assert_eq!(compared(&PER_PERSON, 0..20).len(), 5);
    }

    #[test]
    fn the_waits_are_a_quarter_an_hour_and_a_day_and_end_to_the_millisecond() {
        let mut row = None;
        let mut now = 0;
        for wait in [15 * MINUTE, HOUR, 24 * HOUR - 1, 24 * HOUR - 1] {
            for _ in 0..5 {
                let Attempt::Counted(counted) = count(row.as_ref(), &PER_PERSON, at(now)) else { panic!("{now}") };
                row = Some(counted);
            }
            let until = row.unwrap().locked_until.unwrap();
            assert!(until.millis_since(at(now)) >= wait);
            assert_eq!(count(row.as_ref(), &PER_PERSON, at(until.as_millis() - 1)), Attempt::Locked { until });
            now = until.as_millis();
        }
    }

    #[test]
    fn a_day_without_an_attempt_after_the_wait_forgets_all_and_the_version_goes_on() {
        let row = Attempts { version: 7, tried: 2, waits: 2, locked_until: Some(at(1_000)), last_at: at(10) };
        let Attempt::Counted(counted) = count(Some(&row), &PER_PERSON, at(1_000 + 24 * HOUR)) else { panic!() };
        assert_eq!((counted.version, counted.tried, counted.waits), (8, 1, 0));
        let Attempt::Counted(counted) = count(Some(&row), &PER_PERSON, at(999 + 24 * HOUR)) else { panic!() };
        assert_eq!((counted.tried, counted.waits), (3, 2));
    }

    #[test]
    fn a_right_code_gives_its_own_attempt_back_and_no_other() {
        let mut before = None;
        for time in 0..4 {
            let Attempt::Counted(counted) = count(before.as_ref(), &PER_PERSON, at(time)) else { panic!() };
            before = Some(counted);
        }
        let Attempt::Counted(fifth) = count(before.as_ref(), &PER_PERSON, at(4)) else { panic!() };
        assert!(fifth.locked_until.is_some());
        let after = given_back(before.as_ref(), &fifth);
        assert_eq!((after.version, after.tried, after.locked_until), (6, 4, None));
        assert_eq!(given_back(None, &fifth).tried, 0);
    }

    #[test]
    fn of_any_number_of_callers_at_once_as_many_are_compared_as_one_after_the_other() {
        // All who wait read the same row; the first to write wins, the others read again, until nobody waits.
        let (mut cell, mut waiting, mut compared) = (None, 20, 0);
        while waiting > 0 {
            match count(cell.as_ref(), &PER_PERSON, at(0)) {
                Attempt::Counted(counted) => {
                    (cell, waiting, compared) = (Some(counted), waiting - 1, compared + 1);
                }
                Attempt::Locked { .. } => waiting = 0,
            }
        }
        assert_eq!(compared, 5);
    }

    proptest! {
        #[test]
        fn no_pattern_of_times_gets_more_than_its_share_of_a_day(gaps in vec(0_i64..2 * HOUR, 1..200)) {
            let times = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) });
            let compared = compared(&PER_PERSON, times);
            for (first, time) in compared.iter().enumerate() {
                let in_a_day = compared[first..].iter().take_while(|other| **other - time < 24 * HOUR).count();
                prop_assert!(in_a_day <= 20, "{in_a_day}");
            }
        }
    }
}
