//! The order of all that AWS IoT says of one client id.

use std::cmp::Ordering;

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

/// Two events of different connections that AWS stamped further apart than this are ordered by their times, nearer ones by
/// their version numbers.
///
/// AWS's times are right to 2 minutes, so that two of them may be wrong by 4 against each other; a takeover overlaps by
/// seconds. So whatever is 5 minutes apart by its stamps truly came one after the other. The other way round, a version
/// number falls back only after about an hour offline, which no error of the stamps makes shorter than 56 minutes. In
/// between, from 9 minutes offline on, the rule would still be right.
/// Source: AWS IoT Core developer guide, "Lifecycle events" (`timestamp`, `versionNumber`).
pub const RESET_GAP_MILLIS: i64 = 5 * 60 * 1000;

/// Where in the life of a client id something stands: which connection, and how far it was.
///
/// [`Mark::newer_than`] is a total order on all that AWS can say of one client id, so that the newest is the same in
/// whatever order, and however often, the events arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// When it happened, as AWS says: right to 2 minutes.
    pub at: Timestamp,
    /// Rises with each connection of a client id, and falls back after about an hour offline; the connected and the
    /// disconnected event of one connection have the same.
    pub version_number: i64,
    /// Unique for each session. A persistent session outlives its connections.
    pub session: String,
    /// How far the connection was.
    pub stage: Stage,
}

/// How far a connection was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It began.
    Began,
    /// AWS, when asked, knew nothing of it any more; its end is still to be told.
    Missed,
    /// It ended.
    Ended,
    /// AWS, when asked after that, said that the client is there: by a connection that is still to be told.
    Found,
}

impl Stage {
    /// Whether the client is there.
    #[must_use]
    pub const fn is_connected(self) -> bool {
        matches!(self, Self::Began | Self::Found)
    }
}

impl Mark {
    /// Older than everything that AWS says: for a client of which nothing was said yet.
    #[must_use]
    pub fn before_all(stage: Stage) -> Self {
        Self { at: Timestamp::from_millis(0), version_number: -1, session: String::new(), stage }
    }

    /// Whether both speak of one connection.
    #[must_use]
    pub fn is_same_connection(&self, other: &Self) -> bool {
        self.version_number == other.version_number && self.session == other.session
    }

    /// Whether this came after `other`.
    #[must_use]
    pub fn newer_than(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Greater
    }

    /// Events of one connection by how far it was; of two connections by version number, unless their times are so far
    /// apart that it may have fallen back in between: then by time.
    fn order(&self, other: &Self) -> Ordering {
        if self.is_same_connection(other) {
            return self.stage.cmp(&other.stage);
        }
        let gap = self.at.millis_since(other.at);
        if gap.saturating_abs() > RESET_GAP_MILLIS {
            return gap.cmp(&0);
        }
        // Two sessions of one number, near each other: AWS rules it out. Any fixed order will do.
        let tie = || (self.at, &self.session, self.stage).cmp(&(other.at, &other.session, other.stage));
        self.version_number.cmp(&other.version_number).then_with(tie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(minute: i64, version_number: i64, stage: Stage) -> Mark {
        Mark {
            at: Timestamp::from_millis(1_800_000_000_000 + minute * 60_000),
            version_number,
            session: format!("s{version_number}"),
            stage,
        }
    }

    #[test]
    fn the_end_of_a_connection_comes_after_its_beginning_whatever_their_times() {
        let (began, ended) = (mark(3, 7, Stage::Began), mark(0, 7, Stage::Ended));
        assert!(ended.newer_than(&began) && !began.newer_than(&ended));
        assert!(!began.newer_than(&began.clone()));
    }

    #[test]
    fn of_two_connections_the_greater_number_is_newer_while_their_times_lie_within_five_minutes() {
        let (old, new) = (mark(5, 7, Stage::Ended), mark(0, 8, Stage::Began));
        assert!(new.newer_than(&old) && !old.newer_than(&new));
    }

    #[test]
    fn a_number_that_fell_back_is_newer_from_one_millisecond_beyond_five_minutes_on() {
        let (old, mut new) = (mark(0, 700, Stage::Ended), mark(5, 0, Stage::Began));
        assert!(old.newer_than(&new));
        new.at = new.at.plus_millis(1);
        assert!(new.newer_than(&old) && !old.newer_than(&new));
    }

    #[test]
    fn a_late_event_of_the_time_before_the_reset_never_wins() {
        let reset = mark(60, 0, Stage::Began);
        for (number, stage) in [(699, Stage::Began), (699, Stage::Ended), (700, Stage::Began), (700, Stage::Ended)] {
            assert!(!mark(0, number, stage).newer_than(&reset), "{number} {stage:?}");
        }
    }

    #[test]
    fn a_long_connection_ends_by_its_own_number_and_not_by_its_age() {
        let (began, ended) = (mark(0, 3, Stage::Began), mark(3 * 24 * 60, 3, Stage::Ended));
        assert!(ended.newer_than(&began) && !began.newer_than(&ended));
    }

    #[test]
    fn a_persistent_session_has_many_connections() {
        let of_session = |version_number, stage| Mark { session: "s".to_owned(), ..mark(0, version_number, stage) };
        assert!(of_session(8, Stage::Began).newer_than(&of_session(7, Stage::Ended)));
        assert!(!of_session(7, Stage::Ended).newer_than(&of_session(8, Stage::Began)));
    }

    #[test]
    fn whatever_aws_says_is_newer_than_nothing() {
        assert!(mark(0, 0, Stage::Began).newer_than(&Mark::before_all(Stage::Found)));
    }

    #[test]
    fn two_sessions_of_one_number_have_one_order() {
        let (one, other) = (mark(0, 7, Stage::Began), Mark { session: "t".to_owned(), ..mark(0, 7, Stage::Ended) });
        assert!(one.newer_than(&other) != other.newer_than(&one));
    }
}
