use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp};

use super::failure::BadRow;
use super::items::{self, Item};
use super::{Store, StoreFailure};
use crate::token::ShareId;

/// Which thing an invitation or an offer is for: its id is all that a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The thing.
    pub thing: ThingName,
    /// What it is.
    pub kind: ShareKind,
}

/// What is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareKind {
    /// Access.
    Invitation,
    /// The ownership.
    Offer,
}

impl ShareKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Offer => "offer",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Invitation, Self::Offer].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Store {
    /// What an id stands for, read consistently; `None`: nothing.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn pointer(&self, id: &ShareId, now: Timestamp) -> Result<Option<Pointer>, StoreFailure> {
        let item = self.get(items::key(&partition(id), items::POINTER)).await?;
        let item = item.filter(|item| !items::is_over(item, now));
        Ok(item.as_ref().map(pointer_of).transpose()?)
    }

    /// A pointer, for the transaction that makes its invitation or offer, whose time ends at `expires_at`. It is kept for two days
    /// more, so that who comes late learns why.
    ///
    /// # Errors
    /// [`StoreFailure::Unbuildable`]: never in practice.
    pub fn new_pointer(
        &self,
        id: &ShareId,
        pointer: &Pointer,
        expires_at: Timestamp,
    ) -> Result<TransactWriteItem, StoreFailure> {
        let put = Put::builder().table_name(&self.pairings).set_item(Some(item(id, pointer, expires_at)));
        // Again by the same request, whose first answer was lost.
        let put = put.condition_expression("attribute_not_exists(thing) OR #of = :of");
        let put = put.expression_attribute_names("#of", "of");
        let put = put.expression_attribute_values(":of", items::text(pointer.thing.as_str())).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn partition(id: &ShareId) -> String {
    format!("share#{}", id.as_str())
}

fn item(id: &ShareId, pointer: &Pointer, expires_at: Timestamp) -> Item {
    let mut item = items::key(&partition(id), items::POINTER);
    item.insert("of".to_owned(), items::text(pointer.thing.as_str()));
    item.insert("kind".to_owned(), items::text(pointer.kind.as_str()));
    items::expiring(item, expires_at.plus_millis(2 * items::DAY))
}

fn pointer_of(item: &Item) -> Result<Pointer, BadRow> {
    let thing = ThingName::parse(items::text_in(item, "of")?).map_err(|_| BadRow { attribute: "of" })?;
    let kind = ShareKind::parse(items::text_in(item, "kind")?).ok_or(BadRow { attribute: "kind" })?;
    Ok(Pointer { thing, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_comes_back_from_its_row() {
        for kind in [ShareKind::Invitation, ShareKind::Offer] {
            let pointer = Pointer { thing: ThingName::parse("t1").unwrap(), kind };
            let item = item(&ShareId::from_random([1; 16]), &pointer, Timestamp::from_millis(9));
            assert_eq!(pointer_of(&item).unwrap(), pointer);
        }
    }
}
