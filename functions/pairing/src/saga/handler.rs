use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};
use loam_things::{EpochErasure, Why as RecordWhy};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Config, Message, Refused, SagaFailure};
use crate::code_hash::{CodeHash, SALT_BYTES};
use crate::device_word::Reset;
use crate::store::{Came, Saved, Store};
use crate::tenancy::{Actor, Intent, Outcome};
use crate::window::{Press, heard, is_of_the_present};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "pairing";

/// This capability's name among those that a retirement awaits.
const CAPABILITY: &str = "pairing";

/// How many messages are worked on at once.
const AT_ONCE: usize = 4;

/// Deals with what devices say of their owners, closes erasures, and ends pairing with a thing.
///
/// It may be stopped anywhere and run again, also beside itself: each message is one conditional change, or several of which
/// each finds its work done.
#[derive(Debug, Clone)]
pub struct Handler {
    store: Store,
    dead_letters: DeadLetters,
    random: SystemRandom,
    /// Whether it was said already that there are clients that are not ours.
    said_not_ours: Arc<AtomicBool>,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        Self {
            store: Store::new(sdk, config.tables),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
            random: SystemRandom::new(),
            said_not_ours: Arc::default(),
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`SagaFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, SagaFailure> {
        each_message(batch, AT_ONCE, |item| {
            let (handler, now) = (self.clone(), invocation.now);
            async move { Box::pin(handler.deal_with(&item, now)).await }
        })
        .await
    }

    async fn deal_with(&self, item: &BatchItem, now: Timestamp) -> Result<(), SagaFailure> {
        let (thing, outcome) = match Message::parse(&item.body) {
            Err(refused) => return self.keep(item, &refused, now).await,
            Ok(Message::NotOurs) => {
                self.leave_alone();
                return Ok(());
            }
            Ok(Message::Window(thing, press, received_at)) => {
                let outcome = self.open(&thing, &press, received_at).await?;
                (thing, outcome)
            }
            Ok(Message::Reset(thing, reset)) => {
                let outcome = self.reset(&thing, reset, now).await?;
                (thing, outcome)
            }
            Ok(Message::Acknowledged(thing)) => {
                let outcome = self.close(&thing, now).await?;
                (thing, outcome)
            }
            Ok(Message::Retiring(thing)) => {
                let outcome = self.retire(&thing, now).await?;
                (thing, outcome)
            }
        };
        match outcome {
            None => self.leave_alone(),
            Some(outcome) => tracing::info!(thing.name = thing.as_str(), outcome, "pairing went on"),
        }
        Ok(())
    }

    /// The device's button.
    async fn open(
        &self,
        thing: &ThingName,
        press: &Press,
        received_at: Timestamp,
    ) -> Result<Option<&'static str>, SagaFailure> {
        let Some(known) = self.store.known(thing).await?.filter(|known| !known.record.is_retiring()) else {
            return Ok(None);
        };
        if !is_of_the_present(&known.tenancy, received_at) {
            return Ok(Some("of-another-time"));
        }
        let code =
            press.code.map(|code| Ok::<_, SagaFailure>(CodeHash::new(thing, &code, self.salt()?))).transpose()?;
        let before = self.store.window(thing).await?;
        let Some(window) = heard(before.as_ref(), press, code, received_at, known.record.epoch) else {
            return Ok(Some("heard-before"));
        };
        Ok(Some(match self.store.put_window(thing, &window).await? {
            Saved::Yes if press.seconds == 0 => "window-closed",
            Saved::Yes => "window-open",
            Saved::Lost => "heard-before",
        }))
    }

    fn salt(&self) -> Result<[u8; SALT_BYTES], SagaFailure> {
        let mut salt = [0; SALT_BYTES];
        self.random.fill(&mut salt).map_err(|_| SagaFailure::NoRandomness)?;
        Ok(salt)
    }

    /// The device's reset ends its owner's time.
    async fn reset(
        &self,
        thing: &ThingName,
        reset: Reset,
        now: Timestamp,
    ) -> Result<Option<&'static str>, SagaFailure> {
        let unpair = Intent::Unpair { by: Actor::Device(reset) };
        Ok(Some(match self.store.change(thing, &unpair, &[], now).await? {
            Came::NoThing => return Ok(None),
            Came::Done { .. } => {
                metrics::counter!("Unpaired").increment(1);
                "unpaired"
            }
            Came::Nothing(Outcome::Already(_)) => "unpaired-before",
            Came::Nothing(Outcome::Refused(why)) => why.as_str(),
            Came::Refused(why) => why.as_str(),
        }))
    }

    /// Somebody erased their own: if nobody is awaited any more, the next owner's time may begin.
    async fn close(&self, thing: &ThingName, now: Timestamp) -> Result<Option<&'static str>, SagaFailure> {
        let Some(record) = self.store.things().get(thing).await? else { return Ok(None) };
        let through = match &record.erasure {
            None => return Ok(Some("nothing-to-do")),
            Some(erasure) if !erasure.is_done() => return Ok(Some("awaits-others")),
            Some(EpochErasure { through, .. }) => *through,
        };
        Ok(Some(match self.store.change(thing, &Intent::Erased { through }, &[], now).await? {
            Came::NoThing => return Ok(None),
            Came::Done { .. } => "erased",
            Came::Nothing(Outcome::Already(_)) => "nothing-to-do",
            Came::Nothing(Outcome::Refused(why)) => why.as_str(),
            Came::Refused(RecordWhy::Erasing) => "awaits-others",
            Came::Refused(why) => why.as_str(),
        }))
    }

    /// With a thing ends whose it was: nobody is a member any more, and nothing of it can be claimed.
    async fn retire(&self, thing: &ThingName, now: Timestamp) -> Result<Option<&'static str>, SagaFailure> {
        let Some(record) = self.store.things().get(thing).await? else { return Ok(None) };
        if !record.is_retiring() {
            return Ok(Some("nothing-to-do"));
        }
        // A retired record is a tombstone for ever; its tenancy's row is not, and is not to come back.
        let awaited = record.retirement.is_some_and(|retirement| retirement.awaiting.contains(CAPABILITY));
        if !awaited {
            return Ok(Some("nothing-to-do"));
        }
        self.store.change(thing, &Intent::Retire, &[], now).await?;
        self.store.erase(thing).await?;
        self.store.things().acknowledge_retirement(thing, CAPABILITY, now).await?;
        Ok(Some("retired"))
    }

    /// AWS's topics belong to the whole account: what is not ours is counted, said once, and left alone.
    fn leave_alone(&self) {
        metrics::counter!("NotOurs").increment(1);
        if !self.said_not_ours.swap(true, Ordering::Relaxed) {
            tracing::info!("there are things that are not ours: they are counted and left alone");
        }
    }

    async fn keep(&self, item: &BatchItem, refused: &Refused, now: Timestamp) -> Result<(), SagaFailure> {
        tracing::warn!(code = refused.code(), detail = refused.detail(), "refused and kept");
        let letter = KeptEvent::of_body(NAME, refused.code(), refused.detail(), &item.body, now);
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
