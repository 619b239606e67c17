use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use loam_domain::ThingName;

use super::items::{self, Item};
use super::{Store, StoreFailure};

/// The most requests in one `BatchWriteItem`. Source: DynamoDB API reference.
const MOST_WRITES: usize = 25;

/// How often DynamoDB is asked to do what it left for later.
const MOST_ROUNDS: u32 = 5;

impl Store {
    /// Deletes all that is kept of a thing but its tenancy: window, code, attempts, events. Again whenever it breaks off.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn erase(&self, thing: &ThingName) -> Result<(), StoreFailure> {
        let mut start = None;
        loop {
            let query = self.client.query().table_name(&self.pairings).consistent_read(true);
            let query = query
                .key_condition_expression("thing = :thing")
                .projection_expression("thing, #item")
                .expression_attribute_names("#item", "item")
                .expression_attribute_values(":thing", items::text(thing.as_str()))
                .set_exclusive_start_key(start);
            let page = query.send().await.map_err(|error| StoreFailure::NotListed(Box::new(error)))?;
            let goes = |item: &&Item| item.get("item") != Some(&items::text(items::TENANCY));
            let keys: Vec<_> = page.items().iter().filter(goes).cloned().collect();
            for keys in keys.chunks(MOST_WRITES) {
                self.delete(keys).await?;
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn delete(&self, keys: &[Item]) -> Result<(), StoreFailure> {
        let mut left = Vec::new();
        for key in keys {
            let request = DeleteRequest::builder().set_key(Some(key.clone())).build()?;
            left.push(WriteRequest::builder().delete_request(request).build());
        }
        for _ in 0..MOST_ROUNDS {
            let answer = self.client.batch_write_item().request_items(&self.pairings, left).send().await;
            let mut answer = answer.map_err(|error| StoreFailure::NotErased(Box::new(error)))?;
            left =
                answer.unprocessed_items.as_mut().and_then(|tables| tables.remove(&self.pairings)).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(StoreFailure::Partly)
    }
}
