use aws_sdk_sns::error::{BuildError, SdkError};
use aws_sdk_sns::operation::publish_batch::PublishBatchError;
use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure, sdk_class};

use crate::decide::MOST_BYTES;

/// Why a record can never be told. `Display` never quotes the record: it goes into logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The record is none of a DynamoDB stream, or lacks what the relay reads.
    #[error("it is no record of a stream with new images: `{missing}` is missing or has another type")]
    NotAStreamRecord {
        /// The first thing that is missing, as a path.
        missing: &'static str,
    },
    /// The item's attribute `event` holds no envelope.
    #[error("the attribute `event` is not the envelope of an event, expected id, type, thing, at, epoch and data")]
    NotAnEvent,
    /// The envelope names another thing than the item's key.
    #[error("the event is of another thing than the item that holds it")]
    ForeignEvent,
    /// The event is larger than a message of SNS may be.
    #[error("the event has {bytes} bytes with its attributes, expected at most {MOST_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// SNS says that this message is wrong.
    #[error("the topic refused it: {code}")]
    ByTopic {
        /// SNS's code.
        code: String,
    },
}

impl Refused {
    /// The stable code, for example `not-an-event`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAStreamRecord { .. } => "not-a-stream-record",
            Self::NotAnEvent => "not-an-event",
            Self::ForeignEvent => "foreign-event",
            Self::TooLarge { .. } => "event-too-large",
            Self::ByTopic { .. } => "refused-by-topic",
        }
    }
}

/// Why a record could not be told this time; it comes again.
#[derive(Debug, thiserror::Error)]
pub enum RelayFailure {
    /// A request lacks a field that SNS needs.
    #[error("the events cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// The call failed.
    #[error("the topic did not take the events")]
    NotTold(#[source] Box<SdkError<PublishBatchError>>),
    /// The call succeeded, but not for this event.
    #[error("the topic did not take an event of the batch: {code}")]
    NotTaken {
        /// SNS's code, or `no-answer` where SNS did not speak of it.
        code: String,
    },
    /// What can never be told could not be kept.
    #[error("a refused record was not kept")]
    NotKept(#[from] NotKept),
}

impl Failure for RelayFailure {
    fn class(&self) -> Class {
        match self {
            Self::Unbuildable(_) => Class::Internal,
            Self::NotTold(error) => sdk_class(error),
            Self::NotTaken { .. } => Class::Unavailable,
            Self::NotKept(error) => error.class(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unbuildable(_) => "unbuildable-request",
            Self::NotTold(_) | Self::NotTaken { .. } => "event-not-told",
            Self::NotKept(error) => error.code(),
        }
    }
}
