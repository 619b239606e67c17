use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

/// A mailbox on a topic: a queue that is subscribed to it and hears only what it filters for.
#[derive(Debug, Clone)]
pub struct Inbox {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    queue_url: String,
    subscription: String,
}

/// A message of the topic, as a mailbox would get it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mail {
    /// The subject.
    pub subject: String,
    /// The text.
    pub message: String,
    /// The message's attributes.
    pub attributes: BTreeMap<String, String>,
}

impl Inbox {
    /// Subscribes a new queue to `topic_arn`, for messages whose attribute `thing` is `thing`.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn open(sdk: &SdkConfig, topic_arn: &str, thing: &str) -> Self {
        Self::filtered(sdk, topic_arn, "thing", &[thing]).await
    }

    /// Subscribes a new queue to `topic_arn` as a member's mail is: for notices whose attribute `members` names `user`.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn of_member(sdk: &SdkConfig, topic_arn: &str, user: &str) -> Self {
        Self::filtered(sdk, topic_arn, "members", &[user]).await
    }

    /// Subscribes a new queue to `topic_arn`, for messages whose attribute `type` is `kind`, of whatever thing.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn of_type(sdk: &SdkConfig, topic_arn: &str, kind: &str) -> Self {
        Self::of_types(sdk, topic_arn, &[kind]).await
    }

    /// The same, for several kinds.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn of_types(sdk: &SdkConfig, topic_arn: &str, kinds: &[&str]) -> Self {
        Self::filtered(sdk, topic_arn, "type", kinds).await
    }

    async fn filtered(sdk: &SdkConfig, topic_arn: &str, attribute: &str, values: &[&str]) -> Self {
        let sqs = aws_sdk_sqs::Client::new(sdk);
        let name = format!("inbox-{}", uuid::Uuid::new_v4().simple());
        let queue_url = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let mut inbox = Self { sqs, sns: aws_sdk_sns::Client::new(sdk), queue_url, subscription: String::new() };
        let queue_arn = inbox.let_sns_in(topic_arn).await;
        let subscribe = inbox.sns.subscribe().topic_arn(topic_arn).protocol("sqs").endpoint(queue_arn);
        let filter = json!({attribute: values}).to_string();
        let answer = subscribe.attributes("FilterPolicy", filter).send().await.unwrap();
        inbox.subscription = answer.subscription_arn.unwrap_or_default();
        inbox
    }

    async fn let_sns_in(&self, topic_arn: &str) -> String {
        let wanted = QueueAttributeName::QueueArn;
        let ask = self.sqs.get_queue_attributes().queue_url(&self.queue_url).attribute_names(wanted.clone());
        let queue_arn = ask.send().await.unwrap().attributes.unwrap().remove(&wanted).unwrap();
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": queue_arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }]});
        let set = self.sqs.set_queue_attributes().queue_url(&self.queue_url);
        set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.unwrap();
        queue_arn
    }

    /// Takes the mailbox down: a test with thousands of them would make every notice slow.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn close(&self) {
        self.sns.unsubscribe().subscription_arn(&self.subscription).send().await.unwrap();
        self.sqs.delete_queue().queue_url(&self.queue_url).send().await.unwrap();
    }

    /// Takes what has come by now.
    ///
    /// # Panics
    /// When the local AWS refuses, or a message is no notice.
    pub async fn take(&self) -> Vec<Mail> {
        let mut mails = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return mails;
            }
            for message in messages {
                let delete = self.sqs.delete_message().queue_url(&self.queue_url);
                delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
                mails.push(Mail::from_envelope(&serde_json::from_str(&message.body.unwrap()).unwrap()));
            }
        }
    }
}

impl Mail {
    fn from_envelope(envelope: &Value) -> Self {
        let text = |field: &str| envelope.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let attributes = envelope.get("MessageAttributes").and_then(Value::as_object).cloned().unwrap_or_default();
        let value = |attribute: &Value| attribute.get("Value").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            subject: text("Subject"),
            message: text("Message"),
            attributes: attributes.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect(),
        }
    }
}
