use aws_config::SdkConfig;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

/// A capability's dead-letter queue.
///
/// Tests share it, so they look through a door of the local AWS's own and not by `ReceiveMessage`, which would hide the
/// messages from each other.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    door: String,
    sqs: aws_sdk_sqs::Client,
    url: String,
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<String>,
}

impl DeadLetterQueue {
    /// The queue at `queue_url`, of the local AWS that `sdk` talks to.
    ///
    /// # Panics
    /// When `sdk` has no endpoint of its own.
    #[must_use]
    pub fn new(sdk: &SdkConfig, queue_url: &str) -> Self {
        let name = queue_url.rsplit('/').next().unwrap_or_default();
        Self {
            door: format!("{}/_loam/messages/{name}", sdk.endpoint_url().unwrap()),
            sqs: aws_sdk_sqs::Client::new(sdk),
            url: queue_url.to_owned(),
        }
    }

    /// A new queue that no other test looks into, for thousands of letters.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn own(sdk: &SdkConfig) -> Self {
        let name = format!("letters-{}", uuid::Uuid::new_v4().simple());
        let made = aws_sdk_sqs::Client::new(sdk).create_queue().queue_name(name).send().await.unwrap();
        Self::new(sdk, &made.queue_url.unwrap())
    }

    /// The queue's address, as a function's configuration wants it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Puts a letter there, as Lambda and SQS do with what they gave up.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn put(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
    }

    /// All messages that speak of `thing`, in any of their shapes, oldest first.
    ///
    /// # Panics
    /// When the local AWS does not answer, or a message is not JSON.
    pub async fn about(&self, thing: &str) -> Vec<Value> {
        let messages = self.texts().await;
        let about = |body: &&String| body.contains(&format!("/{thing}/"));
        messages.iter().filter(about).map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    /// All messages, oldest first.
    ///
    /// # Panics
    /// When the local AWS does not answer.
    pub async fn texts(&self) -> Vec<String> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let answer = client.get(self.door.parse().unwrap()).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Messages>(&body).unwrap().messages
    }
}
