use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::FirmwareFailure;
use crate::error::Asked;

/// The catalog's groups, as far as targets have to know of them.
#[derive(Debug, Clone)]
pub(super) struct Groups {
    client: Client,
    table: String,
}

impl Groups {
    pub(super) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(sdk), table }
    }

    /// The filter of a dynamic group; `None` for a static one, and for one that the catalog does not keep: CA profiles name
    /// groups, too.
    pub(super) async fn filter_of(&self, name: &str) -> Result<Option<String>, FirmwareFailure> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.key("group", text(name)).key("item", text("group")).send().await;
        let answer = answer.map_err(|error| FirmwareFailure::service(Asked::Read, error))?;
        let filter = answer.item.and_then(|mut item| item.remove("filter"));
        match filter {
            None => Ok(None),
            Some(AttributeValue::S(filter)) => Ok(Some(filter)),
            Some(_) => Err(FirmwareFailure::BadRow("filter")),
        }
    }
}
