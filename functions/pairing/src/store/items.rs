//! Rows as items: keys, the row itself as JSON text, and beside it what conditions and people look for.
//!
//! | `thing` | `item` | holds | written on the condition |
//! | --- | --- | --- | --- |
//! | the thing | `tenancy` | owner, members, invitations, offer, end | its version is the one that was read |
//! | the thing | `window` | the device's window, until a day after it | the press is newer |
//! | the thing | `code` | the hash of the printed code | none: an operator's word |
//! | the thing, `user#{sub}` | `attempts` | wrong codes at it, by them | as it was read |
//! | the thing | `event#{time}#{version}` | an event, for 30 days | in the transaction of its tenancy |
//! | `user#{sub}` | `claim#{id}` | a claim, until a day after its time | none there; then: still open |
//! | `user#{sub}`, `identity#{id}` | `identity` | who listens as whom, until a day after | none there, or the same person's |
//! | `share#{id}` | `pointer` | whose invitation or offer it is, until two days after its time | none there, or the same |
//!
//! Names of things hold no `#`. A claim lies under its person, so that nobody else can address it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{Event, ThingName, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::BadRow;
use crate::people::UserId;
use crate::tenancy::{MembershipWrite, Standing, Tenancy};

pub(super) type Item = HashMap<String, AttributeValue>;

/// The sort keys of a thing's rows.
pub(super) const TENANCY: &str = "tenancy";
pub(super) const WINDOW: &str = "window";
pub(super) const CODE: &str = "code";
/// Of a thing's and of a person's.
pub(super) const ATTEMPTS: &str = "attempts";
/// Of a person's and of an identity's.
pub(super) const IDENTITY: &str = "identity";
/// Of an invitation's or offer's.
pub(super) const POINTER: &str = "pointer";
/// What the sort keys of a person's claims begin with.
pub(super) const CLAIM_PREFIX: &str = "claim#";
/// What the sort keys of events begin with; the relay's stream filter knows it.
pub(super) const EVENT_PREFIX: &str = "event#";

/// A day, in milliseconds.
pub(super) const DAY: i64 = 86_400_000;

/// For so long it is remembered who came and went, in milliseconds: 30 days. The events name people.
const EVENT_MILLIS: i64 = 30 * DAY;

/// For so long a retired thing's tenancy says so, in milliseconds: 2 days. After that its record alone tells.
const GONE_MILLIS: i64 = 2 * DAY;

/// The largest time that the sort key of an event holds: 13 digits, in the year 2286.
const LATEST: i64 = 9_999_999_999_999;

/// The key of `item` of a thing, a person, an identity or a share. A thing's name holds no `#`, so the others are apart.
pub(super) fn key(partition: &str, item: &str) -> Item {
    Item::from([("thing".to_owned(), text(partition)), ("item".to_owned(), text(item))])
}

/// The partition of a person's rows.
pub(super) fn of_user(user: &UserId) -> String {
    format!("user#{user}")
}

/// A row: its value as JSON.
pub(super) fn row<T: Serialize>(partition: &str, item: &str, value: &T) -> Result<Item, serde_json::Error> {
    let mut row = key(partition, item);
    row.insert("row".to_owned(), text(serde_json::to_string(value)?));
    Ok(row)
}

/// The value of a row.
pub(super) fn value_of<T: DeserializeOwned>(item: &Item) -> Result<T, BadRow> {
    serde_json::from_str(text_in(item, "row")?).map_err(|_| BadRow { attribute: "row" })
}

/// The same row, forgotten at `at`.
pub(super) fn expiring(mut item: Item, at: Timestamp) -> Item {
    item.insert("expireAt".to_owned(), number(at.as_secs()));
    item
}

/// The tenancy's row. That of a retired thing is forgotten: then its record alone tells, which stays for ever.
pub(super) fn tenancy_item(thing: &ThingName, tenancy: &Tenancy) -> Result<Item, serde_json::Error> {
    let mut item = row(thing.as_str(), TENANCY, tenancy)?;
    item.insert("version".to_owned(), number(tenancy.version));
    let gone = tenancy.standing == Standing::Gone;
    Ok(if gone { expiring(item, tenancy.updated_at.plus_millis(GONE_MILLIS)) } else { item })
}

