use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use loam_runtime::{Class, Failure, sdk_class};

use super::InvalidRules;

/// The tables did not do what was asked of them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer was faster.
    #[error("the alert state was changed by somebody else")]
    Conflict,
    /// A state, or a type's rules, could not be read.
    #[error("the table did not give the item")]
    Load(#[source] Box<SdkError<GetItemError>>),
    /// A state could not be written.
    #[error("the table did not take the alert state")]
    Save(#[source] Box<SdkError<PutItemError>>),
    /// A state and what enters the history with it could not be written.
    #[error("the table did not take the alert state and its history")]
    Transact(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// A transaction was cancelled for a reason that is no rival.
    #[error("the table cancelled the alert state and its history: {reason}")]
    Cancelled {
        /// DynamoDB's word.
        reason: String,
    },
    /// Rules of a scope could not be written.
    #[error("the table did not take the rules")]
    Write(#[source] Box<SdkError<UpdateItemError>>),
    /// Rules of a scope could not be deleted.
    #[error("the table did not delete the rules")]
    Delete(#[source] Box<SdkError<DeleteItemError>>),
    /// A request lacks a field that DynamoDB needs.
    #[error("an alert item cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// A thing's groups could not be read from its twin.
    #[error("a twin is none of the catalog's")]
    BadTwin(#[from] loam_things::BadRow),
    /// Rules could not be read.
    #[error("the table did not give the alert rules")]
    Rules(#[source] Box<SdkError<BatchGetItemError>>),
    /// The table answered with a part of the rules only.
    #[error("the table gave only a part of the alert rules: it asks to slow down")]
    PartOfRules,
    /// A query of the states, their index or the rules' failed.
    #[error("the table or its index did not answer a query")]
    Look(#[source] Box<SdkError<QueryError>>),
    /// What is remembered of a retiring thing was not erased.
    #[error("what is remembered of a retiring thing was not erased")]
    Erase(#[source] Box<SdkError<DeleteItemError>>),
    /// A thing's type was not noted.
    #[error("the table did not take a thing's type")]
    Learn(#[source] Box<SdkError<UpdateItemError>>),
    /// An item lacks an attribute, or has it in another type.
    #[error("an alert item has no usable attribute `{0}`: somebody else wrote it; correct or delete it")]
    MissingField(&'static str),
    /// An item's JSON is not what it should be.
    #[error("an alert item holds JSON that is not understood: somebody else wrote it; correct or delete it")]
    Unreadable(#[source] serde_json::Error),
    /// An item holds a rule that would have been refused.
    #[error("an alert item holds a rule that is not valid: somebody else wrote it; correct or delete it")]
    Invalid(#[from] InvalidRules),
    /// A state cannot be written as JSON.
    #[error("an alert state cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

impl StoreError {
    /// Whether somebody else wrote the item before, or was about to in a transaction.
    pub(super) fn is_lost_condition(error: &SdkError<PutItemError>) -> bool {
        error.as_service_error().is_some_and(|error| {
            error.is_conditional_check_failed_exception() || error.is_transaction_conflict_exception()
        })
    }

    /// What a failed transaction on states is: [`StoreError::Conflict`] for a rival.
    /// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
    pub(super) fn of_transaction(error: SdkError<TransactWriteItemsError>) -> Self {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Self::Transact(Box::new(error));
        };
        let rival = |code: &str| ["None", "ConditionalCheckFailed", "TransactionConflict"].contains(&code);
        let mut codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None"));
        codes.find(|code| !rival(code)).map_or(Self::Conflict, |other| Self::Cancelled { reason: other.to_owned() })
    }
}

/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn class_of(reason: &str) -> Class {
    match reason {
        "ThrottlingError" | "ProvisionedThroughputExceeded" => Class::Throttled,
        _ => Class::Internal,
    }
}

impl Failure for StoreError {
    fn class(&self) -> Class {
        match self {
            Self::Conflict => Class::Conflict,
            Self::Load(error) => sdk_class(error),
            Self::Save(error) => sdk_class(error),
            Self::Transact(error) => sdk_class(error),
            Self::Write(error) => sdk_class(error),
            Self::Delete(error) => sdk_class(error),
            Self::Cancelled { reason } => class_of(reason),
            Self::Rules(error) => sdk_class(error),
            Self::Look(error) => sdk_class(error),
            Self::Erase(error) => sdk_class(error),
            Self::Learn(error) => sdk_class(error),
            Self::PartOfRules => Class::Throttled,
            Self::MissingField(_)
            | Self::Unreadable(_)
            | Self::Invalid(_)
            | Self::Unwritable(_)
            | Self::BadTwin(_)
            | Self::Unbuildable(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Conflict => "alert-state-contended",
            Self::Load(_) | Self::Rules(_) | Self::PartOfRules | Self::Look(_) => "alert-table-not-read",
            Self::Save(_) | Self::Transact(_) | Self::Cancelled { .. } | Self::Unwritable(_) => "alert-state-not-saved",
            Self::Write(_) | Self::Delete(_) => "alert-rules-not-written",
            Self::Unbuildable(_) => "unbuildable-request",
            Self::BadTwin(_) => "bad-twin-row",
            Self::Erase(_) => "alert-items-not-erased",
            Self::Learn(_) => "thing-type-not-noted",
            Self::MissingField(_) | Self::Unreadable(_) | Self::Invalid(_) => "alert-item-invalid",
        }
    }
}
