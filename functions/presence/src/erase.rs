use std::time::Duration;

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use loam_domain::{ThingName, Timestamp};

use crate::PresenceFailure;
use crate::items::{self, EVENT_PREFIX, Item};
use crate::keeper::Keeper;
use crate::store::Store;

/// The name under which presence acknowledges that it erased what it kept.
const CAPABILITY: &str = "presence";

/// The most items of one `BatchWriteItem`. Source: DynamoDB API reference.
const MOST_AT_ONCE: usize = 25;

/// So often DynamoDB may leave a part for later.
const TRIES: u32 = 8;

impl Keeper {
    /// Erases what is kept of a thing that retires, and acknowledges it. From then on nothing brings the row back.
    ///
    /// # Errors
    /// [`PresenceFailure`]: the order must come again; what was erased by then stays so.
    pub async fn erase(&self, thing: &ThingName, now: Timestamp) -> Result<(), PresenceFailure> {
        // An order that is none, or comes from elsewhere, erases nothing.
        if !self.things().get(thing).await?.is_some_and(|record| record.is_retiring()) {
            return Ok(());
        }
        self.store().put_erased(thing, now).await?;
        while let Some(keys) = self.store().some_events(thing).await? {
            self.store().delete(keys).await?;
        }
        self.things().acknowledge_retirement(thing, CAPABILITY, now).await?;
        Ok(())
    }
}

impl Store {
    /// Keys of some of a thing's events; `None` when there is none left.
    async fn some_events(&self, thing: &ThingName) -> Result<Option<Vec<Item>>, PresenceFailure> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("thing = :thing AND begins_with(#item, :prefix)")
            .projection_expression("thing, #item")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":thing", items::text(thing.as_str()))
            .expression_attribute_values(":prefix", items::text(EVENT_PREFIX));
        let answer = query.send().await.map_err(|error| PresenceFailure::HistoryNotRead(Box::new(error)))?;
        let keys = answer.items.unwrap_or_default();
        Ok((!keys.is_empty()).then_some(keys))
    }

    async fn delete(&self, keys: Vec<Item>) -> Result<(), PresenceFailure> {
        let request = |key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build()?;
            Ok::<_, PresenceFailure>(WriteRequest::builder().delete_request(delete).build())
        };
        let mut left = keys.into_iter().map(request).collect::<Result<Vec<_>, _>>()?;
        let mut tries = 0;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(MOST_AT_ONCE));
            let asked = left.len();
            let undone = self.delete_some(left).await?;
            // Only a batch of which nothing was done counts as a try.
            tries = if undone.len() == asked { tries + 1 } else { 0 };
            if tries == TRIES {
                return Err(PresenceFailure::PartOfHistory);
            }
            tokio::time::sleep(Duration::from_millis(25 << tries) * u32::from(!undone.is_empty())).await;
            left = undone.into_iter().chain(rest).collect();
        }
        Ok(())
    }

    async fn delete_some(&self, requests: Vec<WriteRequest>) -> Result<Vec<WriteRequest>, PresenceFailure> {
        let answer = self.client.batch_write_item().request_items(&self.table, requests).send().await;
        let answer = answer.map_err(|error| PresenceFailure::NotErased(Box::new(error)))?;
        Ok(answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect())
    }
}
