//! Who comes to be a target after a rollout was ordered.

use loam_domain::Timestamp;

use super::{Change, Rollout, Status};

/// So long after a thing described itself the catalog knows what it is, in seconds.
pub const KNOWN_AFTER_SECONDS: i32 = 30;

/// What a rollout does with a thing that comes to be a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// It takes it into this wave: the first that is not open yet, else the last.
    Wave(usize),
    /// Its targets are being written down, and the thing may be one of them: to be asked again.
    NotYet,
    /// It takes nobody, or nobody any more.
    No,
}

impl Rollout {
    /// What it does with a thing that comes to be a target now.
    #[must_use]
    pub fn late_joiner(&self, now: Timestamp) -> Joining {
        if !self.takes_joiners(now) {
            return Joining::No;
        }
        match self.status {
            Status::Filling => Joining::NotYet,
            Status::Ready | Status::Approved | Status::Running | Status::Paused(_) => {
                let first = self.waves.iter().position(|wave| wave.opened_at.is_none());
                Joining::Wave(first.unwrap_or(self.waves.len().saturating_sub(1)))
            }
            Status::Stopping(_) | Status::Stopped(_) | Status::Completed => Joining::No,
        }
    }

    /// Whether the time in which things may join is not over.
    pub(super) fn takes_joiners(&self, now: Timestamp) -> bool {
        self.definition.join_until.is_some_and(|until| now < until)
    }

    /// What comes of it when this many targets are written down, which are all. A rollout of nothing, which nobody may join,
    /// is over before anybody approves it.
    #[must_use]
    pub fn filled(&self, things: usize, now: Timestamp) -> Change {
        if things == 0 && !self.takes_joiners(now) { Change::Empty } else { Change::Filled }
    }

    /// In how many seconds its targets are chosen: 1 to [`KNOWN_AFTER_SECONDS`]; `None`: now.
    ///
    /// Who describes itself while a rollout is there asks to join. Who did just before asked nobody; where late joiners are
    /// taken it is not to be the only one that is left out, so that such a rollout waits until the catalog knows of it.
    #[must_use]
    pub fn chooses_in(&self, now: Timestamp) -> Option<i32> {
        let known_at = self.created_at.plus_millis(i64::from(KNOWN_AFTER_SECONDS) * 1_000);
        let left = known_at.millis_since(now);
        let seconds = i32::try_from(left / 1_000 + 1).unwrap_or(KNOWN_AFTER_SECONDS).min(KNOWN_AFTER_SECONDS);
        (self.definition.join_until.is_some() && left > 0).then_some(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Stop;
    use crate::rollout::tests::{at, running};

    #[test]
    fn targets_are_chosen_at_once_unless_others_may_join_then_when_the_catalog_knows_of_who_came_before() {
        let mut rollout = running();
        assert_eq!(rollout.chooses_in(at(0)), None);
        rollout.definition.join_until = Some(at(500_000));
        let chooses_in = |millis| rollout.chooses_in(at(millis));
        assert_eq!([0, 1, 29_000, 29_999, 30_000].map(chooses_in), [Some(30), Some(30), Some(2), Some(1), None]);
        assert_eq!(chooses_in(-60_000), Some(30), "a clock that is behind");
    }

    #[test]
    fn who_comes_while_targets_are_written_down_is_to_ask_again_and_not_when_it_is_too_late() {
        let mut rollout = Rollout { status: Status::Filling, ..running() };
        assert_eq!(rollout.late_joiner(at(9)), Joining::No);
        rollout.definition.join_until = Some(at(10));
        assert_eq!([9, 10].map(|now| rollout.late_joiner(at(now))), [Joining::NotYet, Joining::No]);
        for status in [Status::Stopping(Stop::Errors), Status::Stopped(Stop::Operator), Status::Completed] {
            let over = Rollout { status, ..rollout.clone() };
            assert_eq!(over.late_joiner(at(9)), Joining::No, "{status:?}");
        }
    }
}
