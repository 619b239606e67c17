use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Delete, Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp};
use loam_things::{Attempt, End, Intent as RecordIntent, Outcome as RecordOutcome, Why as RecordWhy};

use super::{Known, Store, StoreFailure, items, told};
use crate::tenancy::{Change, Intent, Outcome, RecordStep, Tenancy, Told, Transition, next};

/// Who erases what people left of a thing when its owner's time ends. A thing has no next owner before each of them has.
pub const ERASERS: [&str; 5] = ["catalog", "commands", "file-transfer", "soil-alerts", "telemetry"];

/// How often a change is tried while others are faster.
const MOST_TRIES: u32 = 10;

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Tenancy, memberships, record, events and the caller's items are there.
    Yes,
    /// Nothing of it: somebody else was faster, or a condition of the caller's items failed. Read again, decide again.
    Lost,
    /// Nothing of it: the record cannot go with it, whatever the tenancy says. For example it is retiring, or suspended.
    Refused(RecordWhy),
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq)]
pub enum Came {
    /// It is done: the tenancy before and after it.
    Done {
        /// Before.
        before: Box<Tenancy>,
        /// After, and what is told.
        change: Box<Change>,
    },
    /// Nothing was to do, or it cannot be, as the tenancy says.
    Nothing(Outcome),
    /// It cannot be, as the thing's record says.
    Refused(RecordWhy),
    /// There is no such thing.
    NoThing,
}

impl Store {
    /// Does what `intent` wants of a thing: reads, decides, writes; again while others are faster. `also` is written in the same
    /// transaction; where its condition may fail for good, use [`Store::known`] and [`Store::write`].
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn change(
        &self,
        thing: &ThingName,
        intent: &Intent,
        also: &[TransactWriteItem],
        now: Timestamp,
    ) -> Result<Came, StoreFailure> {
        let mut tries = 0;
        loop {
            let Some(known) = self.known(thing).await? else { return Ok(Came::NoThing) };
            let change = match next(&known.tenancy, intent, now) {
                Transition::Nothing(outcome) => return Ok(Came::Nothing(outcome)),
                Transition::Change(change) => change,
            };
            match self.write(&known, &change, also, now).await? {
                Written::Yes => return Ok(Came::Done { before: Box::new(known.tenancy), change }),
                Written::Refused(why) => return Ok(Came::Refused(why)),
                Written::Lost => tries = wait_after(tries).await?,
            }
        }
    }

    /// Writes a change of what was read, in one transaction: the tenancy, the memberships, the thing's record where it goes
    /// with it, what is told, and `also`, at most 50 items; or nothing.
    ///
    /// # Errors
    /// [`StoreFailure`]; then nothing is written, or it is and the answer was lost: the same intent tells.
    pub async fn write(
        &self,
        known: &Known,
        change: &Change,
        also: &[TransactWriteItem],
        now: Timestamp,
    ) -> Result<Written, StoreFailure> {
        let mut all = self.rows(known, change)?;
        all.extend(also.iter().cloned());
        match record_intent(known, change) {
            None => self.transact(all).await,
            Some(intent) => Ok(written(&intent, self.things.attempt(&known.record, &intent, &all, now).await?)),
        }
    }

    fn rows(&self, known: &Known, change: &Change) -> Result<Vec<TransactWriteItem>, StoreFailure> {
        let thing = &known.record.thing;
        let put = Put::builder().table_name(&self.pairings);
        let put = put.set_item(Some(items::tenancy_item(thing, &change.tenancy)?));
        let put = match known.tenancy.version {
            0 => put.condition_expression("attribute_not_exists(thing)"),
            version => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", items::number(version)),
        };
        let mut all = vec![TransactWriteItem::builder().put(put.build()?).build()];
        if let Some(event) = told::event(thing, change) {
            let item = items::event_item(thing, &event, change.tenancy.version)?;
            let put = Put::builder().table_name(&self.pairings).set_item(Some(item)).build()?;
            all.push(TransactWriteItem::builder().put(put).build());
        }
        for write in change.memberships(&known.tenancy) {
            all.push(self.membership(thing, &write)?);
        }
        Ok(all)
    }

