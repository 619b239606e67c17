//! Why something cannot be done: never, or not this time.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_iotdataplane::operation::get_thing_shadow::GetThingShadowError;
use aws_sdk_iotdataplane::operation::publish::PublishError;
use aws_sdk_iotdataplane::operation::update_thing_shadow::UpdateThingShadowError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use loam_access::AccessFailure;
use loam_dead_letters::NotKept;
use loam_domain::Refusal;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_things::ThingsFailure;
use loam_things::twins::TwinsFailure;

use crate::feedback::BadFeedback;

/// Why a message can never be dealt with. Its texts name fields and types, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The envelope is wrong.
    #[error("{}: {}", self.code(), self.detail())]
    Message(Refusal),
    /// It is no event, and no message of our own.
    #[error("{}: {}", self.code(), self.detail())]
    NotAnEvent,
    /// A device's word is none.
    #[error("{}: {}", self.code(), self.detail())]
    Feedback(BadFeedback),
}

impl Refused {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::NotAnEvent => "not-an-event",
            Self::Feedback(BadFeedback::Topic) => "unknown-topic",
            Self::Feedback(BadFeedback::Shape) => "not-feedback",
            Self::Feedback(BadFeedback::TooLong) => "reason-too-long",
        }
    }

    /// What was expected.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Message(refusal) => refusal.detail.clone(),
            Self::NotAnEvent => "the message is no event that this queue is for, and none of our own".to_owned(),
            Self::Feedback(bad) => bad.to_string(),
        }
    }
}

/// Why something could not be done this time.
#[derive(Debug, thiserror::Error)]
pub enum CommandsFailure {
    /// A row was not read.
    #[error("a row of commands was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// Rows were not read.
    #[error("rows of commands were not read")]
    NotListed(#[source] Box<SdkError<QueryError>>),
    /// A row was not written.
    #[error("a row of commands was not written")]
    NotWritten(#[source] Box<SdkError<PutItemError>>),
    /// Rows that belong together were not written.
    #[error("a command and what is told of it were not written")]
    NotTransacted(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// DynamoDB cancelled a transaction for a reason that is no rival of ours.
    #[error("a command was not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Rows were not erased.
    #[error("rows of commands were not erased")]
    NotErased(#[source] Box<SdkError<BatchWriteItemError>>),
    /// DynamoDB leaves a part of a batch undone again and again.
    #[error("rows of commands were not erased: DynamoDB left a part of them undone")]
    LeftUndone,
    /// A row is none of ours.
    #[error("a row of commands is none: the attribute `{attribute}` is missing or no such value")]
    BadRow {
        /// Which attribute.
        attribute: &'static str,
    },
    /// Others were faster each time.
    #[error("a command was not written: others were faster {tries} times")]
    Contended {
        /// How often it was tried.
        tries: u32,
    },
    /// A shadow was not read.
    #[error("the shadow of a thing was not read")]
    ShadowNotRead(#[source] Box<SdkError<GetThingShadowError>>),
    /// A shadow was not written.
    #[error("the shadow of a thing was not written")]
    ShadowNotWritten(#[source] Box<SdkError<UpdateThingShadowError>>),
    /// What AWS IoT gave is no shadow.
    #[error("what AWS IoT gave is no shadow document")]
    BadShadow,
    /// An answer to an app was not published.
    #[error("an answer to an app was not published")]
    NotAnswered(#[source] Box<SdkError<PublishError>>),
    /// A message to the own queue was not sent.
    #[error("a message to the own queue was not sent")]
    NotSent(#[source] Box<SdkError<SendMessageError>>),
    /// A thing's record was not read, or an erasure not acknowledged there.
    #[error("the record of a thing was not read or written")]
    Things(#[from] ThingsFailure),
    /// The things of an order were not chosen.
    #[error("the things of an order were not chosen")]
    Twins(#[from] TwinsFailure),
    /// It could not be found out what somebody may do.
    #[error("what somebody may do was not found out")]
    Access(#[from] AccessFailure),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// A request lacks a field that DynamoDB needs.
    #[error("a row cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// A row or message cannot be written as JSON.
    #[error("a row or message cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    /// There was no chance for an id.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// Some commands of a sweep were not looked after.
    #[error("{failed} of the commands that expired were not looked after")]
    Swept {
        /// How many.
        failed: usize,
    },
    /// Work on a message panicked.
    #[error("the work on a message broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl Failure for CommandsFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotListed(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::NotTransacted(error) => sdk_class(error),
            Self::NotErased(error) => sdk_class(error),
            Self::ShadowNotRead(error) => sdk_class(error),
            Self::ShadowNotWritten(error) => sdk_class(error),
            Self::NotAnswered(error) => sdk_class(error),
            Self::NotSent(error) => sdk_class(error),
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Things(error) => error.class(),
            Self::Twins(error) => error.class(),
            Self::Access(error) => error.class(),
            Self::NotKept(error) => error.class(),
            Self::LeftUndone => Class::Throttled,
            Self::Contended { .. } => Class::Conflict,
            Self::Swept { .. } => Class::Unavailable,
            Self::BadRow { .. }
            | Self::BadShadow
            | Self::Unbuildable(_)
            | Self::Unwritable(_)
            | Self::NoRandomness
            | Self::BrokeOff(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) | Self::NotListed(_) => "command-not-read",
            Self::NotWritten(_) | Self::NotTransacted(_) | Self::Cancelled { .. } => "command-not-written",
            Self::NotErased(_) | Self::LeftUndone => "commands-not-erased",
            Self::BadRow { .. } => "bad-command-row",
            Self::Contended { .. } => "command-contended",
            Self::ShadowNotRead(_) | Self::BadShadow => "shadow-not-read",
            Self::ShadowNotWritten(_) => "shadow-not-written",
            Self::NotAnswered(_) => "answer-not-published",
            Self::NotSent(_) => "message-not-sent",
            Self::Things(error) => error.code(),
            Self::Twins(error) => error.code(),
            Self::Access(error) => error.code(),
            Self::NotKept(error) => error.code(),
            Self::Unbuildable(_) | Self::Unwritable(_) => "unbuildable-request",
            Self::NoRandomness => "no-randomness",
            Self::Swept { .. } => "sweep-incomplete",
            Self::BrokeOff(_) => "broke-off",
        }
    }
}
