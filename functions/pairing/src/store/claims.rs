use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use loam_domain::Timestamp;

use super::items::{self, Item};
use super::{Saved, Store, StoreFailure};
use crate::claim::{Claim, ClaimState};
use crate::people::UserId;
use crate::token::ShareId;

/// The id of a claim: of the same form as an invitation's. It is good for its user only, so it is no secret.
pub type ClaimId = ShareId;

/// A claim and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownClaim {
    /// Its id.
    pub id: ClaimId,
    /// What it says.
    pub claim: Claim,
}

/// A claim ends once.
const STILL_OPEN: &str = "#state = :open";

impl Store {
    /// A person's claim, read consistently; `None`: they have none of this id, or it is forgotten.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn claim(&self, user: &UserId, id: &ClaimId, now: Timestamp) -> Result<Option<Claim>, StoreFailure> {
        let item = self.get(items::key(&items::of_user(user), &sort_key(id))).await?;
        let item = item.filter(|item| !items::is_over(item, now));
        Ok(item.as_ref().map(items::value_of).transpose()?)
    }

    /// A person's claims of the last day, read consistently: 1 MB at most, some 3,000.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn claims(&self, user: &UserId, now: Timestamp) -> Result<Vec<KnownClaim>, StoreFailure> {
        let query = self.client.query().table_name(&self.pairings).consistent_read(true);
        let query = query
            .key_condition_expression("thing = :user AND begins_with(#item, :claim)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":user", items::text(items::of_user(user)))
            .expression_attribute_values(":claim", items::text(items::CLAIM_PREFIX));
        let answer = query.send().await.map_err(|error| StoreFailure::NotListed(Box::new(error)))?;
        let living = answer.items().iter().filter(|item| !items::is_over(item, now));
        living.map(|item| Ok(known(item)?)).collect()
    }

    /// Begins a claim. [`Saved::Lost`]: there is one of this id, begun by the same request.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn begin_claim(&self, id: &ClaimId, claim: &Claim) -> Result<Saved, StoreFailure> {
        self.put(item(id, claim)?, Some("attribute_not_exists(thing)"), vec![]).await
    }

    /// Burns a claim's challenge. [`Saved::Lost`]: it ended before.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn burn_claim(&self, id: &ClaimId, claim: &Claim) -> Result<Saved, StoreFailure> {
        let burnt = Claim { state: ClaimState::Burnt, ..claim.clone() };
        let put = self.client.put_item().table_name(&self.pairings).set_item(Some(item(id, &burnt)?));
        let put = put.condition_expression(STILL_OPEN).expression_attribute_names("#state", "state");
        match put.expression_attribute_values(":open", items::text(OPEN)).send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Lost)
            }
            Err(error) => Err(StoreFailure::NotWritten(Box::new(error))),
        }
    }

    /// A claim's confirmation, for the transaction that pairs the thing: on the condition that it is still open.
    ///
    /// # Errors
    /// [`StoreFailure::Unbuildable`], [`StoreFailure::Unwritable`]: never in practice.
    pub fn confirmed_claim(&self, id: &ClaimId, claim: &Claim) -> Result<TransactWriteItem, StoreFailure> {
        let confirmed = Claim { state: ClaimState::Confirmed, ..claim.clone() };
        let put = Put::builder().table_name(&self.pairings).set_item(Some(item(id, &confirmed)?));
        let put = put.condition_expression(STILL_OPEN).expression_attribute_names("#state", "state");
        let put = put.expression_attribute_values(":open", items::text(OPEN)).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// The word of an open claim.
const OPEN: &str = "open";

const fn word(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Open => OPEN,
        ClaimState::Confirmed => "confirmed",
        ClaimState::Burnt => "burnt",
    }
}

fn sort_key(id: &ClaimId) -> String {
    format!("{}{}", items::CLAIM_PREFIX, id.as_str())
}

/// The row, kept for a day after the challenge's time.
fn item(id: &ClaimId, claim: &Claim) -> Result<Item, serde_json::Error> {
    let mut item = items::row(&items::of_user(&claim.user), &sort_key(id), claim)?;
    item.insert("state".to_owned(), items::text(word(claim.state)));
    Ok(items::expiring(item, claim.expires_at.plus_millis(items::DAY)))
}

fn known(item: &Item) -> Result<KnownClaim, super::failure::BadRow> {
    let bad = || super::failure::BadRow { attribute: "item" };
    let id = items::text_in(item, "item")?.strip_prefix(items::CLAIM_PREFIX).and_then(ClaimId::parse);
    Ok(KnownClaim { id: id.ok_or_else(bad)?, claim: items::value_of(item)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::{CHALLENGE_BYTES, Challenge};
    use crate::tenancy::tests::{at, user};

    #[test]
    fn a_claim_comes_back_from_its_row_with_its_id_and_is_forgotten_a_day_after_its_time() {
        let thing = loam_domain::ThingName::parse("t1").unwrap();
        let claim = Claim::begun(thing, user("ann"), 3, Challenge::new([1; CHALLENGE_BYTES]), at(0));
        let id = ClaimId::from_random([2; 16]);
        let item = item(&id, &claim).unwrap();
        assert_eq!((&item["state"], &item["thing"]), (&items::text("open"), &items::text("user#ann")));
        assert_eq!(known(&item).unwrap(), KnownClaim { id, claim });
        let day = 86_400_000 + 300_000;
        assert!(!items::is_over(&item, at(day - 1_000)) && items::is_over(&item, at(day)));
    }
}
