//! A rollout: its row, what operators do with it, and what it does by itself.

mod act;
mod back;
pub mod definition;
mod join;
mod plan;
mod sense;
mod status;
#[cfg(test)]
pub(crate) mod tests;
pub mod waves;
pub use loam_releases::window;

use definition::{Definition, Wave};
use loam_domain::Timestamp;
use loam_releases::manifest::Firmware;
use loam_releases::names::Id;
use serde::{Deserialize, Serialize};

use crate::tally::{Tally, shards};

pub use act::{Action, Refusal, act};
pub use back::{back, may_lead_back, ways_back};
pub use join::{Joining, KNOWN_AFTER_SECONDS};
pub use plan::{Change, Step, Told, apply, grant, plan};
pub use status::{Pause, Status, Stop};

/// A rollout, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// Its id.
    pub id: Id,
    /// One more with each write: an `ETag`.
    pub version: u64,
    /// What it is to do.
    pub definition: Definition,
    /// What things are to run.
    pub firmware: Firmware,
    /// Whether the image is sealed.
    #[serde(default)]
    pub sealed: bool,
    /// Whether it takes things back to an older version.
    pub downgrade: bool,
    /// Where it stands.
    pub status: Status,
    /// Its waves, as far as they have come.
    pub waves: Vec<Standing>,
    /// Who created it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it was started. Of two rollouts of one version the one that was started later has its way.
    pub rank: Option<Rank>,
    /// The manifest that its things get.
    pub manifest: Option<Issued>,
    /// How many things were granted in the present minute.
    pub granted: Granted,
    /// How often a thing may be tried: one more with each [`Action::Retry`].
    pub attempts: u32,
    /// Whether what failed in an earlier attempt is still being put back into its queue.
    pub retrying: bool,
}

/// Which of two rollouts has its way where [`crate::assignment`] does not go by their versions: the greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rank {
    /// When it was started.
    pub at: Timestamp,
    /// Between two of the same millisecond.
    pub rollout: Id,
}

/// A manifest that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// Its number.
    pub sequence: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

/// What was granted in a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// Which minute since the epoch.
    pub minute: i64,
    /// How many things.
    pub things: u32,
}

/// How far a wave has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// Since when enough of it run the target.
    pub gate_at: Option<Timestamp>,
    /// Whether an operator let it pass all the same.
    pub waived: bool,
    /// How many shards its counters have: 1 to [`crate::tally::MOST_SHARDS`]; 0 before its targets are known.
    pub shards: u32,
}

impl Rollout {
    /// A rollout that was ordered just now, of an image that is not sealed.
    #[must_use]
    pub fn ordered(
        id: Id,
        definition: Definition,
        firmware: Firmware,
        downgrade: bool,
        by: String,
        now: Timestamp,
    ) -> Self {
        let waves = vec![Standing::default(); definition.waves.len()];
        Self {
            id,
            version: 1,
            definition,
            firmware,
            sealed: false,
            downgrade,
            status: Status::Filling,
            waves,
            created_by: by,
            created_at: now,
            approved_by: None,
            rank: None,
            manifest: None,
            granted: Granted::default(),
            attempts: 1,
            retrying: false,
        }
    }

    /// The last wave that was opened, and its number.
    fn current(&self) -> Option<(usize, &Wave, &Standing)> {
        self.opened().last()
    }

    /// The waves that were opened, from the first.
    fn opened(&self) -> impl Iterator<Item = (usize, &Wave, &Standing)> {
        let all = self.definition.waves.iter().zip(&self.waves).enumerate();
        all.map(|(index, (wave, standing))| (index, wave, standing))
            .take_while(|(_, _, standing)| standing.opened_at.is_some())
    }

    /// The rollout whose waves have so many things each: how many shards their counters have is fixed now, once.
    #[must_use]
    pub fn dealt(&self, sizes: &[usize]) -> Self {
        let mut after = self.clone();
        for (standing, size) in after.waves.iter_mut().zip(sizes) {
            standing.shards = shards(u64::try_from(*size).unwrap_or(u64::MAX));
        }
        after.version += 1;
        after
    }

    /// Whether its targets are known: how they are dealt out is fixed.
    #[must_use]
    pub fn is_dealt(&self) -> bool {
        self.waves.iter().all(|wave| wave.shards > 0)
    }

    /// Whether its things may begin: it was started, and not stopped.
    #[must_use]
    pub const fn hands_out(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused(_) | Status::Completed)
    }

    /// Whether what its things come to may still move it.
    #[must_use]
    pub const fn listens(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused(_) | Status::Stopping(_))
    }

    /// Whether a manifest is signed for things that were away for long, now that the plan signs none: not for what was stopped.
    #[must_use]
    pub fn may_renew(&self, now: Timestamp) -> bool {
        let signs = matches!(self.status, Status::Paused(_) | Status::Completed);
        signs && self.manifest.is_some_and(|issued| !plan::is_fresh(&issued, now))
    }

    /// Whether more than the limit of this wave speak against it.
    #[must_use]
    pub fn fails(&self, wave: usize, tally: &Tally) -> bool {
        self.definition.waves.get(wave).is_some_and(|wave| tally.is_over(wave.errors))
    }

    /// Whether the counters of this wave alone may move the rollout on, or stop it.
    #[must_use]
    pub fn stirs(&self, wave: usize, tally: &Tally) -> bool {
        let (Some(definition), Some(standing)) = (self.definition.waves.get(wave), self.waves.get(wave)) else {
            return false;
        };
        let fires = standing.waived || tally.gate_fires(definition.success_percent);
        self.fails(wave, tally) || tally.open() == 0 || fires != standing.gate_at.is_some()
    }
}

/// The counters of a wave; those of one that nobody counted yet are empty.
fn tally_of(tallies: &[Tally], wave: usize) -> Tally {
    tallies.get(wave).cloned().unwrap_or_default()
}
