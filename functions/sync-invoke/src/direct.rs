use std::time::Duration;

use aws_config::SdkConfig;
use loam_direct_messages::{Answer, Message, Messenger};

use crate::{Delivery, Target};

/// Sends requests by IoT Core's Direct Messaging: to the device's client id, with its PUBACK as the evidence.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    messenger: Messenger,
}

impl Direct {
    /// Sends to `host`, unless the configuration names an endpoint for all services.
    #[must_use]
    pub(crate) fn new(sdk: &SdkConfig, host: &str) -> Self {
        Self { messenger: Messenger::new(sdk, Some(host)) }
    }

    /// Sends the call `id`, wrapped as `payload`, and waits for the device's PUBACK, 15 s or `left` at most.
    pub(crate) async fn send(&self, target: &Target, id: &str, payload: String, left: Duration) -> Delivery {
        let answer = Some(Answer { topic: target.answer_topic(id), correlation: id });
        let message = Message { to: target.thing(), topic: target.request_topic(id), payload, answer };
        self.messenger.send(message, left).await
    }
}
