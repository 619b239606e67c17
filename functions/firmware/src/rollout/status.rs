//! Where a rollout stands, and why.

use serde::{Deserialize, Serialize};

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Its targets are being written down.
    Filling,
    /// It waits for somebody to approve it.
    Ready,
    /// It waits for its start.
    Approved,
    /// It goes on by itself.
    Running,
    /// It asks no more things; what was asked goes on.
    Paused(Pause),
    /// It takes out whatever has not come too far.
    Stopping(Stop),
    /// It is over.
    Stopped(Stop),
    /// It is over: all waves have passed.
    Completed,
}

/// Why it is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pause {
    /// An operator did it.
    Operator,
    /// Nothing is expected of the wave any more, and too few run it.
    GateMissed,
}

/// Why it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// An operator did it.
    Operator,
    /// More than the limit spoke against it.
    Errors,
    /// It had no targets at all.
    NoTargets,
}

impl Status {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Ready => "ready",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Paused(_) => "paused",
            Self::Stopping(_) => "stopping",
            Self::Stopped(_) => "stopped",
            Self::Completed => "completed",
        }
    }

    /// Whether it was stopped, is being stopped, or came to its end: no operator changes that.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Stopping(_) | Self::Stopped(_) | Self::Completed)
    }

    /// Whether nothing is left to be done for it.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Stopped(_) | Self::Completed)
    }

    /// Why it is paused or stopped, in a word.
    #[must_use]
    pub const fn why(self) -> Option<&'static str> {
        match self {
            Self::Paused(why) => Some(why.as_str()),
            Self::Stopping(why) | Self::Stopped(why) => Some(why.as_str()),
            Self::Filling | Self::Ready | Self::Approved | Self::Running | Self::Completed => None,
        }
    }

    /// Whether things may be asked.
    #[must_use]
    pub const fn may_ask(self) -> bool {
        matches!(self, Self::Running)
    }
}

impl Pause {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::GateMissed => "gate-missed",
        }
    }
}

impl Stop {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Errors => "errors",
            Self::NoTargets => "no-targets",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_that_is_told_is_the_one_that_is_kept() {
        for why in [Pause::Operator, Pause::GateMissed] {
            assert_eq!(serde_json::to_value(why).unwrap(), why.as_str());
            assert_eq!(Status::Paused(why).why(), Some(why.as_str()));
        }
        for why in [Stop::Operator, Stop::Errors, Stop::NoTargets] {
            assert_eq!(serde_json::to_value(why).unwrap(), why.as_str());
            assert_eq!([Status::Stopping(why), Status::Stopped(why)].map(Status::why), [Some(why.as_str()); 2]);
        }
        assert_eq!(Status::Running.why(), None);
    }

    #[test]
    fn what_is_being_stopped_is_over_and_not_done() {
        let stops = [Status::Stopping(Stop::Errors), Status::Stopped(Stop::Errors), Status::Completed, Status::Running];
        assert_eq!(
            stops.map(|status| (status.is_over(), status.is_done())),
            [(true, false), (true, true), (true, true), (false, false)]
        );
    }
}
