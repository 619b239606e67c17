//! Why a message cannot be told: never, or not this time.

use aws_sdk_iotdataplane::error::SdkError;
use aws_sdk_iotdataplane::operation::publish::PublishError;
use loam_dead_letters::NotKept;
use loam_domain::Refusal;
use loam_runtime::{Class, Failure, sdk_class};

use crate::store::StoreFailure;

/// Why a message can never be dealt with. Its texts name fields and types, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The envelope is wrong.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// A message on a topic of shadows is no document.
    #[error("{}: {}", self.code(), self.detail())]
    NotADocument,
    /// A message is no event of the topic `Events`.
    #[error("{}: {}", self.code(), self.detail())]
    NotAnEvent,
    /// A message of the topic of notices is none.
    #[error("{}: {}", self.code(), self.detail())]
    NotANotice,
}

impl Refused {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::NotADocument => "not-a-shadow-document",
            Self::NotAnEvent => "not-an-event",
            Self::NotANotice => "not-a-notice",
        }
    }

    /// What was expected.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Message(refusal) => refusal.detail.clone(),
            Self::NotADocument => "expected current.state and current.version, as AWS IoT sends them".to_owned(),
            Self::NotAnEvent => "expected id, type, thing, at and epoch of an event".to_owned(),
            Self::NotANotice => "expected SNS's envelope with the attributes noticeId, kind and thing".to_owned(),
        }
    }
}

/// Why people could not be told this time.
#[derive(Debug, thiserror::Error)]
pub enum RelayFailure {
    /// Whose the thing is, or who listens, was not read.
    #[error("whose the thing is was not read")]
    Store(#[from] StoreFailure),
    /// AWS IoT did not take a message.
    #[error("a mailbox's message was not published")]
    NotPublished(#[source] Box<SdkError<PublishError>>),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// Work on a message panicked.
    #[error("the work on a message broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl Failure for RelayFailure {
    fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            Self::NotPublished(error) => sdk_class(error),
            Self::NotKept(error) => error.class(),
            Self::BrokeOff(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::NotPublished(_) => "mail-not-published",
            Self::NotKept(error) => error.code(),
            Self::BrokeOff(_) => "broke-off",
        }
    }
}
