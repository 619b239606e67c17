use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure, sdk_class};

use crate::notices::NotSent;
use crate::smart::StoreError;

/// Why a message could not be dealt with; it is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum AlertFailure {
    /// A notice did not go out.
    #[error("a notice was not sent")]
    NotSent(#[from] NotSent),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// A table of smart mode failed.
    #[error("the alert state could not be brought up to date")]
    Store(#[from] StoreError),
}

impl Failure for AlertFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotSent(NotSent::Call(error)) => sdk_class(error),
            Self::NotSent(NotSent::Unbuildable(_) | NotSent::Entry { ours: true, .. }) => Class::Internal,
            Self::NotSent(NotSent::Entry { ours: false, .. }) => Class::Unavailable,
            Self::NotKept(error) => error.class(),
            Self::Store(error) => error.class(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "notice-not-sent",
            Self::NotKept(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}
