use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp};

use crate::PresenceFailure;
use crate::decide::Told;
use crate::items::{self, PRESENCE};
use crate::row::Row;
use crate::told;

/// For how many days it is remembered that a thing was erased. After that its record alone tells, which stays for ever.
const ERASED_DAYS: u16 = 90;

/// The table of presence: the truth of each thing, and its events.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
    history_days: u16,
}

/// What the table says of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// Its presence.
    Row(Box<Row>),
    /// It was erased, because the thing retired.
    Erased,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is there.
    Yes,
    /// Somebody else was faster, or the answer to this very write was lost: read again and decide again.
    Lost,
}

impl Store {
    /// The table of this name, whose events are kept for `history_days`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String, history_days: u16) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table, history_days }
    }

    /// What is known of a thing, read consistently: the next write builds on it.
    ///
    /// # Errors
    /// [`PresenceFailure::NotRead`], [`PresenceFailure::BadRow`].
    pub async fn load(&self, thing: &ThingName) -> Result<Known, PresenceFailure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.set_key(Some(items::key(thing, PRESENCE))).send().await;
        let answer = answer.map_err(|error| PresenceFailure::NotRead(Box::new(error)))?;
        answer.item().map_or(Ok(Known::Nothing), |item| Ok(items::known_of(item)?))
    }

    /// Writes `next` in the place of `before` if that is still there, together with what is told of it.
    ///
    /// # Errors
    /// [`PresenceFailure`]; then nothing is written, or it is and the answer was lost: the same event tells.
    pub async fn save(
        &self,
        thing: &ThingName,
        before: &Row,
        next: &Row,
        told: &[Told],
    ) -> Result<Saved, PresenceFailure> {
        if told.is_empty() { self.put(thing, before, next).await } else { self.tell(thing, before, next, told).await }
    }

    async fn put(&self, thing: &ThingName, before: &Row, next: &Row) -> Result<Saved, PresenceFailure> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(items::row_item(thing, next)?));
        let put = match before.version {
            0 => put.condition_expression(NEW),
            version => put
                .condition_expression(SAME)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", items::number(version)),
        };
        match put.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Lost)
            }
            Err(error) => Err(PresenceFailure::NotWritten(Box::new(error))),
        }
    }

    async fn tell(&self, thing: &ThingName, before: &Row, next: &Row, told: &[Told]) -> Result<Saved, PresenceFailure> {
        let put = Put::builder().table_name(&self.table).set_item(Some(items::row_item(thing, next)?));
        let put = match before.version {
            0 => put.condition_expression(NEW),
            version => put
                .condition_expression(SAME)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", items::number(version)),
        };
        let mut all = vec![TransactWriteItem::builder().put(put.build()?).build()];
        let expire_at = expiry(next.told_at, self.history_days);
        for (version, event) in told::events(thing, next, told) {
            let item = items::event_item(thing, &event, version, expire_at)?;
            let put = Put::builder().table_name(&self.table).set_item(Some(item)).build()?;
            all.push(TransactWriteItem::builder().put(put).build());
        }
        match self.client.transact_write_items().set_transact_items(Some(all)).send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    saved(cancelled.cancellation_reasons())
                }
                _ => Err(PresenceFailure::NotTold(Box::new(error))),
            },
        }
    }

    /// Puts in the place of a thing's presence that it was erased, whatever stands there.
    ///
    /// # Errors
    /// [`PresenceFailure::NotWritten`].
    pub(crate) async fn put_erased(&self, thing: &ThingName, now: Timestamp) -> Result<(), PresenceFailure> {
        let item = items::erased_item(thing, expiry(now, ERASED_DAYS));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        put.map(drop).map_err(|error| PresenceFailure::NotWritten(Box::new(error)))
    }
}

/// There is no row yet, not even one that says that it was erased.
const NEW: &str = "attribute_not_exists(thing)";

/// The row that was read is still there. What is erased has no version.
const SAME: &str = "#version = :version";

fn expiry(from: Timestamp, days: u16) -> i64 {
    from.plus_millis(i64::from(days) * 24 * 60 * 60 * 1000).as_secs()
}

/// What a cancelled transaction's reasons mean; only the first of the writes has a condition.
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn saved(reasons: &[CancellationReason]) -> Result<Saved, PresenceFailure> {
    let mut lost = false;
    for reason in reasons {
        match reason.code().unwrap_or("None") {
            "None" => {}
            "ConditionalCheckFailed" | "TransactionConflict" => lost = true,
            other => return Err(PresenceFailure::Cancelled { reason: other.to_owned() }),
        }
    }
    if lost { Ok(Saved::Lost) } else { Err(PresenceFailure::Cancelled { reason: "no reason".to_owned() }) }
}

#[cfg(test)]
mod tests {
    use loam_runtime::{Class, Failure as _};

    use super::*;

    fn of(codes: &[&str]) -> Result<Saved, PresenceFailure> {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        saved(&reasons)
    }

    #[test]
    fn a_failed_condition_and_a_rival_transaction_are_both_somebody_faster() {
        assert_eq!(of(&["ConditionalCheckFailed", "None"]).unwrap(), Saved::Lost);
        assert_eq!(of(&["None", "TransactionConflict"]).unwrap(), Saved::Lost);
    }

    #[test]
    fn a_reason_that_is_no_rival_is_a_failure() {
        assert_eq!(of(&["ThrottlingError", "None"]).unwrap_err().class(), Class::Throttled);
        assert_eq!(of(&["None", "ValidationError"]).unwrap_err().class(), Class::Internal);
        assert_eq!(of(&[]).unwrap_err().code(), "presence-not-written");
    }

    #[test]
    fn thirty_days_after_the_epoch_are_so_many_seconds() {
        assert_eq!(expiry(Timestamp::from_millis(999), 30), 2_592_000);
    }
}
