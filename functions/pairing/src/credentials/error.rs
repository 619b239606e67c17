//! Why somebody gets no credentials this time.

use aws_sdk_cognitoidentity::error::SdkError;
use aws_sdk_cognitoidentity::operation::get_credentials_for_identity::GetCredentialsForIdentityError;
use aws_sdk_cognitoidentity::operation::get_id::GetIdError;
use aws_sdk_iot::operation::attach_policy::AttachPolicyError;
use loam_runtime::{Class, Failure, sdk_class};

use crate::store::StoreFailure;

/// Why the route for credentials fails.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsFailure {
    /// The identity pool does not take the token: its person was deleted or signed out everywhere, or it ran out meanwhile.
    #[error("the identity pool does not take the token: sign in again")]
    TokenRefused,
    /// The token's person has an id that the user pool does not give.
    #[error("the caller's id is no id of a person")]
    OddCaller,
    /// No identity was given.
    #[error("the identity pool gave no identity")]
    NoIdentity(#[source] Box<SdkError<GetIdError>>),
    /// The identity did not get its policy.
    #[error("the identity did not get its policy")]
    NotAttached(#[source] Box<SdkError<AttachPolicyError>>),
    /// It is not remembered who listens.
    #[error("it was not remembered who listens")]
    Store(#[from] StoreFailure),
    /// The identity is known as somebody else's; Cognito gives each person one of their own.
    #[error("the identity is another person's")]
    AnothersIdentity,
    /// Other requests of the same person were faster each time.
    #[error("who listens was written by others {tries} times")]
    Contended {
        /// How often we tried.
        tries: u32,
    },
    /// No credentials were given.
    #[error("the identity pool gave no credentials")]
    NoCredentials(#[source] Box<SdkError<GetCredentialsForIdentityError>>),
    /// An answer of the identity pool lacks what it must have.
    #[error("an answer of the identity pool lacks the identity, or a part of its key")]
    OddAnswer,
}

impl Failure for CredentialsFailure {
    fn class(&self) -> Class {
        match self {
            Self::TokenRefused => Class::BadInput,
            Self::NoIdentity(error) => sdk_class(error),
            Self::NotAttached(error) => sdk_class(error),
            Self::Store(error) => error.class(),
            Self::NoCredentials(error) => sdk_class(error),
            Self::Contended { .. } => Class::Conflict,
            Self::OddCaller | Self::AnothersIdentity | Self::OddAnswer => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TokenRefused => "token-refused",
            Self::OddCaller => "odd-caller",
            Self::NoIdentity(_) => "no-identity",
            Self::NotAttached(_) => "policy-not-attached",
            Self::Store(error) => error.code(),
            Self::AnothersIdentity => "anothers-identity",
            Self::Contended { .. } => "identity-contended",
            Self::NoCredentials(_) => "no-credentials",
            Self::OddAnswer => "odd-identity-answer",
        }
    }
}
