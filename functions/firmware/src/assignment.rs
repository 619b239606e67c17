//! Which rollout has a thing, when several want it.
//!
//! The one of the newer version has its way, as soon as its turn at that thing comes, whichever was started first: whatever the
//! other one had begun there is taken out, unless it is being installed, which nobody can stop and which soon ends. Of one
//! version, or where one leads back, the rollout that was started last has its way. Only what is still expected to come keeps
//! an older version away: after a newer one that was stopped, failed or was given up an operator may start an older one. So a
//! thing that was away for long runs the newest, and no order in which releases come blocks another.

use std::cmp::Ordering;

use loam_domain::Timestamp;
use loam_releases::version::Version;
use serde::{Deserialize, Serialize};

use crate::execution::{Execution, State};
use crate::rollout::Rank;

/// Which rollout has a thing; one row per thing, written with the executions that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Of the rollout that has it.
    pub rank: Rank,
    /// In which wave of it.
    pub wave: u16,
    /// In which shard of that wave's counters.
    pub shard: u32,
    /// The number of the manifest that it was last sent. The thing obeys no lower one.
    pub sequence: u64,
    /// Whether that rollout leads back to an older version.
    #[serde(default)]
    pub downgrade: bool,
    /// One more with each write.
    pub version: u64,
}

/// A rollout that wants a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bid<'a> {
    /// Its rank.
    pub rank: &'a Rank,
    /// The version that the thing is to run.
    pub target: &'a Version,
    /// Whether it leads back to an older version.
    pub downgrade: bool,
    /// The number of its manifest.
    pub sequence: u64,
}

/// What a rollout may do with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has it.
    Mine,
    /// It takes it: nobody has it, or who has it is done with it.
    Take,
    /// It takes it, and takes the other rollout's execution out, as superseded, in the same transaction.
    TakeOver,
    /// Another one has it that goes before: its own execution is taken out, as superseded.
    Yield,
    /// Not now: it is being delivered or installed for the other one.
    Wait,
    /// Not with this manifest: the thing has seen a newer one, which was signed for the other rollout. Sign another.
    Sign,
}

/// What the rollout that is `mine` may do with a thing that `held` says who has, and `its` execution there.
#[must_use]
pub fn turn(mine: &Bid<'_>, held: Option<&Assignment>, its: Option<&Execution>, now: Timestamp) -> Turn {
    let Some(held) = held else { return Turn::Take };
    if yields(mine, held, its) {
        return Turn::Yield;
    }
    if mine.sequence < held.sequence {
        return Turn::Sign;
    }
    if held.rank == *mine.rank {
        return Turn::Mine;
    }
    let Some(its) = its else { return Turn::Take };
    let state = its.state();
    // Whoever delivers at this moment would write its order over the new one, even for a thing that has come to its end.
    if state == State::Installing || its.in_flight(now).is_some() {
        return Turn::Wait;
    }
    if state.is_open() { Turn::TakeOver } else { Turn::Take }
}

/// Whether who has the thing goes before.
fn yields(mine: &Bid<'_>, held: &Assignment, its: Option<&Execution>) -> bool {
    let later = held.rank > *mine.rank;
    let Some(its) = its.filter(|_| !mine.downgrade && !held.downgrade) else { return later };
    match its.target.cmp(mine.target) {
        Ordering::Less => false,
        Ordering::Equal => later,
        Ordering::Greater => later || its.state().is_open(),
    }
}

#[cfg(test)]
mod tests {
    use loam_releases::names::Id;
    use loam_releases::samples::version;

    use super::*;
    use crate::execution::tests::{after, at, execution, notified, running, said};
    use crate::execution::{End, Intent, Phase, Verdict};

    fn rank(millis: i64) -> Rank {
        Rank { at: at(millis), rollout: Id::of("rollout", &["r"]) }
    }

    fn held(millis: i64, downgrade: bool) -> Assignment {
        Assignment { rank: rank(millis), wave: 0, shard: 0, sequence: 9, downgrade, version: 1 }
    }

    /// The turn of a rollout of this version that was started then, at a thing that another one has since `since`.
    fn turn_to(target: &str, mine: i64, since: i64, its: &Execution) -> Turn {
        let (rank, target) = (rank(mine), version(target));
        let mine = Bid { rank: &rank, target: &target, downgrade: false, sequence: 9 };
        turn(&mine, Some(&held(since, false)), Some(its), at(1_000))
    }

    /// The same of a rollout of the same version.
    fn turn_of(mine: i64, since: i64, its: &Execution) -> Turn {
        turn_to("2.1.0", mine, since, its)
    }

