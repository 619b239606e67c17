use aws_sdk_sns::config::http::HttpResponse;
use aws_sdk_sns::error::SdkError;
use aws_sdk_sns::operation::publish_batch::PublishBatchError;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use loam_domain::ThingName;

/// The most messages that SNS takes in one `PublishBatch`. Source: SNS API reference.
const MOST_PER_CALL: usize = 10;

/// One mail to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Derived from what it tells of, so that a repeat of it can be recognised; sent as the attribute `noticeId`.
    pub id: String,
    /// What happened, for subscribers' filters; sent as the attribute `kind`.
    pub kind: &'static str,
    /// Which thing it is about; sent as the attribute `thing`.
    pub thing: ThingName,
    /// The mail's subject: ASCII, below 100 characters.
    pub subject: String,
    /// The mail's text.
    pub message: String,
}

/// The topic that notices go to.
#[derive(Debug, Clone)]
pub struct Notices {
    client: aws_sdk_sns::Client,
    topic_arn: String,
}

impl Notices {
    /// The topic with this ARN.
    #[must_use]
    pub const fn new(client: aws_sdk_sns::Client, topic_arn: String) -> Self {
        Self { client, topic_arn }
    }

    /// Sends all of `notices`, ten a call.
    ///
    /// # Errors
    /// [`NotSent`]; some of them may have been sent by then, and are sent again, with the same id, when the event comes
    /// again.
    pub async fn send(&self, notices: &[Notice]) -> Result<(), NotSent> {
        for chunk in notices.chunks(MOST_PER_CALL) {
            self.send_chunk(chunk).await?;
        }
        Ok(())
    }

    async fn send_chunk(&self, notices: &[Notice]) -> Result<(), NotSent> {
        let entries =
            notices.iter().enumerate().map(|(index, notice)| entry(index, notice)).collect::<Result<_, _>>()?;
        let request = self.client.publish_batch().topic_arn(&self.topic_arn);
        let answer = request.set_publish_batch_request_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| NotSent::Call(Box::new(error)))?;
        match answer.failed().first() {
            None => Ok(()),
            Some(failed) => Err(NotSent::Entry { code: failed.code().to_owned(), ours: failed.sender_fault() }),
        }
    }
}

fn entry(index: usize, notice: &Notice) -> Result<PublishBatchRequestEntry, NotSent> {
    PublishBatchRequestEntry::builder()
        .id(index.to_string())
        .subject(&notice.subject)
        .message(&notice.message)
        .message_attributes("noticeId", attribute(&notice.id)?)
        .message_attributes("kind", attribute(notice.kind)?)
        .message_attributes("thing", attribute(notice.thing.as_str())?)
        .build()
        .map_err(|error| NotSent::Unbuildable(Box::new(error)))
}

fn attribute(value: &str) -> Result<MessageAttributeValue, NotSent> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|error| NotSent::Unbuildable(Box::new(error)))
}

/// A notice did not go out.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// The request lacks a field that SNS needs.
    #[error("the notice cannot be put into a request")]
    Unbuildable(#[source] Box<aws_sdk_sns::error::BuildError>),
    /// The call failed.
    #[error("the topic did not take the notices")]
    Call(#[source] Box<SdkError<PublishBatchError, HttpResponse>>),
    /// The call succeeded, but not for this notice.
    #[error("the topic did not take a notice of the batch: {code}")]
    Entry {
        /// SNS's error code.
        code: String,
        /// Whether SNS says that the request was at fault.
        ours: bool,
    },
}
