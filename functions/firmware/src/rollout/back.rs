use std::collections::{BTreeMap, BTreeSet};

use loam_domain::ThingName;
use loam_releases::manifest::Firmware;
use loam_releases::names::Id;
use loam_releases::version::Version;

use super::Rollout;
use super::definition::{Definition, ErrorLimit, Size, Targets, Wave};
use crate::execution::Execution;

/// Which things of a rollout go back to what: all that run its target by their newest report, however their execution ended,
/// and whose version before it is known.
#[must_use]
pub fn ways_back<'a>(executions: impl Iterator<Item = &'a Execution>) -> BTreeMap<Version, BTreeSet<ThingName>> {
    let mut ways: BTreeMap<Version, BTreeSet<ThingName>> = BTreeMap::new();
    for execution in executions {
        let on_target = execution.running.as_ref().is_some_and(|running| running.version == execution.target);
        let before = execution.from.as_ref().filter(|from| on_target && **from != execution.target);
        if let Some(before) = before {
            ways.entry(before.clone()).or_default().insert(execution.thing.clone());
        }
    }
    ways
}

/// Whether a way may lead from `rollout` back to `left`. Whoever runs the rollout's release has its security counter, no other:
/// it took it when it kept that image, and goes below it for nobody's order.
#[must_use]
pub const fn may_lead_back(rollout: &Rollout, left: &Firmware) -> bool {
    left.security_counter >= rollout.firmware.security_counter
}

/// The definition of a rollout that takes things back: to `release`, the one of the version that they left. All at once, at
/// the pace of the one that it takes back, at any time of the day; nothing but an operator stops it.
#[must_use]
pub fn back(rollout: &Rollout, left: &Version, release: Id) -> Definition {
    let targets = Targets::Left { rollout: rollout.id.clone(), version: left.to_string() };
    let errors = ErrorLimit::Count(u32::MAX);
    let waves = vec![Wave { size: Size::Rest, success_percent: 1, errors, soak_minutes: 0 }];
    let before = rollout.definition.clone();
    Definition { release, targets, waves, window: None, join_until: None, roll_back: false, ..before }
}
