//! Why an event or a request could not be dealt with this time.

use std::error::Error;
use std::fmt;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_iot::error::{ProvideErrorMetadata, SdkError};
use loam_dead_letters::NotKept;
use loam_runtime::{Class, Failure, sdk_class};
use loam_things::ThingsFailure;

/// A call to AWS that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// A profile was not read.
    ReadProfile,
    /// A profile or an entry was not written.
    WriteProfile,
    /// Allow and deny lists were not read.
    ReadLists,
    /// A row of the ledger was not read.
    ReadLedger,
    /// A row of the ledger was not written.
    WriteLedger,
    /// A certificate was not described.
    DescribeCertificate,
    /// A CA's certificate was not described.
    DescribeCa,
    /// A thing of the registry was not described.
    DescribeThing,
    /// A thing was not created in the registry.
    CreateThing,
    /// A thing did not join a group.
    JoinGroup,
    /// A certificate was not attached to its thing.
    AttachPrincipal,
    /// A policy was not attached to a certificate.
    AttachPolicy,
    /// A certificate's status was not changed.
    UpdateCertificate,
    /// A policy was not detached.
    DetachPolicy,
    /// A certificate was not detached from its thing.
    DetachPrincipal,
    /// Whether a device is connected is not known.
    GetConnection,
    /// A device was not disconnected.
    DeleteConnection,
    /// A notice was not published.
    Notify,
    /// A re-check was not sent to the queue.
    SendRecheck,
}

impl Call {
    /// The stable code of the failure.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ReadProfile => "profile-not-read",
            Self::WriteProfile => "profile-not-written",
            Self::ReadLists => "lists-not-read",
            Self::ReadLedger => "ledger-not-read",
            Self::WriteLedger => "ledger-not-written",
            Self::DescribeCertificate => "certificate-not-described",
            Self::DescribeCa => "ca-not-described",
            Self::DescribeThing => "thing-not-described",
            Self::CreateThing => "thing-not-created",
            Self::JoinGroup => "group-not-joined",
            Self::AttachPrincipal => "principal-not-attached",
            Self::AttachPolicy => "policy-not-attached",
            Self::UpdateCertificate => "certificate-not-updated",
            Self::DetachPolicy => "policy-not-detached",
            Self::DetachPrincipal => "principal-not-detached",
            Self::GetConnection => "connection-not-read",
            Self::DeleteConnection => "connection-not-deleted",
            Self::Notify => "notice-not-sent",
            Self::SendRecheck => "recheck-not-sent",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ReadProfile => "a CA's profile was not read",
            Self::WriteProfile => "a CA's profile or list was not written",
            Self::ReadLists => "a CA's lists were not read",
            Self::ReadLedger => "a certificate's row was not read",
            Self::WriteLedger => "a certificate's row was not written",
            Self::DescribeCertificate => "the certificate was not described",
            Self::DescribeCa => "the CA's certificate was not described",
            Self::DescribeThing => "the registry was not asked for the thing",
            Self::CreateThing => "the registry did not take the thing: does the profile's thingType exist?",
            Self::JoinGroup => "the thing did not join its group: do the profile's groups exist?",
            Self::AttachPrincipal => "the certificate was not attached: is it attached to another thing?",
            Self::AttachPolicy => "the device policy was not attached",
            Self::UpdateCertificate => "the certificate's status was not changed",
            Self::DetachPolicy => "the device policy was not detached",
            Self::DetachPrincipal => "the certificate was not detached from its thing",
            Self::GetConnection => "whether the device is connected is not known",
            Self::DeleteConnection => "the device was not disconnected",
            Self::Notify => "the security notice was not published",
            Self::SendRecheck => "the re-check was not sent",
        })
    }
}

/// Why an event or a request could not be dealt with this time; an event is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum JitrFailure {
    /// AWS did not do what was asked.
    #[error("{call}")]
    Call {
        /// What was asked.
        call: Call,
        /// What kind of failure it is.
        class: Class,
        /// What the SDK says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Another run works on this certificate.
    #[error("another run works on this certificate")]
    LeaseHeld,
    /// Another run took over.
    #[error("another run took over this certificate")]
    LeaseLost,
    /// Others claimed the name each time that we tried.
    #[error("others were faster each time that the name was claimed")]
    Contended,
    /// A row is none that this function writes.
    #[error("a row is none of this function's")]
    BadRow,
    /// DynamoDB left entries of the lists unread each time.
    #[error("a CA's lists were not read: DynamoDB left entries out each time")]
    ListsLeftUnread,
    /// AWS's copy of a CA's certificate cannot be read.
    #[error("the CA's certificate cannot be read")]
    UnreadableCa,
    /// The event names another CA than the certificate's description.
    #[error("the event names another CA than the certificate's description")]
    OtherCa,
    /// AWS answered without a field that it documents.
    #[error("AWS's answer lacks a field")]
    Incomplete,
    /// What was revoked can still be reached.
    #[error("the device is still connected after {attempts} looks")]
    StillConnected {
        /// How often we looked.
        attempts: u8,
    },
    /// The thing's record was not read or written.
    #[error("the thing's record")]
    Thing(#[from] ThingsFailure),
    /// A request lacks a field that DynamoDB needs.
    #[error("the keys cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// A message of ours could not be written as JSON.
    #[error("a message cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    /// Work on a message panicked.
    #[error("the work on a message broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
}

impl JitrFailure {
    /// A call that failed, with its class. AWS IoT's control plane throttles with HTTP 400, so the code decides and not
    /// the status.
    pub(crate) fn call<E>(call: Call, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        Self::Call { call, class: sdk_class(&error), source: Box::new(error) }
    }
}

impl Failure for JitrFailure {
    fn class(&self) -> Class {
        match self {
            Self::Call { class, .. } => *class,
            Self::LeaseHeld | Self::LeaseLost | Self::Contended => Class::Conflict,
            Self::ListsLeftUnread => Class::Throttled,
            Self::StillConnected { .. } => Class::Unavailable,
            Self::OtherCa => Class::BadInput,
            Self::Thing(failure) => failure.class(),
            Self::NotKept(failure) => failure.class(),
            Self::BadRow
            | Self::UnreadableCa
            | Self::Incomplete
            | Self::Unbuildable(_)
            | Self::Unwritable(_)
            | Self::BrokeOff(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Call { call, .. } => call.code(),
            Self::LeaseHeld => "lease-held",
            Self::LeaseLost => "lease-lost",
            Self::Contended => "name-contended",
            Self::BadRow => "bad-row",
            Self::ListsLeftUnread => "lists-not-read",
            Self::UnreadableCa => "ca-unreadable",
            Self::OtherCa => "other-ca",
            Self::Incomplete => "incomplete-answer",
            Self::StillConnected { .. } => "still-connected",
            Self::Thing(failure) => failure.code(),
            Self::Unbuildable(_) => "unbuildable-request",
            Self::Unwritable(_) => "unwritable-message",
            Self::BrokeOff(_) => "broke-off",
            Self::NotKept(failure) => failure.code(),
        }
    }
}
