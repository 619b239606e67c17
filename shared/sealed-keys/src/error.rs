use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::operation::generate_data_key::GenerateDataKeyError;
use loam_runtime::{Class, Failure, sdk_class};

use crate::NoHead;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFailure {
    /// `no-data-key`: KMS made none.
    #[error("no key was made")]
    NotMade(#[source] Box<SdkError<GenerateDataKeyError>>),
    /// `key-not-decrypted`: KMS did not decrypt it.
    #[error("a key was not decrypted")]
    NotDecrypted(#[source] Box<SdkError<DecryptError>>),
    /// `no-data-key`: what KMS gave is none.
    #[error("what KMS gave is no key of 32 bytes")]
    NoKey,
    /// `format-failed`: what is kept is no head.
    #[error("a key cannot be opened")]
    Head(#[from] NoHead),
    /// `no-random-bytes`.
    #[error("the system gave no random bytes")]
    NoRandom,
}

impl Failure for KeyFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotMade(error) => sdk_class(error),
            Self::NotDecrypted(error) => sdk_class(error),
            Self::NoKey | Self::Head(_) | Self::NoRandom => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotMade(_) | Self::NoKey => "no-data-key",
            Self::NotDecrypted(_) => "key-not-decrypted",
            Self::Head(_) => "format-failed",
            Self::NoRandom => "no-random-bytes",
        }
    }
}
