//! Rolling back: a rollout for each version that a rollout's things left for its own.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use loam_releases::names::Id;
use loam_releases::version::Version;

use crate::FirmwareFailure;
use crate::aws::releases::Releases;
use crate::aws::rollouts::{Bucket, Rollouts};
use crate::aws::table::Written;
use crate::release::Release;
use crate::rollout::definition::Delivery;
use crate::rollout::{Rollout, back, may_lead_back, ways_back};

/// How many rows of things one page has.
const PAGE: i32 = 1_000;

/// Orders rollouts that lead back.
#[derive(Debug, Clone)]
pub(crate) struct WayBack {
    rollouts: Rollouts,
    releases: Releases,
}

/// What comes of a way back that was ordered before, and is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was the only one: whoever orders by itself may come twice.
    IsEnough,
    /// There is another one: an operator asks for it.
    GoesAnew,
}

/// What leads back from a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// The rollouts, one for each release that was left.
    pub(crate) ids: Vec<Id>,
    /// The versions that were left and to which no rollout leads back, of some hardware at least, and why.
    pub(crate) left_out: Vec<(Version, NoWay)>,
}

/// Why nothing leads back to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoWay {
    /// `no-release`: no release of it was published here.
    NoRelease,
    /// `security-counter`: its release has a lower one than what its things run now.
    SecurityCounter,
}

impl NoWay {
    /// Its stable word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NoRelease => "no-release",
            Self::SecurityCounter => "security-counter",
        }
    }
}

impl Ways {
    fn leave_out(&mut self, rollout: &Rollout, version: &Version, why: NoWay) {
        let left = (version.clone(), why);
        if self.left_out.contains(&left) {
            return;
        }
        tracing::warn!(rollout.id = rollout.id.as_str(), %version, code = why.as_str(), "nothing leads back to a version");
        self.left_out.push(left);
    }
}

impl WayBack {
    pub(crate) fn new(sdk: &SdkConfig, table: &str) -> Self {
        Self { rollouts: Rollouts::new(sdk, table.to_owned()), releases: Releases::new(sdk, table.to_owned()) }
    }

    /// Orders a rollout for each release that things of this one ran before, approved by `by`: it starts once it is filled.
    /// Ordered twice they are the same, but for what `ended` says. Whoever calls tells the conductor of them, or its schedule
    /// finds them. Nothing is ordered that every device would refuse.
    pub(crate) async fn order(
        &self,
        rollout: &Rollout,
        by: &str,
        ended: Ended,
        now: Timestamp,
    ) -> Result<Ways, FirmwareFailure> {
        let mut ways = Ways::default();
        for version in Box::pin(self.things(rollout)).await?.into_keys() {
            let releases = self.known(rollout, &version).await?;
            if releases.is_empty() {
                ways.leave_out(rollout, &version, NoWay::NoRelease);
            }
            for release in releases {
                if !may_lead_back(rollout, &release.firmware) {
                    ways.leave_out(rollout, &version, NoWay::SecurityCounter);
                    continue;
                }
                let way = |ordinal| ordered(rollout, (&version, release.clone()), ordinal, by, now);
                ways.ids.push(self.put(way, ended).await?);
            }
        }
        Ok(ways)
    }

    /// The releases of a version that were published here for hardware of this rollout.
    async fn known(&self, rollout: &Rollout, version: &Version) -> Result<Vec<Release>, FirmwareFailure> {
        let mut known = vec![];
        for id in self.releases.of_version(version, &rollout.firmware.hardware).await? {
            known.extend(self.releases.get(&id).await?);
        }
        Ok(known)
    }

    /// Writes the way back of the first ordinal that goes on, or is new; its id.
    async fn put(&self, way: impl Fn(u32) -> Rollout, ended: Ended) -> Result<Id, FirmwareFailure> {
        let mut ordinal = 1;
        loop {
            let order = way(ordinal);
            if self.rollouts.put_new(&order, None).await? == Written::Yes || ended == Ended::IsEnough {
                return Ok(order.id);
            }
            let known = self.rollouts.get(&order.id).await?;
            if known.is_none_or(|known| !known.status.is_over()) {
                return Ok(order.id);
            }
            ordinal += 1;
        }
    }

    /// Which things of a rollout go back to what.
    pub(crate) async fn things(
        &self,
        rollout: &Rollout,
    ) -> Result<BTreeMap<Version, BTreeSet<ThingName>>, FirmwareFailure> {
        let mut ways: BTreeMap<Version, BTreeSet<ThingName>> = BTreeMap::new();
        for place in rollout.places() {
            let mut after = None;
            loop {
                let page = self.rollouts.things_page(&rollout.id, place, Bucket::All, after.as_deref(), PAGE).await?;
                for (version, things) in ways_back(page.executions.iter()) {
                    ways.entry(version).or_default().extend(things);
                }
                after = page.last;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(ways)
    }
}

/// The rollout that leads from `rollout` back to `release`, of the version `left`, for the `ordinal`-th time from 1.
fn ordered(rollout: &Rollout, (left, release): (&Version, Release), ordinal: u32, by: &str, now: Timestamp) -> Rollout {
    let Release { firmware, sealed, .. } = release;
    let again = (ordinal > 1).then(|| ordinal.to_string());
    let mut names = vec![rollout.id.as_str(), firmware.release.as_str()];
    names.extend(again.as_deref());
    let id = Id::of("way-back", &names);
    let downgrade = firmware.version < rollout.firmware.version;
    let mut definition = back(rollout, left, firmware.release.clone());
    if sealed {
        // A job's document holds no key.
        definition.delivery = Delivery::Shadow;
    }
    let ordered = Rollout::ordered(id, definition, firmware, downgrade, by.to_owned(), now);
    Rollout { approved_by: Some(by.to_owned()), sealed, ..ordered }
}

#[cfg(test)]
mod tests {
    use loam_releases::samples::version;

    use super::*;
    use crate::release::tests::draft;
    use crate::rollout::tests::{at, running};

    #[test]
    fn a_way_back_has_one_id_is_approved_and_may_lead_to_an_older_version() {
        let nth = |release: &str, ordinal, now| {
            ordered(&running(), (&version(release), draft(release)), ordinal, "ann", at(now))
        };
        let way = |release: &str, now| nth(release, 1, now);
        let one = way("2.0.0", 1);
        assert_eq!((one.downgrade, one.approved_by.as_deref()), (true, Some("ann")));
        assert_eq!((&one.id, one.definition.check()), (&way("2.0.0", 2).id, Ok(())));
        assert_ne!(one.id, way("1.9.0", 1).id);
        let second = nth("2.0.0", 2, 1).id;
        assert!(second != one.id && second != nth("2.0.0", 3, 1).id && second == nth("2.0.0", 2, 9).id);
        assert!(!way("3.0.0", 1).downgrade);
    }

    #[test]
    fn a_way_back_to_a_sealed_release_goes_by_shadows_whatever_the_way_there_was() {
        let mut there = running();
        there.definition.delivery = Delivery::Job;
        let way = |sealed| {
            let release = Release { sealed, ..draft("2.0.0") };
            let way = ordered(&there, (&version("2.0.0"), release), 1, "ann", at(1));
            (way.sealed, way.definition.delivery)
        };
        assert_eq!([way(false), way(true)], [(false, Delivery::Job), (true, Delivery::Shadow)]);
    }
}
