//! Brings a thing's twin up to date: load, decide, save; it chooses nothing.

use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use loam_things::twins::{RecordView, Twin, Twins};
use loam_things::{Acknowledgement, Erasure, ThingRecord, Things, Turn};

use crate::decide::{MAX_TWIN_BYTES, News, next, without_people};
use crate::error::Refused;
use crate::store::{Saved, Store, wait_after};
use crate::{CatalogFailure, Config};

/// What this capability answers for when a thing retires, or its owner's time is over.
pub const CAPABILITY: &str = "catalog";

/// The clients of the projection.
#[derive(Debug, Clone)]
pub struct Projector {
    store: Store,
    twins: Twins,
    things: Things,
    queue: aws_sdk_sqs::Client,
    queue_url: String,
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
            queue: aws_sdk_sqs::Client::new(sdk),
            queue_url: config.queue_url.clone(),
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
        if news.owners_end {
            self.erase_of_people(thing, now).await?;
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

    /// What people said of a thing goes when its owner's time is over, once nothing of theirs is under way any more.
    async fn erase_of_people(&self, thing: &ThingName, now: Timestamp) -> Result<(), CatalogFailure> {
        let turn = self.things.erasure_turn(thing, CAPABILITY, now).await?;
        let through = match turn {
            Turn::Nothing => return Ok(()),
            Turn::Wait { .. } => return self.look_again(thing, turn.delay_seconds()).await,
            Turn::Erase { through } => through,
        };
        let mut tries = 0;
        while let Some(after) = self.twins.get(thing).await?.as_ref().and_then(without_people) {
            if self.store.put(&after).await? == Saved::Yes {
                break;
            }
            tries = wait_after(tries).await?;
        }
        let word = Acknowledgement { capability: CAPABILITY.to_owned(), through, looked_at: now };
        self.things.acknowledge_erasure(thing, word, now).await?;
        tracing::info!(thing.name = thing.as_str(), "what people said is erased");
        Ok(())
    }

    async fn look_again(&self, thing: &ThingName, delay: i32) -> Result<(), CatalogFailure> {
        let request = self.queue.send_message().queue_url(&self.queue_url).delay_seconds(delay);
        let request = request.message_body(Erasure::of_people(thing)?);
        request.send().await.map_err(|error| CatalogFailure::NotSent(Box::new(error)))?;
        Ok(())
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
