//! Who listens where: the rows of people's identities, and whose a thing is.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{Class, Failure, cancelled_class, sdk_class};

use crate::people::UserId;
use crate::relay::{IdentityId, LIVE_MILLIS, Mailbox};
use crate::tenancy::Tenancy;

type Item = HashMap<String, AttributeValue>;

/// The sort key of both rows of an identity.
const IDENTITY: &str = "identity";
/// So long after its mailbox is filled no more an identity's rows are kept: a day, in milliseconds.
const KEPT_MILLIS: i64 = 86_400_000;
/// How often a part of a read that DynamoDB left over, or a write that met another, is tried.
const MOST_TRIES: u32 = 5;

/// The rows of the table of pairings that live access needs.
#[derive(Debug, Clone)]
pub struct Listeners {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// Why the rows did not answer this time.
#[derive(Debug, thiserror::Error)]
pub enum ListenerFailure {
    /// The tenancy was not read.
    #[error("a tenancy was not read")]
    NotRead(#[source] Box<SdkError<GetItemError>>),
    /// The identities were not read.
    #[error("identities were not read")]
    NotListed(#[source] Box<SdkError<BatchGetItemError>>),
    /// DynamoDB left a part of the identities for later, each time.
    #[error("a part of the identities was not read: the table asks to slow down")]
    PartOfIdentities,
    /// An identity was not written; or it was, and the answer was lost.
    #[error("an identity was not written")]
    NotWritten(#[source] Box<SdkError<TransactWriteItemsError>>),
    /// The transaction was cancelled for a reason that is no rival of ours.
    #[error("an identity was not written: the transaction was cancelled with {reason}")]
    Cancelled {
        /// DynamoDB's code.
        reason: String,
    },
    /// The identity is known as somebody else's. Cognito gives each person an identity of their own.
    #[error("the identity is another person's")]
    AnothersIdentity,
    /// A row is none that this capability writes.
    #[error("a row of the kind `{kind}` cannot be read")]
    BadRow {
        /// What it should be.
        kind: &'static str,
    },
    /// A request lacks a field that DynamoDB needs.
    #[error("a row cannot be put into a request")]
    Unbuildable(#[from] BuildError),
}

impl Failure for ListenerFailure {
    fn class(&self) -> Class {
        match self {
            Self::NotRead(error) => sdk_class(error),
            Self::NotListed(error) => sdk_class(error),
            Self::NotWritten(error) => sdk_class(error),
            Self::PartOfIdentities => Class::Throttled,
            Self::Cancelled { reason } => cancelled_class(reason),
            Self::AnothersIdentity | Self::BadRow { .. } | Self::Unbuildable(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotRead(_) => "tenancy-not-read",
            Self::NotListed(_) | Self::PartOfIdentities => "identities-not-read",
            Self::NotWritten(_) | Self::Cancelled { .. } => "identity-not-written",
            Self::AnothersIdentity => "anothers-identity",
            Self::BadRow { .. } => "bad-pairing-row",
            Self::Unbuildable(_) => "unbuildable-request",
        }
    }
}

impl Listeners {
    /// The mailboxes in the table of pairings `table`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// Remembers that `user` listens as `identity`, from `now` for as long as credentials of now can.
    ///
    /// # Errors
    /// [`ListenerFailure`].
    pub async fn open(&self, user: &UserId, identity: &IdentityId, now: Timestamp) -> Result<(), ListenerFailure> {
        let mut tries = 1;
        loop {
            let items = self.rows(user, identity, now.plus_millis(LIVE_MILLIS))?;
            let sent = self.client.transact_write_items().set_transact_items(Some(items.into())).send().await;
            match sent.map_err(|error| reason(error)) {
                Ok(_) => return Ok(()),
                Err(ListenerFailure::Cancelled { reason }) if reason == "TransactionConflict" && tries < MOST_TRIES => {
                    tokio::time::sleep(Duration::from_millis(20_u64 << tries)).await;
                    tries += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn rows(
        &self,
        user: &UserId,
        identity: &IdentityId,
        until: Timestamp,
    ) -> Result<[TransactWriteItem; 2], BuildError> {
        let with = |mut row: Item, name: &str, value: &str| {
            row.insert(name.to_owned(), text(value));
            row.insert("liveUntil".to_owned(), number(until.as_millis()));
            row.insert("expireAt".to_owned(), number(until.plus_millis(KEPT_MILLIS).as_secs()));
            Put::builder().table_name(&self.table).set_item(Some(row))
        };
        let of_user = with(key(&person(user)), "identityId", identity.as_str()).build()?;
        let of_identity = with(key(&format!("identity#{identity}")), "user", user.as_str())
            .condition_expression("attribute_not_exists(thing) OR #user = :user")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", text(user.as_str()));
        let put = |put| TransactWriteItem::builder().put(put).build();
        Ok([put(of_user), put(of_identity.build()?)])
    }

    /// The mailboxes of those of `users` who have one, as they are now.
    ///
    /// # Errors
    /// [`ListenerFailure`].
    pub async fn of(&self, users: impl Iterator<Item = &UserId>) -> Result<BTreeMap<UserId, Mailbox>, ListenerFailure> {
        let (mut wanted, mut found, mut tries) = (users.map(|user| key(&person(user))).collect::<Vec<_>>(), vec![], 0);
        while !wanted.is_empty() {
            if tries == MOST_TRIES {
                return Err(ListenerFailure::PartOfIdentities);
            }
            if tries > 0 {
                tokio::time::sleep(Duration::from_millis(20_u64 << tries)).await;
            }
            let ask = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build()?;
            let answer = self.client.batch_get_item().request_items(&self.table, ask).send().await;
            let answer = answer.map_err(|error| ListenerFailure::NotListed(Box::new(error)))?;
            found.extend(answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default());
            let left = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
            wanted = left.map(|left| left.keys).unwrap_or_default();
            tries += 1;
        }
        found.iter().map(mailbox_of).collect()
    }

    /// Whose the thing is, as it is now; `None` for one that never was anybody's.
    ///
    /// # Errors
    /// [`ListenerFailure`].
    pub async fn tenancy(&self, thing: &ThingName) -> Result<Option<Tenancy>, ListenerFailure> {
        let ask = self.client.get_item().table_name(&self.table).consistent_read(true);
        let ask = ask.key("thing", text(thing.as_str())).key("item", text("tenancy"));
        let answer = ask.send().await.map_err(|error| ListenerFailure::NotRead(Box::new(error)))?;
        let Some(item) = answer.item else { return Ok(None) };
        let bad = || ListenerFailure::BadRow { kind: "tenancy" };
        let row = item.get("row").and_then(|value| value.as_s().ok()).ok_or_else(bad)?;
        serde_json::from_str(row).map(Some).map_err(|_| bad())
    }
}

fn person(user: &UserId) -> String {
    format!("user#{user}")
}

/// A person's mailbox, of their row.
fn mailbox_of(item: &Item) -> Result<(UserId, Mailbox), ListenerFailure> {
    let read = || {
        let word = |name| item.get(name)?.as_s().ok();
        let user = UserId::parse(word("thing")?.strip_prefix("user#")?).ok()?;
        let identity = IdentityId::parse(word("identityId")?).ok()?;
        let until = item.get("liveUntil")?.as_n().ok()?.parse().ok()?;
        Some((user, Mailbox { identity, live_until: Timestamp::from_millis(until) }))
    };
    read().ok_or(ListenerFailure::BadRow { kind: IDENTITY })
}

/// Why a transaction of an identity's two rows did not happen. Only the second has a condition.
fn reason(error: SdkError<TransactWriteItemsError>) -> ListenerFailure {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return ListenerFailure::NotWritten(Box::new(error));
    };
    let mut codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    match codes.find(|code| *code != "None") {
        Some("ConditionalCheckFailed") => ListenerFailure::AnothersIdentity,
        code => ListenerFailure::Cancelled { reason: code.unwrap_or("no reason").to_owned() },
    }
}

fn key(of: &str) -> Item {
    [("thing".to_owned(), text(of)), ("item".to_owned(), text(IDENTITY))].into()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
