use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use loam_domain::ThingName;
use loam_things::LifeCycle;

use crate::{Access, AccessFailure, Membership, membership};

/// The index that finds a thing's rows.
const BY_THING: &str = "byThing";

/// The most rows of a thing that are looked at: as many as one batch reads, and three times the members that it can have.
const MOST_ROWS: i32 = 100;

type Item = HashMap<String, AttributeValue>;

/// One of a thing's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their `sub`.
    pub user: String,
    /// What they are to the thing.
    pub membership: Membership,
    /// Whether they want mail about it.
    pub mail: bool,
}

impl Access {
    /// The members of `thing` in its present epoch, by their ids; nobody of a thing that is retired or not registered.
    ///
    /// The index only names them, and may be late by a second: somebody who became a member just now may be missing. Whoever
    /// is in the answer was a member when it was read: record and rows are read consistently, and the record first.
    ///
    /// # Errors
    /// [`AccessFailure`].
    pub async fn members_of(&self, thing: &ThingName) -> Result<Vec<Member>, AccessFailure> {
        let (record, named) = tokio::join!(self.things.get(thing), self.named(thing));
        let (record, named) = (record?, named?);
        let Some(record) = record.filter(|record| record.state != LifeCycle::Retired) else { return Ok(vec![]) };
        if named.is_empty() {
            return Ok(vec![]);
        }
        let mut members = self.rows(named).await?.iter().map(member).collect::<Result<Vec<_>, _>>()?;
        members.retain(|member| member.membership.epoch == record.epoch);
        members.sort_by(|one, other| one.user.cmp(&other.user));
        Ok(members)
    }

    /// The keys of the thing's rows, as the index has them.
    async fn named(&self, thing: &ThingName) -> Result<Vec<Item>, AccessFailure> {
        let query = self.client.query().table_name(&self.memberships).index_name(BY_THING).limit(MOST_ROWS);
        let query = query
            .key_condition_expression("#thing = :thing")
            .projection_expression("#user, #thing")
            .expression_attribute_names("#thing", "thing")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":thing", AttributeValue::S(thing.as_str().to_owned()));
        let answer = query.send().await.map_err(|error| AccessFailure::NotListed(Box::new(error)))?;
        Ok(answer.items.unwrap_or_default())
    }

    async fn rows(&self, keys: Vec<Item>) -> Result<Vec<Item>, AccessFailure> {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build()?;
        let request = self.client.batch_get_item().request_items(&self.memberships, keys);
        let answer = request.send().await.map_err(|error| AccessFailure::MembersNotRead(Box::new(error)))?;
        if answer.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(AccessFailure::PartOfMembers);
        }
        Ok(answer.responses.and_then(|mut rows| rows.remove(&self.memberships)).unwrap_or_default())
    }
}

/// A row from before anybody could choose wants no mail.
fn member(row: &Item) -> Result<Member, AccessFailure> {
    let user = row.get("user").and_then(|user| user.as_s().ok()).ok_or(AccessFailure::BadRow { attribute: "user" })?;
    let mail = row.get("mail").and_then(|mail| mail.as_bool().ok()).copied().unwrap_or(false);
    Ok(Member { user: user.clone(), membership: membership::of(row)?, mail })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(mail: Option<bool>) -> Item {
        let mut row = membership::key("u1", &ThingName::parse("t1").unwrap());
        row.insert("role".to_owned(), AttributeValue::S("owner".to_owned()));
        row.insert("since".to_owned(), AttributeValue::N("7".to_owned()));
        row.insert("epoch".to_owned(), AttributeValue::N("2".to_owned()));
        row.extend(mail.map(|mail| ("mail".to_owned(), AttributeValue::Bool(mail))));
        row
    }

    #[test]
    fn mail_goes_to_who_wants_it_and_to_nobody_whose_row_does_not_say() {
        for (written, expected) in [(Some(true), true), (Some(false), false), (None, false)] {
            let member = member(&row(written)).unwrap();
            assert_eq!((member.user.as_str(), member.mail), ("u1", expected));
        }
    }

    #[test]
    fn a_row_of_nobody_is_no_member() {
        let mut nobody = row(None);
        nobody.remove("user");
        assert!(matches!(member(&nobody), Err(AccessFailure::BadRow { attribute: "user" })));
    }
}
