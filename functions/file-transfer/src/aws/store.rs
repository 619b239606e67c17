use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp};
use loam_things::Things;

use super::items::{self, Item};
use crate::FileFailure;
use crate::ids::TransferId;
use crate::slots::{Full, Slots};
use crate::told;
use crate::transfer::{Change, Intent, Transfer, Transition, next};

/// How often a write is tried while others are faster.
const MOST_TRIES: u32 = 10;

/// The table of transfers.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(super) client: aws_sdk_dynamodb::Client,
    pub(super) table: String,
    things: Things,
}

/// What became of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Created {
    Yes,
    /// It, or what the same request created, was there before.
    Already(Box<Transfer>),
    /// All places are taken.
    Full,
    /// The owner's time is over, or the thing's.
    Ended,
}

/// What came of an intent.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    /// The transfer after it.
    pub(crate) transfer: Transfer,
    /// What it was: a change, or why there is none.
    pub(crate) outcome: Result<bool, crate::transfer::Why>,
}

impl Store {
    pub(crate) fn new(sdk: &SdkConfig, table: String, things: Things) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table, things }
    }

    async fn item(&self, key: Item) -> Result<Option<Item>, FileFailure> {
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        let answer = request.send().await.map_err(|error| FileFailure::NotRead(Box::new(error)))?;
        Ok(answer.item)
    }

    /// The transfer of this thing.
    pub(crate) async fn get(&self, thing: &ThingName, id: &TransferId) -> Result<Option<Transfer>, FileFailure> {
        self.item(items::transfer_key(thing, id)).await?.as_ref().map(items::transfer_of).transpose()
    }

    /// Whose transfer it is.
    pub(crate) async fn thing_of(&self, id: &TransferId) -> Result<Option<ThingName>, FileFailure> {
        self.item(items::pointer_key(id)).await?.as_ref().map(items::thing_of).transpose()
    }

    /// What of this thing's is not over.
    pub(crate) async fn slots(&self, thing: &ThingName) -> Result<Slots, FileFailure> {
        let item = self.item(items::key(thing.as_str(), items::SLOTS)).await?;
        item.as_ref().map_or_else(|| Ok(Slots::default()), items::slots_of)
    }

    /// Creates a transfer, unless it is there, all places are taken, or its epoch is over: in one transaction.
    pub(crate) async fn create(&self, transfer: &Transfer, now: Timestamp) -> Result<Created, FileFailure> {
        let mut tries = 0;
        loop {
            if let Some(known) = self.get(&transfer.thing, &transfer.id).await? {
                return Ok(Created::Already(Box::new(known)));
            }
            let before = self.slots(&transfer.thing).await?;
            if let Some(first) = before.first_of(&transfer.id, now)
                && let Some(known) = self.get(&transfer.thing, first).await?
                && known.epoch == transfer.epoch
            {
                return Ok(Created::Already(Box::new(known)));
            }
            let after = match before.take(&transfer.id, transfer.expires_at, now) {
                Ok(after) => after,
                Err(Full) => return Ok(Created::Full),
            };
            let all = vec![
                self.things.epoch_check(&transfer.thing, transfer.epoch)?,
                self.put(items::transfer_item(transfer)?, None)?,
                self.put(items::slots_item(&transfer.thing, &after)?, Some(before.version))?,
                self.put(items::pointer_item(transfer), None)?,
            ];
            match self.transact(all).await?.as_deref() {
                None => return Ok(Created::Yes),
                Some(["ConditionalCheckFailed", ..]) => return Ok(Created::Ended),
                Some(_) => tries = wait_after(tries).await?,
            }
        }
    }

    /// Reads, decides and writes, again while others are faster; `None` where there is no such transfer.
    pub(crate) async fn apply(
        &self,
        thing: &ThingName,
        id: &TransferId,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Option<Applied>, FileFailure> {
        let mut tries = 0;
        loop {
            let Some(before) = self.get(thing, id).await? else { return Ok(None) };
            let change = match next(&before, intent, now) {
                Transition::Nothing(crate::transfer::Outcome::Already) => {
                    return Ok(Some(Applied { transfer: before, outcome: Ok(false) }));
                }
                Transition::Nothing(crate::transfer::Outcome::Refused(why)) => {
                    return Ok(Some(Applied { transfer: before, outcome: Err(why) }));
                }
                Transition::Change(change) => change,
            };
            if self.write(&before, &change, now).await? {
                return Ok(Some(Applied { transfer: change.transfer, outcome: Ok(true) }));
            }
            tries = wait_after(tries).await?;
        }
    }

    /// Writes a change on the version that was read, frees the place, and tells; whether it won.
    pub(crate) async fn write(&self, before: &Transfer, change: &Change, now: Timestamp) -> Result<bool, FileFailure> {
        let after = &change.transfer;
        let mut all = vec![self.put(items::transfer_item(after)?, Some(before.version))?];
        if change.frees {
            let slots = self.slots(&after.thing).await?;
            if let Some(freed) = slots.release(&after.id) {
                all.push(self.put(items::slots_item(&after.thing, &freed)?, Some(slots.version))?);
            }
        }
        if let Some(event) = change.told.and_then(|state| told::event(after, state, now)) {
            all.push(self.put(items::event_item(after, &event)?, None)?);
        }
        Ok(self.transact(all).await?.is_none())
    }

    /// A put on a version, or where there is none; version 0 is none.
    fn put(&self, item: Item, version: Option<u64>) -> Result<TransactWriteItem, FileFailure> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match version.filter(|version| *version > 0) {
            None => put.condition_expression("attribute_not_exists(thing)"),
            Some(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", items::number(version)),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    /// `None` if it is written; else the codes of rivals, one for each item.
    async fn transact(&self, all: Vec<TransactWriteItem>) -> Result<Option<Vec<&'static str>>, FileFailure> {
        let Err(error) = self.client.transact_write_items().set_transact_items(Some(all)).send().await else {
            return Ok(None);
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Err(FileFailure::NotWritten(Box::new(error)));
        };
        let codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None"));
        let mut rivals = Vec::new();
        for code in codes {
            rivals.push(match code {
                "None" => "None",
                "ConditionalCheckFailed" => "ConditionalCheckFailed",
                "TransactionConflict" => "TransactionConflict",
                other => return Err(FileFailure::Cancelled { reason: other.to_owned() }),
            });
        }
        if rivals.iter().all(|code| *code == "None") {
            return Err(FileFailure::Cancelled { reason: "no reason".to_owned() });
        }
        Ok(Some(rivals))
    }

    /// A page of a thing's transfers, newest first, and whether there are more.
    pub(crate) async fn list(
        &self,
        thing: &ThingName,
        after: Option<&TransferId>,
        limit: i32,
    ) -> Result<(Vec<Transfer>, bool), FileFailure> {
        let last = after.map_or_else(|| format!("{}~", items::TRANSFER), |id| format!("{}{id}", items::TRANSFER));
        let request = self.client.query().table_name(&self.table).consistent_read(true).scan_index_forward(false);
        let request = request.key_condition_expression("thing = :thing AND #item BETWEEN :first AND :last");
        let request = request.expression_attribute_names("#item", "item");
        let request = request.expression_attribute_values(":thing", items::text(thing.as_str()));
        let request = request.expression_attribute_values(":first", items::text(items::TRANSFER));
        let request = request.expression_attribute_values(":last", items::text(last));
        // The one that the page begins after is found again, and one more tells whether there are others.
        let answer = request.limit(limit.saturating_add(2)).send().await;
        let answer = answer.map_err(|error| FileFailure::NotListed(Box::new(error)))?;
        let found: Result<Vec<_>, _> = answer.items().iter().map(items::transfer_of).collect();
        let mut found: Vec<Transfer> = found?;
        found.retain(|transfer| after != Some(&transfer.id));
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = found.len() > limit || answer.last_evaluated_key().is_some() && found.len() >= limit;
        found.truncate(limit);
        Ok((found, more))
    }

    /// Transfers whose time is over and whose keys may still be there, of one shard; at most 100.
    pub(crate) async fn due(&self, shard: u8, now: Timestamp) -> Result<Vec<(ThingName, TransferId)>, FileFailure> {
        let request = self.client.query().table_name(&self.table).index_name("byEnd").limit(100);
        let request = request.key_condition_expression("#open = :open AND endsAt <= :now");
        let request = request.expression_attribute_names("#open", "open");
        let request = request.expression_attribute_values(":open", items::text(items::shard(shard)));
        let request = request.expression_attribute_values(":now", items::time(now));
        let answer = request.send().await.map_err(|error| FileFailure::NotListed(Box::new(error)))?;
        answer.items().iter().map(items::of_index).collect()
    }
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one; the share is random.
pub(super) async fn wait_after(tries: u32) -> Result<u32, FileFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(FileFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries))).await;
    Ok(tries)
}
