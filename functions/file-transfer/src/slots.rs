//! How many transfers a thing has at once.

use std::collections::BTreeMap;

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::TransferId;

/// The most transfers of one thing that are not over.
pub const MOST_ACTIVE: usize = 10;

/// The transfers of a thing that are not over, as one row: whoever creates or ends one writes it in the same transaction,
/// on its version. So no two that create at once can both be the tenth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// One more with each write; 0 where there is no row.
    pub version: u64,
    /// When each ends by itself. What has ended so holds no place, whether or not anybody wrote so.
    pub active: BTreeMap<TransferId, Timestamp>,
}

/// All places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thing has {MOST_ACTIVE} transfers that are not over: cancel one, or wait until one ends")]
pub struct Full;

impl Slots {
    /// With a place for `id`.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take(&self, id: &TransferId, expires_at: Timestamp, now: Timestamp) -> Result<Self, Full> {
        let mut active = self.active.clone();
        active.retain(|other, until| *until > now && other != id);
        if active.len() >= MOST_ACTIVE {
            return Err(Full);
        }
        active.insert(id.clone(), expires_at);
        Ok(Self { version: self.version + 1, active })
    }

    /// What an earlier run of the same request created, if it is not over.
    #[must_use]
    pub fn first_of(&self, id: &TransferId, now: Timestamp) -> Option<&TransferId> {
        self.active.iter().find(|(other, until)| **until > now && other.is_repeat_of(id)).map(|(first, _)| first)
    }

    /// Without `id`; `None` if it holds no place.
    #[must_use]
    pub fn release(&self, id: &TransferId) -> Option<Self> {
        let mut active = self.active.clone();
        active.remove(id)?;
        Some(Self { version: self.version + 1, active })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn id(number: u8) -> TransferId {
        TransferId::new(at(0), [number; 10])
    }

    fn full() -> Slots {
        (0..10).fold(Slots::default(), |slots, number| slots.take(&id(number), at(100), at(0)).unwrap())
    }

    #[test]
    fn the_tenth_finds_a_place_and_the_eleventh_does_not() {
        assert_eq!(full().active.len(), 10);
        assert_eq!(full().take(&id(11), at(100), at(99)), Err(Full));
        assert_eq!(full().take(&id(9), at(100), at(99)).unwrap().active.len(), 10);
    }

    #[test]
    fn what_is_over_by_time_holds_no_place_though_nobody_wrote_so() {
        assert_eq!(full().take(&id(11), at(200), at(100)).unwrap().active.len(), 1);
    }

    #[test]
    fn a_request_that_comes_again_finds_what_it_created_until_that_is_over() {
        let of = |millis, mark: &str| TransferId::of_request(at(millis), &mark.repeat(64)).unwrap();
        let slots = full().take(&of(1, "a"), at(200), at(100)).unwrap();
        assert_eq!(slots.first_of(&of(50, "a"), at(199)), Some(&of(1, "a")));
        assert_eq!(slots.first_of(&of(50, "a"), at(200)), None);
        assert_eq!(slots.first_of(&of(1, "b"), at(100)), None);
        assert!(TransferId::of_request(at(1), "a").is_err());
    }

    #[test]
    fn a_place_that_was_left_is_free_and_left_only_once() {
        let after = full().release(&id(3)).unwrap();
        assert_eq!((after.active.len(), after.version), (9, 11));
        assert_eq!(after.release(&id(3)), None);
        assert!(after.take(&id(11), at(100), at(0)).is_ok());
    }
}
