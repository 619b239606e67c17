use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use loam_runtime::{Class, Failure, sdk_class};

use super::InvalidRule;

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
    /// Rules could not be read.
    #[error("the table did not give the alert rules")]
    Rules(#[source] Box<SdkError<BatchGetItemError>>),
    /// The table answered with a part of the rules only.
    #[error("the table gave only a part of the alert rules: it asks to slow down")]
    PartOfRules,
    /// The index could not be read.
    #[error("the index of overdue readings did not answer")]
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
    Invalid(#[from] InvalidRule),
    /// A state cannot be written as JSON.
    #[error("an alert state cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

impl StoreError {
    pub(super) fn is_lost_condition(error: &SdkError<PutItemError>) -> bool {
        error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception)
    }
}

impl Failure for StoreError {
    fn class(&self) -> Class {
        match self {
            Self::Conflict => Class::Conflict,
            Self::Load(error) => sdk_class(error),
            Self::Save(error) => sdk_class(error),
            Self::Rules(error) => sdk_class(error),
            Self::Look(error) => sdk_class(error),
            Self::Erase(error) => sdk_class(error),
            Self::Learn(error) => sdk_class(error),
            Self::PartOfRules => Class::Throttled,
            Self::MissingField(_) | Self::Unreadable(_) | Self::Invalid(_) | Self::Unwritable(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Conflict => "alert-state-contended",
            Self::Load(_) | Self::Rules(_) | Self::PartOfRules | Self::Look(_) => "alert-table-not-read",
            Self::Save(_) | Self::Unwritable(_) => "alert-state-not-saved",
            Self::Erase(_) => "alert-items-not-erased",
            Self::Learn(_) => "thing-type-not-noted",
            Self::MissingField(_) | Self::Unreadable(_) | Self::Invalid(_) => "alert-item-invalid",
        }
    }
}
