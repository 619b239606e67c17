//! The rows that the catalog writes: twins and groups.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Delete, Put, TransactWriteItem, Update};
use loam_domain::ThingName;
use loam_things::Things;
use loam_things::twins::Twin;

use crate::CatalogFailure;
use crate::group::{self, GROUP, GroupName, Item, MEMBER};

/// How often a row is tried while others are faster.
const MOST_TRIES: u32 = 12;

/// The tables of twins and groups.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) twins: String,
    pub(crate) groups: String,
    things: Things,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is there.
    Yes,
    /// Somebody was faster, or the answer to this very write was lost: read again and decide again.
    Lost,
    /// There is no such static group.
    NoGroup,
    /// The thing retires, or is retired: it gets no row any more.
    Ended,
}

/// The row that was read is still there.
const SAME: &str = "#version = :version";

impl Store {
    /// The tables of these names.
    #[must_use]
    pub fn new(sdk: &SdkConfig, twins: String, groups: String, things: Things) -> Self {
        Self::of(aws_sdk_dynamodb::Client::new(sdk), twins, groups, things)
    }

    /// The same, on a client that is there already.
    #[must_use]
    pub const fn of(client: aws_sdk_dynamodb::Client, twins: String, groups: String, things: Things) -> Self {
        Self { client, twins, groups, things }
    }

    /// Writes a twin if the row still has the version before; version 1: if there is no row, and the thing stays.
    ///
    /// # Errors
    /// [`CatalogFailure`].
    pub async fn put(&self, twin: &Twin) -> Result<Saved, CatalogFailure> {
        if is_new(twin) {
            return self.transact(self.with_birth(twin, vec![])?).await;
        }
        let put = self.client.put_item().table_name(&self.twins).set_item(Some(twin.item()?));
        let put = put
            .condition_expression(SAME)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(twin.version - 1));
        match put.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Lost)
            }
            Err(error) => Err(CatalogFailure::NotWritten(Box::new(error))),
        }
    }

    /// Writes a twin together with its coming into a static group.
    ///
    /// # Errors
    /// [`CatalogFailure`].
    pub async fn join(&self, twin: &Twin, name: &GroupName) -> Result<Saved, CatalogFailure> {
        let member = group::key(name.as_str(), &format!("{MEMBER}{}", twin.thing));
        let member = Put::builder().table_name(&self.groups).set_item(Some(member)).build()?;
        let count = self
            .count(name.as_str(), 1)
            .condition_expression("attribute_exists(#group) AND attribute_not_exists(#filter)");
        let count = count.expression_attribute_names("#group", "group").expression_attribute_names("#filter", "filter");
        let items = vec![
            TransactWriteItem::builder().update(count.build()?).build(),
            TransactWriteItem::builder().put(member).build(),
        ];
        self.transact(self.with_birth(twin, items)?).await
    }

    /// The write of a twin before `others`; behind them the condition that a thing that gets its first row stays. Without
    /// it, who read the record before the thing retired could bring back what was erased meanwhile.
    fn with_birth(
        &self,
        twin: &Twin,
        others: Vec<TransactWriteItem>,
    ) -> Result<Vec<TransactWriteItem>, CatalogFailure> {
        let mut items = vec![TransactWriteItem::builder().put(self.put_of(twin)?).build()];
        items.extend(others);
        if is_new(twin) {
            items.push(self.things.stays(&twin.thing)?);
        }
        Ok(items)
    }

    /// Writes a twin together with its going from a static group.
    ///
    /// # Errors
    /// [`CatalogFailure`].
    pub async fn leave(&self, twin: &Twin, name: &GroupName) -> Result<Saved, CatalogFailure> {
        let mut items = vec![TransactWriteItem::builder().put(self.put_of(twin)?).build()];
        items.extend(self.out_of(name.as_str(), &twin.thing)?);
        self.transact(items).await
    }

    /// Erases a twin and takes it out of all its groups, or neither.
    ///
    /// # Errors
    /// [`CatalogFailure`].
    pub async fn erase(&self, twin: &Twin) -> Result<Saved, CatalogFailure> {
        let delete = Delete::builder().table_name(&self.twins).key("thing", text(twin.thing.as_str()));
        let delete = delete
            .condition_expression(SAME)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(twin.version));
        let mut items = vec![TransactWriteItem::builder().delete(delete.build()?).build()];
        for group in &twin.notes.groups {
            items.extend(self.out_of(group, &twin.thing)?);
        }
        self.transact(items).await
    }

    /// Who is in a group is told by twins; the group's own list and count follow in the same transaction.
    fn out_of(&self, group: &str, thing: &ThingName) -> Result<[TransactWriteItem; 2], CatalogFailure> {
        let member = group::key(group, &format!("{MEMBER}{thing}"));
        let delete = Delete::builder().table_name(&self.groups).set_key(Some(member)).build()?;
        let update = self.count(group, -1).build()?;
        let [delete, update] =
            [TransactWriteItem::builder().delete(delete).build(), TransactWriteItem::builder().update(update).build()];
        Ok([update, delete])
    }

    fn count(&self, group: &str, by: i64) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.groups)
            .set_key(Some(group::key(group, GROUP)))
            .update_expression("ADD #members :by")
            .expression_attribute_names("#members", "members")
            .expression_attribute_values(":by", AttributeValue::N(by.to_string()))
    }

    fn put_of(&self, twin: &Twin) -> Result<Put, CatalogFailure> {
        let put = Put::builder().table_name(&self.twins).set_item(Some(twin.item()?));
        let put = match twin.version {
            0 | 1 => put.condition_expression("attribute_not_exists(thing)"),
            version => put
                .condition_expression(SAME)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version - 1)),
        };
        Ok(put.build()?)
    }

    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Saved, CatalogFailure> {
        let birth = items.iter().position(|item| item.condition_check.is_some());
        match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    saved(cancelled.cancellation_reasons(), birth)
                }
                _ => Err(CatalogFailure::NotTransacted(Box::new(error))),
            },
        }
    }
}

