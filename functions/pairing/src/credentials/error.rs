//! Why somebody gets no credentials this time.

use aws_sdk_cognitoidentity::error::SdkError;
use aws_sdk_cognitoidentity::operation::get_credentials_for_identity::GetCredentialsForIdentityError;
use aws_sdk_cognitoidentity::operation::get_id::GetIdError;
use aws_sdk_iot::operation::attach_policy::AttachPolicyError;
use loam_runtime::{Class, Failure, sdk_class};

use crate::listeners::ListenerFailure;

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
    Listeners(#[from] ListenerFailure),
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
            Self::Listeners(error) => error.class(),
            Self::NoCredentials(error) => sdk_class(error),
            Self::OddCaller | Self::OddAnswer => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TokenRefused => "token-refused",
            Self::OddCaller => "odd-caller",
            Self::NoIdentity(_) => "no-identity",
            Self::NotAttached(_) => "policy-not-attached",
            Self::Listeners(error) => error.code(),
            Self::NoCredentials(_) => "no-credentials",
            Self::OddAnswer => "odd-identity-answer",
        }
    }
}
