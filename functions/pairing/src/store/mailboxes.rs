use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, TransactWriteItem};
use loam_domain::Timestamp;

use super::change::Written;
use super::failure::BadRow;
use super::items::{self, Item};
use super::{Saved, Store, StoreFailure};
use crate::people::UserId;
use crate::relay::{IdentityId, Mailbox};

/// How often DynamoDB is asked for what it left for later.
const MOST_ROUNDS: u32 = 5;

impl Store {
    /// The mailboxes of these people, at most 100, read consistently; who never asked for credentials has none.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn mailboxes(
        &self,
        people: impl IntoIterator<Item = &UserId>,
    ) -> Result<BTreeMap<UserId, Mailbox>, StoreFailure> {
        let keys = people.into_iter().map(|user| items::key(&items::of_user(user), items::IDENTITY));
        let (mut left, mut found): (Vec<_>, _) = (keys.collect(), BTreeMap::new());
        for _ in 0..MOST_ROUNDS {
            if left.is_empty() {
                return Ok(found);
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build()?;
            let answer = self.client.batch_get_item().request_items(&self.pairings, wanted).send().await;
            let mut answer = answer.map_err(|error| StoreFailure::MailboxesNotRead(Box::new(error)))?;
            for item in answer.responses().and_then(|tables| tables.get(&self.pairings)).into_iter().flatten() {
                let (user, mailbox) = mailbox_of(item)?;
                found.insert(user, mailbox);
            }
            let later = answer.unprocessed_keys.as_mut().and_then(|tables| tables.remove(&self.pairings));
            left = later.map(|later| later.keys).unwrap_or_default();
        }
        if left.is_empty() { Ok(found) } else { Err(StoreFailure::Partly) }
    }

    /// A person's mailbox, both ways: whose an identity is, and where a person hears. [`Saved::Lost`]: the identity is somebody
    /// else's, which Cognito never does.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn put_mailbox(&self, user: &UserId, mailbox: &Mailbox) -> Result<Saved, StoreFailure> {
        let put = |item| Put::builder().table_name(&self.pairings).set_item(Some(item));
        let theirs = put(owner_item(user, mailbox))
            .condition_expression("attribute_not_exists(thing) OR #user = :user")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", items::text(user.as_str()));
        let all = [theirs, put(mailbox_item(user, mailbox)?)].map(|put| {
            let put = put.build()?;
            Ok::<_, StoreFailure>(TransactWriteItem::builder().put(put).build())
        });
        let all = all.into_iter().collect::<Result<_, _>>()?;
        Ok(if self.transact(all).await? == Written::Yes { Saved::Yes } else { Saved::Lost })
    }

    /// Whose an identity is, read consistently; `None`: nobody's that asked for credentials lately.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn user_of(&self, identity: &IdentityId, now: Timestamp) -> Result<Option<UserId>, StoreFailure> {
        let item = self.get(items::key(&partition(identity), items::IDENTITY)).await?;
        let item = item.filter(|item| !items::is_over(item, now));
        let user = |item: &Item| UserId::parse(items::text_in(item, "user")?).map_err(|_| BadRow { attribute: "user" });
        Ok(item.as_ref().map(user).transpose()?)
    }
}

fn partition(identity: &IdentityId) -> String {
    format!("identity#{identity}")
}

fn mailbox_item(user: &UserId, mailbox: &Mailbox) -> Result<Item, serde_json::Error> {
    let item = items::row(&items::of_user(user), items::IDENTITY, mailbox)?;
    Ok(items::expiring(item, mailbox.live_until.plus_millis(items::DAY)))
}

fn owner_item(user: &UserId, mailbox: &Mailbox) -> Item {
    let mut item = items::key(&partition(&mailbox.identity), items::IDENTITY);
    item.insert("user".to_owned(), items::text(user.as_str()));
    items::expiring(item, mailbox.live_until.plus_millis(items::DAY))
}

fn mailbox_of(item: &Item) -> Result<(UserId, Mailbox), BadRow> {
    let user = items::text_in(item, "thing")?.strip_prefix("user#").and_then(|user| UserId::parse(user).ok());
    Ok((user.ok_or(BadRow { attribute: "thing" })?, items::value_of(item)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::tests::{at, user};

    #[test]
    fn a_mailbox_comes_back_from_its_row_with_its_person() {
        let mailbox = Mailbox { identity: IdentityId::parse("eu-west-1:i1").unwrap(), live_until: at(9) };
        let item = mailbox_item(&user("ann"), &mailbox).unwrap();
        assert_eq!(mailbox_of(&item).unwrap(), (user("ann"), mailbox.clone()));
        assert_eq!(owner_item(&user("ann"), &mailbox)["thing"], items::text("identity#eu-west-1:i1"));
    }
}
