use std::collections::BTreeMap;

use loam_domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::upgrades::StepView;
use crate::execution::{Execution, State};
use crate::rollout::definition::Definition;
use crate::rollout::{Issued, Rollout, Standing};
use crate::tally::Tally;

/// A rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RolloutView {
    /// Its id: 32 lower-case hexadecimal digits.
    rollout_id: String,
    /// From 1, one more with each change; the `ETag`.
    revision: u64,
    /// `filling`, `ready`, `approved`, `running`, `paused`, `stopping`, `stopped` or `completed`.
    status: &'static str,
    /// Why it is paused or stopped: `operator`, `gate-missed`, `errors` or `no-targets`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    why: Option<&'static str>,
    /// The release.
    release_id: String,
    /// The version that its things are to run.
    version: String,
    /// Whether it takes them back to an older version.
    downgrade: bool,
    /// Who created it.
    created_by: String,
    /// When, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    /// When it was started. Where two rollouts want a thing the newer version has its way; of one version, or where one leads
    /// back, the one that was started later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    started_at: Option<Timestamp>,
    /// How often a thing may be tried.
    attempts: u32,
    /// The manifest that its things get.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<ManifestView>,
}

/// The signed manifest that the things of a rollout get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManifestView {
    /// Its number: devices obey no lower one than they have seen.
    sequence: u64,
    /// When it was signed, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    issued_at: Timestamp,
    /// From then on nobody obeys it, likewise; it is renewed before.
    #[schema(value_type = i64)]
    not_after: Timestamp,
}

/// A rollout, with how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RolloutProgress {
    /// It.
    #[serde(flatten)]
    rollout: RolloutView,
    /// What it is to do.
    definition: Definition,
    /// How many things it has.
    things: u64,
    /// So many minutes it takes from its start at least: all things at its pace, and each wave's soak.
    least_minutes: u64,
    /// Its waves, in their order.
    waves: Vec<WaveView>,
}

/// How far a wave has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WaveView {
    /// Which, from 1.
    wave: usize,
    /// How many things are in it.
    things: u64,
    /// When it was opened, in milliseconds since the epoch; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    opened_at: Option<Timestamp>,
    /// Since when enough of it run the target, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    gate_at: Option<Timestamp>,
    /// When the next wave opens if that stays so, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    soaked_at: Option<Timestamp>,
    /// Whether an operator let it pass though it missed its gate.
    waived: bool,
    /// How many of its things stand where; they add up to `things`.
    #[schema(value_type = BTreeMap<String, u64>)]
    counts: BTreeMap<&'static str, u64>,
    /// How many of those that timed out never said a word; they speak neither for nor against the firmware.
    unreached: u64,
}

/// A rollout on one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThingView {
    /// The thing.
    thing: String,
    /// In which wave, from 1.
    wave: usize,
    /// `queued`, `notified`, `downloading`, `verifying`, `installing`, `succeeded`, `failed`, `rejected`, `timed-out`,
    /// `already-installed`, `incompatible` or `removed`.
    state: &'static str,
    /// Why it stands there, in a word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// For the how many-th time, from 1.
    attempt: u32,
    /// How far it is in its state, in full tens of percent, if it is at work and said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, minimum = 0, maximum = 100)]
    percent: Option<u8>,
    /// The version that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The version that runs, by its newest report.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<String>,
    /// Of a thing that is `from-too-old`: the published releases through which it comes to the target, one rollout each, the
    /// target's the last. Absent where no way is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    upgrade_path: Option<Vec<StepView>>,
    /// When the order was in its shadow, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    notified_at: Option<Timestamp>,
    /// When it said its first word, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    started_at: Option<Timestamp>,
}

