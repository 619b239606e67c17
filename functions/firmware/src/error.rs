//! Why something cannot be done: one code each, stable for alarms and dead letters.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_sealed_keys::KeyFailure;
use loam_things::ThingsFailure;
use loam_things::twins::TwinsFailure;

/// What was asked of a service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Asked {
    /// To read a row.
    #[error("a row was not read")]
    Read,
    /// To list rows.
    #[error("rows were not listed")]
    List,
    /// To write rows.
    #[error("rows were not written")]
    Write,
    /// For the next number of a manifest.
    #[error("no number was drawn for a manifest")]
    Number,
    /// For a signature.
    #[error("a manifest was not signed")]
    Sign,
    /// For the public key.
    #[error("the public key was not read")]
    PublicKey,
    /// To read an object.
    #[error("an object was not read")]
    ReadObject,
    /// To write an object.
    #[error("an object was not written")]
    WriteObject,
    /// For a URL.
    #[error("no URL was made")]
    Url,
    /// To put a message into a queue.
    #[error("a message was not put into the queue")]
    Send,
    /// To read or write a shadow.
    #[error("a shadow was not read or written")]
    Shadow,
    /// To create, look at or cancel a job.
    #[error("a job was not created, looked at or cancelled")]
    Job,
}

/// What went wrong while a message or a request was dealt with.
#[derive(Debug, thiserror::Error)]
pub enum FirmwareFailure {
    /// A service did not do it.
    #[error("{asked}")]
    Service {
        /// What was asked of it.
        asked: Asked,
        /// How it is dealt with.
        class: Class,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A transaction was cancelled for a reason that is no rival.
    #[error("rows were not written: {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Others were faster, each time.
    #[error("rows were not written: others were faster, {tries} times")]
    Contended {
        /// How often.
        tries: u32,
    },
    /// A row is none that this function writes.
    #[error("a row is none of this function's: {0}")]
    BadRow(&'static str),
    /// An object is none that this function writes.
    #[error("an object is none of this function's: {0}")]
    BadObject(&'static str),
    /// An object was not read to its end.
    #[error("an object was not read to its end")]
    Cut,
    /// There is no key of a sealed image.
    #[error("a key of a sealed image was not made or opened")]
    Keys(#[from] KeyFailure),
    /// An image cannot be sealed, through no fault of its own.
    #[error("the encrypted format refused what cannot be refused")]
    Format(#[from] loam_sealed::Error),
    /// What KMS signed does not verify under its own public key, or that is no key on P-256.
    #[error("what KMS signed is not proven: {0}")]
    NotProven(&'static str),
    /// A request lacks a field that its service needs.
    #[error("a row cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// What is to be written cannot be JSON.
    #[error("what is to be written cannot be JSON")]
    Unwritable(#[from] serde_json::Error),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// A thing's record was not read or written.
    #[error("a thing's record was not read or written")]
    Things(#[from] ThingsFailure),
    /// Twins were not read.
    #[error("twins were not read")]
    Twins(#[from] TwinsFailure),
    /// A message was not handed to a device, through no fault of its own.
    #[error("a message was not handed to a device")]
    NotHandedOver(Class),
    /// Work panicked.
    #[error("the work broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl FirmwareFailure {
    /// What a service's error is for us.
    pub(crate) fn service<E>(asked: Asked, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Self::Service { asked, class: sdk_class(&error), source: Box::new(error) }
    }

    /// As [`FirmwareFailure::service`], for S3, whose words for what is not there are its own.
    pub(crate) fn object<E>(asked: Asked, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let class = match error.code() {
            Some("NoSuchKey" | "NoSuchVersion" | "NotFound") => Class::NotFound,
            Some("PreconditionFailed" | "ConditionalRequestConflict") => Class::Conflict,
            _ => sdk_class(&error),
        };
        Self::Service { asked, class, source: Box::new(error) }
    }
}

impl Failure for FirmwareFailure {
    fn class(&self) -> Class {
        match self {
            Self::Service { class, .. } | Self::NotHandedOver(class) => *class,
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::Cut => Class::Unavailable,
            Self::Keys(error) => error.class(),
            Self::NotKept(error) => error.class(),
            Self::Things(error) => error.class(),
            Self::Twins(error) => error.class(),
            Self::BadRow(_) | Self::BadObject(_) | Self::NotProven(_) | Self::Unbuildable(_) => Class::Internal,
            Self::Unwritable(_) | Self::BrokeOff(_) | Self::Format(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Service { asked, .. } => asked.code(),
            Self::Cancelled { .. } => "firmware-rows-not-written",
            Self::Contended { .. } => "firmware-contended",
            Self::BadRow(_) => "bad-row",
            Self::BadObject(_) => "bad-object",
            Self::Cut => "object-cut",
            Self::Keys(error) => error.code(),
            Self::Format(_) => "format-failed",
            Self::NotProven(_) => "signature-not-proven",
            Self::Unbuildable(_) | Self::Unwritable(_) => "unbuildable-request",
            Self::NotKept(error) => error.code(),
            Self::Things(error) => error.code(),
            Self::Twins(error) => error.code(),
            Self::NotHandedOver(_) => "not-handed-over",
            Self::BrokeOff(_) => "broke-off",
        }
    }
}

impl Asked {
    const fn code(self) -> &'static str {
        match self {
            Self::Read => "firmware-row-not-read",
            Self::List => "firmware-rows-not-listed",
            Self::Write => "firmware-rows-not-written",
            Self::Number => "sequence-not-drawn",
            Self::Sign => "manifest-not-signed",
            Self::PublicKey => "public-key-not-read",
            Self::ReadObject => "object-not-read",
            Self::WriteObject => "object-not-written",
            Self::Url => "url-not-made",
            Self::Send => "work-not-asked-for",
            Self::Shadow => "shadow-failed",
            Self::Job => "job-failed",
        }
    }
}
