use serde::{Deserialize, Serialize};

/// What Loam decided of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It ran the target before.
    AlreadyInstalled,
    /// It cannot run it: other hardware.
    WrongHardware,
    /// It cannot run it: it must go through a version between.
    FromTooOld,
    /// It is not to run it: it runs a newer one.
    RunsNewer,
    /// It never said a word.
    Unreached,
    /// It began and did not come to an end.
    Stalled,
    /// The rollout was stopped.
    Stopped,
    /// Another rollout has it: of a newer version, or started later.
    Superseded,
    /// The thing is no more.
    Retired,
}

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its wave, or its turn, has not come.
    Queued,
    /// The order is in its shadow.
    Notified,
    /// [`super::Phase::Downloading`].
    Downloading,
    /// [`super::Phase::Verifying`].
    Verifying,
    /// [`super::Phase::Installing`].
    Installing,
    /// It runs the target.
    Succeeded,
    /// It tried and runs another version, or fell back from the target.
    Failed,
    /// It would not.
    Rejected,
    /// It began and did not come to an end in time.
    TimedOut,
    /// It said nothing in time: no evidence against the firmware. Shown as `timed-out`, too.
    Unreached,
    /// It ran the target before.
    AlreadyInstalled,
    /// It cannot or shall not run it.
    Incompatible,
    /// Loam took it out.
    Removed,
}

impl End {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyInstalled => "already-installed",
            Self::WrongHardware => "wrong-hardware",
            Self::FromTooOld => "from-too-old",
            Self::RunsNewer => "runs-newer",
            Self::Unreached => "unreached",
            Self::Stalled => "stalled",
            Self::Stopped => "stopped",
            Self::Superseded => "superseded",
            Self::Retired => "retired",
        }
    }

    /// The state that nothing a device says changes; `None`: it may still prove the contrary.
    pub(super) const fn lasting(self) -> Option<State> {
        match self {
            Self::AlreadyInstalled => Some(State::AlreadyInstalled),
            Self::WrongHardware | Self::FromTooOld | Self::RunsNewer => Some(State::Incompatible),
            Self::Stopped | Self::Superseded | Self::Retired => Some(State::Removed),
            Self::Unreached | Self::Stalled => None,
        }
    }
}

impl State {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Queued,
        Self::Notified,
        Self::Downloading,
        Self::Verifying,
        Self::Installing,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::TimedOut,
        Self::Unreached,
        Self::AlreadyInstalled,
        Self::Incompatible,
        Self::Removed,
    ];

    /// The name of its counter, which tells all of them apart.
    #[must_use]
    pub const fn counter(self) -> &'static str {
        if matches!(self, Self::Unreached) { "unreached" } else { self.as_str() }
    }

    /// Its word for people; what was never reached is `timed-out` as well, and told apart by its reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Notified => "notified",
            Self::Downloading => "downloading",
            Self::Verifying => "verifying",
            Self::Installing => "installing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::TimedOut | Self::Unreached => "timed-out",
            Self::AlreadyInstalled => "already-installed",
            Self::Incompatible => "incompatible",
            Self::Removed => "removed",
        }
    }

    /// Whether something is still expected of it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Notified | Self::Downloading | Self::Verifying | Self::Installing)
    }
}
