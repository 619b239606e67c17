//! Counters of a wave: how many things stand where. They are moved in the transaction that moves a thing, never counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::execution::State;
use crate::rollout::definition::ErrorLimit;

/// How many shards the counters of one wave have at most, so that its things do not wait for each other's transactions.
pub const MOST_SHARDS: u32 = 16;
/// So many things share a shard before there is another.
const THINGS_A_SHARD: u64 = 500;

/// How many things stand where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally {
    counts: BTreeMap<State, u64>,
}

impl Tally {
    /// How many stand there.
    #[must_use]
    pub fn get(&self, state: State) -> u64 {
        self.counts.get(&state).copied().unwrap_or_default()
    }

    /// So many stand there: as a row has it.
    pub fn set(&mut self, state: State, things: u64) {
        self.counts.insert(state, things);
        self.counts.retain(|_, count| *count > 0);
    }

    /// A thing came in.
    pub fn enter(&mut self, state: State) {
        *self.counts.entry(state).or_default() += 1;
    }

    /// A thing moved.
    ///
    /// # Errors
    /// Nobody stood where it came from; nothing is changed then.
    pub fn moved(&mut self, from: State, to: State) -> Result<(), NobodyThere> {
        let count = self.counts.get_mut(&from).filter(|count| **count > 0).ok_or(NobodyThere)?;
        *count -= 1;
        self.counts.retain(|_, count| *count > 0);
        self.enter(to);
        Ok(())
    }

    /// These and those.
    pub fn add(&mut self, other: &Self) {
        for (state, count) in &other.counts {
            *self.counts.entry(*state).or_default() += count;
        }
    }

    /// All things.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many stand where, by the words for people; a word for nobody is left out.
    #[must_use]
    pub fn by_word(&self) -> BTreeMap<&'static str, u64> {
        let mut words: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (state, count) in &self.counts {
            *words.entry(state.as_str()).or_default() += *count;
        }
        words
    }

    /// Those of which something is still expected.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.counts.iter().filter(|(state, _)| state.is_open()).map(|(_, count)| count).sum()
    }

    /// Those that run the target.
    #[must_use]
    pub fn good(&self) -> u64 {
        self.get(State::Succeeded) + self.get(State::AlreadyInstalled)
    }

    /// Those that speak against it. Who was never reached does not.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.get(State::Failed) + self.get(State::Rejected) + self.get(State::TimedOut)
    }

    /// Those that count: all but who cannot run it and who was taken out.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.total() - self.get(State::Incompatible) - self.get(State::Removed)
    }

    /// Whether at least `percent` of those that count run the target. Things of which none counts prove nothing; where there
    /// is no thing at all, nothing is to be proven.
    #[must_use]
    pub fn gate_fires(&self, percent: u8) -> bool {
        let (counted, total) = (self.counted(), self.total());
        (counted > 0 || total == 0) && self.good() * 100 >= u64::from(percent) * counted
    }

    /// Whether more than the limit speak against it.
    #[must_use]
    pub fn is_over(&self, limit: ErrorLimit) -> bool {
        match limit {
            ErrorLimit::Percent(percent) => self.bad() * 100 > u64::from(percent) * self.counted(),
            ErrorLimit::Count(count) => self.bad() > u64::from(count),
        }
    }
}

/// A thing cannot leave a state in which no thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no thing stands there")]
pub struct NobodyThere;

/// How many shards a wave of so many things has; fixed when it is filled.
#[must_use]
pub fn shards(things: u64) -> u32 {
    u32::try_from(things.div_ceil(THINGS_A_SHARD)).unwrap_or(MOST_SHARDS).clamp(1, MOST_SHARDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(counts: &[(State, u64)]) -> Tally {
        Tally { counts: counts.iter().copied().collect() }
    }

    #[test]
    fn the_gate_fires_at_its_percentage_and_the_error_stop_only_above_its_own() {
        let wave = tally(&[(State::Succeeded, 9), (State::Failed, 1)]);
        assert!(wave.gate_fires(90) && !wave.gate_fires(91));
        assert!(!wave.is_over(ErrorLimit::Percent(10)) && wave.is_over(ErrorLimit::Percent(9)));
        assert!(!wave.is_over(ErrorLimit::Count(1)) && wave.is_over(ErrorLimit::Count(0)));
    }

    #[test]
    fn who_cannot_run_it_or_was_taken_out_does_not_count_and_who_is_silent_counts_for_neither() {
        let wave = tally(&[(State::AlreadyInstalled, 1), (State::Incompatible, 50), (State::Removed, 50)]);
        assert!(wave.gate_fires(100) && wave.counted() == 1);
        let silent = tally(&[(State::Succeeded, 1), (State::Unreached, 1)]);
        assert!(silent.gate_fires(50) && !silent.gate_fires(51) && !silent.is_over(ErrorLimit::Count(0)));
        assert!(tally(&[]).gate_fires(100) && !tally(&[]).is_over(ErrorLimit::Percent(0)));
    }

    #[test]
    fn a_wave_of_which_no_thing_counts_has_proven_nothing_and_one_without_things_has_nothing_to_prove() {
        for nobody in
            [&[(State::Incompatible, 10)][..], &[(State::Removed, 1)], &[(State::Incompatible, 1), (State::Removed, 1)]]
        {
            assert!(!tally(nobody).gate_fires(1) && tally(nobody).open() == 0, "{nobody:?}");
        }
        assert!(tally(&[(State::Incompatible, 10), (State::Succeeded, 1)]).gate_fires(100));
        assert!(tally(&[]).gate_fires(100));
    }

    #[test]
    fn a_large_wave_has_sixteen_shards_and_a_small_one_one() {
        assert_eq!([0, 1, 500, 501, 8_000, 100_000].map(shards), [1, 1, 1, 2, 16, 16]);
    }

    #[test]
    fn nobody_leaves_a_state_in_which_nobody_is() {
        let mut wave = tally(&[(State::Queued, 1)]);
        assert_eq!(wave.moved(State::Queued, State::Notified), Ok(()));
        assert_eq!(wave.moved(State::Queued, State::Notified), Err(NobodyThere));
        assert_eq!((wave.total(), wave.get(State::Notified)), (1, 1));
    }
}
