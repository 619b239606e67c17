//! Things in rollouts: each row moves together with its counter, and with whose the thing is.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TransactWriteItem;
use loam_domain::{Event, ThingName};

use super::items::{self, Filled};
use super::table::{MOST_WRITES, On, Table, Written};
use crate::FirmwareFailure;
use crate::assignment::Assignment;
use crate::execution::{Execution, State};
use crate::rollout::Rollout;

/// How many things a chunk of a list has: their rows, their counter, the chunk's own row and a look at the rollout's are one
/// transaction.
pub(crate) const CHUNK: usize = MOST_WRITES - 3;

/// How many things are moved together at most: each is two writes, and their counters one.
pub(crate) const TOGETHER: usize = (MOST_WRITES - 1) / 2;

/// The things of FirmwareTable.
#[derive(Debug, Clone)]
pub(crate) struct Executions {
    table: Table,
}

/// A thing's row as it was read, and as it is to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Move {
    pub(crate) before: Execution,
    pub(crate) after: Execution,
    /// In which shard of its wave it is.
    pub(crate) shard: u32,
}

/// What is written with a thing's moves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct With<'a> {
    /// Whose the thing is from now on; on the version before.
    pub(crate) assignment: Option<&'a Assignment>,
    /// What is told of it.
    pub(crate) event: Option<&'a Event>,
}