/// What a cancelled transaction's reasons mean. The first write is the twin's, the one at `birth` says whether the thing
/// stays; the only other condition is the group's.
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn saved(reasons: &[CancellationReason], birth: Option<usize>) -> Result<Saved, CatalogFailure> {
    let (mut lost, mut no_group, mut ended) = (false, false, false);
    for (at, reason) in reasons.iter().enumerate() {
        match (reason.code().unwrap_or("None"), at) {
            ("None", _) => {}
            ("ConditionalCheckFailed", 0) | ("TransactionConflict", _) => lost = true,
            ("ConditionalCheckFailed", at) if Some(at) == birth => ended = true,
            ("ConditionalCheckFailed", _) => no_group = true,
            (other, _) => return Err(CatalogFailure::Cancelled { reason: other.to_owned() }),
        }
    }
    match (lost, ended, no_group) {
        (true, _, _) => Ok(Saved::Lost),
        (false, true, _) => Ok(Saved::Ended),
        (false, false, true) => Ok(Saved::NoGroup),
        (false, false, false) => Err(CatalogFailure::Cancelled { reason: "no reason".to_owned() }),
    }
}

/// Whether it has no row yet.
const fn is_new(twin: &Twin) -> bool {
    twin.version <= 1
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one, at most 640 ms.
///
/// The share of it is random, so that two that met do not meet again; nothing else depends on it.
pub(crate) async fn wait_after(tries: u32) -> Result<u32, CatalogFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(CatalogFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries.min(6)))).await;
    Ok(tries)
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The name of the thing in a row of a group's list.
pub(crate) fn member_of(item: &Item) -> Result<ThingName, CatalogFailure> {
    let bad = || CatalogFailure::BadGroupRow { attribute: "item" };
    let name = item.get("item").and_then(|value| value.as_s().ok()).and_then(|item| item.strip_prefix(MEMBER));
    ThingName::parse(name.ok_or_else(bad)?).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use loam_runtime::{Class, Failure as _};

    use super::*;

    fn of(codes: &[&str]) -> Result<Saved, CatalogFailure> {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        saved(&reasons, None)
    }

    #[test]
    fn a_thing_that_retires_gets_no_row_and_a_rival_is_looked_at_first() {
        let of = |codes: &[&str]| {
            let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
            saved(&reasons, Some(codes.len() - 1)).unwrap()
        };
        assert_eq!(of(&["None", "ConditionalCheckFailed"]), Saved::Ended);
        assert_eq!(of(&["ConditionalCheckFailed", "ConditionalCheckFailed"]), Saved::Lost);
        assert_eq!(of(&["None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed"]), Saved::Ended);
        assert_eq!(of(&["None", "ConditionalCheckFailed", "None", "None"]), Saved::NoGroup);
    }

    #[test]
    fn a_rival_on_the_twin_is_tried_again_before_a_missing_group_is_told() {
        assert_eq!(of(&["ConditionalCheckFailed", "None", "None"]).unwrap(), Saved::Lost);
        assert_eq!(of(&["None", "TransactionConflict"]).unwrap(), Saved::Lost);
        assert_eq!(of(&["None", "ConditionalCheckFailed", "None"]).unwrap(), Saved::NoGroup);
        assert_eq!(of(&["ConditionalCheckFailed", "ConditionalCheckFailed"]).unwrap(), Saved::Lost);
    }

    #[test]
    fn a_reason_that_is_no_rival_is_a_failure() {
        assert_eq!(of(&["ThrottlingError"]).unwrap_err().class(), Class::Throttled);
        assert_eq!(of(&["None"]).unwrap_err().code(), "catalog-not-written");
    }
}
