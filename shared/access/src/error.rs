use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use loam_runtime::{Class, Failure, sdk_class};
use loam_things::ThingsFailure;

/// Why it could not be found out what somebody may do.
#[derive(Debug, thiserror::Error)]
pub enum AccessFailure {
    /// A membership was not read.
    #[error("a membership was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// A person's memberships were not read.
    #[error("a person's memberships were not read")]
    NotListed(#[source] Box<SdkError<QueryError>>),
    /// A thing's members were not read.
    #[error("a thing's members were not read")]
    MembersNotRead(#[source] Box<SdkError<BatchGetItemError>>),
    /// Of a thing's members only some were read; asked again, there may be all of them.
    #[error("only some of a thing's members were read")]
    PartOfMembers,
    /// The request for a thing's members cannot be made.
    #[error("the request for a thing's members cannot be made")]
    Unbuildable(#[from] BuildError),
    /// A row of the table is no membership.
    #[error("a row of memberships is none: the attribute `{attribute}` is missing or no such value")]
    BadRow {
        /// Which attribute.
        attribute: &'static str,
    },
    /// The thing's record was not read.
    #[error("whether the thing exists is not known")]
    Thing(#[from] ThingsFailure),
}

impl Failure for AccessFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotListed(error) => sdk_class(error),
            Self::MembersNotRead(error) => sdk_class(error),
            Self::PartOfMembers => Class::Unavailable,
            Self::Unbuildable(_) | Self::BadRow { .. } => Class::Internal,
            Self::Thing(error) => error.class(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) => "membership-not-read",
            Self::NotListed(_) => "memberships-not-read",
            Self::MembersNotRead(_) | Self::PartOfMembers | Self::Unbuildable(_) => "members-not-read",
            Self::BadRow { .. } => "bad-membership-row",
            Self::Thing(error) => error.code(),
        }
    }
}
