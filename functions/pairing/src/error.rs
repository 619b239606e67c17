//! Why a route cannot do something this time, beside what the store's own failures say.

use aws_sdk_iot::error::SdkError;
use aws_sdk_iot::operation::describe_certificate::DescribeCertificateError;
use aws_sdk_sns::operation::subscribe::SubscribeError;
use loam_runtime::{Class, Failure, sdk_class};

/// Why a route cannot do something this time.
#[derive(Debug, thiserror::Error)]
pub enum PairingFailure {
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
            Self::NotDescribed(error) => sdk_class(error),
            Self::NotSubscribed(error) => sdk_class(error),
            Self::NoRandomness => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotDescribed(_) => "certificate-not-read",
            Self::NotSubscribed(_) => "mailbox-not-subscribed",
            Self::NoRandomness => "no-randomness",
        }
    }
}
