use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Put, TransactWriteItem};

use crate::TelemetryFailure;
use crate::decide::{HourKey, HourRow, HourWrite, Outcome};
use crate::expiry::Retention;
use crate::point::Sample;
use crate::rows;

/// The table of samples, hours and latest values.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
    retention: Retention,
}

impl Store {
    /// The table of this name, whose rows are kept as `retention` says.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String, retention: Retention) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table, retention }
    }

    /// The row of an hour, read consistently: the next write builds on it.
    ///
    /// # Errors
    /// [`TelemetryFailure::HourNotRead`], [`TelemetryFailure::BadRow`].
    pub async fn hour(&self, key: &HourKey) -> Result<Option<HourRow>, TelemetryFailure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.set_key(Some(rows::hour_key(key))).send().await;
        let answer = answer.map_err(|error| TelemetryFailure::HourNotRead(Box::new(error)))?;
        Ok(answer.item().map(rows::hour_of).transpose()?)
    }

    /// Writes the samples and their hour, or nothing.
    ///
    /// A call whose answer is lost is repeated by the SDK under one token, which DynamoDB knows for ten minutes; when the
    /// message comes again after that, the samples' rows tell that they are counted.
    ///
    /// # Errors
    /// [`TelemetryFailure::NotWritten`], [`TelemetryFailure::Cancelled`].
    pub async fn write(&self, key: &HourKey, write: &HourWrite) -> Result<Outcome, TelemetryFailure> {
        let mut items = vec![self.put_hour(key, write)?];
        for sample in &write.samples {
            items.push(self.put_sample(key, sample)?);
        }
        match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Outcome::Written),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    outcome(cancelled.cancellation_reasons())
                }
                _ => Err(TelemetryFailure::NotWritten(Box::new(error))),
            },
        }
    }

    /// Makes `sample` the latest value of its series, unless there is a newer one (of the same millisecond: a greater
    /// one). Says whether it was.
    ///
    /// # Errors
    /// [`TelemetryFailure::LatestNotWritten`].
    pub async fn put_latest(&self, key: &HourKey, sample: &Sample) -> Result<bool, TelemetryFailure> {
        let request = self.client.put_item().table_name(&self.table).set_item(Some(rows::latest_item(key, sample)));
        let request = request
            .condition_expression(
                "attribute_not_exists(pk) OR measuredAt < :at OR (measuredAt = :at AND #value < :value)",
            )
            .expression_attribute_names("#value", "value")
            .expression_attribute_values(":at", rows::whole(sample.measured_at.as_millis()))
            .expression_attribute_values(":value", rows::number(sample.value.get()));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(TelemetryFailure::LatestNotWritten(Box::new(error))),
        }
    }

    fn put_hour(&self, key: &HourKey, write: &HourWrite) -> Result<TransactWriteItem, BuildError> {
        let item = rows::hour_item(key, &write.row, self.retention);
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match write.expected {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", rows::count(version)),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    fn put_sample(&self, key: &HourKey, sample: &Sample) -> Result<TransactWriteItem, BuildError> {
        let item = rows::sample_item(key, sample, self.retention);
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)").build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// What a cancelled transaction's reasons mean; the first is the hour's, the others are the samples', in their order.
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn outcome(reasons: &[CancellationReason]) -> Result<Outcome, TelemetryFailure> {
    let (mut duplicates, mut contended) = (BTreeSet::new(), false);
    for (at, reason) in reasons.iter().enumerate() {
        match (reason.code().unwrap_or("None"), at.checked_sub(1)) {
            ("None", _) => {}
            ("ConditionalCheckFailed", Some(sample)) => {
                duplicates.insert(sample);
            }
            ("ConditionalCheckFailed", None) | ("TransactionConflict", _) => contended = true,
            (other, _) => return Err(TelemetryFailure::Cancelled { reason: other.to_owned() }),
        }
    }
    if duplicates.is_empty() && !contended {
        return Err(TelemetryFailure::Cancelled { reason: "no reason".to_owned() });
    }
    Ok(Outcome::Cancelled { duplicates, contended })
}

#[cfg(test)]
mod tests {
    use loam_runtime::{Class, Failure as _};

    use super::*;

    fn of(codes: &[&str]) -> Result<Outcome, TelemetryFailure> {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        outcome(&reasons)
    }

    #[test]
    fn a_failed_condition_is_a_duplicate_on_a_sample_and_a_rival_on_the_hour() {
        let cancelled = |duplicates: &[usize], contended| Outcome::Cancelled {
            duplicates: duplicates.iter().copied().collect(),
            contended,
        };
        assert_eq!(of(&["None", "ConditionalCheckFailed", "None"]).unwrap(), cancelled(&[0], false));
        assert_eq!(of(&["ConditionalCheckFailed", "None", "None"]).unwrap(), cancelled(&[], true));
        assert_eq!(of(&["None", "ConditionalCheckFailed", "TransactionConflict"]).unwrap(), cancelled(&[0], true));
    }

    #[test]
    fn a_reason_that_is_no_condition_of_ours_is_a_failure() {
        assert_eq!(of(&["None", "ThrottlingError"]).unwrap_err().class(), Class::Throttled);
        assert_eq!(of(&["None", "ValidationError"]).unwrap_err().class(), Class::Internal);
        assert_eq!(of(&["None", "None"]).unwrap_err().code(), "samples-not-written");
        assert_eq!(of(&[]).unwrap_err().code(), "samples-not-written");
    }
}
