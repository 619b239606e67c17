//! Where somebody asks for a thing: claims, attempts, codes, windows, and where invitations and offers belong.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::PairingFailure;
use crate::attempts::{self, Attempt, Attempts, Limit, PER_PERSON, PER_THING};
use crate::claim::{Claim, ClaimState};
use crate::code_hash::CodeHash;
use crate::item::{CLAIM_PREFIX, Key, ROW, expiry, item, number, row_of, text};
use crate::keeper::{Keeper, wait_after};
use crate::tenancy::SHARE_MILLIS;
use crate::token::ShareId;
use crate::window::Window;

/// How long a claim can be looked at after its time, in milliseconds: a day.
const CLAIM_KEPT_MILLIS: i64 = 86_400_000;

/// How long attempts are kept: the longest wait, and as long again until they are forgotten.
const ATTEMPTS_KEPT_MILLIS: i64 = 2 * 86_400_000;

/// The most claims that one answer lists.
pub(crate) const MOST_CLAIMS: u16 = 500;

/// Whose attempts, and at what.
#[derive(Debug, Clone)]
pub(crate) enum Counter<'a> {
    /// One person's, at all things.
    Person(&'a UserId),
    /// All people's, at one thing.
    Thing(&'a ThingName),
}

/// An attempt that was counted, and what stood there before.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    before: Option<Attempts>,
    counted: Attempts,
}

/// The printed code, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    hash: CodeHash,
    set_at: Timestamp,
    by: String,
}

/// Which kind of token an id belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// An invitation.
    Invitation,
    /// An offer of ownership.
    Offer,
}

/// Where an id belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    thing: ThingName,
    kind: Kind,
}

impl Counter<'_> {
    fn key(&self) -> Key {
        match self {
            Self::Person(user) => Key::attempts_of(user),
            Self::Thing(thing) => Key::attempts_at(thing),
        }
    }

    const fn limit(&self) -> &'static Limit {
        match self {
            Self::Person(_) => &PER_PERSON,
            Self::Thing(_) => &PER_THING,
        }
    }
}

impl Keeper {
    /// Counts one more attempt, before anything is compared. An error is the end of the wait.
    pub(crate) async fn count(
        &self,
        counter: &Counter<'_>,
        now: Timestamp,
    ) -> Result<Result<Counted, Timestamp>, PairingFailure> {
        let mut tries = 0;
        loop {
            let row = self.read(&counter.key()).await?;
            let before: Option<Attempts> = row.map(|row| row_of(&row, "attempts")).transpose()?;
            match attempts::count(before.as_ref(), counter.limit(), now) {
                Attempt::Locked { until } => return Ok(Err(until)),
                Attempt::Counted(counted) => {
                    if self.put_attempts(counter, before.as_ref(), &counted).await? {
                        return Ok(Ok(Counted { before, counted }));
                    }
                }
            }
            tries = wait_after(tries).await?;
        }
    }

    /// The attempt was right: it counts no more, unless others were counted after it.
    pub(crate) async fn give_back(&self, counter: &Counter<'_>, counted: &Counted) -> Result<(), PairingFailure> {
        let after = attempts::given_back(counted.before.as_ref(), &counted.counted);
        self.put_attempts(counter, Some(&counted.counted), &after).await?;
        Ok(())
    }

