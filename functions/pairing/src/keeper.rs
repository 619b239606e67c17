//! The tenancy, with all that is written beside it: memberships, the thing's record, an event. One transaction a change.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Delete, Put, TransactWriteItem};
use loam_domain::{ThingName, Timestamp};
use loam_things::{
    Attempt, End, Intent as RecordIntent, Outcome as RecordOutcome, ThingRecord, Things, Why as RecordWhy,
};

use crate::PairingFailure;
use crate::item::{Item, Key, item, number, row_of, text};
use crate::tenancy::{Change, Intent, MembershipWrite, Outcome, RecordStep, Tenancy, Told, Transition, Why, next};
use crate::told::event;

/// How often a change is tried while others are faster.
const MOST_TRIES: u32 = 12;

/// Who erases what the people of an owner's time left: each acknowledges in the thing's record.
pub const ERASERS: [&str; 4] = ["catalog", "commands", "soil-alerts", "telemetry"];

/// The tables of tenancies, memberships and things.
#[derive(Debug, Clone)]
pub struct Keeper {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
    memberships: String,
    things: Things,
}

/// A thing that is registered and not on its way to its end, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its record.
    pub record: ThingRecord,
    /// Its tenancy; vacant, of the record's epoch, where there is no row.
    pub tenancy: Tenancy,
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// It is done: the tenancy after it.
    Done(Tenancy),
    /// It was done before: the tenancy as it is.
    Already(Tenancy),
    /// It cannot be.
    Refused(Why),
}

/// What became of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it is there.
    Yes,
    /// Nothing of it: read again and decide again.
    Lost,
    /// Nothing of it, and never: the record says so.
    Refused(Why),
}

impl Keeper {
    /// The tables of these names.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String, memberships: String, things: Things) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table, memberships, things }
    }

    /// A thing's record and tenancy, read side by side; `None` for a thing that is not registered, or on its way to its end.
    ///
    /// # Errors
    /// [`PairingFailure`].
    pub async fn load(&self, thing: &ThingName) -> Result<Option<Known>, PairingFailure> {
        let key = Key::tenancy(thing);
        let (record, row) = tokio::join!(self.things.get(thing), self.read(&key));
        let (record, row) = (record?, row?);
        let Some(record) = record.filter(|record| !record.is_retiring()) else { return Ok(None) };
        let tenancy = row.map(|row| row_of(&row, "tenancy")).transpose()?;
        let tenancy = tenancy.unwrap_or_else(|| Tenancy::vacant(record.epoch));
        Ok(Some(Known { record, tenancy }))
    }

    /// Does what `intent` says, with `also` in the same write; again while others are faster.
    ///
    /// # Errors
    /// [`PairingFailure`].
    pub async fn settle(
        &self,
        thing: &ThingName,
        intent: &Intent,
        also: &[TransactWriteItem],
        now: Timestamp,
    ) -> Result<Settled, PairingFailure> {
        let mut tries = 0;
        loop {
            let Some(known) = self.load(thing).await? else { return Ok(Settled::Refused(Why::Gone)) };
            let change = match next(&known.tenancy, intent, now) {
                Transition::Nothing(Outcome::Already(tenancy)) => return Ok(Settled::Already(*tenancy)),
                Transition::Nothing(Outcome::Refused(why)) => return Ok(Settled::Refused(why)),
                Transition::Change(change) => change,
            };
            match self.write(&known, &change, also, now).await? {
                Written::Yes => return Ok(Settled::Done(change.tenancy)),
                Written::Refused(why) => return Ok(Settled::Refused(why)),
                Written::Lost => tries = wait_after(tries).await?,
            }
        }
    }

    /// One try to write a change of what was read, with `also`.
    ///
    /// # Errors
    /// [`PairingFailure`].
    pub async fn write(
        &self,
        known: &Known,
        change: &Change,
        also: &[TransactWriteItem],
        now: Timestamp,
    ) -> Result<Written, PairingFailure> {
        let mut items = vec![self.put_tenancy(known, change)?];
        for write in change.memberships(&known.tenancy) {
            items.push(self.membership(&known.record.thing, &write)?);
        }
        items.extend(also.iter().cloned());
        match record_intent(&known.tenancy, change) {
            Some(intent) => Ok(of_record(self.things.attempt(&known.record, &intent, &items, now).await?)?),
            None => {
                items.extend(self.put_event(&known.record.thing, change)?);
                self.transact(items).await
            }
        }
    }

    /// A row, read consistently.
    pub(crate) async fn read(&self, key: &Key) -> Result<Option<Item>, PairingFailure> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = get.set_key(Some(key.attributes())).send().await;
        Ok(answer.map_err(|error| PairingFailure::NotRead(Box::new(error)))?.item)
    }

    fn put_tenancy(&self, known: &Known, change: &Change) -> Result<TransactWriteItem, PairingFailure> {
        let after = &change.tenancy;
        let row = item(&Key::tenancy(&known.record.thing), after, [("version", number(after.version))])?;
        let put = Put::builder().table_name(&self.table).set_item(Some(row));
        let put = match known.tenancy.version {
            0 => put.condition_expression("attribute_not_exists(thing)"),
            version => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    fn membership(&self, thing: &ThingName, write: &MembershipWrite) -> Result<TransactWriteItem, PairingFailure> {
        let key =
            |user: &str| Item::from([("user".to_owned(), text(user)), ("thing".to_owned(), text(thing.as_str()))]);
        let item = TransactWriteItem::builder();
        Ok(match write {
            MembershipWrite::Delete { user } => {
                let delete = Delete::builder().table_name(&self.memberships).set_key(Some(key(user.as_str())));
                item.delete(delete.build()?).build()
            }
            MembershipWrite::Put { user, role, since, epoch, mail } => {
                let put = Put::builder().table_name(&self.memberships).set_item(Some(key(user.as_str())));
                let put = put.item("role", text(role.as_str())).item("since", number(since.as_millis()));
                let put = put.item("epoch", number(epoch));
                let put = put.item("mail", aws_sdk_dynamodb::types::AttributeValue::Bool(*mail));
                item.put(put.build()?).build()
            }
        })
    }

    fn put_event(&self, thing: &ThingName, change: &Change) -> Result<Option<TransactWriteItem>, PairingFailure> {
        let Some(event) = event(thing, change) else { return Ok(None) };
        let mut row = Key::event(thing, event.at, change.tenancy.version).attributes();
        row.insert("event".to_owned(), text(&serde_json::to_string(&event)?));
        let put = Put::builder().table_name(&self.table).set_item(Some(row)).build()?;
        Ok(Some(TransactWriteItem::builder().put(put).build()))
    }

    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Written, PairingFailure> {
        match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    written(cancelled.cancellation_reasons())
                }
                _ => Err(PairingFailure::NotTransacted(Box::new(error))),
            },
        }
    }
}

