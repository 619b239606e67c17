#![doc = include_str!("../README.md")]

use aws_config::SdkConfig;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use loam_runtime::{Class, Failure, KeptEvent, sdk_class};

/// A capability's dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: aws_sdk_sqs::Client,
    queue_url: String,
}

impl DeadLetters {
    /// The queue at `queue_url`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, queue_url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(sdk), queue_url }
    }

    /// Keeps `event`. Kept twice if the function dies right after and Lambda delivers the event again: nothing is lost,
    /// and the replay command can tell, as both copies hold the same event.
    ///
    /// # Errors
    /// [`NotKept`]; the caller must fail the event then, so that it comes again.
    pub async fn keep(&self, event: &KeptEvent) -> Result<(), NotKept> {
        let body = serde_json::to_string(event).map_err(NotKept::Unwritable)?;
        let request = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        request.send().await.map_err(|error| NotKept::Refused(Box::new(error)))?;
        Ok(())
    }
}

/// A refused event could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It could not be written as JSON.
    #[error("the refused event cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The queue did not take it.
    #[error("the dead-letter queue did not take the refused event")]
    Refused(#[source] Box<SdkError<SendMessageError>>),
}

impl Failure for NotKept {
    fn class(&self) -> Class {
        match self {
            Self::Unwritable(_) => Class::Internal,
            Self::Refused(error) => sdk_class(error),
        }
    }

    fn code(&self) -> &'static str {
        "dead-letter-not-kept"
    }
}
