//! Why something cannot be done: never, or not this time.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use loam_dead_letters::NotKept;
use loam_domain::Refusal;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_things::ThingsFailure;
use loam_things::twins::TwinsFailure;

use crate::decide::MAX_TWIN_BYTES;

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
    /// A document's time is still to come.
    #[error("{}: {}", self.code(), self.detail())]
    FromTheFuture,
    /// What would be known of the thing does not fit into a row.
    #[error("{}: {}", self.code(), self.detail())]
    TwinTooLarge,
}

impl Refused {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::NotADocument => "not-a-shadow-document",
            Self::NotAnEvent => "not-an-event",
            Self::FromTheFuture => "from-the-future",
            Self::TwinTooLarge => "twin-too-large",
        }
    }

    /// What was expected.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Message(refusal) => refusal.detail.clone(),
            Self::NotADocument => {
                "expected current.state, current.version and timestamp, or version and timestamp".to_owned()
            }
            Self::NotAnEvent => {
                "expected id, type, thing, at and epoch of an event; a presence's id ends in a version".to_owned()
            }
            Self::FromTheFuture => "expected a timestamp in seconds that is past, as AWS IoT's are".to_owned(),
            Self::TwinTooLarge => format!("the thing's row would have more than {MAX_TWIN_BYTES} bytes"),
        }
    }
}

/// Why the catalog could not do something this time.
#[derive(Debug, thiserror::Error)]
pub enum CatalogFailure {
    /// A twin was not read.
    #[error("what is known of a thing was not read")]
    Twins(#[from] TwinsFailure),
    /// A record was not read or changed.
    #[error("the record of a thing was not read, or its retirement not acknowledged")]
    Things(#[from] ThingsFailure),
    /// A row was not written.
    #[error("a row was not written")]
    NotWritten(#[source] Box<SdkError<PutItemError>>),
    /// Several rows were not written.
    #[error("rows that belong together were not written")]
    NotTransacted(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// DynamoDB cancelled a transaction for a reason that is no rival of ours.
    #[error("rows that belong together were not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// A group was not read.
    #[error("a group was not read")]
    GroupNotRead(#[source] Box<SdkError<GetItemError>>),
    /// A group's things were not read.
    #[error("the things of a group were not read")]
    GroupNotListed(#[source] Box<SdkError<QueryError>>),
    /// A group was not deleted.
    #[error("a group was not deleted")]
    NotDeleted(#[source] Box<SdkError<DeleteItemError>>),
    /// Others were faster each time.
    #[error("a row was not written: others were faster {tries} times")]
    Contended {
        /// How often it was tried.
        tries: u32,
    },
    /// A row of groups is none.
    #[error("a row of groups is none: the attribute `{attribute}` is missing or no such value")]
    BadGroupRow {
        /// Which attribute.
        attribute: &'static str,
    },
    /// The message to oneself was not sent.
    #[error("an erasure that has to wait was not put off")]
    NotSent(#[source] Box<SdkError<SendMessageError>>),
    /// A request lacks a field that DynamoDB needs.
    #[error("a row cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// A row cannot be written as JSON.
    #[error("a row cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    /// Work on a thing panicked.
    #[error("the work on a thing broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
}

impl Failure for CatalogFailure {
    fn class(&self) -> Class {
        match self {
            Self::Twins(error) => error.class(),
            Self::Things(error) => error.class(),
            Self::NotWritten(error) => sdk_class(error),
            Self::NotTransacted(error) => sdk_class(error),
            Self::GroupNotRead(error) => sdk_class(error),
            Self::GroupNotListed(error) => sdk_class(error),
            Self::NotDeleted(error) => sdk_class(error),
            Self::NotSent(error) => sdk_class(error),
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::NotKept(error) => error.class(),
            Self::BadGroupRow { .. } | Self::Unbuildable(_) | Self::Unwritable(_) | Self::BrokeOff(_) => {
                Class::Internal
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Twins(error) => error.code(),
            Self::Things(error) => error.code(),
            Self::NotWritten(_) | Self::NotTransacted(_) | Self::Cancelled { .. } => "catalog-not-written",
            Self::GroupNotRead(_) | Self::GroupNotListed(_) => "group-not-read",
            Self::NotDeleted(_) => "group-not-deleted",
            Self::NotSent(_) => "erasure-not-continued",
            Self::Contended { .. } => "catalog-contended",
            Self::BadGroupRow { .. } => "bad-group-row",
            Self::Unbuildable(_) | Self::Unwritable(_) => "unbuildable-request",
            Self::BrokeOff(_) => "broke-off",
            Self::NotKept(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_begins_with_its_code() {
        for refused in [Refused::NotADocument, Refused::NotAnEvent, Refused::FromTheFuture, Refused::TwinTooLarge] {
            assert_eq!(refused.to_string(), format!("{}: {}", refused.code(), refused.detail()));
        }
    }
}
