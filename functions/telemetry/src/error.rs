//! Why a message, or a part of it, cannot be stored: one code each, stable for alarms and dead letters.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use loam_dead_letters::NotKept;
use loam_domain::Refusal;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_things::ThingsFailure;

use crate::rows::BadRow;

/// A refused message, or a refused number of one; the other numbers of the message are stored all the same.
///
/// `Display` names fields by their path, never their values: it goes into logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What the vocabulary of all functions refuses: bytes, JSON, topic, names, types.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// One message names more metrics than [`crate::event::MAX_METRICS`]; nothing of it is stored.
    #[error(
        "too-many-metrics: the message holds {found} metrics, expected at most {}: split it",
        crate::event::MAX_METRICS
    )]
    TooManyMetrics {
        /// How many it names.
        found: usize,
    },
    /// An object or array lies deeper than [`crate::event::MAX_DEPTH`].
    #[error("too-deep: the payload nests deeper than {} levels, expected a flatter object", crate::event::MAX_DEPTH)]
    TooDeep,
    /// The metric's name is longer than [`crate::point::Metric::MAX_BYTES`].
    #[error("path-too-long: a metric's path has {found} bytes, expected at most {}", crate::point::Metric::MAX_BYTES)]
    PathTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The metric's name is empty or holds a control character.
    #[error("invalid-path: a metric's path is empty or holds a control character, expected printable text")]
    InvalidPath,
    /// The number is beyond what the table and exact sums hold; see [`crate::point::Value`].
    #[error("out-of-range: the metric `{metric}` is neither 0 nor between 1e-100 and 1e100 in size")]
    OutOfRange {
        /// Whose value it is.
        metric: String,
    },
    /// The reading is as old as the raw series reaches: a duplicate of it could no longer be told.
    #[error("too-late: the reading is older than the raw series is kept, so that it can no longer be counted once")]
    TooLate,
}

impl Refused {
    /// The stable code, for example `too-late`; the first word of the message.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::TooManyMetrics { .. } => "too-many-metrics",
            Self::TooDeep => "too-deep",
            Self::PathTooLong { .. } => "path-too-long",
            Self::InvalidPath => "invalid-path",
            Self::OutOfRange { .. } => "out-of-range",
            Self::TooLate => "too-late",
        }
    }

    /// The sentence without the code.
    #[must_use]
    pub fn detail(&self) -> String {
        let text = self.to_string();
        text.strip_prefix(self.code()).and_then(|text| text.strip_prefix(": ")).unwrap_or(&text).to_owned()
    }
}

/// Why a message could not be dealt with this time; it is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryFailure {
    /// The row of an hour was not read.
    #[error("the row of an hour was not read")]
    HourNotRead(#[source] Box<SdkError<GetItemError>>),
    /// Samples and their hour were not written.
    #[error("samples and their hour were not written")]
    NotWritten(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// DynamoDB cancelled a transaction for a reason that is no condition of ours.
    #[error("samples and their hour were not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Others wrote to the same hour each time that we tried.
    #[error("samples and their hour were not written: others were faster {tries} times")]
    Contended {
        /// How often we tried.
        tries: u32,
    },
    /// The latest value was not written.
    #[error("the latest value was not written")]
    LatestNotWritten(#[source] Box<SdkError<PutItemError>>),
    /// Rows were not read.
    #[error("rows were not read")]
    NotRead(#[source] Box<SdkError<QueryError>>),
    /// A row of the table is none that this function writes.
    #[error("a row is none of this function's")]
    BadRow(#[from] BadRow),
    /// A request lacks a field that DynamoDB needs.
    #[error("the rows cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// Work on an hour panicked.
    #[error("the work on an hour broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// The rows of a retiring thing were not erased.
    #[error("the rows of a retiring thing were not erased")]
    NotErased(#[source] Box<SdkError<BatchWriteItemError>>),
    /// DynamoDB erased a part of the rows only, each time that we asked.
    #[error("the rows of a retiring thing were erased only in part: the table asks to slow down")]
    ErasedInPart,
    /// The rest of an erasure was not put into the queue.
    #[error("the rest of an erasure was not put into the queue")]
    NotSent(#[source] Box<SdkError<SendMessageError>>),
    /// The erasure was not acknowledged.
    #[error("an erasure was not acknowledged")]
    NotAcknowledged(#[from] ThingsFailure),
    /// A message to the own queue cannot be written as JSON.
    #[error("a message to the own queue cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
}

impl Failure for TelemetryFailure {
    fn class(&self) -> Class {
        match self {
            Self::HourNotRead(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::LatestNotWritten(error) => sdk_class(error),
            Self::NotRead(error) => sdk_class(error),
            Self::BadRow(_) | Self::Unbuildable(_) | Self::BrokeOff(_) | Self::Unwritable(_) => Class::Internal,
            Self::NotKept(error) => error.class(),
            Self::NotErased(error) => sdk_class(error),
            Self::ErasedInPart => Class::Throttled,
            Self::NotSent(error) => sdk_class(error),
            Self::NotAcknowledged(error) => error.class(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::HourNotRead(_) => "hour-not-read",
            Self::NotWritten(_) | Self::Cancelled { .. } => "samples-not-written",
            Self::Contended { .. } => "hour-contended",
            Self::LatestNotWritten(_) => "latest-not-written",
            Self::NotRead(_) => "rows-not-read",
            Self::BadRow(_) => "bad-row",
            Self::Unbuildable(_) => "unbuildable-request",
            Self::BrokeOff(_) => "broke-off",
            Self::NotKept(error) => error.code(),
            Self::NotErased(_) | Self::ErasedInPart => "rows-not-erased",
            Self::NotSent(_) | Self::Unwritable(_) => "erasure-not-continued",
            Self::NotAcknowledged(_) => "erasure-not-acknowledged",
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_domain::RefusalCode;

    use super::*;

    #[test]
    fn every_message_begins_with_its_code() {
        let all = [
            Refused::Message(Refusal::new(RefusalCode::NotJson, "x")),
            Refused::TooManyMetrics { found: 65 },
            Refused::TooDeep,
            Refused::PathTooLong { found: 129 },
            Refused::InvalidPath,
            Refused::OutOfRange { metric: "m".to_owned() },
            Refused::TooLate,
        ];
        for refused in all {
            assert_eq!(refused.to_string(), format!("{}: {}", refused.code(), refused.detail()));
        }
    }
}
