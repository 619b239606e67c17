//! Rows of PairingsTable: a key, what conditions look at, and the rest as one text of JSON, as `rows` (test) keeps it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PairingFailure;
use crate::token::ShareId;

/// A row, or its key.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The attribute that holds the row's structure.
pub(crate) const ROW: &str = "row";

/// Where a row lies: `thing` and `item`. No thing's name holds a `#`, so other keys do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    partition: String,
    item: String,
}

impl Key {
    fn new(partition: impl Into<String>, item: impl Into<String>) -> Self {
        Self { partition: partition.into(), item: item.into() }
    }

    /// Whose the thing is.
    pub(crate) fn tenancy(thing: &ThingName) -> Self {
        Self::new(thing.as_str(), "tenancy")
    }

    /// The device's window.
    pub(crate) fn window(thing: &ThingName) -> Self {
        Self::new(thing.as_str(), "window")
    }

    /// The hash of its printed code.
    pub(crate) fn code(thing: &ThingName) -> Self {
        Self::new(thing.as_str(), "code")
    }

    /// All people's attempts at the thing, be it that there is none.
    pub(crate) fn attempts_at(thing: &ThingName) -> Self {
        Self::new(thing.as_str(), "attempts")
    }

    /// An event of the tenancy's version.
    pub(crate) fn event(thing: &ThingName, at: Timestamp, version: u64) -> Self {
        Self::new(thing.as_str(), format!("event#{:013}#{version:010}", at.as_millis()))
    }

    /// The attempts of a person.
    pub(crate) fn attempts_of(user: &UserId) -> Self {
        Self::new(Self::person(user), "attempts")
    }

    /// A claim: under its user, so that nobody else can even address it.
    pub(crate) fn claim(user: &UserId, id: &ShareId) -> Self {
        Self::new(Self::person(user), format!("{CLAIM_PREFIX}{}", id.as_str()))
    }

    /// Where an invitation or an offer belongs.
    pub(crate) fn share(id: &ShareId) -> Self {
        Self::new(format!("share#{}", id.as_str()), "pointer")
    }

    /// The partition of a person's rows.
    pub(crate) fn person(user: &UserId) -> String {
        format!("user#{user}")
    }

    /// As DynamoDB takes it.
    pub(crate) fn attributes(&self) -> Item {
        HashMap::from([("thing".to_owned(), text(&self.partition)), ("item".to_owned(), text(&self.item))])
    }
}

/// What a claim's `item` begins with.
pub(crate) const CLAIM_PREFIX: &str = "claim#";

/// The row under `key` that holds `row`, with what conditions look at.
pub(crate) fn item<const N: usize>(
    key: &Key,
    row: &impl Serialize,
    further: [(&str, AttributeValue); N],
) -> Result<Item, PairingFailure> {
    let mut item = key.attributes();
    item.insert(ROW.to_owned(), text(&serde_json::to_string(row)?));
    item.extend(further.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Ok(item)
}

/// What a row of this kind holds.
pub(crate) fn row_of<T: DeserializeOwned>(item: &Item, kind: &'static str) -> Result<T, PairingFailure> {
    let text = item.get(ROW).and_then(|value| value.as_s().ok()).ok_or(PairingFailure::BadRow { kind })?;
    serde_json::from_str(text).map_err(|_| PairingFailure::BadRow { kind })
}

/// A text.
pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A whole number.
pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// For `expireAt`: in whole seconds, rounded up, since nothing that still counts may be deleted.
pub(crate) fn expiry(until: Timestamp) -> AttributeValue {
    number(until.plus_millis(999).as_secs())
}
