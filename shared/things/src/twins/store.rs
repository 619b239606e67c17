use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use futures_util::future::try_join_all;
use loam_domain::ThingName;
use serde_json::Value;

use super::{Read, Twin, TwinsFailure};
use crate::rows::{Item, text};

/// The most keys of one batch. Source: DynamoDB API reference, `BatchGetItem`.
const BATCH: usize = 100;

/// How often a batch of which DynamoDB leaves a part undone is asked for the rest.
const MOST_TRIES: u32 = 6;

/// The table of twins, to read.
#[derive(Debug, Clone)]
pub struct Twins {
    pub(super) client: aws_sdk_dynamodb::Client,
    pub(super) table: String,
}

/// A twin and the thing as filters read it, made once.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The twin.
    pub twin: Twin,
    /// [`Twin::document`].
    pub document: Value,
}

impl From<Twin> for Seen {
    fn from(twin: Twin) -> Self {
        Self { document: twin.document(), twin }
    }
}

impl Twins {
    /// The table of this name (`TWINS_TABLE`).
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// The twin of a thing, read consistently; `None` if the catalog knows none.
    ///
    /// # Errors
    /// [`TwinsFailure::NotRead`], [`TwinsFailure::BadRow`].
    pub async fn get(&self, thing: &ThingName) -> Result<Option<Twin>, TwinsFailure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.key("thing", text(thing.as_str())).send().await;
        let answer = answer.map_err(|error| TwinsFailure::NotRead(Box::new(error)))?;
        Ok(answer.item().map(Twin::of).transpose()?)
    }

    /// The twins of these things (each named once), in no order, and what reading them took; who has none is left out, and so
    /// is one that cannot be read, which the log tells: it hides no other. Not consistent: what was written within the last
    /// second may be missing.
    ///
    /// # Errors
    /// [`TwinsFailure`].
    pub async fn batch(&self, things: &[ThingName]) -> Result<(Vec<Twin>, Read), TwinsFailure> {
        let parts = try_join_all(things.chunks(BATCH).map(|part| self.part(part))).await?;
        let mut read = Read::default();
        let mut twins = Vec::new();
        for (items, part) in parts {
            read.add(part);
            twins.extend(items.iter().filter_map(readable));
        }
        Ok((twins, read))
    }

    /// One batch, asked again for what DynamoDB leaves undone.
    async fn part(&self, things: &[ThingName]) -> Result<(Vec<Item>, Read), TwinsFailure> {
        let mut keys: Vec<Item> = things.iter().map(key).collect();
        let (mut items, mut read) = (Vec::new(), Read::default());
        for tries in 0..MOST_TRIES {
            if tries > 0 {
                tokio::time::sleep(Duration::from_millis(25 << tries)).await;
            }
            let asked = KeysAndAttributes::builder().set_keys(Some(keys)).build()?;
            let request = self.client.batch_get_item().request_items(&self.table, asked);
            let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
            let answer = answer.map_err(|error| TwinsFailure::BatchNotRead(Box::new(error)))?;
            let found = answer.responses.and_then(|mut tables| tables.remove(&self.table)).unwrap_or_default();
            let units = answer.consumed_capacity.iter().flatten().filter_map(|table| table.capacity_units).sum();
            read.add(Read { things: found.len() as u64, units });
            items.extend(found);
            let rest = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
            keys = rest.map(|rest| rest.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok((items, read));
            }
        }
        Err(TwinsFailure::LeftUndone { tries: MOST_TRIES })
    }
}

/// The twin in a row; `None` for one that is none of the catalog's.
pub(super) fn readable(item: &Item) -> Option<Twin> {
    Twin::of(item).inspect_err(|_| tracing::error!(code = "bad-twin-row", "a row of twins was left out")).ok()
}

fn key(thing: &ThingName) -> Item {
    Item::from([("thing".to_owned(), text(thing.as_str()))])
}
