use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_things::ThingsFailure;

/// A row that this crate cannot have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the attribute `{attribute}` is missing or no such value")]
pub struct BadRow {
    /// Which attribute.
    pub attribute: &'static str,
}

/// Why a row of pairing could not be read or written this time.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// A row was not read.
    #[error("a row of pairing was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// Mailboxes were not read.
    #[error("mailboxes were not read")]
    MailboxesNotRead(#[source] Box<SdkError<BatchGetItemError>>),
    /// Rows were not listed.
    #[error("rows of pairing were not listed")]
    NotListed(#[source] Box<SdkError<QueryError>>),
    /// A row was not written; or it was, and the answer was lost.
    #[error("a row of pairing was not written")]
    NotWritten(#[source] Box<SdkError<PutItemError>>),
    /// A row was not deleted.
    #[error("a row of pairing was not deleted")]
    NotDeleted(#[source] Box<SdkError<DeleteItemError>>),
    /// Rows were not erased.
    #[error("rows of pairing were not erased")]
    NotErased(#[source] Box<SdkError<BatchWriteItemError>>),
    /// DynamoDB left a part for later, each time.
    #[error("a part of the rows was left: the table asks to slow down")]
    Partly,
    /// A tenancy was not written, nor anything with it; or it was, and the answer was lost: the same intent tells.
    #[error("a tenancy was not written")]
    NotChanged(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// DynamoDB cancelled the transaction for a reason that is no rival of ours.
    #[error("a tenancy was not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Others wrote the row each time that we tried.
    #[error("a row of pairing was not written: others were faster {tries} times")]
    Contended {
        /// How often we tried.
        tries: u32,
    },
    /// A row is none that this crate writes.
    #[error("a row is none of pairing")]
    BadRow(#[from] BadRow),
    /// A request lacks a field that DynamoDB needs.
    #[error("a row of pairing cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// A row or an event cannot be written as JSON.
    #[error("a row of pairing cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    /// The thing's record was not read or written.
    #[error("the thing's record did not answer")]
    Things(#[from] ThingsFailure),
}

impl Failure for StoreFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::MailboxesNotRead(error) => sdk_class(error),
            Self::NotListed(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::NotDeleted(error) => sdk_class(error),
            Self::NotErased(error) => sdk_class(error),
            Self::NotChanged(error) => sdk_class(error),
            Self::Partly => Class::Throttled,
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::BadRow(_) | Self::Unbuildable(_) | Self::Unwritable(_) => Class::Internal,
            Self::Things(error) => error.class(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) | Self::MailboxesNotRead(_) | Self::NotListed(_) => "pairing-not-read",
            Self::NotWritten(_) | Self::NotDeleted(_) => "pairing-not-written",
            Self::NotErased(_) | Self::Partly => "pairing-not-erased",
            Self::NotChanged(_) | Self::Cancelled { .. } => "tenancy-not-written",
            Self::Contended { .. } => "pairing-contended",
            Self::BadRow(_) => "bad-pairing-row",
            Self::Unbuildable(_) | Self::Unwritable(_) => "unbuildable-request",
            Self::Things(error) => error.code(),
        }
    }
}