/// What the thing's record goes through with a change.
fn record_intent(before: &Tenancy, change: &Change) -> Option<RecordIntent> {
    match change.record_step(before) {
        RecordStep::Same => None,
        RecordStep::Paired => Some(RecordIntent::Paired { epoch: change.tenancy.epoch }),
        RecordStep::Ended => {
            let Told::Unpaired { epoch, cause } = &change.told else { return None };
            let awaiting = ERASERS.map(str::to_owned).into();
            Some(RecordIntent::Ended(End { epoch: *epoch, cause: cause.as_str().to_owned(), awaiting }))
        }
        RecordStep::Erased { paired } => {
            Some(RecordIntent::Erased { through: change.tenancy.epoch.saturating_sub(1), paired })
        }
    }
}

/// The record and the tenancy are written together, so what one allows the other does: unless they were read at two times,
/// and then they are read again. What concerns the record alone is told as what it means for people.
fn of_record(attempt: Attempt) -> Result<Written, PairingFailure> {
    match attempt {
        Attempt::Done(_) => Ok(Written::Yes),
        Attempt::Lost | Attempt::Nothing(RecordOutcome::Already(_) | RecordOutcome::Done(_)) => Ok(Written::Lost),
        Attempt::Nothing(RecordOutcome::Missing | RecordOutcome::Refused(RecordWhy::Retired, _)) => {
            Ok(Written::Refused(Why::Gone))
        }
        Attempt::Nothing(RecordOutcome::Refused(RecordWhy::NotOnboarded, _)) => Ok(Written::Refused(Why::NotOnboarded)),
        Attempt::Nothing(RecordOutcome::Refused(why, _)) => match why {
            RecordWhy::EpochOver | RecordWhy::Erasing | RecordWhy::NotPaired | RecordWhy::Paired => Ok(Written::Lost),
            RecordWhy::Taken
            | RecordWhy::CertificateGone
            | RecordWhy::UnknownCertificate
            | RecordWhy::Retired
            | RecordWhy::NotRetiring
            | RecordWhy::Awaiting
            | RecordWhy::Stale
            | RecordWhy::NotOnboarded
            | RecordWhy::TooEarly => Err(PairingFailure::RecordRefused { why: why.as_str() }),
        },
    }
}

/// What a cancelled transaction's reasons mean: every condition of ours is one on what was read.
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn written(reasons: &[CancellationReason]) -> Result<Written, PairingFailure> {
    let mut lost = false;
    for reason in reasons {
        match reason.code().unwrap_or("None") {
            "None" => {}
            "ConditionalCheckFailed" | "TransactionConflict" => lost = true,
            other => return Err(PairingFailure::Cancelled { reason: other.to_owned() }),
        }
    }
    if lost { Ok(Written::Lost) } else { Err(PairingFailure::Cancelled { reason: "no reason".to_owned() }) }
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one, at most 640 ms.
///
/// The share of it is random, so that two that met do not meet again; nothing else depends on it.
pub(crate) async fn wait_after(tries: u32) -> Result<u32, PairingFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(PairingFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries.min(6)))).await;
    Ok(tries)
}
