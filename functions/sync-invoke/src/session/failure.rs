use aws_sdk_iotdataplane::error::BoxError;
use loam_runtime::{Class, Failure};

/// Why there is no session for the answers.
#[derive(Debug, thiserror::Error)]
pub enum SessionFailure {
    /// The function's credentials were not found.
    #[error("the function's credentials were not found")]
    NoCredentials(#[source] BoxError),
    /// The address could not be signed.
    #[error("the broker's address could not be signed")]
    Unsigned,
    /// The machine's root certificates cannot be read.
    #[error("the machine has no root certificates that can be used")]
    NoRoots,
    /// The connection could not be made, or ended before it was ready.
    #[error("the session for answers was not opened: {0}")]
    NotOpened(String),
    /// The broker did not grant the subscriptions.
    #[error("the broker did not grant the subscriptions for answers: the role lacks iot:Subscribe")]
    NotSubscribed,
}

impl Failure for SessionFailure {
    fn class(&self) -> Class {
        match self {
            Self::NoCredentials(_) | Self::Unsigned | Self::NoRoots => Class::Internal,
            Self::NotOpened(_) => Class::Unavailable,
            Self::NotSubscribed => Class::Forbidden,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoCredentials(_) => "no-credentials",
            Self::Unsigned => "address-not-signed",
            Self::NoRoots => "no-root-certificates",
            Self::NotOpened(_) => "session-not-opened",
            Self::NotSubscribed => "answers-not-subscribed",
        }
    }
}
