use aws_config::SdkConfig;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};

use super::{IdentityId, Message, News, Refused, RelayConfig, RelayFailure, Subject, hears, topic};
use crate::store::Store;

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "pairing-relay";
/// How many messages of a batch are told at a time.
const AT_ONCE: usize = 10;
/// MQTT's "at least once": a message that an app did not acknowledge is sent again while its session lasts.
const AT_LEAST_ONCE: i32 = 1;

/// Tells the people of a thing what happens to it, each in their own mailbox.
#[derive(Debug, Clone)]
pub struct Handler {
    store: Store,
    broker: aws_sdk_iotdataplane::Client,
    dead_letters: DeadLetters,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: RelayConfig) -> Self {
        Self {
            store: Store::of_mailboxes(sdk, config.pairings_table),
            broker: aws_sdk_iotdataplane::Client::new(sdk),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`RelayFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, RelayFailure> {
        let messages = batch.len();
        let work = |item| {
            let (handler, now) = (self.clone(), invocation.now);
            async move { Box::pin(handler.handle_item(&item, now)).await }
        };
        let failed = each_message(batch, AT_ONCE, work).await?;
        tracing::info!(messages, failed = failed.len(), "mailboxes filled");
        Ok(failed)
    }

    async fn handle_item(&self, item: &BatchItem, now: Timestamp) -> Result<(), RelayFailure> {
        match Message::parse(&item.body) {
            Ok(Message::News(news)) => self.tell(&news, now).await,
            Ok(Message::NotOurs) => {
                metrics::counter!("NotOurs").increment(1);
                Ok(())
            }
            Err(refused) => self.keep(item, &refused, now).await,
        }
    }

    /// Whose the thing is, is read for each message and never remembered: who is no member any more hears nothing.
    async fn tell(&self, news: &News, now: Timestamp) -> Result<(), RelayFailure> {
        let Some(tenancy) = self.store.tenancy(&news.thing).await? else {
            metrics::counter!("NotOurs").increment(1);
            return Ok(());
        };
        let mailboxes = self.store.mailboxes(tenancy.members.keys()).await?;
        let (document, mut relayed) = (news.document(&tenancy).to_string(), 0_u64);
        for identity in hears(&tenancy, news.subject, news.happening, &mailboxes, now) {
            self.publish(identity, &news.thing, news.subject, &document).await?;
            relayed += 1;
        }
        metrics::counter!("Relayed").increment(relayed);
        Ok(())
    }

    async fn publish(
        &self,
        identity: &IdentityId,
        thing: &ThingName,
        subject: Subject,
        document: &str,
    ) -> Result<(), RelayFailure> {
        let request = self.broker.publish().topic(topic(identity, thing, subject)).qos(AT_LEAST_ONCE);
        let sent = request.content_type("application/json").payload(Blob::new(document.as_bytes())).send().await;
        sent.map(drop).map_err(|error| RelayFailure::NotPublished(Box::new(error)))
    }

    async fn keep(&self, item: &BatchItem, refused: &Refused, now: Timestamp) -> Result<(), RelayFailure> {
        tracing::warn!(code = refused.code(), detail = refused.detail(), "refused and kept");
        let letter = KeptEvent::of_body(NAME, refused.code(), refused.detail(), &item.body, now);
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
