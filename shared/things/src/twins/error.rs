use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::scan::ScanError;
use loam_runtime::{Class, Failure, sdk_class};

use crate::BadRow;

/// Why twins could not be read this time.
#[derive(Debug, thiserror::Error)]
pub enum TwinsFailure {
    /// One was not read.
    #[error("a twin was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// Several were not read.
    #[error("a batch of twins was not read")]
    BatchNotRead(#[source] Box<SdkError<BatchGetItemError>>),
    /// DynamoDB left some of a batch undone each time.
    #[error("a part of a batch of twins was not read in {tries} tries")]
    LeftUndone {
        /// How often it was asked.
        tries: u32,
    },
    /// The fleet was not read.
    #[error("the twins of the fleet were not read")]
    NotScanned(#[source] Box<SdkError<ScanError>>),
    /// A row is none of the catalog's.
    #[error("a row of twins is none of the catalog's")]
    BadRow(#[from] BadRow),
    /// A request lacks a field that DynamoDB needs.
    #[error("the names cannot be put into a request")]
    Unbuildable(#[from] BuildError),
}

impl Failure for TwinsFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::BatchNotRead(error) => sdk_class(error),
            Self::NotScanned(error) => sdk_class(error),
            Self::LeftUndone { .. } => Class::Throttled,
            Self::BadRow(_) | Self::Unbuildable(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) | Self::BatchNotRead(_) | Self::LeftUndone { .. } => "twin-not-read",
            Self::NotScanned(_) => "twins-not-scanned",
            Self::BadRow(_) => "bad-twin-row",
            Self::Unbuildable(_) => "unbuildable-request",
        }
    }
}
