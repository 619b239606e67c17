use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use loam_runtime::{Class, Failure, sdk_class};

/// Why what all routes share could not be done.
#[derive(Debug, thiserror::Error)]
pub enum HttpFailure {
    /// A row was not read.
    #[error("a row of the table of HTTP was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// A row was not written.
    #[error("a row of the table of HTTP was not written")]
    NotWritten(#[source] Box<SdkError<PutItemError>>),
    /// An answer was not stored.
    #[error("an answer was not stored")]
    NotStored(#[source] Box<SdkError<UpdateItemError>>),
    /// The row of a run that failed was not removed.
    #[error("the row of a run that failed was not removed")]
    NotRemoved(#[source] Box<SdkError<DeleteItemError>>),
    /// A row is none that this crate writes.
    #[error("a row of the table of HTTP is none of this crate's: {0}")]
    BadRow(&'static str),
    /// The machine gave no random bytes.
    #[error("no random bytes for a key")]
    NoRandomness,
    /// A position cannot be written as JSON.
    #[error("a position cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    /// A response's body broke off, or is larger than a row holds.
    #[error("an answer cannot be kept")]
    Unkeepable(#[source] axum::Error),
}

impl Failure for HttpFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::NotStored(error) => sdk_class(error),
            Self::NotRemoved(error) => sdk_class(error),
            Self::BadRow(_) | Self::NoRandomness | Self::Unwritable(_) | Self::Unkeepable(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) => "http-row-not-read",
            Self::NotWritten(_) => "http-row-not-written",
            Self::NotStored(_) => "answer-not-stored",
            Self::NotRemoved(_) => "http-row-not-removed",
            Self::BadRow(_) => "bad-http-row",
            Self::NoRandomness => "no-randomness",
            Self::Unwritable(_) => "unwritable-position",
            Self::Unkeepable(_) => "unkeepable-answer",
        }
    }
}
