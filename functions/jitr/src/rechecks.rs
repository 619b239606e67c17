//! Our own messages to our own queue.

use aws_config::SdkConfig;

use crate::error::{Call, JitrFailure};
use crate::event::Recheck;

/// How long a re-check waits, in seconds: AWS ends the connections of a certificate that is not active "within a few
/// minutes", and our own `DeleteConnection` at once.
pub(crate) const DELAY_SECONDS: i32 = 60;

/// The queue.
#[derive(Debug, Clone)]
pub(crate) struct Rechecks {
    client: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Rechecks {
    /// The queue at this address.
    #[must_use]
    pub(crate) fn new(sdk: &SdkConfig, queue_url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(sdk), queue_url }
    }

    /// Sends a re-check, which arrives after [`DELAY_SECONDS`].
    ///
    /// # Errors
    /// [`Call::SendRecheck`].
    pub(crate) async fn send(&self, recheck: &Recheck) -> Result<(), JitrFailure> {
        let request = self.client.send_message().queue_url(&self.queue_url).delay_seconds(DELAY_SECONDS);
        let request = request.message_body(serde_json::to_string(recheck)?);
        request.send().await.map_err(|error| JitrFailure::call(Call::SendRecheck, error))?;
        Ok(())
    }
}
