use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};

/// A row that this crate cannot have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the attribute `{attribute}` is missing or no such value")]
pub struct BadRow {
    /// Which attribute.
    pub attribute: &'static str,
}

/// Why a thing's record could not be read or changed this time.
#[derive(Debug, thiserror::Error)]
pub enum ThingsFailure {
    /// The record was not read.
    #[error("the record of a thing was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// The record was not written, nor anything with it; or it was, and the answer was lost: the same intent tells.
    #[error("the record of a thing was not written")]
    NotWritten(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// DynamoDB cancelled the transaction for a reason that is no rival of ours.
    #[error("the record of a thing was not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Others wrote the record each time that we tried.
    #[error("the record of a thing was not written: others were faster {tries} times")]
    Contended {
        /// How often we tried.
        tries: u32,
    },
    /// The history was not read.
    #[error("the history of a thing was not read")]
    HistoryNotRead(#[source] Box<SdkError<QueryError>>),
    /// A row of the table is none that this crate writes.
    #[error("a row is none of the thing records'")]
    BadRow(#[from] BadRow),
    /// A request lacks a field that DynamoDB needs, or an event cannot be written as JSON.
    #[error("the record cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// An event, or a part of the record, cannot be written as JSON.
    #[error("a part of the record cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
}

impl Failure for ThingsFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::HistoryNotRead(error) => sdk_class(error),
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::BadRow(_) | Self::Unbuildable(_) | Self::Unwritable(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) => "thing-not-read",
            Self::NotWritten(_) | Self::Cancelled { .. } => "thing-not-written",
            Self::Contended { .. } => "thing-contended",
            Self::HistoryNotRead(_) => "thing-history-not-read",
            Self::BadRow(_) => "bad-thing-row",
            Self::Unbuildable(_) | Self::Unwritable(_) => "unbuildable-request",
        }
    }
}