/// The tenancy in a row.
pub(super) fn tenancy_of(item: &Item) -> Result<Tenancy, BadRow> {
    value_of(item)
}

/// The row of an event, told by `version` of a tenancy.
pub(super) fn event_item(thing: &ThingName, event: &Event, version: u64) -> Result<Item, serde_json::Error> {
    let millis = event.at.as_millis().clamp(0, LATEST);
    let mut item = key(thing.as_str(), &format!("{EVENT_PREFIX}{millis:013}#{version:010}"));
    item.insert("event".to_owned(), text(serde_json::to_string(event)?));
    Ok(expiring(item, event.at.plus_millis(EVENT_MILLIS)))
}

/// The key of a membership.
pub(super) fn membership_key(user: &UserId, thing: &ThingName) -> Item {
    Item::from([("user".to_owned(), text(user.as_str())), ("thing".to_owned(), text(thing.as_str()))])
}

/// The row of a membership; `None`: it is to be deleted.
pub(super) fn membership_item(thing: &ThingName, write: &MembershipWrite) -> Option<Item> {
    let MembershipWrite::Put { user, role, since, epoch, mail } = write else { return None };
    let role = serde_json::to_value(role).ok()?.as_str()?.to_owned();
    let mut item = membership_key(user, thing);
    item.extend([
        ("role".to_owned(), text(role)),
        ("since".to_owned(), number(since.as_millis())),
        ("epoch".to_owned(), number(epoch)),
        ("mail".to_owned(), AttributeValue::Bool(*mail)),
    ]);
    Some(item)
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn text_in<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a str, BadRow> {
    item.get(attribute).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(BadRow { attribute })
}

pub(super) fn time_in(item: &Item, attribute: &'static str) -> Result<Timestamp, BadRow> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok());
    digits.and_then(|digits| digits.parse().ok()).map(Timestamp::from_millis).ok_or(BadRow { attribute })
}

/// Whether the row's time is over; DynamoDB deletes it hours later.
pub(super) fn is_over(item: &Item, now: Timestamp) -> bool {
    let expire_at = item.get("expireAt").and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok());
    expire_at.is_some_and(|expire_at: i64| expire_at <= now.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Role;
    use crate::tenancy::Intent;
    use crate::tenancy::tests::{Home, at, pair, user};

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    #[test]
    fn a_tenancy_comes_back_from_its_row_and_only_a_retired_things_is_forgotten() {
        let mut home = Home::after([pair("ann", 1)]);
        let item = tenancy_item(&thing(), &home.tenancy).unwrap();
        assert_eq!(tenancy_of(&item).unwrap(), home.tenancy);
        assert_eq!((&item["version"], item.contains_key("expireAt")), (&number(1), false));
        home.change(&Intent::Retire);
        let item = tenancy_item(&thing(), &home.tenancy).unwrap();
        let two_days = home.tenancy.updated_at.plus_millis(2 * DAY);
        assert!(!is_over(&item, two_days.plus_millis(-1_000)) && is_over(&item, two_days));
    }

    #[test]
    fn a_row_that_is_none_is_told_by_its_attribute() {
        assert_eq!(tenancy_of(&Item::new()), Err(BadRow { attribute: "row" }));
        let item = row("t1", TENANCY, &"x").unwrap();
        assert_eq!(tenancy_of(&item), Err(BadRow { attribute: "row" }));
    }

    #[test]
    fn a_membership_is_the_row_that_access_reads() {
        let put = MembershipWrite::Put { user: user("ann"), role: Role::Owner, since: at(7), epoch: 2, mail: true };
        let item = membership_item(&thing(), &put).unwrap();
        assert_eq!((&item["role"], &item["since"], &item["epoch"]), (&text("owner"), &number(7), &number(2)));
        assert_eq!((&item["user"], &item["thing"]), (&text("ann"), &text("t1")));
        assert_eq!(membership_item(&thing(), &MembershipWrite::Delete { user: user("ann") }), None);
    }
}
