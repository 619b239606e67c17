//! The rows of `PairingsTable`, and the memberships and the thing's record that are written with them.
//!
//! One change of a tenancy is one transaction: [`Store::change`] reads, decides by [`crate::tenancy::next`], writes, and begins
//! again while others are faster.

mod change;
mod claims;
mod codes;
mod erase;
mod failure;
mod items;
mod mailboxes;
mod shares;
mod told;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::ThingName;
use loam_things::{ThingRecord, Things};

use crate::tenancy::Tenancy;
use items::Item;

pub(crate) use change::wait_after;
pub use change::{Came, ERASERS, Written};
pub use claims::{ClaimId, KnownClaim};
pub use codes::{PrintedCode, Tried};
pub use failure::StoreFailure;
pub use shares::{Pointer, ShareKind};

/// The tables of pairing.
#[derive(Debug, Clone)]
pub struct Store {
    client: aws_sdk_dynamodb::Client,
    pairings: String,
    memberships: String,
    things: Things,
}

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// `PAIRINGS_TABLE`: tenancies, windows, codes, claims, attempts, mailboxes.
    pub pairings: String,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships: String,
    /// `THINGS_TABLE`: the records of the things.
    pub things: String,
}

/// What became of a write on a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is there.
    Yes,
    /// Its condition failed: somebody else was faster, or the answer to this very write was lost. Read again.
    Lost,
}

/// A thing and whose it is, as both rows said when they were read, side by side. They may be of two different times: what
/// is written on them is written only if both still stand where that matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The thing's record.
    pub record: ThingRecord,
    /// Whose it is. Without a row: vacant, in the record's epoch.
    pub tenancy: Tenancy,
}

impl Store {
    /// The tables of these names.
    #[must_use]
    pub fn new(sdk: &SdkConfig, tables: Tables) -> Self {
        let Tables { pairings, memberships, things } = tables;
        Self { client: aws_sdk_dynamodb::Client::new(sdk), pairings, memberships, things: Things::new(sdk, things) }
    }

    /// The table of pairings alone, for who reads whose things are and keeps mailboxes, and changes no tenancy: the other tables
    /// have no name.
    #[must_use]
    pub fn of_mailboxes(sdk: &SdkConfig, pairings: String) -> Self {
        Self::new(sdk, Tables { pairings, memberships: String::new(), things: String::new() })
    }

    /// The records of the things.
    #[must_use]
    pub const fn things(&self) -> &Things {
        &self.things
    }

    /// A thing and whose it is; `None`: Loam never registered one of this name. Two consistent reads.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn known(&self, thing: &ThingName) -> Result<Option<Known>, StoreFailure> {
        // Always both, whatever the other says: the time of an answer is not to tell which things exist.
        let (record, tenancy) = tokio::join!(self.things.get(thing), self.tenancy(thing));
        let (record, tenancy) = (record?, tenancy?);
        Ok(record.map(|record| Known { tenancy: tenancy.unwrap_or_else(|| Tenancy::vacant(record.epoch)), record }))
    }

    /// Whose a thing is, read consistently; `None`: there is no row, as nobody ever owned it.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn tenancy(&self, thing: &ThingName) -> Result<Option<Tenancy>, StoreFailure> {
        let item = self.get(items::key(thing.as_str(), items::TENANCY)).await?;
        Ok(item.as_ref().map(items::tenancy_of).transpose()?)
    }

    async fn get(&self, key: Item) -> Result<Option<Item>, StoreFailure> {
        let request = self.client.get_item().table_name(&self.pairings).consistent_read(true).set_key(Some(key));
        let answer = request.send().await.map_err(|error| StoreFailure::NotRead(Box::new(error)))?;
        Ok(answer.item)
    }

    /// Puts an item, on a condition that needs no values of its own or those given.
    async fn put(
        &self,
        item: Item,
        condition: Option<&str>,
        values: Vec<(&str, AttributeValue)>,
    ) -> Result<Saved, StoreFailure> {
        let put = self.client.put_item().table_name(&self.pairings).set_item(Some(item));
        let put = put.set_condition_expression(condition.map(str::to_owned));
        let put = values.into_iter().fold(put, |put, (name, value)| put.expression_attribute_values(name, value));
        match put.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Lost)
            }
            Err(error) => Err(StoreFailure::NotWritten(Box::new(error))),
        }
    }
}
