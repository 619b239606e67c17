use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use loam_domain::{ThingName, Timestamp};
use loam_things::{Acknowledgement, Erasure, SECOND_LOOK_SECONDS, Things, Turn};

use crate::rows::{self, Item};
use crate::{Store, TelemetryFailure};

/// How many rows one run erases at most, for all things of its batch together: seconds of its time. What is left goes on in
/// the next run, by a message of its own, so that it never uses up the receives of the one that asked.
pub const MOST_ROWS: usize = 2_500;

/// The most rows that one call erases. Source: DynamoDB API reference, `BatchWriteItem`.
const AT_ONCE: usize = 25;

/// How often a call is made for rows that DynamoDB left over, each time after a longer pause.
const MOST_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(40);

/// This capability's name among those that a retirement, or an erasure of what people left, awaits.
const CAPABILITY: &str = "telemetry";

/// Erases the series of things that retire, or whose owner's time is over, and says so.
#[derive(Debug, Clone)]
pub(crate) struct Eraser {
    store: Store,
    things: Things,
    queue: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Eraser {
    /// With the function's clients.
    pub(crate) fn new(sdk: &SdkConfig, store: Store, things_table: String, queue_url: String) -> Self {
        Self { store, things: Things::new(sdk, things_table), queue: aws_sdk_sqs::Client::new(sdk), queue_url }
    }

    /// Does what `erasure`, the meaning of `body`, asks for, with at most `rows_left` rows; answers the word for what came
    /// of it.
    pub(crate) async fn run(
        &self,
        erasure: &Erasure,
        body: &str,
        rows_left: &mut usize,
        now: Timestamp,
    ) -> Result<&'static str, TelemetryFailure> {
        let thing = erasure.thing();
        if let Erasure::OfPeople(_) = erasure {
            return self.of_people(thing, rows_left, now).await;
        }
        if let Erasure::Over(_) = erasure {
            self.send(&Erasure::once_more(thing)?, SECOND_LOOK_SECONDS).await?;
            return Ok("again-later");
        }
        if !self.store.erase(thing, rows_left).await? {
            self.send(body, 0).await?;
            return Ok("in-part");
        }
        if let Erasure::Asked(_) = erasure {
            self.things.acknowledge_retirement(thing, CAPABILITY, now).await?;
        }
        Ok("all")
    }

    /// An owner's time is over: nobody after them may see what was measured in it.
    async fn of_people(
        &self,
        thing: &ThingName,
        rows_left: &mut usize,
        now: Timestamp,
    ) -> Result<&'static str, TelemetryFailure> {
        let turn = self.things.erasure_turn(thing, CAPABILITY, now).await?;
        let through = match turn {
            Turn::Nothing => return Ok("nothing-to-do"),
            Turn::Wait { .. } => {
                self.send(&Erasure::of_people(thing)?, turn.delay_seconds()).await?;
                return Ok("waits");
            }
            Turn::Erase { through } => through,
        };
        if !self.store.erase(thing, rows_left).await? {
            self.send(&Erasure::of_people(thing)?, 0).await?;
            return Ok("in-part");
        }
        let word = Acknowledgement { capability: CAPABILITY.to_owned(), through, looked_at: now };
        self.things.acknowledge_erasure(thing, word, now).await?;
        Ok("all")
    }

    async fn send(&self, body: &str, delay: i32) -> Result<(), TelemetryFailure> {
        let request = self.queue.send_message().queue_url(&self.queue_url).message_body(body).delay_seconds(delay);
        request.send().await.map_err(|error| TelemetryFailure::NotSent(Box::new(error)))?;
        Ok(())
    }
}

impl Store {
    /// Erases all series of a thing, as far as `rows_left` allows; says whether nothing is left.
    ///
    /// A latest value goes after its series: as long as it is there, a run that died is taken up again.
    ///
    /// # Errors
    /// [`TelemetryFailure::NotRead`], [`TelemetryFailure::NotErased`], [`TelemetryFailure::ErasedInPart`].
    pub async fn erase(&self, thing: &ThingName, rows_left: &mut usize) -> Result<bool, TelemetryFailure> {
        loop {
            let latest = self.keys(thing.to_string(), *rows_left).await?;
            if latest.is_empty() {
                return Ok(true);
            }
            for key in latest {
                let series = rows::series_pk(thing, &rows::latest_metric(&key)?);
                loop {
                    let rows = self.keys(series.clone(), *rows_left).await?;
                    if rows.is_empty() {
                        break;
                    }
                    if *rows_left == 0 {
                        return Ok(false);
                    }
                    self.delete(&rows, rows_left).await?;
                }
                self.delete(&[key], rows_left).await?;
            }
        }
    }

    /// Keys of a partition's rows: as many as one answer and `most` hold, at least one if there is any.
    async fn keys(&self, partition: String, most: usize) -> Result<Vec<Item>, TelemetryFailure> {
        let limit = i32::try_from(most.clamp(1, 20 * AT_ONCE)).unwrap_or(i32::MAX);
        let request = self.client.query().table_name(&self.table).consistent_read(true).limit(limit);
        let request = request.key_condition_expression("pk = :pk").projection_expression("pk, sk");
        let answer = request.expression_attribute_values(":pk", rows::text(partition)).send().await;
        let answer = answer.map_err(|error| TelemetryFailure::NotRead(Box::new(error)))?;
        Ok(answer.items.unwrap_or_default())
    }

    async fn delete(&self, keys: &[Item], rows_left: &mut usize) -> Result<(), TelemetryFailure> {
        for some in keys.chunks(AT_ONCE) {
            let mut requests = Vec::with_capacity(some.len());
            for key in some {
                let delete = DeleteRequest::builder().set_key(Some(key.clone())).build()?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            self.delete_all(requests).await?;
            *rows_left = rows_left.saturating_sub(some.len());
        }
        Ok(())
    }

    async fn delete_all(&self, mut requests: Vec<WriteRequest>) -> Result<(), TelemetryFailure> {
        for attempt in 0..MOST_TRIES {
            tokio::time::sleep(PAUSE * attempt * attempt).await;
            let answer = self.client.batch_write_item().request_items(&self.table, requests).send().await;
            let answer = answer.map_err(|error| TelemetryFailure::NotErased(Box::new(error)))?;
            requests = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
            if requests.is_empty() {
                return Ok(());
            }
        }
        Err(TelemetryFailure::ErasedInPart)
    }
}
