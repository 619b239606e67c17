use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure, sdk_class};
use loam_things::ThingsFailure;

use crate::notices::NotSent;
use crate::smart::StoreError;

/// Why a message could not be dealt with; it is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum AlertFailure {
    /// A notice did not go out.
    #[error("a notice was not sent")]
    NotSent(#[from] NotSent),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// A table of smart mode failed.
    #[error("the alert state could not be brought up to date")]
    Store(#[from] StoreError),
    /// A thing's record was not read, or the erasure not acknowledged there.
    #[error("the record of a thing was not read or written")]
    Things(#[from] ThingsFailure),
    /// The second look at a retired thing was not put into the queue.
    #[error("the second look at a retired thing was not put into the queue")]
    NotSentAgain(#[source] Box<SdkError<SendMessageError>>),
    /// A message to the own queue cannot be written as JSON.
    #[error("a message to the own queue cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
}

impl Failure for AlertFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotSent(NotSent::Members(error)) => error.class(),
            Self::NotSent(NotSent::Call(error)) => sdk_class(error),
            Self::NotSent(NotSent::Unbuildable(_) | NotSent::Entry { ours: true, .. }) => Class::Internal,
            Self::NotSent(NotSent::Entry { ours: false, .. }) => Class::Unavailable,
            Self::NotKept(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Things(error) => error.class(),
            Self::NotSentAgain(error) => sdk_class(error),
            Self::Unwritable(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotSent(NotSent::Members(error)) => error.code(),
            Self::NotSent(_) => "notice-not-sent",
            Self::NotKept(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Things(error) => error.code(),
            Self::NotSentAgain(_) | Self::Unwritable(_) => "second-look-not-sent",
        }
    }
}
