//! The ways to a rollout's release, for things that must go through versions between.

use std::collections::BTreeMap;

use loam_http::Problem;
use loam_releases::names::Hardware;
use loam_releases::version::Version;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::aws::releases::Wanted;
use crate::execution::{End, Execution};
use crate::release::{Release, State, path};
use crate::rollout::Rollout;

/// Ways lead over the newest so many published releases.
const MOST_RELEASES: usize = 500;

/// One step of a way from release to release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepView {
    /// The release: a rollout of it is the step.
    release_id: String,
    /// Its version.
    version: String,
}

/// The ways to one rollout's release; each is looked for once.
pub(super) struct Upgrades {
    rollout: Rollout,
    releases: Vec<Release>,
    found: BTreeMap<(Version, Hardware), Option<Vec<StepView>>>,
}

impl Upgrades {
    fn new(rollout: Rollout, releases: Vec<Release>) -> Self {
        Self { rollout, releases, found: BTreeMap::new() }
    }

    /// The way of a thing that is too old for the target; `None`: it is not, nobody knows what it is, or no way leads there.
    pub(super) fn of(&mut self, execution: &Execution) -> Option<Vec<StepView>> {
        if !is_too_old(execution) {
            return None;
        }
        let from = execution.running.as_ref()?.version.clone();
        let firmware = &self.rollout.firmware;
        // Who did not say what it is can be only what the release is for, if that is one kind.
        let only = firmware.hardware.first().filter(|_| firmware.hardware.len() == 1);
        let hardware = execution.hardware.as_ref().or(only)?.clone();
        let key = (from, hardware);
        if let Some(known) = self.found.get(&key) {
            return known.clone();
        }
        let steps = path(&key.0, &key.1, &self.releases, &firmware.release);
        let way: Option<Vec<StepView>> = steps.map(|steps| steps.into_iter().map(StepView::from).collect());
        self.found.insert(key, way.clone());
        way
    }
}

impl From<&Release> for StepView {
    fn from(release: &Release) -> Self {
        Self { release_id: release.firmware.release.to_string(), version: release.firmware.version.to_string() }
    }
}

/// Whether a thing must go through a version between, as Loam or the thing itself found.
fn is_too_old(execution: &Execution) -> bool {
    execution.reason() == Some(End::FromTooOld.as_str())
}

impl Api {
    /// The ways to a rollout's release; releases are read only if one of these things is too old for it.
    pub(super) async fn upgrades(&self, rollout: Rollout, things: &[Execution]) -> Result<Upgrades, Problem> {
        if !things.iter().any(is_too_old) {
            return Ok(Upgrades::new(rollout, vec![]));
        }
        let wanted = Wanted { channel: None, state: Some(State::Published) };
        let (releases, _) = self.releases.page(&wanted, None, MOST_RELEASES).await?;
        Ok(Upgrades::new(rollout, releases))
    }
}

#[cfg(test)]
mod tests {
    use loam_releases::samples::{hardware, version};

    use super::*;
    use crate::execution::tests::{after, execution, running};
    use crate::execution::{Glimpse, Intent};
    use crate::release::tests::draft;

    fn published(text: &str, minimum: Option<&str>) -> Release {
        let mut release = Release { state: State::Published, ..draft(text) };
        release.firmware.minimum_from = minimum.map(version);
        release
    }

    /// The versions of the way that is shown to a thing that runs this and was turned away so.
    fn way(end: End, runs: &str, kind: Option<&str>) -> Option<Vec<String>> {
        let releases = vec![published("2.1.0", Some("1.5.0")), published("1.5.0", None), published("1.4.0", None)];
        let mut upgrades = Upgrades::new(crate::rollout::tests::running(), releases);
        let glimpse = Glimpse { running: Some(running(runs, 5)), hardware: kind.map(hardware), retired: false };
        let row = after(&execution(), &Intent::TurnAway(end, glimpse), 100);
        let first = upgrades.of(&row);
        assert_eq!(upgrades.of(&row), first);
        first.map(|steps| steps.into_iter().map(|step| step.version).collect())
    }

    #[test]
    fn who_is_too_old_is_shown_the_way_and_nobody_else_is() {
        assert_eq!(way(End::FromTooOld, "1.0.0", Some("c3")).unwrap(), ["1.5.0", "2.1.0"]);
        assert_eq!(way(End::FromTooOld, "1.0.0", Some("c2")), None, "other hardware");
        assert_eq!(way(End::FromTooOld, "1.0.0", None), None, "two kinds are possible");
        assert_eq!(way(End::RunsNewer, "1.0.0", Some("c3")), None);
    }
}
