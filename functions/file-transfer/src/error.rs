//! Why something cannot be done: one code each, stable for alarms and dead letters.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_iotdataplane::operation::publish::PublishError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_sealed_keys::KeyFailure;
use loam_things::ThingsFailure;

/// What went wrong while a message or a request was dealt with.
#[derive(Debug, thiserror::Error)]
pub enum FileFailure {
    /// A transfer was not read.
    #[error("a transfer was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// Transfers were not listed.
    #[error("transfers were not listed")]
    NotListed(#[source] Box<SdkError<QueryError>>),
    /// A transfer was not written.
    #[error("a transfer was not written")]
    NotWritten(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// A transaction was cancelled for a reason that is no rival.
    #[error("a transfer was not written: {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Others were faster, each time.
    #[error("a transfer was not written: others were faster, {tries} times")]
    Contended {
        /// How often.
        tries: u32,
    },
    /// Rows were not deleted.
    #[error("rows were not deleted")]
    NotDeleted(#[source] Box<SdkError<BatchWriteItemError>>),
    /// DynamoDB left deletions undone, each time.
    #[error("rows were not deleted: DynamoDB left some of them undone, each time")]
    LeftUndone,
    /// A row is none that this function writes.
    #[error("a row is none of this function's: {0}")]
    BadRow(&'static str),
    /// A request lacks a field that its service needs.
    #[error("a row cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// There is no key, or no random bytes.
    #[error(transparent)]
    Keys(#[from] KeyFailure),
    /// S3 did not do it.
    #[error("{what}: S3 answered {code}")]
    Objects {
        /// What was asked of it.
        what: &'static str,
        /// Its code.
        code: String,
        /// How it is dealt with.
        class: Class,
    },
    /// A file or a head cannot be sealed or opened, through no fault of its sender.
    #[error("the encrypted format refused what cannot be refused")]
    Format,
    /// A message was not published.
    #[error("a message to a device was not published")]
    NotPublished(#[source] Box<SdkError<PublishError>>),
    /// Work was not asked for.
    #[error("a message was not put into the queue")]
    NotSent(#[source] Box<SdkError<SendMessageError>>),
    /// What is to be written cannot be JSON.
    #[error("what is to be written cannot be JSON")]
    Unwritable(#[from] serde_json::Error),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// The thing's record was not read or written.
    #[error("the thing's record was not read or written")]
    Things(#[from] ThingsFailure),
    /// Work panicked.
    #[error("the work broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl Failure for FileFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotListed(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::NotDeleted(error) => sdk_class(error),
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::LeftUndone => Class::Throttled,
            Self::Keys(error) => error.class(),
            Self::Objects { class, .. } => *class,
            Self::NotPublished(error) => sdk_class(error),
            Self::NotSent(error) => sdk_class(error),
            Self::NotKept(error) => error.class(),
            Self::Things(error) => error.class(),
            Self::BadRow(_) | Self::Unbuildable(_) | Self::Format | Self::Unwritable(_) | Self::BrokeOff(_) => {
                Class::Internal
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) | Self::NotListed(_) => "transfer-not-read",
            Self::NotWritten(_) | Self::Cancelled { .. } => "transfer-not-written",
            Self::Contended { .. } => "transfer-contended",
            Self::NotDeleted(_) | Self::LeftUndone => "rows-not-deleted",
            Self::BadRow(_) => "bad-row",
            Self::Unbuildable(_) | Self::Unwritable(_) => "unbuildable-request",
            Self::Keys(error) => error.code(),
            Self::Objects { .. } => "object-storage-failed",
            Self::Format => "format-failed",
            Self::NotPublished(_) => "grant-not-published",
            Self::NotSent(_) => "work-not-asked-for",
            Self::NotKept(error) => error.code(),
            Self::Things(error) => error.code(),
            Self::BrokeOff(_) => "broke-off",
        }
    }
}