    #[test]
    fn of_one_version_the_rollout_that_was_started_last_has_its_way() {
        let (rank, target) = (rank(5), version("2.1.0"));
        let mine = Bid { rank: &rank, target: &target, downgrade: false, sequence: 1 };
        assert_eq!(turn(&mine, None, None, at(0)), Turn::Take);
        assert_eq!(turn_of(5, 5, &notified()), Turn::Mine);
        assert_eq!(turn_of(6, 5, &notified()), Turn::TakeOver);
        assert_eq!(turn_of(4, 5, &notified()), Turn::Yield);
        let done = after(&notified(), &Intent::Report(running("2.1.0", 500)), 500);
        assert_eq!((turn_of(6, 5, &done), turn_of(4, 5, &done)), (Turn::Take, Turn::Yield));
    }

    #[test]
    fn the_newer_version_has_its_way_whichever_was_started_first() {
        assert_eq!([4, 6].map(|mine| turn_to("2.2.0", mine, 5, &notified())), [Turn::TakeOver; 2]);
        assert_eq!([4, 6].map(|mine| turn_to("2.0.1", mine, 5, &notified())), [Turn::Yield; 2]);
        let done = after(&notified(), &Intent::Report(running("2.1.0", 500)), 500);
        assert_eq!(turn_to("2.2.0", 4, 5, &done), Turn::Take);
    }

    #[test]
    fn only_a_newer_version_that_may_still_come_keeps_away_an_older_one_that_was_started_later() {
        let failed = after(&notified(), &said(Verdict::Failed, 500), 500);
        let stopped = after(&notified(), &Intent::End(End::Stopped), 500);
        for its in [failed, stopped] {
            assert_eq!((turn_to("2.0.1", 6, 5, &its), turn_to("2.0.1", 4, 5, &its)), (Turn::Take, Turn::Yield));
        }
    }

    #[test]
    fn where_one_leads_back_the_rollout_that_was_started_last_has_its_way() {
        let turn_with = |mine: i64, target: &str, downgrade: bool| {
            let (rank, target) = (rank(mine), version(target));
            let mine = Bid { rank: &rank, target: &target, downgrade, sequence: 9 };
            turn(&mine, Some(&held(5, !downgrade)), Some(&notified()), at(1_000))
        };
        assert_eq!([4, 6].map(|mine| turn_with(mine, "2.0.0", true)), [Turn::Yield, Turn::TakeOver]);
        assert_eq!([4, 6].map(|mine| turn_with(mine, "2.2.0", false)), [Turn::Yield, Turn::TakeOver]);
    }

    #[test]
    fn a_thing_that_has_seen_a_newer_manifest_of_an_older_rollout_gets_one_that_is_newer_still() {
        let turn_with = |mine: i64, target: &str, sequence: u64| {
            let (rank, target) = (rank(mine), version(target));
            let mine = Bid { rank: &rank, target: &target, downgrade: false, sequence };
            turn(&mine, Some(&held(5, false)), Some(&notified()), at(1_000))
        };
        let same = |mine, sequence| turn_with(mine, "2.1.0", sequence);
        assert_eq!([same(6, 8), same(6, 9), same(5, 8)], [Turn::Sign, Turn::TakeOver, Turn::Sign]);
        assert_eq!((same(4, 8), turn_with(4, "2.2.0", 8)), (Turn::Yield, Turn::Sign));
    }

    #[test]
    fn what_is_being_delivered_or_installed_is_waited_for() {
        let claimed = after(&execution(), &Intent::Claim(None), 900);
        assert_eq!(turn_of(6, 5, &claimed), Turn::Wait);
        assert_eq!(turn_to("2.2.0", 4, 5, &claimed), Turn::Wait);
        let done = after(&claimed, &Intent::Report(running("2.1.0", 950)), 950);
        assert_eq!(turn_of(6, 5, &done), Turn::Wait, "its order may be on its way");
        let verifying = after(&notified(), &Intent::Progress(Phase::Verifying, at(900)), 900);
        assert_eq!(turn_of(6, 5, &verifying), Turn::TakeOver);
        let installing = after(&verifying, &Intent::Progress(Phase::Installing, at(950)), 950);
        assert_eq!(turn_of(6, 5, &installing), Turn::Wait);
    }

    #[test]
    fn a_row_that_an_older_code_wrote_leads_to_no_older_version() {
        let mut row = serde_json::to_value(held(5, true)).unwrap();
        row.as_object_mut().unwrap().remove("downgrade");
        assert_eq!(serde_json::from_value::<Assignment>(row).unwrap(), held(5, false));
    }
}
