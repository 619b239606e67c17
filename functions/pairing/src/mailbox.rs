//! A member's mailbox: a subscription to the topic of notices that gets only what is meant for them.

use aws_config::SdkConfig;
use aws_sdk_sns::operation::subscribe::SubscribeError;
use loam_domain::UserId;
use serde_json::json;

use crate::PairingFailure;

/// The topic of notices.
#[derive(Debug, Clone)]
pub(crate) struct Mailboxes {
    client: aws_sdk_sns::Client,
    topic: String,
}

/// What came of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subscribed {
    /// The person said yes to AWS's mail: notices arrive.
    Confirmed,
    /// AWS has asked them by mail and waits for their yes.
    Asked,
    /// The mailbox is subscribed for another purpose: as the stack's own mailbox, or another person's.
    Otherwise,
    /// The topic takes no more subscriptions with a filter.
    Full,
}

impl Mailboxes {
    /// The topic with this ARN.
    pub(crate) fn new(sdk: &SdkConfig, topic: String) -> Self {
        Self { client: aws_sdk_sns::Client::new(sdk), topic }
    }

    /// Subscribes a mailbox to what is meant for `user`. The same again changes nothing: SNS answers with the subscription
    /// that stands, and with `pending confirmation` in place of its ARN until the person confirmed it.
    /// Source: SNS API reference, `Subscribe`.
    pub(crate) async fn subscribe(&self, user: &UserId, address: &str) -> Result<Subscribed, PairingFailure> {
        let policy = json!({ "members": [user] }).to_string();
        let request = self.client.subscribe().topic_arn(&self.topic).protocol("email").endpoint(address);
        match request.attributes("FilterPolicy", policy).send().await {
            Ok(answer) if answer.subscription_arn().is_some_and(|arn| arn.starts_with("arn:")) => {
                Ok(Subscribed::Confirmed)
            }
            Ok(_) => Ok(Subscribed::Asked),
            Err(error) => match error.as_service_error() {
                Some(SubscribeError::InvalidParameterException(_)) => Ok(Subscribed::Otherwise),
                Some(
                    SubscribeError::FilterPolicyLimitExceededException(_)
                    | SubscribeError::SubscriptionLimitExceededException(_),
                ) => Ok(Subscribed::Full),
                _ => Err(PairingFailure::NotSubscribed(Box::new(error))),
            },
        }
    }
}
