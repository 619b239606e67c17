use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::AccessFailure;

/// Whose the identities of apps are: by its identity an app is known to the broker, by its person to everybody else.
///
/// The row is `identity#{identity}`, `identity` of PairingsTable; who hands out the app's credentials writes it.
#[derive(Debug, Clone)]
pub struct Identities {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Identities {
    /// The identities in the table of this name (`PAIRINGS_TABLE`).
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// The id, in the user pool, of the person whose identity this is; `None` if nobody knows it.
    ///
    /// # Errors
    /// [`AccessFailure::NotRead`], [`AccessFailure::BadRow`].
    pub async fn person(&self, identity: &str) -> Result<Option<String>, AccessFailure> {
        let text = |text: String| AttributeValue::S(text);
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.key("thing", text(format!("identity#{identity}")));
        let answer = request.key("item", text("identity".to_owned())).send().await;
        let answer = answer.map_err(|error| AccessFailure::NotRead(Box::new(error)))?;
        let user = answer.item().map(|row| row.get("user").and_then(|user| user.as_s().ok()).cloned());
        user.map(|user| user.ok_or(AccessFailure::BadRow { attribute: "user" })).transpose()
    }
}
