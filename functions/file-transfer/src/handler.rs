use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};
use loam_things::{Acknowledgement, Erasure, SECOND_LOOK_SECONDS, Things, Turn};

use crate::aws::items::SHARDS;
use crate::event::{Message, Refused};
use crate::grant::{Who, share};
use crate::mailbox::Mailbox;
use crate::queue::Queue;
use crate::transfer::{Intent, State, Transfer};
use crate::worker::{Clock, Ran, Worker};
use crate::{Config, FileFailure, Share};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "file-transfer";

/// This capability's name among those that an end awaits.
const CAPABILITY: &str = "file-transfer";

/// How many transfers one page of an erasure has.
const PAGE: i32 = 25;

/// How many messages of a batch are dealt with at once: the memory is theirs.
const AT_ONCE: usize = 2;

/// Deals with everything that concerns files and is no request.
#[derive(Debug, Clone)]
pub struct Handler {
    pub(crate) worker: Worker,
    pub(crate) things: Things,
    pub(crate) mailbox: Mailbox,
    pub(crate) queue: Queue,
    dead_letters: DeadLetters,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let things = Things::new(sdk, config.places.things_table.clone());
        Self {
            worker: Worker::new(sdk, &config.places, things.clone()),
            things,
            mailbox: Mailbox::new(sdk),
            queue: Queue::new(sdk, config.places.queue_url),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`FileFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, FileFailure> {
        let clock = Clock::start(invocation.now);
        each_message(batch, AT_ONCE, |item| {
            let handler = self.clone();
            async move { Box::pin(handler.deal_with(&item, clock)).await }
        })
        .await
    }

    async fn deal_with(&self, item: &BatchItem, clock: Clock) -> Result<(), FileFailure> {
        match Message::parse(&item.body) {
            Err(refused) => self.keep(item, refused, clock.now()).await,
            Ok(Message::Work(job)) => self.work(&job.of, &job.work, &item.body, clock).await,
            Ok(Message::Sweep) => self.sweep(clock.now()).await,
            Ok(Message::Said(thing, word)) => self.hear(&thing, word, clock.now()).await,
            Ok(Message::Erasure(Erasure::OfPeople(thing))) => self.unpaired(&thing, clock).await,
            Ok(Message::Erasure(erasure)) => self.end(&erasure, &item.body, clock).await,
        }
    }

    async fn keep(&self, item: &BatchItem, refused: Refused, now: Timestamp) -> Result<(), FileFailure> {
        tracing::warn!(code = refused.code(), detail = %refused, "refused and kept");
        let letter = KeptEvent::of_body(NAME, refused.code(), refused.to_string(), &item.body, now);
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }

    async fn work(
        &self,
        thing: &ThingName,
        id: &crate::ids::TransferId,
        body: &str,
        clock: Clock,
    ) -> Result<(), FileFailure> {
        match Box::pin(self.worker.run(thing, id, clock)).await? {
            Ran::Gone => Ok(()),
            Ran::More => self.queue.again(body, 0).await,
            Ran::Out(transfer) => {
                let state = transfer.state(clock.now()).as_str();
                tracing::info!(thing.name = thing.as_str(), outcome = state, "transfer went on");
                self.announce(&transfer, clock.now()).await
            }
        }
    }

    /// Tells the device what it may have, or what is wanted of it. One that is away asks when it connects.
    pub(crate) async fn announce(&self, transfer: &Transfer, now: Timestamp) -> Result<(), FileFailure> {
        if transfer.state(now) == State::AwaitingUpload && transfer.attempt.is_none() {
            return self.mailbox.wanted(transfer, now).await;
        }
        let Some(record) = self.things.get(&transfer.thing).await? else { return Ok(()) };
        let Ok(Share::File(attempt, sha256)) = share(transfer, Who::Device, record.epoch, now) else { return Ok(()) };
        match self.worker.grant_file(transfer, attempt, sha256, Who::Device, now).await? {
            Some(grant) => self.mailbox.grant(&transfer.thing, &grant).await,
            None => Ok(()),
        }
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), FileFailure> {
        let mut found = 0_u64;
        for shard in 0..SHARDS {
            for (thing, id) in self.worker.store.due(shard, now).await? {
                self.queue.work(&thing, &id).await?;
                found += 1;
            }
        }
        tracing::info!(messages = found, "swept");
        Ok(())
    }

    /// A thing retires: all of its transfers go, with all that is kept of them.
    async fn end(&self, erasure: &Erasure, body: &str, clock: Clock) -> Result<(), FileFailure> {
        let thing = erasure.thing();
        if let Erasure::Over(_) = erasure {
            return self.queue.again(&Erasure::once_more(thing)?, SECOND_LOOK_SECONDS).await;
        }
        if !Box::pin(self.close_all(thing, u64::MAX, "retired", clock)).await? {
            return self.queue.again(body, 0).await;
        }
        self.worker.store.forget_all(thing).await?;
        if let Erasure::Asked(_) = erasure {
            self.things.acknowledge_retirement(thing, CAPABILITY, clock.now()).await?;
        }
        tracing::info!(thing.name = thing.as_str(), outcome = "all", "erased");
        Ok(())
    }

    /// An owner's time is over: the transfers of that time go.
    async fn unpaired(&self, thing: &ThingName, clock: Clock) -> Result<(), FileFailure> {
        let looked_at = clock.now();
        let turn = self.things.erasure_turn(thing, CAPABILITY, looked_at).await?;
        let through = match turn {
            Turn::Nothing => return Ok(()),
            Turn::Wait { .. } => return self.queue.again(&Erasure::of_people(thing)?, turn.delay_seconds()).await,
            Turn::Erase { through } => through,
        };
        if !Box::pin(self.close_all(thing, through, "unpaired", clock)).await? {
            return self.queue.again(&Erasure::of_people(thing)?, 0).await;
        }
        let word = Acknowledgement { capability: CAPABILITY.to_owned(), through, looked_at };
        self.things.acknowledge_erasure(thing, word, clock.now()).await?;
        tracing::info!(thing.name = thing.as_str(), outcome = "epoch", "erased");
        Ok(())
    }

    /// Ends, erases and forgets all transfers through an epoch; whether all are.
    async fn close_all(
        &self,
        thing: &ThingName,
        through: u64,
        reason: &'static str,
        clock: Clock,
    ) -> Result<bool, FileFailure> {
        let mut after = None;
        loop {
            let (page, more) = self.worker.store.list(thing, after.as_ref(), PAGE).await?;
            after = page.last().map(|transfer| transfer.id.clone());
            let mut gone = Vec::new();
            for transfer in page.into_iter().filter(|transfer| transfer.epoch <= through) {
                self.worker.store.apply(thing, &transfer.id, &Intent::Close { reason }, clock.now()).await?;
                match Box::pin(self.worker.run(thing, &transfer.id, clock)).await? {
                    Ran::More => return Ok(false),
                    Ran::Out(_) | Ran::Gone => gone.push(transfer.id),
                }
            }
            self.worker.store.forget(thing, &gone).await?;
            if !more {
                return Ok(true);
            }
        }
    }
}
