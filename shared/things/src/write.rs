use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Put, TransactWriteItem, Update};

use crate::store::Things;
use crate::{Change, LifeCycle, ThingRecord, ThingsFailure, rows};

/// How many things a CA has after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// As many as before.
    Same,
    /// One more, if it may have that many.
    OneMore {
        /// How many it may have.
        at_most: Option<u64>,
    },
    /// One less.
    OneLess,
}

/// The caller's own items of a write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Also<'a> {
    /// What is written with the record.
    pub(crate) items: &'a [TransactWriteItem],
    /// Whether a failed condition of theirs is a rival's work, and no failure.
    pub(crate) may_lose: bool,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// All of it is there.
    Yes,
    /// Nothing of it: somebody else was faster.
    Lost,
    /// Nothing of it: the CA has as many things as it may.
    Full,
}

impl Things {
    /// Writes the record on the condition that `before` is still there, with its events, the count, and the caller's own
    /// items; or nothing.
    pub(crate) async fn write(
        &self,
        before: Option<&ThingRecord>,
        change: &Change,
        max_devices: Option<u64>,
        also: Also<'_>,
    ) -> Result<Written, ThingsFailure> {
        let count = count_of(before, &change.record, max_devices);
        let mut items = vec![self.put_record(before, &change.record)?];
        items.extend(self.update_count(count, &change.record)?);
        items.extend(self.put_events(change)?);
        let own = items.len();
        items.extend(also.items.iter().cloned());
        let own = if also.may_lose { own } else { usize::MAX };
        match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    written(cancelled.cancellation_reasons(), count != Count::Same, own)
                }
                _ => Err(ThingsFailure::NotWritten(Box::new(error))),
            },
        }
    }

    fn put_record(
        &self,
        before: Option<&ThingRecord>,
        after: &ThingRecord,
    ) -> Result<TransactWriteItem, ThingsFailure> {
        let put = Put::builder().table_name(&self.table).set_item(Some(rows::record_item(after)?));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(thing)"),
            Some(before) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", rows::number(before.version)),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    fn put_events(&self, change: &Change) -> Result<Vec<TransactWriteItem>, ThingsFailure> {
        // The last event is told by the record's own version, each before it by the version before.
        let first = change.record.version.saturating_sub(change.events.len() as u64) + 1;
        let row = |(version, event)| {
            let item = rows::event_item(&change.record.thing, event, version)?;
            let put = Put::builder().table_name(&self.table).set_item(Some(item)).build()?;
            Ok(TransactWriteItem::builder().put(put).build())
        };
        (first..).zip(&change.events).map(row).collect()
    }

    fn update_count(&self, count: Count, record: &ThingRecord) -> Result<Option<TransactWriteItem>, BuildError> {
        let update = Update::builder().table_name(&self.table).set_key(Some(rows::count_key(&record.ca_id)));
        let update = update.update_expression("ADD things :difference");
        let difference = |by: &str| aws_sdk_dynamodb::types::AttributeValue::N(by.to_owned());
        let update = match count {
            Count::Same => return Ok(None),
            Count::OneLess => update.expression_attribute_values(":difference", difference("-1")),
            Count::OneMore { at_most: None } => update.expression_attribute_values(":difference", difference("1")),
            Count::OneMore { at_most: Some(most) } => update
                .condition_expression("(attribute_not_exists(things) AND :most > :none) OR things < :most")
                .expression_attribute_values(":most", rows::number(most))
                .expression_attribute_values(":none", rows::number(0))
                .expression_attribute_values(":difference", difference("1")),
        };
        Ok(Some(TransactWriteItem::builder().update(update.build()?).build()))
    }
}

fn count_of(before: Option<&ThingRecord>, after: &ThingRecord, at_most: Option<u64>) -> Count {
    match before {
        None => Count::OneMore { at_most },
        Some(before) if before.state != LifeCycle::Retired && after.state == LifeCycle::Retired => Count::OneLess,
        Some(_) => Count::Same,
    }
}

/// What a cancelled transaction's reasons mean: the first is the record's, the second the count's where there is one, those
/// from `theirs` on are of the caller's items that may lose.
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn written(reasons: &[CancellationReason], counted: bool, theirs: usize) -> Result<Written, ThingsFailure> {
    let (mut lost, mut full) = (false, false);
    for (at, reason) in reasons.iter().enumerate() {
        match (reason.code().unwrap_or("None"), at) {
            ("None", _) => {}
            ("ConditionalCheckFailed", 0) | ("TransactionConflict", _) => lost = true,
            ("ConditionalCheckFailed", at) if at >= theirs => lost = true,
            ("ConditionalCheckFailed", 1) if counted => full = true,
            (other, _) => return Err(ThingsFailure::Cancelled { reason: other.to_owned() }),
        }
    }
    match (lost, full) {
        (true, _) => Ok(Written::Lost),
        (false, true) => Ok(Written::Full),
        (false, false) => Err(ThingsFailure::Cancelled { reason: "no reason".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use loam_runtime::{Class, Failure as _};

    use super::*;

    fn of(codes: &[&str], counted: bool) -> Result<Written, ThingsFailure> {
        let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        written(&reasons, counted, usize::MAX)
    }

    #[test]
    fn a_rival_on_the_record_goes_before_a_full_ca() {
        assert_eq!(of(&["ConditionalCheckFailed", "None", "None"], true).unwrap(), Written::Lost);
        assert_eq!(of(&["None", "ConditionalCheckFailed", "None"], true).unwrap(), Written::Full);
        assert_eq!(of(&["ConditionalCheckFailed", "ConditionalCheckFailed"], true).unwrap(), Written::Lost);
        assert_eq!(of(&["None", "TransactionConflict", "None"], true).unwrap(), Written::Lost);
    }

    #[test]
    fn a_failed_condition_of_the_callers_items_is_a_rivals_work_only_where_they_may_lose() {
        let second = CancellationReason::builder().code("ConditionalCheckFailed").build();
        let reasons = [CancellationReason::builder().code("None").build(), second];
        assert_eq!(written(&reasons, false, 1).unwrap(), Written::Lost);
        assert_eq!(written(&reasons, false, 2).unwrap_err().class(), Class::Conflict);
    }

    #[test]
    fn a_reason_that_is_no_condition_of_ours_is_a_failure() {
        assert_eq!(of(&["None", "ConditionalCheckFailed"], false).unwrap_err().class(), Class::Conflict);
        assert_eq!(of(&["None", "ThrottlingError"], true).unwrap_err().class(), Class::Throttled);
        assert_eq!(of(&["None", "ValidationError"], true).unwrap_err().class(), Class::Internal);
        assert_eq!(of(&[], false).unwrap_err().code(), "thing-not-written");
    }
}
