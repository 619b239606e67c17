use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure};
use loam_things::ThingsFailure;

use crate::store::StoreFailure;

/// Why a message could not be dealt with this time; it comes again.
#[derive(Debug, thiserror::Error)]
pub enum SagaFailure {
    /// The rows of pairing were not read or written.
    #[error("the rows of pairing did not answer")]
    Store(#[from] StoreFailure),
    /// The thing's record was not read or changed.
    #[error("the record of the thing did not answer")]
    Things(#[from] ThingsFailure),
    /// The operating system gives no random bytes.
    #[error("no random bytes for the salt of a code")]
    NoRandomness,
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// Work on a message panicked.
    #[error("the work on a message broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl Failure for SagaFailure {
    fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            Self::Things(error) => error.class(),
            Self::NoRandomness | Self::BrokeOff(_) => Class::Internal,
            Self::NotKept(error) => error.class(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Things(error) => error.code(),
            Self::NoRandomness => "no-randomness",
            Self::NotKept(error) => error.code(),
            Self::BrokeOff(_) => "broke-off",
        }
    }
}
