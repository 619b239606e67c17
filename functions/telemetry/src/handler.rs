use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp, thing_of_event};
use loam_runtime::{BatchItem, Invocation, KeptEvent, ids_at, must_come_again};
use loam_things::Erasure;
use tokio::task::JoinSet;

use crate::decide::{Group, Outcome, admit, groups, plan, settle};
use crate::erase::{Eraser, MOST_ROWS};
use crate::error::Refused;
use crate::event::{Points, RefusedPart};
use crate::expiry::Retention;
use crate::{Config, Store, TelemetryFailure};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "telemetry";

/// How many hours are worked on at once.
const AT_ONCE: usize = 4;

/// How often a transaction on one hour is tried while others are faster.
const MOST_TRIES: u32 = 8;

/// Understands the messages of a batch, stores their numbers, keeps what is refused.
#[derive(Debug, Clone)]
pub struct Handler {
    store: Store,
    dead_letters: DeadLetters,
    eraser: Eraser,
    retention: Retention,
}

/// A message of the batch: understood, or refused as a whole.
type Understood = Result<Points, Refused>;

/// What became of a batch's numbers.
#[derive(Debug, Default)]
struct Stored {
    /// How many samples were new.
    samples: usize,
    /// The places of the messages that did not succeed.
    failed: BTreeSet<usize>,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let store = Store::new(sdk, config.table, config.retention);
        let eraser = Eraser::new(sdk, store.clone(), config.things_table, config.queue_url);
        let dead_letters = DeadLetters::new(sdk, config.dead_letters_url);
        Self { store, dead_letters, eraser, retention: config.retention }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again: those of which a
    /// number was not stored, or a refused part not kept, and erasures that failed. Numbers go first, so that those of a
    /// thing that retires in the same batch are erased with the others.
    ///
    /// What is refused is kept after the rest of its message is stored, so that a message which comes again because the
    /// table failed is not kept each time.
    ///
    /// # Errors
    /// [`TelemetryFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(
        &self,
        batch: Vec<BatchItem>,
        invocation: &Invocation,
    ) -> Result<Vec<String>, TelemetryFailure> {
        let (batch, erasures) = apart(batch);
        let messages: Vec<Understood> = batch.iter().map(|item| self.understand(item, invocation.now)).collect();
        let Stored { samples, mut failed } = self.store_all(&messages).await?;
        for (at, (item, message)) in batch.iter().zip(&messages).enumerate() {
            if !failed.contains(&at)
                && let Err(failure) = self.keep_refused(item, message, invocation.now).await
            {
                must_come_again(&failure);
                failed.insert(at);
            }
        }
        if !batch.is_empty() {
            tracing::info!(messages = batch.len(), samples, failed = failed.len(), "batch stored");
        }
        let mut failed = ids_at(batch, &failed);
        failed.extend(self.erase_all(erasures, invocation.now).await);
        Ok(failed)
    }

    /// Erases what is asked for, within one run's measure; answers the ids of the messages that must come again.
    async fn erase_all(&self, erasures: Vec<(BatchItem, Erasure)>, now: Timestamp) -> Vec<String> {
        let (mut failed, mut rows_left) = (Vec::new(), MOST_ROWS);
        for (item, erasure) in erasures {
            match self.eraser.run(&erasure, &item.body, &mut rows_left, now).await {
                Ok(outcome) => tracing::info!(thing.name = erasure.thing().as_str(), outcome, "erased"),
                Err(failure) => {
                    must_come_again(&failure);
                    failed.push(item.message_id);
                }
            }
        }
        failed
    }

    fn understand(&self, item: &BatchItem, now: Timestamp) -> Understood {
        Ok(admit(Points::parse(&item.body)?, self.retention, now))
    }

    /// Stores the messages' numbers, hour by hour, a few hours at once.
    async fn store_all(&self, messages: &[Understood]) -> Result<Stored, TelemetryFailure> {
        let understood = messages.iter().enumerate().filter_map(|(at, message)| Some((at, message.as_ref().ok()?)));
        let mut waiting = groups(understood).into_iter();
        let (mut running, mut all) = (JoinSet::new(), Stored::default());
        loop {
            while running.len() < AT_ONCE
                && let Some(group) = waiting.next()
            {
                let store = self.store.clone();
                running.spawn(async move { (apply(&store, &group).await, group.messages) });
            }
            let Some(done) = running.join_next().await else { return Ok(all) };
            match done? {
                (Ok(samples), _) => all.samples += samples,
                (Err(failure), messages) => {
                    must_come_again(&failure);
                    all.failed.extend(messages);
                }
            }
        }
    }

    /// Keeps a message of which something was refused, with the codes and places of what was.
    async fn keep_refused(
        &self,
        item: &BatchItem,
        message: &Understood,
        now: Timestamp,
    ) -> Result<(), TelemetryFailure> {
        let (first, indexes) = match message {
            Err(refused) => (refused, vec![]),
            Ok(Points { refused, .. }) => match refused.first() {
                None => return Ok(()),
                Some(first) => (&first.reason, places(refused)),
            },
        };
        let refused = message.as_ref().map_or(1, |points| points.refused.len());
        let letter = kept(item, first, indexes, now);
        let thing = thing_of_event(&letter.event);
        let thing = thing.as_ref().map(ThingName::as_str);
        tracing::warn!(thing.name = thing, code = first.code(), detail = first.detail(), refused, "refused and kept");
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(refused as u64);
        Ok(())
    }
}

