use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};
use loam_things::{Erasure, SECOND_LOOK_SECONDS, Things};

use crate::Config;
use crate::command::{Intent, Outcome, Why};
use crate::command_id::CommandId;
use crate::deliver::{Clock, Deliverer, Ended};
use crate::erase::{CAPABILITY, Erased, Eraser};
use crate::error::{CommandsFailure, Refused};
use crate::event::Message;
use crate::feedback::Feedback;
use crate::inbound::Inbound;
use crate::keeper::Kept;
use crate::queue::Queue;
use crate::shadows::Shadows;
use crate::spread::Spreader;
use crate::store::Store;

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "commands";

/// Deals with the queue's messages, one after the other.
#[derive(Debug, Clone)]
pub struct Handler {
    store: Store,
    things: Things,
    deliverer: Deliverer,
    eraser: Eraser,
    inbound: Inbound,
    spreader: Spreader,
    queue: Queue,
    dead_letters: DeadLetters,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let things = Things::new(sdk, config.things_table.clone());
        let store = Store::new(sdk, config.commands_table.clone());
        let queue = Queue::new(sdk, config.queue_url.clone());
        Self {
            deliverer: Deliverer::new(sdk, store.clone(), things.clone()),
            eraser: Eraser::new(store.clone(), things.clone(), Shadows::new(sdk)),
            inbound: Inbound::new(sdk, &config, store.clone(), things.clone()),
            spreader: Spreader::new(sdk, &config, store.clone(), things.clone(), queue.clone()),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
            queue,
            store,
            things,
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`CommandsFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, CommandsFailure> {
        let clock = Clock::new(invocation.now);
        let work = |item: BatchItem| {
            let (handler, run) = (self.clone(), invocation.request_id.clone());
            async move { Box::pin(handler.deal_with(&item, &run, clock)).await }
        };
        each_message(batch, 1, work).await
    }

    async fn deal_with(&self, item: &BatchItem, run: &str, clock: Clock) -> Result<(), CommandsFailure> {
        let now = clock.now();
        match Message::parse(&item.body) {
            Err(refused) => self.keep(item, &refused, now).await,
            Ok(Message::Deliver(thing)) => self.deliver(&thing, run, clock).await,
            Ok(Message::Heard { thing, id, feedback }) => self.hear(&thing, &id, feedback, now).await,
            Ok(Message::Wish(wished)) => self.inbound.deal_with(&wished, now).await,
            Ok(Message::Erasure(erasure)) => self.end(&erasure, now).await,
            Ok(Message::Spread { order, after }) => self.spreader.page(&order, after, now).await,
        }
    }

    async fn deliver(&self, thing: &ThingName, run: &str, clock: Clock) -> Result<(), CommandsFailure> {
        let ended = Box::pin(self.deliverer.run(thing, run, clock)).await?;
        let outcome = match ended {
            Ended::Done => "done",
            Ended::Offline => "offline",
            Ended::Forbidden => "device-policy",
            Ended::Busy => "busy",
            Ended::NotOurs => {
                metrics::counter!("NotOurs").increment(1);
                "not-ours"
            }
            Ended::Again(at) => {
                self.queue.send(Message::deliver(thing)?, at.millis_since(clock.now())).await?;
                "again-later"
            }
        };
        tracing::info!(thing.name = thing.as_str(), outcome, "commands delivered");
        Ok(())
    }

    /// A word of a device. What it says of a command that nobody knows, or that was never sent to it, is counted and left alone.
    async fn hear(
        &self,
        thing: &ThingName,
        id: &CommandId,
        feedback: Feedback,
        now: Timestamp,
    ) -> Result<(), CommandsFailure> {
        let outcome = match self.store.apply(thing, id, &Intent::Hear(feedback), now).await? {
            Kept::Done(command) => command.state(now).as_str(),
            Kept::Nothing(Outcome::Already, _) => {
                metrics::counter!("Duplicates").increment(1);
                "known"
            }
            Kept::Nothing(Outcome::Refused(why), _) => {
                metrics::counter!("NotOurs").increment(1);
                Why::as_str(why)
            }
            Kept::Missing => {
                metrics::counter!("NotOurs").increment(1);
                "no-such-command"
            }
        };
        tracing::info!(thing.name = thing.as_str(), command.id = id.as_str(), outcome, "device heard");
        Ok(())
    }

    async fn end_of_owner(&self, thing: &ThingName, now: Timestamp) -> Result<(), CommandsFailure> {
        let outcome = match self.eraser.former(thing, now).await? {
            Erased::Done => "erased",
            Erased::Again(at) => {
                self.queue.send(Erasure::of_people(thing)?, at.millis_since(now)).await?;
                "again-later"
            }
        };
        tracing::info!(thing.name = thing.as_str(), outcome, "commands erased");
        Ok(())
    }

    async fn end(&self, erasure: &Erasure, now: Timestamp) -> Result<(), CommandsFailure> {
        let thing = erasure.thing();
        if let Erasure::OfPeople(_) = erasure {
            return self.end_of_owner(thing, now).await;
        }
        if let Erasure::Over(_) = erasure {
            return self.queue.send(Erasure::once_more(thing)?, i64::from(SECOND_LOOK_SECONDS) * 1_000).await;
        }
        while !self.eraser.all(thing).await? {}
        if let Erasure::Asked(_) = erasure {
            self.things.acknowledge_retirement(thing, CAPABILITY, now).await?;
        }
        tracing::info!(thing.name = thing.as_str(), outcome = "erased", "commands erased");
        Ok(())
    }

    async fn keep(&self, item: &BatchItem, refused: &Refused, now: Timestamp) -> Result<(), CommandsFailure> {
        tracing::warn!(code = refused.code(), detail = refused.detail(), "refused and kept");
        let letter = KeptEvent::of_body(NAME, refused.code(), refused.detail(), &item.body, now);
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
