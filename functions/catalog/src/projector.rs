//! Brings a thing's twin up to date: load, decide, save; it chooses nothing.

use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use loam_things::twins::{RecordView, Twin, Twins};
use loam_things::{ThingRecord, Things};

use crate::decide::{MAX_TWIN_BYTES, News, next};
use crate::error::Refused;
use crate::store::{Saved, Store, wait_after};
use crate::{CatalogFailure, Config};

/// What this capability answers for when a thing retires.
pub const CAPABILITY: &str = "catalog";

/// The clients of the projection.
#[derive(Debug, Clone)]
pub struct Projector {
    store: Store,
    twins: Twins,
    things: Things,
}

/// What came of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projected {
    /// The twin changed.
    Changed,
    /// Nothing of it was newer.
    Known,
    /// There is no such thing of ours, or it retires: nothing was done.
    NotOurs,
    /// The thing's twin is erased, and that is acknowledged.
    Erased,
    /// What would be known of the thing cannot be kept.
    Refused(Refused),
}

impl Projector {
    /// The projection between the tables of `config`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        let things = Things::new(sdk, config.things_table.clone());
        Self {
            store: Store::new(sdk, config.twins_table.clone(), config.groups_table.clone(), things.clone()),
            twins: Twins::new(sdk, config.twins_table.clone()),
            things,
        }
    }

    /// Takes in what is new of a thing. It may be stopped anywhere and run again.
    ///
    /// # Errors
    /// [`CatalogFailure`]: the messages must come again.
    pub async fn take(&self, thing: &ThingName, news: News, now: Timestamp) -> Result<Projected, CatalogFailure> {
        if news.end {
            return self.erase(thing, now).await;
        }
        let (mut news, mut tries) = (news, 0);
        loop {
            let before = self.twins.get(thing).await?;
            // Only a record makes a twin: AWS IoT tells of every thing of the account, and not all are ours.
            if before.is_none() || news.reread {
                match self.record(thing).await? {
                    Some(record) => news.record = Some(record),
                    None => return Ok(Projected::NotOurs),
                }
            }
            let Some(twin) = next(thing, before.as_ref(), &news) else { return Ok(Projected::Known) };
            if bytes_of(&twin)? > MAX_TWIN_BYTES {
                return Ok(Projected::Refused(Refused::TwinTooLarge));
            }
            match self.store.put(&twin).await? {
                Saved::Yes => return Ok(Projected::Changed),
                Saved::Ended => return Ok(Projected::NotOurs),
                Saved::Lost | Saved::NoGroup => tries = wait_after(tries).await?,
            }
        }
    }

    /// The record of a thing that is ours and stays so. One that retires gets no twin any more: its record remembers for
    /// ever, so that a late message brings nothing back.
    async fn record(&self, thing: &ThingName) -> Result<Option<RecordView>, CatalogFailure> {
        let record = self.things.get(thing).await?;
        Ok(record.filter(|record| !record.is_retiring()).as_ref().map(view))
    }

    async fn erase(&self, thing: &ThingName, now: Timestamp) -> Result<Projected, CatalogFailure> {
        let mut tries = 0;
        while let Some(twin) = self.twins.get(thing).await? {
            if self.store.erase(&twin).await? == Saved::Yes {
                break;
            }
            tries = wait_after(tries).await?;
        }
        self.things.acknowledge_retirement(thing, CAPABILITY, now).await?;
        Ok(Projected::Erased)
    }
}

fn view(record: &ThingRecord) -> RecordView {
    RecordView::from(record)
}

/// The size of a row, as far as it can grow.
fn bytes_of(twin: &Twin) -> Result<usize, CatalogFailure> {
    let shadow = serde_json::to_vec(&twin.shadow)?.len();
    let presence = serde_json::to_vec(&twin.presence)?.len();
    Ok(serde_json::to_vec(&twin.record)?.len() + serde_json::to_vec(&twin.notes)?.len() + shadow + presence)
}
