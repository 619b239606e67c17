//! Who still has to erase what the people of an earlier time left.
//!
//! It begins in the write that ends an owner's time and is part of the thing's record, where every capability acknowledges.
//! It never names people. A repeat of any step changes nothing, and a step of an older erasure is no step of this one.

use std::collections::BTreeSet;

use loam_domain::Timestamp;

/// So long after an owner's end requests of theirs may still be running, in milliseconds: a route has 29 s, and clocks
/// differ by some more. What is erased before that may come back, so it does not count.
pub const QUIET_MILLIS: i64 = 35_000;

/// An erasure of what the people of one or more epochs left, under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochErasure {
    /// What belongs to this epoch or an earlier one is to go.
    pub through: u64,
    /// When it began.
    pub begun_at: Timestamp,
    /// Who has not acknowledged yet, for example `telemetry`.
    pub awaiting: BTreeSet<String>,
}

/// What a capability does now of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing before so many milliseconds passed, from 1 to [`QUIET_MILLIS`].
    Wait {
        /// How many.
        millis: i64,
    },
    /// Erase what belongs to this epoch or an earlier one, then acknowledge.
    Erase {
        /// Which epoch.
        through: u64,
    },
    /// Nothing: it acknowledged, or nobody waits for it.
    Nothing,
}

/// What comes of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    /// One less to wait for; this is the erasure after it.
    Yes(EpochErasure),
    /// It said so before, or nobody waits for it.
    Already,
    /// It erased what an earlier erasure asked for; this one asks for more.
    TooLittle,
    /// It looked while requests of the former owner could still write: it has to look again.
    TooEarly,
}

impl EpochErasure {
    /// The erasure of all through `epoch`, by `capabilities`. Under way already, it goes on with who is awaited.
    #[must_use]
    pub fn begin(before: Option<&Self>, through: u64, capabilities: &BTreeSet<String>, now: Timestamp) -> Self {
        match before {
            Some(before) if before.through >= through => before.clone(),
            Some(_) | None => Self { through, begun_at: now, awaiting: capabilities.clone() },
        }
    }

    /// From when on what is erased stays so.
    #[must_use]
    pub const fn quiet_from(&self) -> Timestamp {
        self.begun_at.plus_millis(QUIET_MILLIS)
    }

    /// What `capability` does of it at `now`.
    #[must_use]
    pub fn turn(&self, capability: &str, now: Timestamp) -> Turn {
        let millis = self.quiet_from().millis_since(now);
        match self.awaiting.contains(capability) {
            false => Turn::Nothing,
            true if millis > 0 => Turn::Wait { millis: millis.min(QUIET_MILLIS) },
            true => Turn::Erase { through: self.through },
        }
    }

    /// `capability` erased all through `through`, and began to look for it at `looked_at`.
    #[must_use]
    pub fn acknowledge(&self, capability: &str, through: u64, looked_at: Timestamp) -> Acknowledged {
        if through < self.through {
            return Acknowledged::TooLittle;
        }
        if looked_at < self.quiet_from() {
            return Acknowledged::TooEarly;
        }
        let mut after = self.clone();
        if after.awaiting.remove(capability) { Acknowledged::Yes(after) } else { Acknowledged::Already }
    }

    /// Whether all is gone: only then may the next owner's time begin.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.awaiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// When all is quiet.
    const LATER: Timestamp = Timestamp::from_millis(QUIET_MILLIS + 10);

    fn begun(through: u64) -> EpochErasure {
        EpochErasure::begin(None, through, &names(&["a", "b"]), Timestamp::from_millis(1))
    }

    #[test]
    fn it_is_done_when_everybody_has_acknowledged_and_not_before() {
        let Acknowledged::Yes(one) = begun(3).acknowledge("a", 3, LATER) else { panic!() };
        assert!(!one.is_done());
        assert_eq!(one.acknowledge("a", 3, LATER), Acknowledged::Already);
        assert_eq!(one.acknowledge("nobody", 3, LATER), Acknowledged::Already);
        assert!(matches!(one.acknowledge("b", 3, LATER), Acknowledged::Yes(both) if both.is_done()));
    }

    #[test]
    fn who_erased_for_an_earlier_owners_end_is_awaited_again() {
        assert_eq!(begun(3).acknowledge("a", 2, LATER), Acknowledged::TooLittle);
        let further = EpochErasure::begin(Some(&begun(3)), 4, &names(&["a", "b"]), Timestamp::from_millis(2));
        assert_eq!((further.through, further.awaiting.len()), (4, 2));
        assert_eq!(EpochErasure::begin(Some(&further), 4, &names(&["c"]), Timestamp::from_millis(3)), further);
    }

    #[test]
    fn what_was_erased_while_the_former_owners_requests_were_running_does_not_count() {
        let quiet_from = begun(3).quiet_from();
        assert_eq!(quiet_from, Timestamp::from_millis(35_001));
        assert_eq!(begun(3).acknowledge("a", 3, quiet_from.plus_millis(-1)), Acknowledged::TooEarly);
        assert!(matches!(begun(3).acknowledge("a", 3, quiet_from), Acknowledged::Yes(_)));
    }

    #[test]
    fn a_capability_waits_until_all_is_quiet_then_erases_then_has_nothing_to_do() {
        let erasure = begun(3);
        assert_eq!(erasure.turn("a", Timestamp::from_millis(1)), Turn::Wait { millis: QUIET_MILLIS });
        assert_eq!(erasure.turn("a", Timestamp::from_millis(-9_000)), Turn::Wait { millis: QUIET_MILLIS });
        assert_eq!(erasure.turn("a", erasure.quiet_from().plus_millis(-1)), Turn::Wait { millis: 1 });
        assert_eq!(erasure.turn("a", erasure.quiet_from()), Turn::Erase { through: 3 });
        assert_eq!(erasure.turn("nobody", LATER), Turn::Nothing);
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_of_acknowledgements_ends_the_same(
            order in vec((prop::sample::select(vec!["a", "b", "x"]), 2_u64..5), 0..20)
        ) {
            let all = order.iter().fold(begun(3), |erasure, (who, through)| match erasure.acknowledge(who, *through, LATER) {
                Acknowledged::Yes(after) => after,
                Acknowledged::Already | Acknowledged::TooLittle | Acknowledged::TooEarly => erasure,
            });
            let left = ["a", "b"].into_iter().filter(|name| !order.iter().any(|(who, through)| who == name && *through >= 3));
            prop_assert_eq!(all.awaiting, left.map(str::to_owned).collect());
        }
    }
}
