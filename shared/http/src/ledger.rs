//! The rows of idempotency keys in HttpTable.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use loam_domain::Timestamp;

use crate::attempt::{Answer, KEPT_MILLIS, Row};
use crate::{HttpFailure, Repeat};

type Item = HashMap<String, AttributeValue>;

/// What came of the wish to hold a key's row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The row is ours.
    Held,
    /// This row was there.
    Found(Row),
    /// A row was there, and is gone meanwhile.
    Vanished,
}

#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    client: Client,
    table: String,
}

impl Ledger {
    pub(crate) const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Holds the key's row until `until`, if there is none, or one that is past at `now`: one conditional write.
    pub(crate) async fn claim(
        &self,
        repeat: &Repeat,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, HttpFailure> {
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(running(repeat, owner, until)));
        let put = put.condition_expression("attribute_not_exists(#key) OR #until <= :now");
        let put = put.expression_attribute_names("#key", "key").expression_attribute_names("#until", "until");
        let put = put.expression_attribute_values(":now", number(now.as_millis()));
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Claim::Held),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(lost)) => found(lost.item()),
                _ => Err(HttpFailure::NotWritten(Box::new(error))),
            },
        }
    }

    /// Stores the answer of the run that holds the row; `false` if the run holds it no longer.
    pub(crate) async fn finish(
        &self,
        repeat: &Repeat,
        owner: &str,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<bool, HttpFailure> {
        let until = now.plus_millis(KEPT_MILLIS);
        let update = self.client.update_item().table_name(&self.table).key("key", row_key(repeat));
        let update = update.update_expression(
            "SET #status = :status, headers = :headers, body = :body, #until = :until, expireAt = :expire",
        );
        let update = update.condition_expression("#owner = :owner");
        let names = [("#status", "status"), ("#until", "until"), ("#owner", "owner")];
        let update =
            names.into_iter().fold(update, |update, (name, field)| update.expression_attribute_names(name, field));
        let values = [
            (":status", number(i64::from(answer.status))),
            (":headers", AttributeValue::M(headers(answer))),
            (":body", AttributeValue::B(Blob::new(answer.body.clone()))),
            (":until", number(until.as_millis())),
            (":expire", number(expiry(until))),
            (":owner", AttributeValue::S(owner.to_owned())),
        ];
        let update =
            values.into_iter().fold(update, |update, (name, value)| update.expression_attribute_values(name, value));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(HttpFailure::NotStored(Box::new(error))),
        }
    }

    /// Removes the row of a run that failed, if the run still holds it, so that the request may run again.
    pub(crate) async fn release(&self, repeat: &Repeat, owner: &str) -> Result<(), HttpFailure> {
        let delete = self.client.delete_item().table_name(&self.table).key("key", row_key(repeat));
        let delete = delete.condition_expression("#owner = :owner").expression_attribute_names("#owner", "owner");
        let delete = delete.expression_attribute_values(":owner", AttributeValue::S(owner.to_owned()));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(HttpFailure::NotRemoved(Box::new(error))),
        }
    }
}

fn row_key(repeat: &Repeat) -> AttributeValue {
    AttributeValue::S(format!("idempotency#{}", repeat.id))
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Rounded up: DynamoDB's time to live counts whole seconds, and must not delete a row that still counts.
const fn expiry(until: Timestamp) -> i64 {
    until.plus_millis(999).as_secs()
}

fn running(repeat: &Repeat, owner: &str, until: Timestamp) -> Item {
    Item::from([
        ("key".to_owned(), row_key(repeat)),
        ("digest".to_owned(), AttributeValue::S(repeat.digest.clone())),
        ("owner".to_owned(), AttributeValue::S(owner.to_owned())),
        ("until".to_owned(), number(until.as_millis())),
        ("expireAt".to_owned(), number(expiry(until))),
    ])
}

fn headers(answer: &Answer) -> Item {
    answer.headers.iter().map(|(name, value)| (name.clone(), AttributeValue::S(value.clone()))).collect()
}

fn found(item: Option<&Item>) -> Result<Claim, HttpFailure> {
    match item {
        None => Ok(Claim::Vanished),
        Some(item) => row(item).map(Claim::Found).ok_or(HttpFailure::BadRow("a key's row lacks a field")),
    }
}

fn row(item: &Item) -> Option<Row> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let until = Timestamp::from_millis(item.get("until")?.as_n().ok()?.parse().ok()?);
    Some(Row { digest: text("digest")?, owner: text("owner")?, until, answer: answer(item) })
}

fn answer(item: &Item) -> Option<Answer> {
    let status = item.get("status")?.as_n().ok()?.parse().ok()?;
    let header = |(name, value): (&String, &AttributeValue)| Some((name.clone(), value.as_s().ok()?.clone()));
    let headers = item.get("headers")?.as_m().ok()?.iter().filter_map(header).collect();
    Some(Answer { status, headers, body: item.get("body")?.as_b().ok()?.as_ref().to_vec() })
}
