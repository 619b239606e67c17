use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::smart::{ScopeName, StoreError};

/// The catalog's groups, as far as rules have to know of them.
#[derive(Debug, Clone)]
pub(super) struct Groups {
    client: Client,
    table: String,
}

impl Groups {
    /// The table of this name.
    pub(super) const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Whether this group is a saved filter. A group that is not there is none: CA profiles name groups that the catalog
    /// does not keep, and a rule may come before its group.
    ///
    /// # Errors
    /// [`StoreError::Load`].
    pub(super) async fn is_dynamic(&self, name: &ScopeName) -> Result<bool, StoreError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.key("group", text(name.as_str())).key("item", text("group"));
        let answer = request.send().await.map_err(|error| StoreError::Load(Box::new(error)))?;
        Ok(answer.item.is_some_and(|item| item.contains_key("filter")))
    }
}
