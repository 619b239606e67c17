//! What people do about an episode.

use loam_domain::Timestamp;

use super::{Acknowledgement, Snooze, State};

/// The longest snooze, in seconds: 7 days. The shortest is one second.
pub const MAX_SNOOZE_SECONDS: u32 = 7 * 24 * 60 * 60;

/// A snooze that would end less than this after the present one is the present one: the same request again, whose answer
/// was lost, or a button that was pressed twice.
pub const REPEAT_MILLIS: i64 = 60_000;

/// What comes of what somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction {
    /// The next version of the state, to be saved if the version before is still there.
    Save(Box<State>),
    /// It is so already.
    Known,
    /// That episode is not open: it never was, or is over.
    NotOpen,
}

/// Somebody takes care of the episode that opened at `opened_at` (device time): no more reminders of it. Its end is told
/// nevertheless. Who came first stays named.
#[must_use]
pub fn acknowledge(state: &State, opened_at: Timestamp, who: Acknowledgement) -> Reaction {
    let mut next = state.next();
    match next.episode.as_mut().filter(|episode| episode.opened_at() == opened_at) {
        None => Reaction::NotOpen,
        Some(episode) if episode.acknowledged.is_some() => Reaction::Known,
        Some(episode) => {
            episode.acknowledged = Some(who);
            Reaction::Save(Box::new(next))
        }
    }
}

/// Nobody is told of anything under this state before the end of `snooze`, be it of the open episode or of a new one. What
/// happens meanwhile is remembered. After it the first reading that finds an episode open tells of it, if nobody was told
/// of that one yet; the end of one that people know of is told with the first reading or sweep, and of one that began and
/// ended in the snooze nothing.
///
/// The newest word counts, be it longer or shorter, but for a repeat ([`REPEAT_MILLIS`]).
#[must_use]
pub fn snooze(state: &State, snooze: &Snooze) -> Reaction {
    let is_repeat = |known: &Snooze| {
        let longer = snooze.until.millis_since(known.until);
        known.holds(snooze.at) && (0..REPEAT_MILLIS).contains(&longer)
    };
    if state.snooze.as_ref().is_some_and(is_repeat) {
        return Reaction::Known;
    }
    Reaction::Save(Box::new(State { snooze: Some(snooze.clone()), ..state.next() }))
}

/// As [`snooze`], asked for by the name of the episode that opened at `opened_at`.
#[must_use]
pub fn snooze_episode(state: &State, opened_at: Timestamp, by: &Snooze) -> Reaction {
    match state.episode.as_ref().filter(|episode| episode.opened_at() == opened_at) {
        None => Reaction::NotOpen,
        Some(_) => snooze(state, by),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::{Episode, Sample};

    const OPENED: Timestamp = Timestamp::from_millis(1_598_536_072_677);

    fn dry() -> State {
        let sample = Sample::new(OPENED, 20.0);
        let episode =
            Episode { opening: sample.clone(), worst: sample, told_at: None, reminders: 0, acknowledged: None };
        State { episode: Some(episode), ..State::new("thing1", "humidity") }
    }

    fn who(by: &str) -> Acknowledgement {
        Acknowledgement { by: by.to_owned(), at: OPENED }
    }

    fn for_seconds(from: Timestamp, seconds: i64) -> Snooze {
        Snooze { until: from.plus_millis(1000 * seconds), by: "ann".to_owned(), at: from }
    }

    fn saved(reaction: Reaction) -> State {
        let Reaction::Save(state) = reaction else { panic!("expected a change") };
        *state
    }

    #[test]
    fn who_acknowledges_first_stays_named() {
        let state = saved(acknowledge(&dry(), OPENED, who("ann")));
        assert_eq!((state.version, state.episode.clone().unwrap().acknowledged), (1, Some(who("ann"))));
        assert_eq!(acknowledge(&state, OPENED, who("bob")), Reaction::Known);
    }

    #[test]
    fn an_episode_that_opened_a_millisecond_earlier_or_later_is_another_one() {
        for millis in [-1, 1] {
            let other = OPENED.plus_millis(millis);
            assert_eq!(acknowledge(&dry(), other, who("ann")), Reaction::NotOpen);
            assert_eq!(snooze_episode(&dry(), other, &for_seconds(OPENED, 60)), Reaction::NotOpen);
        }
        assert_eq!(acknowledge(&State::new("thing1", "humidity"), OPENED, who("ann")), Reaction::NotOpen);
    }

    #[test]
    fn a_snooze_holds_up_to_its_end_and_not_at_it() {
        let state = saved(snooze_episode(&dry(), OPENED, &for_seconds(OPENED, 1)));
        assert!(state.is_snoozed(OPENED.plus_millis(999)));
        assert!(!state.is_snoozed(OPENED.plus_millis(1000)));
    }

    #[test]
    fn a_snooze_that_ends_59_999_ms_later_is_a_repeat_and_one_that_ends_a_minute_later_is_a_new_one() {
        let state = saved(snooze(&dry(), &for_seconds(OPENED, 3600)));
        for millis in [0, 59_999] {
            assert_eq!(snooze(&state, &for_seconds(OPENED.plus_millis(millis), 3600)), Reaction::Known, "{millis}");
        }
        let longer = saved(snooze(&state, &for_seconds(OPENED.plus_millis(60_000), 3600)));
        assert_eq!(longer.snooze.unwrap().until, OPENED.plus_millis(3_660_000));
    }

    #[test]
    fn a_shorter_snooze_counts_at_once_and_one_after_the_end_is_no_repeat() {
        let state = saved(snooze(&dry(), &for_seconds(OPENED, 3600)));
        let shorter = saved(snooze(&state, &for_seconds(OPENED.plus_millis(1), 3599)));
        assert_eq!(shorter.snooze.unwrap().until, OPENED.plus_millis(3_599_001));
        let again = snooze(&state, &for_seconds(OPENED.plus_millis(3_600_000), 30));
        assert!(matches!(again, Reaction::Save(_)));
    }
}
