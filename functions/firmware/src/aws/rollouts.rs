//! Rollouts, their list, their counters, and the pages of their things.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TransactWriteItem;
use loam_domain::{Event, Timestamp};
use loam_releases::names::Id;

use super::items;
use super::table::{On, Table, Written};
use crate::FirmwareFailure;
use crate::execution::Execution;
use crate::order::Signed;
use crate::rollout::Rollout;
use crate::tally::Tally;

/// How many of those that are over are looked at in a round, to forget them.
const OLDEST: i32 = 25;

/// The rollouts of FirmwareTable.
#[derive(Debug, Clone)]
pub(crate) struct Rollouts {
    pub(crate) table: Table,
}

/// Some rollouts of the list, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct RolloutPage {
    pub(crate) rollouts: Vec<Rollout>,
    /// After which place the next ones come, if there are more.
    pub(crate) last: Option<Spot>,
}

/// A place in the list of rollouts: the live ones come before those that are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Among those that are over.
    pub(crate) over: bool,
    /// After this one: when it was created, and which.
    pub(crate) after: Option<(Timestamp, Id)>,
}

/// Some things of a shard of a wave, those that wait first.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThingsPage {
    pub(crate) executions: Vec<Execution>,
    /// The sort key after which the next ones come, if there are more.
    pub(crate) last: Option<String>,
}