impl From<Rollout> for RolloutView {
    fn from(rollout: Rollout) -> Self {
        Self {
            rollout_id: rollout.id.to_string(),
            revision: rollout.version,
            status: rollout.status.as_str(),
            why: rollout.status.why(),
            release_id: rollout.firmware.release.to_string(),
            version: rollout.firmware.version.to_string(),
            downgrade: rollout.downgrade,
            created_by: rollout.created_by,
            created_at: rollout.created_at,
            approved_by: rollout.approved_by,
            started_at: rollout.rank.map(|rank| rank.at),
            attempts: rollout.attempts,
            manifest: rollout.manifest.map(ManifestView::from),
        }
    }
}

impl From<Issued> for ManifestView {
    fn from(Issued { sequence, at, not_after }: Issued) -> Self {
        Self { sequence, issued_at: at, not_after }
    }
}

impl RolloutProgress {
    pub(super) fn of(rollout: Rollout, tallies: &[Tally]) -> Self {
        let empty = Tally::default();
        let soaks = rollout.definition.waves.iter().map(|wave| wave.soak_minutes);
        let waves = rollout.waves.iter().zip(soaks.clone()).enumerate().map(|(index, (standing, soak))| {
            WaveView::of(index, *standing, soak, tallies.get(index).unwrap_or(&empty))
        });
        let waves: Vec<WaveView> = waves.collect();
        let things = waves.iter().map(|wave| wave.things).sum::<u64>();
        let soaked: u64 = soaks.map(u64::from).sum();
        let least_minutes = things.div_ceil(u64::from(rollout.definition.pace().max(1))) + soaked;
        Self { things, least_minutes, waves, definition: rollout.definition.clone(), rollout: rollout.into() }
    }
}

impl WaveView {
    fn of(index: usize, standing: Standing, soak_minutes: u32, tally: &Tally) -> Self {
        let mut counts = BTreeMap::new();
        for state in State::ALL {
            *counts.entry(state.as_str()).or_default() += tally.get(state);
        }
        Self {
            wave: index + 1,
            things: tally.total(),
            opened_at: standing.opened_at,
            gate_at: standing.gate_at,
            soaked_at: standing.gate_at.map(|at| at.plus_millis(i64::from(soak_minutes) * 60_000)),
            waived: standing.waived,
            counts,
            unreached: tally.get(State::Unreached),
        }
    }
}

impl ThingView {
    pub(super) fn of(execution: Execution, upgrade_path: Option<Vec<StepView>>) -> Self {
        Self {
            upgrade_path,
            thing: execution.thing.to_string(),
            wave: usize::from(execution.wave) + 1,
            state: execution.state().as_str(),
            reason: execution.reason().map(str::to_owned),
            attempt: execution.attempt,
            percent: execution.percent.filter(|_| execution.state().is_open()),
            from: execution.from.map(|version| version.to_string()),
            running: execution.running.map(|running| running.version.to_string()),
            notified_at: execution.notified_at,
            started_at: execution.started_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::tests::running;

    #[test]
    fn twelve_words_hold_every_thing_of_a_wave_and_who_was_never_reached_timed_out() {
        let mut tally = Tally::default();
        State::ALL.into_iter().for_each(|state| tally.enter(state));
        let progress = RolloutProgress::of(running(), &[tally]);
        let wave = &progress.waves[0];
        assert_eq!((wave.counts.len(), wave.counts.values().sum::<u64>(), wave.things), (12, 13, 13));
        assert_eq!((wave.counts["timed-out"], wave.unreached), (2, 1));
        assert_eq!(progress.things, 13);
    }

    #[test]
    fn a_rollout_takes_as_long_as_its_pace_and_its_soaks() {
        let mut tally = Tally::default();
        (0..3).for_each(|_| tally.enter(State::Queued));
        let mut rollout = running();
        rollout.definition.per_minute = 2;
        let soaks: u64 = rollout.definition.waves.iter().map(|wave| u64::from(wave.soak_minutes)).sum();
        assert_eq!(RolloutProgress::of(rollout, &[tally]).least_minutes, 2 + soaks);
    }
}