    async fn put_attempts(
        &self,
        counter: &Counter<'_>,
        before: Option<&Attempts>,
        after: &Attempts,
    ) -> Result<bool, PairingFailure> {
        let kept = after.locked_until.unwrap_or(after.last_at).plus_millis(ATTEMPTS_KEPT_MILLIS);
        let further = [("version", number(after.version)), ("expireAt", expiry(kept))];
        let put = Put::builder().table_name(&self.table).set_item(Some(item(&counter.key(), after, further)?));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(thing)"),
            Some(before) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(before.version)),
        };
        self.put_if(put.build()?).await
    }

    /// The device's window, and the hash of its printed code.
    pub(crate) async fn keys_to(
        &self,
        thing: &ThingName,
    ) -> Result<(Option<Window>, Option<CodeHash>), PairingFailure> {
        let (window_key, code_key) = (Key::window(thing), Key::code(thing));
        let (window, code) = tokio::join!(self.read(&window_key), self.read(&code_key));
        let window = window?.map(|row| row_of(&row, "window")).transpose()?;
        let code: Option<Printed> = code?.map(|row| row_of(&row, "code")).transpose()?;
        Ok((window, code.map(|code| code.hash)))
    }

    /// Keeps the hash of the code that is printed on the device, in place of any other.
    pub(crate) async fn put_code(
        &self,
        thing: &ThingName,
        hash: CodeHash,
        by: &str,
        now: Timestamp,
    ) -> Result<(), PairingFailure> {
        let row = item(&Key::code(thing), &Printed { hash, set_at: now, by: by.to_owned() }, [])?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(row)).send().await;
        put.map(drop).map_err(|error| PairingFailure::NotWritten(Box::new(error)))
    }

    /// The device has no printed code any more.
    pub(crate) async fn delete_code(&self, thing: &ThingName) -> Result<(), PairingFailure> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.set_key(Some(Key::code(thing).attributes())).send().await;
        delete.map(drop).map_err(|error| PairingFailure::NotDeleted(Box::new(error)))
    }

    /// A person's own claim.
    pub(crate) async fn claim(&self, user: &UserId, id: &ShareId) -> Result<Option<Claim>, PairingFailure> {
        self.read(&Key::claim(user, id)).await?.map(|row| row_of(&row, "claim")).transpose()
    }

    /// A person's claims, whatever their state; at most [`MOST_CLAIMS`].
    pub(crate) async fn claims(&self, user: &UserId) -> Result<Vec<(ShareId, Claim)>, PairingFailure> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("thing = :person AND begins_with(#item, :prefix)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":person", text(&Key::person(user)))
            .expression_attribute_values(":prefix", text(CLAIM_PREFIX))
            .limit(i32::from(MOST_CLAIMS));
        let answer = query.send().await.map_err(|error| PairingFailure::NotListed(Box::new(error)))?;
        let id = |item: &str| item.strip_prefix(CLAIM_PREFIX).and_then(ShareId::parse);
        let rows = answer.items().iter().filter_map(|row| Some((id(row.get("item")?.as_s().ok()?)?, row)));
        rows.map(|(id, row)| Ok((id, row_of(row, "claim")?))).collect()
    }

    /// Keeps a new claim. If one of this id stands that can still be answered, it is that one: a repeat of the same request,
    /// whose first answer was lost.
    pub(crate) async fn put_claim(&self, id: &ShareId, claim: Claim, now: Timestamp) -> Result<Claim, PairingFailure> {
        let mut tries = 0;
        loop {
            let put =
                self.claim_put(id, &claim)?.condition_expression("attribute_not_exists(thing) OR expiresAt <= :now");
            if self.put_if(put.expression_attribute_values(":now", number(now.as_millis())).build()?).await? {
                return Ok(claim);
            }
            if let Some(known) = self.claim(&claim.user, id).await?.filter(|known| now < known.expires_at) {
                return Ok(known);
            }
            tries = wait_after(tries).await?;
        }
    }

    /// The write that takes an open claim to another state; on the condition that it is open still.
    pub(crate) fn claim_ends(
        &self,
        id: &ShareId,
        claim: &Claim,
        state: ClaimState,
    ) -> Result<TransactWriteItem, PairingFailure> {
        Ok(TransactWriteItem::builder().put(self.claim_end(id, claim, state)?).build())
    }

    /// Burns an open claim; whether it was open.
    pub(crate) async fn burn(&self, id: &ShareId, claim: &Claim) -> Result<bool, PairingFailure> {
        self.put_if(self.claim_end(id, claim, ClaimState::Burnt)?).await
    }

    fn claim_end(&self, id: &ShareId, claim: &Claim, state: ClaimState) -> Result<Put, PairingFailure> {
        let put = self.claim_put(id, &Claim { state, ..claim.clone() })?;
        let put = put.condition_expression("#open = :open").expression_attribute_names("#open", "open");
        Ok(put.expression_attribute_values(":open", aws_sdk_dynamodb::types::AttributeValue::Bool(true)).build()?)
    }

    fn claim_put(
        &self,
        id: &ShareId,
        claim: &Claim,
    ) -> Result<aws_sdk_dynamodb::types::builders::PutBuilder, PairingFailure> {
        let open = aws_sdk_dynamodb::types::AttributeValue::Bool(claim.state == ClaimState::Open);
        let kept = claim.expires_at.plus_millis(CLAIM_KEPT_MILLIS);
        let further = [("open", open), ("expiresAt", number(claim.expires_at.as_millis())), ("expireAt", expiry(kept))];
        let row = item(&Key::claim(&claim.user, id), claim, further)?;
        Ok(Put::builder().table_name(&self.table).set_item(Some(row)))
    }

    /// Which thing an id belongs to, if it is one of this kind.
    pub(crate) async fn place_of(&self, id: &ShareId, kind: Kind) -> Result<Option<ThingName>, PairingFailure> {
        let row = self.read(&Key::share(id)).await?;
        let pointer: Option<Pointer> = row.map(|row| row_of(&row, "pointer")).transpose()?;
        Ok(pointer.filter(|pointer| pointer.kind == kind).map(|pointer| pointer.thing))
    }

    /// The write that says where an id belongs.
    pub(crate) fn place(
        &self,
        id: &ShareId,
        kind: Kind,
        thing: &ThingName,
        now: Timestamp,
    ) -> Result<TransactWriteItem, PairingFailure> {
        let pointer = Pointer { thing: thing.clone(), kind };
        // As long as its invitation is remembered, and some more.
        let kept = expiry(now.plus_millis(3 * SHARE_MILLIS));
        let row = item(&Key::share(id), &pointer, [("expireAt", kept)])?;
        let same = row.get(ROW).cloned().unwrap_or_else(|| text(""));
        let put = Put::builder().table_name(&self.table).set_item(Some(row));
        let put = put.condition_expression("attribute_not_exists(thing) OR #row = :row");
        let put = put.expression_attribute_names("#row", ROW).expression_attribute_values(":row", same);
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    /// Puts a row on its condition; whether it held.
    async fn put_if(&self, put: Put) -> Result<bool, PairingFailure> {
        let request = self.client.put_item().table_name(put.table_name).set_item(Some(put.item));
        let request = request
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(PairingFailure::NotWritten(Box::new(error))),
        }
    }
}