impl Rollouts {
    pub(crate) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { table: Table::new(sdk, table) }
    }

    /// The rollout, read consistently.
    pub(crate) async fn get(&self, id: &Id) -> Result<Option<Rollout>, FirmwareFailure> {
        self.table.get(items::rollout_key(id)).await?.as_ref().map(items::rollout_of).transpose()
    }

    /// Writes a new rollout and its place in the list; [`Written::Stale`] if there is one of this id.
    pub(crate) async fn put_new(&self, rollout: &Rollout, event: Option<&Event>) -> Result<Written, FirmwareFailure> {
        let mut all = vec![
            self.table.put(items::rollout_item(rollout)?, On::Nothing)?,
            self.table.put(items::list_item(rollout, false), On::Nothing)?,
        ];
        all.extend(self.told(rollout, event)?);
        self.table.transact(all).await
    }

    /// Writes a rollout on the version before its own, and what is told of it; its place in the list follows its status.
    pub(crate) async fn replace(&self, after: &Rollout, event: Option<&Event>) -> Result<Written, FirmwareFailure> {
        let mut all = vec![self.table.put(items::rollout_item(after)?, On::Version(after.version - 1))?];
        // Its end is told, and nothing after it.
        if let Some(event) = event.filter(|_| after.status.is_done()) {
            all.push(self.table.remove(items::place_in_list(after, false))?);
            let mut over = items::list_item(after, true);
            over.insert("since".to_owned(), items::number(event.at.as_millis().unsigned_abs()));
            all.push(self.table.put(over, On::Anything)?);
        }
        all.extend(self.told(after, event)?);
        self.table.transact(all).await
    }

    /// As [`Rollouts::replace`], with the manifest that its things get from now on.
    pub(crate) async fn sign(&self, after: &Rollout, signed: &Signed) -> Result<Written, FirmwareFailure> {
        let sequence = after.manifest.map_or(0, |issued| issued.sequence);
        let manifest = self.table.put(items::manifest_item(&after.id, signed, sequence), On::Anything)?;
        let rollout = self.table.put(items::rollout_item(after)?, On::Version(after.version - 1))?;
        self.table.transact(vec![rollout, manifest]).await
    }

    /// The manifest that its things get, and its number.
    pub(crate) async fn manifest(&self, id: &Id) -> Result<Option<(Signed, u64)>, FirmwareFailure> {
        self.table.get(items::manifest_key(id)).await?.as_ref().map(items::manifest_of).transpose()
    }

    fn told(&self, rollout: &Rollout, event: Option<&Event>) -> Result<Option<TransactWriteItem>, FirmwareFailure> {
        let Some(event) = event else { return Ok(None) };
        let item = items::event_item(&items::rollout_partition(&rollout.id), event, rollout.version)?;
        Ok(Some(self.table.put(item, On::Anything)?))
    }

    /// A stretch of the list: at most `limit` rollouts of one kind, newest first.
    pub(crate) async fn page(&self, spot: &Spot, limit: i32) -> Result<RolloutPage, FirmwareFailure> {
        let prefix = items::list_prefix(spot.over);
        let after = spot.after.as_ref().map(|(at, id)| items::list_sort(spot.over, *at, id));
        let page = self.table.page(items::ROLLOUTS, prefix, after.as_deref(), true, limit).await?;
        let ids: Vec<Id> = page.items.iter().map(items::id_in).collect::<Result<_, _>>()?;
        let rows = self.table.batch(ids.iter().map(items::rollout_key).collect()).await?;
        let mut rollouts: Vec<Rollout> = rows.iter().map(items::rollout_of).collect::<Result<_, _>>()?;
        rollouts.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        let more = page.last.is_some();
        let last = rollouts.last().filter(|_| more).map(|last| (last.created_at, last.id.clone()));
        let next = match last {
            Some(after) => Some(Spot { over: spot.over, after: Some(after) }),
            // After the live ones come those that are over.
            None => (!spot.over).then_some(Spot { over: true, after: None }),
        };
        Ok(RolloutPage { rollouts, last: next })
    }

    /// All rollouts that are not over.
    pub(crate) async fn live(&self) -> Result<Vec<Id>, FirmwareFailure> {
        let (mut found, mut after) = (vec![], None::<String>);
        loop {
            let page =
                self.table.page(items::ROLLOUTS, items::list_prefix(false), after.as_deref(), false, 1_000).await?;
            for item in &page.items {
                found.push(items::id_in(item)?);
            }
            after = page.last;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Whether others may join any rollout. A row of older code does not say: they may.
    pub(crate) async fn take_joiners(&self, now: Timestamp) -> Result<bool, FirmwareFailure> {
        let now = now.as_millis().unsigned_abs();
        let takes = |item: &items::Item| items::number_in(item, "joinUntil").map_or(true, |until| now < until);
        let mut after = None::<String>;
        loop {
            let page =
                self.table.page(items::ROLLOUTS, items::list_prefix(false), after.as_deref(), false, 1_000).await?;
            if page.items.iter().any(takes) {
                return Ok(true);
            }
            after = page.last;
            if after.is_none() {
                return Ok(false);
            }
        }
    }

    /// Some rollouts that were over by `until`, the first created first.
    pub(crate) async fn over_by(&self, until: Timestamp) -> Result<Vec<Id>, FirmwareFailure> {
        let page = self.table.page(items::ROLLOUTS, items::list_prefix(true), None, false, OLDEST).await?;
        let until = until.as_millis().unsigned_abs();
        let old = |item: &&items::Item| items::number_in(item, "since").is_ok_and(|since| since <= until);
        page.items.iter().filter(old).map(items::id_in).collect()
    }

    /// Deletes some rows of a rollout's things; whether none are left.
    pub(crate) async fn erase_things(&self, id: &Id, (wave, shard): (usize, u32)) -> Result<bool, FirmwareFailure> {
        self.table.erase(&items::shard_partition(id, wave, shard), "").await
    }

    /// Deletes a rollout whose things are forgotten; how it was filled first, the row by which it is found last.
    pub(crate) async fn erase(&self, rollout: &Rollout) -> Result<(), FirmwareFailure> {
        while !self.table.erase(&items::rollout_partition(&rollout.id), "filled#").await? {}
        let keys =
            [items::manifest_key(&rollout.id), items::rollout_key(&rollout.id), items::place_in_list(rollout, true)];
        let all = keys.into_iter().map(|key| self.table.remove(key)).collect::<Result<_, _>>()?;
        self.table.transact(all).await?;
        Ok(())
    }

    /// The counters of each wave, summed over their shards. Each shard is read at its own moment; even so all of its things
    /// are counted, each once.
    pub(crate) async fn tallies(&self, rollout: &Rollout) -> Result<Vec<Tally>, FirmwareFailure> {
        let mut waves = vec![Tally::default(); rollout.waves.len()];
        let keys = rollout.places().map(|(wave, shard)| items::tally_key(&rollout.id, wave, shard)).collect();
        for item in self.table.batch(keys).await? {
            if let Some(tally) = waves.get_mut(items::wave_of_tally(&item)?) {
                tally.add(&items::tally_of(&item));
            }
        }
        Ok(waves)
    }

    /// The counters of one wave.
    pub(crate) async fn tally(&self, rollout: &Rollout, wave: usize) -> Result<Tally, FirmwareFailure> {
        let keys = rollout.shards(wave).map(|shard| items::tally_key(&rollout.id, wave, shard)).collect();
        let mut sum = Tally::default();
        self.table.batch(keys).await?.iter().for_each(|item| sum.add(&items::tally_of(item)));
        Ok(sum)
    }

    /// Things of a shard of a wave, at most `limit`, after the sort key `after`: those at work, those that wait, the others.
    pub(crate) async fn things_page(
        &self,
        id: &Id,
        (wave, shard): (usize, u32),
        bucket: Bucket,
        after: Option<&str>,
        limit: i32,
    ) -> Result<ThingsPage, FirmwareFailure> {
        let partition = items::shard_partition(id, wave, shard);
        let page = self.table.page(&partition, bucket.prefix(), after, false, limit).await?;
        let rows = page.items.iter().filter(|item| item.contains_key("execution"));
        Ok(ThingsPage { executions: rows.map(items::execution_of).collect::<Result<_, _>>()?, last: page.last })
    }
}

/// Which things of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// All of them (and the counters' row, which is no thing).
    All,
    /// Those that wait for their turn.
    Queued,
    /// Those that were asked and those at work.
    AtWork,
    /// The others.
    Rest,
}

impl Bucket {
    const fn prefix(self) -> &'static str {
        match self {
            // Every sort key begins with it.
            Self::All => "",
            Self::Queued => items::QUEUED,
            Self::AtWork => items::AT_WORK,
            Self::Rest => items::REST,
        }
    }
}
