//! FirmwareTable: reads, conditional writes, pages.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem, Update,
};

use super::items::{self, Item};
use crate::FirmwareFailure;
use crate::error::Asked;
use crate::execution::State;

/// How often a write is tried while others write the same counters.
const MOST_TRIES: u32 = 12;

/// The most keys of one batch. Source: DynamoDB API reference, `BatchGetItem`.
const BATCH: usize = 100;

/// The most writes of one transaction. Source: DynamoDB API reference, `TransactWriteItems`.
pub(crate) const MOST_WRITES: usize = 100;

/// How many rows are deleted at once: a transaction of them.
const MOST_ERASED: i32 = 100;

/// The table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    client: aws_sdk_dynamodb::Client,
    name: String,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is there.
    Yes,
    /// What was read is no more, or the answer to this very write was lost: read again, decide again.
    Stale,
}

/// On what a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// There is none.
    Nothing,
    /// It has this version.
    Version(u64),
    /// Whatever is there.
    Anything,
}

/// Some rows of a partition, by their sort keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    /// After which sort key the next ones come, if there are more.
    pub(crate) last: Option<String>,
}

impl Table {
    pub(crate) fn new(sdk: &SdkConfig, name: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), name }
    }

    /// One row, read consistently.
    pub(crate) async fn get(&self, key: Item) -> Result<Option<Item>, FirmwareFailure> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        let answer = request.send().await;
        Ok(answer.map_err(|error| FirmwareFailure::service(Asked::Read, error))?.item)
    }

    /// Several rows, each read consistently, in no order; what is not there is left out.
    pub(crate) async fn batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, FirmwareFailure> {
        let mut found = vec![];
        for some in keys.chunks(BATCH) {
            let mut left = some.to_vec();
            let mut tries = 0;
            while !left.is_empty() {
                let asked = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build()?;
                let answer = self.client.batch_get_item().request_items(&self.name, asked).send().await;
                let answer = answer.map_err(|error| FirmwareFailure::service(Asked::Read, error))?;
                found.extend(answer.responses.and_then(|mut all| all.remove(&self.name)).unwrap_or_default());
                let rest = answer.unprocessed_keys.and_then(|mut all| all.remove(&self.name));
                left = rest.map(|rest| rest.keys).unwrap_or_default();
                if !left.is_empty() {
                    tries = wait_after(tries).await?;
                }
            }
        }
        Ok(found)
    }

    /// Rows of a partition whose sort keys begin with `prefix`, after `after`, at most `limit`, read consistently.
    pub(crate) async fn page(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        descending: bool,
        limit: i32,
    ) -> Result<Page, FirmwareFailure> {
        let start = after.map(|after| items::key(partition, after));
        let request = self.client.query().table_name(&self.name).consistent_read(true).limit(limit.max(1));
        let request = request.expression_attribute_values(":thing", items::text(partition));
        // No value of a key may be empty, be it only to begin with.
        let request = if prefix.is_empty() {
            request.key_condition_expression("thing = :thing")
        } else {
            request
                .key_condition_expression("thing = :thing AND begins_with(#item, :prefix)")
                .expression_attribute_names("#item", "item")
                .expression_attribute_values(":prefix", items::text(prefix))
        };
        let request = request.scan_index_forward(!descending).set_exclusive_start_key(start);
        let answer = request.send().await.map_err(|error| FirmwareFailure::service(Asked::List, error))?;
        let last = answer.last_evaluated_key().filter(|key| !key.is_empty());
        let last = last.map(|key| items::text_in(key, "item").map(str::to_owned)).transpose()?;
        Ok(Page { items: answer.items.unwrap_or_default(), last })
    }

    /// A put of `item`.
    pub(crate) fn put(&self, item: Item, on: On) -> Result<TransactWriteItem, FirmwareFailure> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        let put = match on {
            On::Anything => put,
            On::Nothing => {
                put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", "thing")
            }
            On::Version(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", items::number(version)),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    /// A delete of the row with this key, in this version.
    pub(crate) fn delete(&self, key: Item, version: u64) -> Result<TransactWriteItem, FirmwareFailure> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key));
        let delete = delete
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", items::number(version));
        Ok(TransactWriteItem::builder().delete(delete.build()?).build())
    }

    /// A delete of the row with this key, whatever is there.
    pub(crate) fn remove(&self, key: Item) -> Result<TransactWriteItem, FirmwareFailure> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key));
        Ok(TransactWriteItem::builder().delete(delete.build()?).build())
    }

    /// Nothing written, if the row with this key has this version.
    pub(crate) fn unchanged(&self, key: Item, version: u64) -> Result<TransactWriteItem, FirmwareFailure> {
        let check = ConditionCheck::builder().table_name(&self.name).set_key(Some(key));
        let check = check
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", items::number(version));
        Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
    }

    /// Moves things between counters: so many more in each of these states, or fewer. At least one.
    pub(crate) fn count(
        &self,
        key: Item,
        changes: &BTreeMap<State, i64>,
    ) -> Result<TransactWriteItem, FirmwareFailure> {
        let mut update = Update::builder().table_name(&self.name).set_key(Some(key));
        let mut adds = vec![];
        for (place, (state, change)) in changes.iter().enumerate() {
            let (name, value) = (format!("#state{place}"), format!(":change{place}"));
            adds.push(format!("{name} {value}"));
            update = update.expression_attribute_names(name, state.counter());
            update = update.expression_attribute_values(value, AttributeValue::N(change.to_string()));
        }
        let update = update.update_expression(format!("ADD {}", adds.join(", ")));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    /// Deletes some rows of a partition whose sort keys begin with `prefix`; whether none are left.
    pub(crate) async fn erase(&self, partition: &str, prefix: &str) -> Result<bool, FirmwareFailure> {
        let page = self.page(partition, prefix, None, false, MOST_ERASED).await?;
        let mut all = vec![];
        for item in &page.items {
            all.push(self.remove(items::key(partition, items::text_in(item, "item")?))?);
        }
        if all.is_empty() {
            return Ok(true);
        }
        self.transact(all).await?;
        Ok(page.last.is_none())
    }

    /// One transaction. What only collides with others on a counter, or is held back since many rows of one partition are
    /// written at once, is tried again: it was not written. The SDK tries only requests again that are throttled as a whole.
    pub(crate) async fn transact(&self, all: Vec<TransactWriteItem>) -> Result<Written, FirmwareFailure> {
        let mut tries = 0;
        loop {
            let request = self.client.transact_write_items().set_transact_items(Some(all.clone()));
            let Err(error) = request.send().await else { return Ok(Written::Yes) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(FirmwareFailure::service(Asked::Write, error));
            };
            let codes = || cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            if codes().any(|code| code == "ConditionalCheckFailed") {
                return Ok(Written::Stale);
            }
            let reason = codes().find(|code| *code != "None").unwrap_or("no reason");
            let cancelled = || FirmwareFailure::Cancelled { reason: reason.to_owned() };
            tries = match reason {
                "TransactionConflict" => {
                    metrics::counter!("TransactionConflicts").increment(1);
                    wait_after(tries).await?
                }
                "ThrottlingError" | "ProvisionedThroughputExceeded" => {
                    wait_after(tries).await.map_err(|_| cancelled())?
                }
                _ => return Err(cancelled()),
            };
        }
    }
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one, 640 ms at most; the share
/// is random.
pub(crate) async fn wait_after(tries: u32) -> Result<u32, FirmwareFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(FirmwareFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries.min(6)))).await;
    Ok(tries)
}