impl Executions {
    pub(crate) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { table: Table::new(sdk, table) }
    }

    /// A thing's row. Of one that is being moved from one key to another a batch may find neither: looked for again then.
    pub(crate) async fn get(
        &self,
        rollout: &loam_releases::names::Id,
        (wave, shard): (usize, u32),
        thing: &ThingName,
    ) -> Result<Option<Execution>, FirmwareFailure> {
        let keys = items::execution_keys(rollout, wave, shard, thing);
        for _ in 0..3 {
            let found = self.table.batch(keys.clone()).await?;
            let rows: Vec<Execution> = found.iter().map(items::execution_of).collect::<Result<_, _>>()?;
            // Of two that a move under way shows, the newer.
            if let Some(row) = rows.into_iter().max_by_key(|row| row.version) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Moves rows of one thing, of different rollouts, each on the version that was read, with their counters.
    pub(crate) async fn save(&self, moves: &[Move], with: With<'_>) -> Result<Written, FirmwareFailure> {
        let mut all = vec![];
        for moved in moves {
            self.add_row(moved, &mut all)?;
            self.add_count(std::slice::from_ref(moved), &mut all)?;
        }
        if let (Some(assignment), Some(moved)) = (with.assignment, moves.first()) {
            let before = assignment.version - 1;
            let on = if before == 0 { On::Nothing } else { On::Version(before) };
            all.push(self.table.put(items::assignment_item(&moved.before.thing, assignment)?, on)?);
        }
        if let (Some(event), Some(moved)) = (with.event, moves.first()) {
            let item = items::event_item(moved.after.thing.as_str(), event, moved.after.version)?;
            all.push(self.table.put(item, On::Anything)?);
        }
        self.table.transact(all).await
    }

    fn add_row(&self, moved: &Move, all: &mut Vec<TransactWriteItem>) -> Result<(), FirmwareFailure> {
        let Move { before, after, shard } = moved;
        let (from, to) = (before.state(), after.state());
        let item = items::execution_item(after, *shard)?;
        if items::bucket(from) == items::bucket(to) {
            all.push(self.table.put(item, On::Version(before.version))?);
        } else {
            // DynamoDB changes no key.
            all.push(self.table.delete(items::execution_key(before, *shard), before.version)?);
            all.push(self.table.put(item, On::Nothing)?);
        }
        Ok(())
    }

    /// Moves rows of one shard of one wave, each on the version that was read, with their counters at once: all of them, or
    /// none. At most [`TOGETHER`], of which nothing is told.
    pub(crate) async fn save_many(&self, moves: &[Move]) -> Result<Written, FirmwareFailure> {
        let mut all = vec![];
        for moved in moves {
            self.add_row(moved, &mut all)?;
        }
        self.add_count(moves, &mut all)?;
        self.table.transact(all).await
    }

    /// Adds what these moves of one shard are for its counters.
    fn add_count(&self, moves: &[Move], all: &mut Vec<TransactWriteItem>) -> Result<(), FirmwareFailure> {
        let Some(Move { after, shard, .. }) = moves.first() else { return Ok(()) };
        let mut changes = BTreeMap::new();
        for Move { before, after, .. } in moves {
            *changes.entry(before.state()).or_insert(0) -= 1;
            *changes.entry(after.state()).or_insert(0) += 1;
        }
        changes.retain(|_, change| *change != 0);
        if !changes.is_empty() {
            let tally = items::tally_key(&after.rollout, usize::from(after.wave), *shard);
            all.push(self.table.count(tally, &changes)?);
        }
        Ok(())
    }

    /// How far this shard is written down.
    pub(crate) async fn filled(&self, rollout: &Rollout, wave: usize, shard: u32) -> Result<Filled, FirmwareFailure> {
        let row = self.table.get(items::filled_key(&rollout.id, wave, shard)).await?;
        row.as_ref().map_or(Ok(Filled::default()), items::filled_of)
    }

    /// Writes down a chunk of targets, the next one after what is `filled` of this shard, with their counter: all of them,
    /// once, and only while the rollout is the one that was read.
    pub(crate) async fn fill(
        &self,
        rollout: &Rollout,
        place: (usize, u32),
        filled: Filled,
        things: &[ThingName],
    ) -> Result<Written, FirmwareFailure> {
        self.table.transact(self.chunk(rollout, place, filled, things)?).await
    }

    fn chunk(
        &self,
        rollout: &Rollout,
        (wave, shard): (usize, u32),
        filled: Filled,
        things: &[ThingName],
    ) -> Result<Vec<TransactWriteItem>, FirmwareFailure> {
        let mut all = vec![];
        for thing in things {
            let item = items::execution_item(&queued(rollout, wave, thing), shard)?;
            all.push(self.table.put(item, On::Nothing)?);
        }
        let tally = items::tally_key(&rollout.id, wave, shard);
        let more = i64::try_from(things.len()).unwrap_or(i64::MAX);
        all.push(self.table.count(tally, &BTreeMap::from([(State::Queued, more)]))?);
        let on = if filled.chunks == 0 { On::Nothing } else { On::Version(filled.chunks) };
        all.push(self.table.put(items::filled_item(&rollout.id, wave, shard, filled.and(things.len())), on)?);
        // Nobody is put into the queue of what was stopped meanwhile.
        all.push(self.table.unchanged(items::rollout_key(&rollout.id), rollout.version)?);
        Ok(all)
    }

    /// Adds a thing that comes to be a target late; [`Written::Stale`] if it is one.
    pub(crate) async fn join(
        &self,
        rollout: &Rollout,
        wave: usize,
        thing: &ThingName,
    ) -> Result<Written, FirmwareFailure> {
        let shard = rollout.shard_of(wave, thing);
        let item = items::execution_item(&queued(rollout, wave, thing), shard)?;
        let tally = items::tally_key(&rollout.id, wave, shard);
        let all = vec![
            self.table.put(item, On::Nothing)?,
            self.table.count(tally, &BTreeMap::from([(State::Queued, 1)]))?,
            // The rollout's row keeps its version: it is looked at only, so that nobody joins what is over.
            self.table.unchanged(items::rollout_key(&rollout.id), rollout.version)?,
        ];
        self.table.transact(all).await
    }

    /// Whether a thing is in this rollout, in whatever wave.
    pub(crate) async fn is_in(&self, rollout: &Rollout, thing: &ThingName) -> Result<bool, FirmwareFailure> {
        let waves = 0..rollout.waves.len();
        let keys =
            waves.flat_map(|wave| items::execution_keys(&rollout.id, wave, rollout.shard_of(wave, thing), thing));
        Ok(!self.table.batch(keys.collect()).await?.is_empty())
    }

    /// Whose the thing is.
    pub(crate) async fn assignment(&self, thing: &ThingName) -> Result<Option<Assignment>, FirmwareFailure> {
        self.table.get(items::assignment_key(thing)).await?.as_ref().map(items::assignment_of).transpose()
    }

    /// Writes which manifest a thing was last sent, on the version before.
    pub(crate) async fn assign(&self, thing: &ThingName, assignment: &Assignment) -> Result<Written, FirmwareFailure> {
        let item = items::assignment_item(thing, assignment)?;
        self.table.transact(vec![self.table.put(item, On::Version(assignment.version - 1))?]).await
    }

    /// Deletes what is told of a thing.
    pub(crate) async fn erase_events(&self, thing: &ThingName) -> Result<(), FirmwareFailure> {
        while !self.table.erase(thing.as_str(), items::EVENT).await? {}
        Ok(())
    }

    /// Takes away whose a thing is, on this version.
    pub(crate) async fn free(&self, thing: &ThingName, assignment: &Assignment) -> Result<Written, FirmwareFailure> {
        self.table.transact(vec![self.table.delete(items::assignment_key(thing), assignment.version)?]).await
    }
}

fn queued(rollout: &Rollout, wave: usize, thing: &ThingName) -> Execution {
    let wave = u16::try_from(wave).unwrap_or(u16::MAX);
    Execution::queued(rollout.id.clone(), thing.clone(), wave, rollout.firmware.version.clone())
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;
    use crate::rollout::tests::running;

    #[test]
    fn the_largest_chunk_is_one_transaction_and_only_for_the_rollout_that_was_read() {
        let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let executions = Executions::new(&sdk, "table".to_owned());
        let things: Vec<_> = (0..CHUNK).map(|number| ThingName::parse(&format!("t{number}")).unwrap()).collect();
        let rollout = running();
        let all = executions.chunk(&rollout, (0, 0), Filled::default(), &things).unwrap();
        assert_eq!(all.len(), MOST_WRITES);
        let looks: Vec<_> = all.iter().filter_map(TransactWriteItem::condition_check).collect();
        let [look] = looks.as_slice() else { panic!("{looks:?}") };
        assert_eq!(*look.key(), items::rollout_key(&rollout.id));
        let values = look.expression_attribute_values().unwrap();
        assert_eq!(values[":version"], items::number(rollout.version));
    }
}
