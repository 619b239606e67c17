use aws_config::SdkConfig;
use serde_json::Value;

/// A capability's dead-letter queue, looked into without taking anything away from other tests.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

impl DeadLetterQueue {
    /// The queue at `queue_url`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, queue_url: &str) -> Self {
        Self { sqs: aws_sdk_sqs::Client::new(sdk), queue_url: queue_url.to_owned() }
    }

    /// All messages that speak of `thing`, in any of the three shapes; the others stay visible to everybody.
    ///
    /// # Panics
    /// When the local AWS refuses, or a message is not JSON.
    pub async fn about(&self, thing: &str) -> Vec<Value> {
        let mut found = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let messages = receive.visibility_timeout(1).send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return found;
            }
            for message in messages {
                let body = message.body.unwrap();
                if body.contains(&format!("/{thing}/")) {
                    let delete = self.sqs.delete_message().queue_url(&self.queue_url);
                    delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
                    found.push(serde_json::from_str(&body).unwrap());
                }
            }
        }
    }
}
