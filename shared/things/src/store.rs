use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::builders::ConditionCheckBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};
use loam_domain::{CertificateId, ThingName, Timestamp};

use crate::write::{Also, Written};
use crate::{
    Acknowledgement, Addition, Attempt, Described, Description, Intent, LifeCycle, Notice, Outcome, Registered,
    Registration, RetirementOrder, ThingRecord, ThingsFailure, Transition, Why, next, rows,
};

/// How often a record is tried while others are faster.
const MOST_TRIES: u32 = 10;

/// The table of things: the only way to write it.
///
/// Every intent may be repeated by the same cause at any time; its second run finds the first one's work.
#[derive(Debug, Clone)]
pub struct Things {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
}

/// What came of trying an intent.
enum Applied {
    /// This.
    Outcome(Outcome),
    /// The CA has as many things as it may.
    Full,
}

impl Things {
    /// The table of this name (`THINGS_TABLE`).
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// The record of a thing, read consistently; `None` if Loam never registered one of this name.
    ///
    /// # Errors
    /// [`ThingsFailure::NotRead`], [`ThingsFailure::BadRow`].
    pub async fn get(&self, thing: &ThingName) -> Result<Option<ThingRecord>, ThingsFailure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.set_key(Some(rows::record_key(thing))).send().await;
        let answer = answer.map_err(|error| ThingsFailure::NotRead(Box::new(error)))?;
        Ok(answer.item().map(rows::record_of).transpose()?)
    }

    /// The condition that the thing is registered and neither retired nor on its way there, for a transaction of who makes a
    /// row about the thing: so nothing is made of a thing after it was erased, however late the one who makes it.
    /// It takes the right `dynamodb:ConditionCheckItem`.
    ///
    /// # Errors
    /// Never; the SDK's own, for a request that lacks a field.
    pub fn stays(&self, thing: &ThingName) -> Result<TransactWriteItem, BuildError> {
        let condition = "attribute_exists(thing) AND attribute_not_exists(retirement)";
        let check = self.check(thing).condition_expression(condition);
        Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
    }

    /// The condition that the thing is in `epoch` and not on its way to retirement, for a transaction of who makes a row about
    /// the thing for somebody of that epoch: so no such row is made after their time ended, however late the one who makes
    /// it. It takes the right `dynamodb:ConditionCheckItem`. A member's grant is of an epoch in which the thing was paired,
    /// and no epoch is paired twice: so this is also the condition that it still is.
    ///
    /// # Errors
    /// Never; the SDK's own, for a request that lacks a field.
    pub fn epoch_check(&self, thing: &ThingName, epoch: u64) -> Result<TransactWriteItem, BuildError> {
        let condition = "epoch = :epoch AND attribute_not_exists(retirement)";
        let check = self.check(thing).condition_expression(condition);
        let check = check.expression_attribute_values(":epoch", rows::number(epoch));
        Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
    }

    /// [`Things::epoch_check`], and the thing has an owner; a suspended one keeps its own.
    ///
    /// # Errors
    /// As above.
    pub fn paired_check(&self, thing: &ThingName, epoch: u64) -> Result<TransactWriteItem, BuildError> {
        let paired = "(#state = :paired OR suspendedFrom = :paired)";
        let condition = format!("epoch = :epoch AND {paired} AND attribute_not_exists(retirement)");
        let check = self.check(thing).condition_expression(condition).expression_attribute_names("#state", "state");
        let check = check.expression_attribute_values(":epoch", rows::number(epoch));
        let check = check.expression_attribute_values(":paired", rows::text(LifeCycle::Paired.as_str()));
        Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
    }

    fn check(&self, thing: &ThingName) -> ConditionCheckBuilder {
        ConditionCheck::builder().table_name(&self.table).set_key(Some(rows::record_key(thing)))
    }

    /// A certificate claims a name. Of any number of claims at once exactly one wins.
    ///
    /// # Errors
    /// What keeps the record from being read or written: [`ThingsFailure`].
    pub async fn register(
        &self,
        thing: &ThingName,
        registration: Registration,
        now: Timestamp,
    ) -> Result<Registered, ThingsFailure> {
        let intent = Intent::Register(registration);
        Ok(match self.apply(thing, &intent, &[], now).await? {
            Applied::Full => Registered::Full,
            Applied::Outcome(Outcome::Done(record)) => Registered::Won(record),
            Applied::Outcome(Outcome::Already(record)) => Registered::Mine(record),
            Applied::Outcome(Outcome::Refused(Why::Taken, record)) => Registered::Taken(record),
            Applied::Outcome(Outcome::Refused(why, record)) => Registered::Retired(why, record),
            // A claim on a name without a record makes one, so this is not reached; it would only be tried again.
            Applied::Outcome(Outcome::Missing) => return Err(ThingsFailure::Contended { tries: 0 }),
        })
    }

    /// Gives a further certificate its place, pending. [`Why::Taken`]: others stand there, or its CA is another.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn add_certificate(
        &self,
        thing: &ThingName,
        addition: Addition,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::AddCertificate(addition), now).await
    }

    /// AWS IoT says that the certificate is active. [`Why::CertificateGone`]: it was revoked meanwhile, and the caller
    /// must deactivate it again.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn certificate_activated(
        &self,
        thing: &ThingName,
        certificate: &CertificateId,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::CertificateActivated(certificate.clone()), now).await
    }

    /// A newer certificate is to take its place; one that never became active goes at once.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn certificate_retiring(
        &self,
        thing: &ThingName,
        certificate: &CertificateId,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::CertificateRetiring(certificate.clone()), now).await
    }

    /// A newer certificate took its place, and AWS IoT lets it in no more.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn certificate_removed(
        &self,
        thing: &ThingName,
        certificate: &CertificateId,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::CertificateRemoved(certificate.clone()), now).await
    }

    /// The certificate was revoked or deactivated: a security notice. The last one suspends the thing.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn certificate_revoked(
        &self,
        thing: &ThingName,
        certificate: &CertificateId,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::CertificateRevoked(certificate.clone(), notice), now).await
    }

    /// All certificates of the thing were revoked or deactivated: a security notice each, and the thing is suspended.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn suspend(&self, thing: &ThingName, notice: Notice, now: Timestamp) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::Suspend(notice), now).await
    }

    /// The thing described itself; `also` is written in the same transaction, or neither is. If `also` has a condition
    /// and it fails, that is [`ThingsFailure::Cancelled`].
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn described(
        &self,
        thing: &ThingName,
        description: Description,
        also: TransactWriteItem,
        now: Timestamp,
    ) -> Result<Described, ThingsFailure> {
        let intent = Intent::Described(description);
        Ok(match self.apply(thing, &intent, &[also], now).await? {
            Applied::Outcome(Outcome::Done(record)) => Described::Applied(record),
            Applied::Outcome(Outcome::Already(record) | Outcome::Refused(Why::Stale, record)) => {
                Described::Stale(record)
            }
            Applied::Outcome(Outcome::Refused(_, record)) => Described::Retired(record),
            Applied::Outcome(Outcome::Missing) | Applied::Full => Described::Missing,
        })
    }

    /// The initial shadow is written.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn shadow_seeded(&self, thing: &ThingName, now: Timestamp) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::ShadowSeeded, now).await
    }

    /// Begins the thing's retirement. [`Outcome::Already`]: it goes on since earlier. [`Why::Stale`]: the version is
    /// another. [`Why::Retired`]: it is over.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn begin_retirement(
        &self,
        thing: &ThingName,
        order: RetirementOrder,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::BeginRetirement(order), now).await
    }

    /// A capability erased all that it kept of the thing.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn acknowledge_retirement(
        &self,
        thing: &ThingName,
        capability: &str,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::AcknowledgeRetirement(capability.to_owned()), now).await
    }

    /// The thing is retired, for ever. [`Why::Awaiting`]: somebody has not acknowledged.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn retired(&self, thing: &ThingName, now: Timestamp) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::Retired, now).await
    }

    /// A capability erased what people of earlier epochs left of the thing; a repeat is [`Outcome::Already`].
    /// [`Why::EpochOver`]: more is to be erased by now. [`Why::TooEarly`]: it looked too early. Either way: again.
    ///
    /// # Errors
    /// [`ThingsFailure`].
    pub async fn acknowledge_erasure(
        &self,
        thing: &ThingName,
        word: Acknowledgement,
        now: Timestamp,
    ) -> Result<Outcome, ThingsFailure> {
        self.outcome(thing, Intent::AcknowledgeErasure(word), now).await
    }

    /// One try: what comes of `intent` for the record as the caller has read it is written together with the caller's own
    /// items, at most 90 of them, or nothing is. A failed condition of theirs is [`Attempt::Lost`], like another's faster
    /// change of the record: the caller reads everything again, decides anew, and tries again.
    ///
    /// # Errors
    /// [`ThingsFailure`]; never [`ThingsFailure::Contended`].
    pub async fn attempt(
        &self,
        record: &ThingRecord,
        intent: &Intent,
        also: &[TransactWriteItem],
        now: Timestamp,
    ) -> Result<Attempt, ThingsFailure> {
        let change = match next(&record.thing, Some(record), intent, now) {
            Transition::Nothing(outcome) => return Ok(Attempt::Nothing(outcome)),
            Transition::Change(change) => change,
        };
        let also = Also { items: also, may_lose: true };
        Ok(match self.write(Some(record), &change, None, also).await? {
            Written::Yes => Attempt::Done(Box::new(change.record)),
            Written::Lost | Written::Full => Attempt::Lost,
        })
    }

    async fn outcome(&self, thing: &ThingName, intent: Intent, now: Timestamp) -> Result<Outcome, ThingsFailure> {
        Ok(match self.apply(thing, &intent, &[], now).await? {
            Applied::Outcome(outcome) => outcome,
            Applied::Full => Outcome::Missing,
        })
    }

    /// Load, decide, write; again while others are faster.
    async fn apply(
        &self,
        thing: &ThingName,
        intent: &Intent,
        also: &[TransactWriteItem],
        now: Timestamp,
    ) -> Result<Applied, ThingsFailure> {
        let max_devices = if let Intent::Register(claim) = intent { claim.max_devices } else { None };
        let mut tries = 0;
        loop {
            let before = self.get(thing).await?;
            let change = match next(thing, before.as_ref(), intent, now) {
                Transition::Nothing(outcome) => return Ok(Applied::Outcome(outcome)),
                Transition::Change(change) => change,
            };
            let also = Also { items: also, may_lose: false };
            match self.write(before.as_ref(), &change, max_devices, also).await? {
                Written::Yes => return Ok(Applied::Outcome(Outcome::Done(Box::new(change.record)))),
                Written::Full => return Ok(Applied::Full),
                Written::Lost => tries = wait_after(tries).await?,
            }
        }
    }
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one.
///
/// The share of it is random, so that two that met do not meet again; nothing else depends on it.
async fn wait_after(tries: u32) -> Result<u32, ThingsFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(ThingsFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries))).await;
    Ok(tries)
}
