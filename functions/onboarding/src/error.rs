use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure, sdk_class};
use loam_things::ThingsFailure;

/// Why an event could not be dealt with this time; it is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum OnboardingFailure {
    /// The thing's record was not read or written.
    #[error("the thing's record is not up to date")]
    Things(#[from] ThingsFailure),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// A call of AWS failed.
    #[error("{} failed", .0.call)]
    Call(#[from] CallFailed),
    /// A thing of ours is not in AWS IoT's registry: somebody deleted it there.
    #[error("the registry has no such thing although it is one of ours: create it again or retire it")]
    NotInRegistry,
    /// Others changed the registry's thing, or the shadow, each time that we tried.
    #[error("{what} was not written: others were faster {tries} times")]
    Contended {
        /// What was to be written.
        what: &'static str,
        /// How often we tried.
        tries: u32,
    },
    /// AWS IoT has not finished detaching a certificate from its thing.
    #[error("AWS IoT still takes a certificate for attached: detaching takes it some seconds")]
    StillAttached,
    /// The shadow's document is none.
    #[error("the shadow's document is not what AWS IoT documents")]
    NoShadowDocument,
    /// Work on an event panicked.
    #[error("the work on an event broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

/// One call that failed, without what was sent.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct CallFailed {
    /// Which operation, for example `UpdateThing`.
    pub call: &'static str,
    class: Class,
    source: Box<dyn Error + Send + Sync>,
}

impl CallFailed {
    /// The failure of the operation `call`.
    pub(crate) fn of<E>(call: &'static str, error: SdkError<E>) -> Self
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        Self { call, class: sdk_class(&error), source: Box::new(error) }
    }

    /// For [`Result::map_err`].
    pub(crate) fn named<E>(call: &'static str) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        move |error| Self::of(call, error)
    }
}

impl Failure for OnboardingFailure {
    fn class(&self) -> Class {
        match self {
            Self::Things(error) => error.class(),
            Self::NotKept(error) => error.class(),
            Self::Call(error) => error.class,
            Self::NotInRegistry => Class::NotFound,
            Self::Contended { .. } | Self::StillAttached => Class::Conflict,
            Self::NoShadowDocument | Self::BrokeOff(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Things(error) => error.code(),
            Self::NotKept(error) => error.code(),
            Self::Call(_) => "aws-call-failed",
            Self::NotInRegistry => "thing-not-in-registry",
            Self::Contended { .. } => "projection-contended",
            Self::StillAttached => "certificate-still-attached",
            Self::NoShadowDocument => "shadow-not-understood",
            Self::BrokeOff(_) => "broke-off",
        }
    }
}
