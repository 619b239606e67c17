//! Why something cannot be done this time.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_iot::operation::describe_certificate::DescribeCertificateError;
use aws_sdk_sns::operation::subscribe::SubscribeError;
use loam_access::AccessFailure;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_things::ThingsFailure;

/// Why pairing could not do something this time.
#[derive(Debug, thiserror::Error)]
pub enum PairingFailure {
    /// A row was not read.
    #[error("a row was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// A person's claims were not read.
    #[error("a person's claims were not read")]
    NotListed(#[source] Box<SdkError<QueryError>>),
    /// A row was not written; or it was, and the answer was lost.
    #[error("a row was not written")]
    NotWritten(#[source] Box<SdkError<PutItemError>>),
    /// A row was not deleted.
    #[error("a row was not deleted")]
    NotDeleted(#[source] Box<SdkError<DeleteItemError>>),
    /// A tenancy was not written, nor anything with it; or it was, and the answer was lost.
    #[error("a tenancy was not written")]
    NotTransacted(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// DynamoDB cancelled the transaction for a reason that is no rival of ours.
    #[error("a tenancy was not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Others wrote the same row each time that we tried.
    #[error("others were faster {tries} times")]
    Contended {
        /// How often we tried.
        tries: u32,
    },
    /// A row of the table is none that this capability writes.
    #[error("a row of the kind `{kind}` cannot be read")]
    BadRow {
        /// What it should be.
        kind: &'static str,
    },
    /// A row cannot be written as JSON.
    #[error("a row cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    /// A request lacks a field that DynamoDB needs.
    #[error("a row cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// The thing's record was not read or written.
    #[error("the thing's record was not read or written")]
    Thing(#[from] ThingsFailure),
    /// Memberships were not read.
    #[error("memberships were not read")]
    Access(#[from] AccessFailure),
    /// The record refuses what the tenancy allows: the two do not agree.
    #[error("the thing's record refuses it: {why}")]
    RecordRefused {
        /// The record's code.
        why: &'static str,
    },
    /// A certificate was not read: nothing is known of the device's signature.
    #[error("a certificate was not read")]
    NotDescribed(#[source] Box<SdkError<DescribeCertificateError>>),
    /// A mailbox was not subscribed.
    #[error("a mailbox was not subscribed")]
    NotSubscribed(#[source] Box<SdkError<SubscribeError>>),
    /// The operating system gives no random bytes.
    #[error("no random bytes")]
    NoRandomness,
}

impl Failure for PairingFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotListed(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::NotDeleted(error) => sdk_class(error),
            Self::NotTransacted(error) => sdk_class(error),
            Self::NotDescribed(error) => sdk_class(error),
            Self::NotSubscribed(error) => sdk_class(error),
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::Thing(error) => error.class(),
            Self::Access(error) => error.class(),
            Self::BadRow { .. }
            | Self::Unwritable(_)
            | Self::Unbuildable(_)
            | Self::RecordRefused { .. }
            | Self::NoRandomness => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) => "pairing-not-read",
            Self::NotListed(_) => "claims-not-read",
            Self::NotWritten(_) | Self::NotDeleted(_) => "pairing-not-written",
            Self::NotTransacted(_) | Self::Cancelled { .. } => "tenancy-not-written",
            Self::Contended { .. } => "pairing-contended",
            Self::BadRow { .. } => "bad-pairing-row",
            Self::Unwritable(_) | Self::Unbuildable(_) => "unbuildable-request",
            Self::Thing(error) => error.code(),
            Self::Access(error) => error.code(),
            Self::RecordRefused { .. } => "record-refuses",
            Self::NotDescribed(_) => "certificate-not-read",
            Self::NotSubscribed(_) => "mailbox-not-subscribed",
            Self::NoRandomness => "no-randomness",
        }
    }
}