/// The messages of devices, and what is to be erased.
fn apart(batch: Vec<BatchItem>) -> (Vec<BatchItem>, Vec<(BatchItem, Erasure)>) {
    let (mut messages, mut erasures) = (Vec::new(), Vec::new());
    for item in batch {
        match Erasure::parse(&item.body) {
            Some(erasure) => erasures.push((item, erasure)),
            None => messages.push(item),
        }
    }
    (messages, erasures)
}

/// Stores the samples of one hour, then the latest value; may be interrupted anywhere and run again. Answers how many
/// samples were new.
async fn apply(store: &Store, group: &Group) -> Result<usize, TelemetryFailure> {
    let mut samples = group.samples.clone();
    let mut hour = store.hour(&group.key).await?;
    let (mut tries, mut stored) = (0, 0);
    while let Some(write) = plan(&samples, hour.as_ref()) {
        let outcome = store.write(&group.key, &write).await?;
        if outcome == Outcome::Written {
            stored += write.samples.len();
        }
        let next = settle(&samples, hour, write, &outcome);
        (samples, hour) = (next.samples, next.hour);
        if hour.is_none() && !samples.is_empty() {
            tries = wait_after(tries).await?;
            hour = store.hour(&group.key).await?;
        }
    }
    metrics::counter!("Samples").increment(stored as u64);
    metrics::counter!("Duplicates").increment((group.samples.len() - stored) as u64);
    if let Some(newest) = &group.newest {
        store.put_latest(&group.key, newest).await?;
    }
    Ok(stored)
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one.
///
/// The share of it is random, so that two that met do not meet again; nothing else depends on it.
async fn wait_after(tries: u32) -> Result<u32, TelemetryFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(TelemetryFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries))).await;
    Ok(tries)
}

/// Where the refused readings stand in their batch, each once.
fn places(refused: &[RefusedPart]) -> Vec<usize> {
    refused.iter().map(|part| part.index).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The message as it came, with the first reason; to store it again later is harmless, as its good numbers are known.
fn kept(item: &BatchItem, refused: &Refused, indexes: Vec<usize>, now: Timestamp) -> KeptEvent {
    KeptEvent { indexes, ..KeptEvent::of_body(NAME, refused.code(), refused.detail(), &item.body, now) }
}
