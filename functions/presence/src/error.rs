//! Why a message, or what is asked, cannot be dealt with: one code each, stable for alarms and dead letters.

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_iotdataplane::operation::get_connection::GetConnectionError;
use aws_sdk_iotdataplane::operation::get_thing_shadow::GetThingShadowError;
use aws_sdk_iotdataplane::operation::update_thing_shadow::UpdateThingShadowError;
use loam_dead_letters::NotKept;
use loam_domain::Refusal;
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};
use loam_things::ThingsFailure;

/// A refused message. `Display` names fields, never their values: it goes into logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What the vocabulary of all functions refuses: bytes, JSON, topic.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// The payload is JSON, and no event of AWS IoT about a client.
    #[error(
        "not-a-life-cycle-event: expected clientId, timestamp, eventType, sessionIdentifier and versionNumber as AWS IoT \
         sends them"
    )]
    NotALifeCycleEvent,
    /// The payload says something else than its topic.
    #[error(
        "contradictory-event: expected the topic's clientId and eventType, a versionNumber of 0 or more, and a timestamp \
         that is not an hour ahead of its arrival"
    )]
    Contradictory,
    /// The will says nothing of a connection.
    #[error("not-a-will: expected state.reported.connected as true or false, or as one of these words")]
    NotAWill,
    /// A client published on another thing's topic.
    #[error("other-publisher: the topic's thing is not the client that published, expected its own lwt/{{thing}}")]
    OtherPublisher,
    /// A message of the topic of events that is no event.
    #[error("not-an-event: expected id, type, thing, at, epoch and data of an event")]
    NotAnEvent,
    /// A message of the queue that is no JSON.
    #[error("not-a-rule-message: the queue's message is not JSON, expected what a rule or the topic of events sends")]
    NotAMessage,
}

impl Refused {
    /// The stable code, for example `not-a-will`; the first word of the message.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::NotALifeCycleEvent => "not-a-life-cycle-event",
            Self::Contradictory => "contradictory-event",
            Self::NotAWill => "not-a-will",
            Self::OtherPublisher => "other-publisher",
            Self::NotAnEvent => "not-an-event",
            Self::NotAMessage => "not-a-rule-message",
        }
    }

    /// The sentence without the code.
    #[must_use]
    pub fn detail(&self) -> String {
        let text = self.to_string();
        text.strip_prefix(self.code()).and_then(|text| text.strip_prefix(": ")).unwrap_or(&text).to_owned()
    }
}

/// A row that this function cannot have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the attribute `{attribute}` is missing or no such value")]
pub struct BadRow {
    /// Which attribute.
    pub attribute: &'static str,
}

/// Why something could not be done this time; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum PresenceFailure {
    /// The row was not read.
    #[error("the presence of a thing was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// The row was not written.
    #[error("the presence of a thing was not written")]
    NotWritten(#[source] Box<SdkError<PutItemError>>),
    /// Row and event were not written.
    #[error("the presence of a thing and its event were not written")]
    NotTold(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// DynamoDB cancelled the transaction for a reason that is no rival of ours.
    #[error("the presence of a thing was not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// Others wrote the row, or the shadow, each time that we tried.
    #[error("the presence of a thing was not written: others were faster {tries} times")]
    Contended {
        /// How often we tried.
        tries: u32,
    },
    /// The history was not read.
    #[error("the history of a thing's presence was not read")]
    HistoryNotRead(#[source] Box<SdkError<QueryError>>),
    /// The history was not erased.
    #[error("the history of a thing's presence was not erased")]
    NotErased(#[source] Box<SdkError<BatchWriteItemError>>),
    /// DynamoDB left a part of the history for later, each time.
    #[error("a part of the history of a thing's presence was not erased: the table asks to slow down")]
    PartOfHistory,
    /// A row is none that this function writes.
    #[error("a row is none of presence")]
    BadRow(#[from] BadRow),
    /// A request lacks a field that DynamoDB needs.
    #[error("the row cannot be put into a request")]
    Unbuildable(#[from] BuildError),
    /// A row, an event or a shadow cannot be written as JSON.
    #[error("a row, an event or a shadow cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    /// The shadow was not read.
    #[error("the shadow was not read")]
    ShadowNotRead(#[source] Box<SdkError<GetThingShadowError>>),
    /// The shadow was not written.
    #[error("the shadow was not written")]
    ShadowNotWritten(#[source] Box<SdkError<UpdateThingShadowError>>),
    /// The shadow is no JSON with a version.
    #[error("the shadow is no document with a version, expected what AWS IoT answers")]
    BadShadow,
    /// AWS IoT did not say whether the client is there.
    #[error("AWS IoT did not say whether the client is connected")]
    Unknown(#[source] Box<SdkError<GetConnectionError>>),
    /// The record of the thing was not read or changed.
    #[error("the record of the thing did not answer")]
    Things(#[from] ThingsFailure),
    /// A refused message could not be kept.
    #[error("a refused message was not kept")]
    NotKept(#[from] NotKept),
    /// Work on a message panicked.
    #[error("the work on a message broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

impl Failure for PresenceFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::NotTold(error) => sdk_class(error),
            Self::HistoryNotRead(error) => sdk_class(error),
            Self::NotErased(error) => sdk_class(error),
            Self::ShadowNotRead(error) => sdk_class(error),
            Self::ShadowNotWritten(error) => sdk_class(error),
            Self::Unknown(error) => sdk_class(error),
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::Contended { .. } => Class::Conflict,
            Self::PartOfHistory => Class::Throttled,
            Self::BadRow(_) | Self::Unbuildable(_) | Self::Unwritable(_) | Self::BadShadow | Self::BrokeOff(_) => {
                Class::Internal
            }
            Self::Things(error) => error.class(),
            Self::NotKept(error) => error.class(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) => "presence-not-read",
            Self::NotWritten(_) | Self::NotTold(_) | Self::Cancelled { .. } => "presence-not-written",
            Self::Contended { .. } => "presence-contended",
            Self::HistoryNotRead(_) => "presence-history-not-read",
            Self::NotErased(_) | Self::PartOfHistory => "presence-not-erased",
            Self::BadRow(_) => "bad-presence-row",
            Self::Unbuildable(_) | Self::Unwritable(_) => "unbuildable-request",
            Self::ShadowNotRead(_) => "shadow-not-read",
            Self::ShadowNotWritten(_) => "shadow-not-written",
            Self::BadShadow => "bad-shadow",
            Self::Unknown(_) => "connection-unknown",
            Self::Things(error) => error.code(),
            Self::NotKept(error) => error.code(),
            Self::BrokeOff(_) => "broke-off",
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_domain::RefusalCode;

    use super::*;

    #[test]
    fn every_message_begins_with_its_code() {
        let all = [
            Refused::Message(Refusal::new(RefusalCode::NotJson, "x")),
            Refused::NotALifeCycleEvent,
            Refused::Contradictory,
            Refused::NotAWill,
            Refused::OtherPublisher,
            Refused::NotAnEvent,
            Refused::NotAMessage,
        ];
        for refused in all {
            assert_eq!(refused.to_string(), format!("{}: {}", refused.code(), refused.detail()));
        }
    }
}