    fn membership(
        &self,
        thing: &ThingName,
        write: &crate::tenancy::MembershipWrite,
    ) -> Result<TransactWriteItem, StoreFailure> {
        let item = TransactWriteItem::builder();
        if let Some(row) = items::membership_item(thing, write) {
            let put = Put::builder().table_name(&self.memberships).set_item(Some(row)).build()?;
            return Ok(item.put(put).build());
        }
        let key = items::membership_key(write.user(), thing);
        let delete = Delete::builder().table_name(&self.memberships).set_key(Some(key)).build()?;
        Ok(item.delete(delete).build())
    }

    pub(super) async fn transact(&self, all: Vec<TransactWriteItem>) -> Result<Written, StoreFailure> {
        match self.client.transact_write_items().set_transact_items(Some(all)).send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    lost(cancelled.cancellation_reasons())
                }
                _ => Err(StoreFailure::NotChanged(Box::new(error))),
            },
        }
    }
}

/// What the thing's record goes through with a change; `None`: nothing.
fn record_intent(known: &Known, change: &Change) -> Option<RecordIntent> {
    let epoch = known.tenancy.epoch;
    match change.record_step(&known.tenancy) {
        RecordStep::Same => None,
        RecordStep::Paired => Some(RecordIntent::Paired { epoch }),
        RecordStep::Ended => {
            let cause = if let Told::Unpaired { cause, .. } = change.told { cause.as_str() } else { "owner" };
            let awaiting = ERASERS.map(str::to_owned).into();
            Some(RecordIntent::Ended(End { epoch, cause: cause.to_owned(), awaiting }))
        }
        RecordStep::Erased { paired } => {
            // The tenancy's epoch is the one after the last that ended.
            Some(RecordIntent::Erased { through: epoch.saturating_sub(1), paired })
        }
    }
}

/// What the record says. A tenancy that stands otherwise than the record was read at another time: both are read again.
fn written(intent: &RecordIntent, came: Attempt) -> Written {
    match came {
        Attempt::Done(_) => Written::Yes,
        Attempt::Nothing(RecordOutcome::Refused(why, _)) if stands_otherwise(intent, why) => Written::Lost,
        Attempt::Nothing(RecordOutcome::Refused(why, _)) => Written::Refused(why),
        Attempt::Lost
        | Attempt::Nothing(RecordOutcome::Already(_) | RecordOutcome::Done(_) | RecordOutcome::Missing) => {
            Written::Lost
        }
    }
}

fn stands_otherwise(intent: &RecordIntent, why: RecordWhy) -> bool {
    let pairs = matches!(intent, RecordIntent::Paired { .. });
    matches!(why, RecordWhy::EpochOver | RecordWhy::NotPaired) || (pairs && why == RecordWhy::Erasing)
}

/// What a cancelled transaction's reasons mean: each condition is about what was read.
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn lost(reasons: &[CancellationReason]) -> Result<Written, StoreFailure> {
    let mut lost = false;
    for reason in reasons {
        match reason.code().unwrap_or("None") {
            "None" => {}
            "ConditionalCheckFailed" | "TransactionConflict" => lost = true,
            other => return Err(StoreFailure::Cancelled { reason: other.to_owned() }),
        }
    }
    if lost { Ok(Written::Lost) } else { Err(StoreFailure::Cancelled { reason: "no reason".to_owned() }) }
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one, a random share of it, so that
/// two that met do not meet again.
pub(crate) async fn wait_after(tries: u32) -> Result<u32, StoreFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(StoreFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries))).await;
    Ok(tries)
}

#[cfg(test)]
mod tests {
    use loam_runtime::{Class, Failure as _};

    use super::*;

    fn of(codes: &[&str]) -> Result<Written, StoreFailure> {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        lost(&reasons)
    }

    #[test]
    fn a_failed_condition_and_a_rival_transaction_are_both_somebody_faster() {
        assert_eq!(of(&["ConditionalCheckFailed", "None"]).unwrap(), Written::Lost);
        assert_eq!(of(&["None", "TransactionConflict"]).unwrap(), Written::Lost);
    }

    #[test]
    fn a_reason_that_is_no_rival_is_a_failure() {
        assert_eq!(of(&["ThrottlingError", "None"]).unwrap_err().class(), Class::Throttled);
        assert_eq!(of(&["None", "ValidationError"]).unwrap_err().class(), Class::Internal);
        assert_eq!(of(&[]).unwrap_err().code(), "tenancy-not-written");
    }
}
