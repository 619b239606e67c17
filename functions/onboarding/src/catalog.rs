use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use loam_domain::ThingName;

use crate::description::Description;
use crate::error::CallFailed;

/// The classic catalog: one item per thing, exactly the nine fields of its description, key `clientId`.
#[derive(Debug, Clone)]
pub struct Catalog {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Catalog {
    /// The table of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// The write of a description, for the transaction that makes it the thing's newest.
    pub(crate) fn put(&self, description: &Description) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item_of(description))).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Deletes the thing's item; one that is not there is deleted already.
    pub(crate) async fn delete(&self, thing: &ThingName) -> Result<(), CallFailed> {
        let request = self.client.delete_item().table_name(&self.table);
        let request = request.key("clientId", AttributeValue::S(thing.to_string()));
        request.send().await.map_err(CallFailed::named("DeleteItem"))?;
        Ok(())
    }
}

fn item_of(description: &Description) -> HashMap<String, AttributeValue> {
    let attribute = |(name, value): (&str, &str)| (name.to_owned(), AttributeValue::S(value.to_owned()));
    description.fields().into_iter().map(attribute).collect()
}
