//! Orders for many things: their rows.

use aws_sdk_dynamodb::types::TransactWriteItem;
use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::items::{self, Item};
use crate::order::Order;
use crate::store::{Saved, Store, wait_after};

/// What the sort keys of recipients begin with.
const TO: &str = "to#";

/// An order for all things of which a filter is true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Many {
    pub(crate) id: CommandId,
    /// Who ordered.
    pub(crate) by: String,
    /// Whether as one who is responsible for the fleet.
    pub(crate) operator: bool,
    pub(crate) filter: String,
    pub(crate) order: Order,
    pub(crate) issued_at: Timestamp,
    /// Whether every thing has its part.
    pub(crate) done: bool,
}

/// What an order became for one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recipient {
    pub(crate) thing: ThingName,
    /// The command, or why there is none.
    pub(crate) outcome: Given,
}

/// A command, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Given {
    Command(CommandId),
    Refused(String),
}

impl Store {
    /// Keeps a new order; the one that is known already, if this is a repeat.
    pub(crate) async fn create_many(&self, many: Many, mark: Option<&str>) -> Result<CommandId, CommandsFailure> {
        let mut tries = 0;
        loop {
            let mut all = vec![self.put_new(many_item(&many)?)?];
            if let Some(mark) = mark {
                let mut row = items::repeat_key(mark);
                row.insert("id".to_owned(), items::text(many.id.as_str()));
                row.insert("expireAt".to_owned(), items::seconds(many.issued_at));
                all.push(self.put_new(row)?);
            }
            if self.transact(all).await? == Saved::Yes {
                return Ok(many.id);
            }
            let known = match mark {
                Some(mark) => self.row(items::repeat_key(mark)).await?,
                None => None,
            };
            if let Some(row) = known {
                return items::id_in(&row, "id");
            }
            tries = wait_after(tries).await?;
        }
    }

    pub(crate) async fn many(&self, id: &CommandId) -> Result<Option<Many>, CommandsFailure> {
        let row = self.row(items::key(&partition(id), "order")).await?;
        row.as_ref().map(|row| items::read(row, "order")).transpose()
    }

    /// Notes that every thing has its part.
    pub(crate) async fn finish_many(&self, many: Many) -> Result<(), CommandsFailure> {
        let item = many_item(&Many { done: true, ..many })?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        put.map(drop).map_err(|error| CommandsFailure::NotWritten(Box::new(error)))
    }

    /// Notes that a thing got no command of an order.
    pub(crate) async fn refuse(&self, many: &Many, thing: &ThingName, code: &str) -> Result<(), CommandsFailure> {
        let recipient = Recipient { thing: thing.clone(), outcome: Given::Refused(code.to_owned()) };
        let put = self.client.put_item().table_name(&self.table).set_item(Some(recipient_item(many, &recipient)?));
        put.send().await.map(drop).map_err(|error| CommandsFailure::NotWritten(Box::new(error)))
    }

    /// The row that a thing got this command of an order, for the transaction that makes the command.
    pub(crate) fn recipient(
        &self,
        many: &Many,
        thing: &ThingName,
        id: &CommandId,
    ) -> Result<TransactWriteItem, CommandsFailure> {
        let recipient = Recipient { thing: thing.clone(), outcome: Given::Command(id.clone()) };
        self.put(recipient_item(many, &recipient)?)
    }

    /// At most `limit` recipients of an order after `after`, by name, and whether more may follow.
    pub(crate) async fn recipients(
        &self,
        id: &CommandId,
        after: Option<&ThingName>,
        limit: u16,
    ) -> Result<(Vec<Recipient>, bool), CommandsFailure> {
        let query = self.client.query().table_name(&self.table).consistent_read(true).limit(i32::from(limit));
        let query = query
            .key_condition_expression("thing = :order AND begins_with(#item, :to)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":order", items::text(partition(id)))
            .expression_attribute_values(":to", items::text(TO))
            .set_exclusive_start_key(after.map(|thing| items::key(&partition(id), &format!("{TO}{thing}"))));
        let answer = query.send().await.map_err(|error| CommandsFailure::NotListed(Box::new(error)))?;
        let recipients = answer.items().iter().map(|item| items::read(item, "recipient")).collect::<Result<_, _>>()?;
        Ok((recipients, answer.last_evaluated_key().is_some_and(|key| !key.is_empty())))
    }
}

fn partition(id: &CommandId) -> String {
    format!("order#{id}")
}

fn many_item(many: &Many) -> Result<Item, CommandsFailure> {
    let mut item = items::key(&partition(&many.id), "order");
    item.insert("order".to_owned(), items::text(serde_json::to_string(many)?));
    item.insert("expireAt".to_owned(), items::seconds(many.order.expires_at(many.issued_at)));
    Ok(item)
}

fn recipient_item(many: &Many, recipient: &Recipient) -> Result<Item, CommandsFailure> {
    let mut item = items::key(&partition(&many.id), &format!("{TO}{}", recipient.thing));
    item.insert("recipient".to_owned(), items::text(serde_json::to_string(recipient)?));
    item.insert("expireAt".to_owned(), items::seconds(many.order.expires_at(many.issued_at)));
    Ok(item)
}
