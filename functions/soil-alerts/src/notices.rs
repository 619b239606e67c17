use aws_sdk_sns::config::http::HttpResponse;
use aws_sdk_sns::error::SdkError;
use aws_sdk_sns::operation::publish_batch::PublishBatchError;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use loam_access::{Access, AccessFailure};
use loam_domain::ThingName;
use serde_json::json;

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
    access: Access,
    topic_arn: String,
}

impl Notices {
    /// The topic with this ARN; `access` knows whose mail it is.
    #[must_use]
    pub const fn new(client: aws_sdk_sns::Client, access: Access, topic_arn: String) -> Self {
        Self { client, access, topic_arn }
    }

    /// Sends all of `notices`, which are about one thing, ten a call. They name the members who want mail in this moment, in
    /// the attribute `members`: each person's subscription filters for their own id, so that what decides is who is a member
    /// now, and not a subscription, whose filter takes up to 15 minutes to change. Source: SNS developer guide, "Amazon SNS
    /// subscription filter policies"; a filter's string matches any element of a `String.Array` ("String value matching").
    ///
    /// # Errors
    /// [`NotSent`]; some of them may have been sent by then, and are sent again, with the same id, when the event comes
    /// again.
    pub async fn send(&self, notices: &[Notice]) -> Result<(), NotSent> {
        let Some(first) = notices.first() else { return Ok(()) };
        // Boxed: a handler's future is moved on each invocation, and notices are rare.
        let members = Box::pin(self.access.members_of(&first.thing)).await?;
        let members: Vec<String> = members.into_iter().filter(|member| member.mail).map(|member| member.user).collect();
        for chunk in notices.chunks(MOST_PER_CALL) {
            self.send_chunk(chunk, &members).await?;
        }
        Ok(())
    }

    async fn send_chunk(&self, notices: &[Notice], members: &[String]) -> Result<(), NotSent> {
        let entry = |(index, notice)| entry(index, notice, members);
        let entries = notices.iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        let request = self.client.publish_batch().topic_arn(&self.topic_arn);
        let answer = request.set_publish_batch_request_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| NotSent::Call(Box::new(error)))?;
        match answer.failed().first() {
            None => Ok(()),
            Some(failed) => Err(NotSent::Entry { code: failed.code().to_owned(), ours: failed.sender_fault() }),
        }
    }
}

fn entry(index: usize, notice: &Notice, members: &[String]) -> Result<PublishBatchRequestEntry, NotSent> {
    let mut entry = PublishBatchRequestEntry::builder();
    if !members.is_empty() {
        // SNS takes no empty list, and without the attribute nobody's filter matches.
        entry = entry.message_attributes("members", attribute("String.Array", &json!(members).to_string())?);
    }
    entry
        .id(index.to_string())
        .subject(&notice.subject)
        .message(&notice.message)
        .message_attributes("noticeId", attribute("String", &notice.id)?)
        .message_attributes("kind", attribute("String", notice.kind)?)
        .message_attributes("thing", attribute("String", notice.thing.as_str())?)
        .build()
        .map_err(|error| NotSent::Unbuildable(Box::new(error)))
}

fn attribute(data_type: &str, value: &str) -> Result<MessageAttributeValue, NotSent> {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .map_err(|error| NotSent::Unbuildable(Box::new(error)))
}

/// A notice did not go out.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// Whose mail it is was not read.
    #[error("whose mail it is was not read")]
    Members(#[from] AccessFailure),
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
