//! The function's own queue.

use aws_config::SdkConfig;
use loam_domain::ThingName;
use serde::{Deserialize, Serialize};

use crate::FileFailure;
use crate::ids::TransferId;

/// Asks for work on a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Which transfer.
    pub work: TransferId,
    /// Whose.
    pub of: ThingName,
}

/// Puts messages into the queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    pub(crate) fn new(sdk: &SdkConfig, url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(sdk), url }
    }

    /// Asks for work on a transfer.
    pub(crate) async fn work(&self, thing: &ThingName, id: &TransferId) -> Result<(), FileFailure> {
        let job = Job { work: id.clone(), of: thing.clone() };
        self.again(&serde_json::to_string(&job)?, 0).await
    }

    /// The same message once more, later.
    pub(crate) async fn again(&self, body: &str, delay_seconds: i32) -> Result<(), FileFailure> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(delay_seconds);
        request.send().await.map_err(|error| FileFailure::NotSent(Box::new(error)))?;
        Ok(())
    }
}
