use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{CertificateId, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};
use tokio::time::Instant;

use crate::connections::Connections;
use crate::event::{BadMessage, Message};
use crate::facts::Facts;
use crate::ledger::{Ledger, Worker};
use crate::notices::Notices;
use crate::rechecks::Rechecks;
use crate::{Config, JitrFailure, lease};

/// The function's name in logs, metrics and dead letters, and in what it revokes.
pub(crate) const NAME: &str = "jitr";

/// How many messages are worked on at once: with two environments that makes four certificates, and AWS takes about ten
/// certificate calls a second.
const AT_ONCE: usize = 2;

/// The function's own time (30 s), less what its edge keeps back: no lease lasts longer than the run that holds it.
const LIFE: Duration = Duration::from_millis(29_500);

/// Registers certificates, finishes revocations, retires what was rotated out.
#[derive(Debug, Clone)]
pub struct Handler {
    pub(crate) ledger: Ledger,
    pub(crate) facts: Facts,
    pub(crate) connections: Connections,
    pub(crate) notices: Notices,
    pub(crate) rechecks: Rechecks,
    pub(crate) policies: Arc<[String]>,
    dead_letters: DeadLetters,
    /// What was logged once in this environment's life and is only counted from then on.
    told: Arc<Mutex<HashSet<(CertificateId, &'static str)>>>,
}

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// The certificate is active.
    Activated,
    /// The certificate is refused and revoked.
    Refused,
    /// There was nothing to do.
    Nothing,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        Self {
            ledger: Ledger::new(sdk, config.certificates_table),
            facts: Facts::new(sdk, config.profiles_table, config.things_table, config.invoke_prefix),
            connections: Connections::new(sdk),
            notices: Notices::new(sdk, config.events_topic),
            rechecks: Rechecks::new(sdk, config.queue_url),
            policies: config.device_policies.into(),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
            told: Arc::default(),
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`JitrFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, JitrFailure> {
        let (messages, started) = (batch.len(), Instant::now());
        let work = |item| {
            let (handler, invocation) = (self.clone(), invocation.clone());
            async move { Box::pin(handler.one(&item, &invocation, started)).await }
        };
        let failed = each_message(batch, AT_ONCE, work).await?;
        tracing::info!(messages, failed = failed.len(), "batch of certificates done");
        Ok(failed)
    }

    async fn one(&self, item: &BatchItem, invocation: &Invocation, started: Instant) -> Result<(), JitrFailure> {
        let message = match Message::parse(&item.body) {
            Ok(message) => message,
            Err(bad) => return self.keep(item, bad, invocation.now).await,
        };
        let spent = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let life = i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX);
        let now = invocation.now.plus_millis(spent);
        let owner = format!("{}/{}", invocation.request_id, item.message_id);
        let worker = Worker { owner, now, until: lease::until(now, life.saturating_sub(spent)) };
        let done = match &message {
            Message::Registered(event) => Box::pin(self.registered(event, &worker)).await?,
            Message::Recheck(recheck) => Box::pin(self.recheck(recheck, now)).await?,
            Message::PrincipalChanged(change) => Box::pin(self.principal_changed(change, now)).await?,
        };
        match done {
            Done::Activated => metrics::counter!("Activated").increment(1),
            Done::Refused => metrics::counter!("Refused").increment(1),
            Done::Nothing => {}
        }
        Ok(())
    }

    /// Keeps a message that nobody can read; it is not tried again.
    async fn keep(&self, item: &BatchItem, bad: BadMessage, now: Timestamp) -> Result<(), JitrFailure> {
        let text = bad.to_string();
        let detail = text.strip_prefix(bad.code()).map_or(text.as_str(), |text| text.trim_start_matches(": "));
        tracing::warn!(code = bad.code(), detail, refused = 1, "refused and kept");
        self.dead_letters.keep(&KeptEvent::of_body(NAME, bad.code(), detail, &item.body, now)).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }

    /// Counts a certificate that is left alone, and logs the first of its CA.
    pub(crate) fn leave(&self, ca_id: &CertificateId, code: &'static str) {
        metrics::counter!("LeftAlone").increment(1);
        // A panic elsewhere cannot leave the set half-written.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert((ca_id.clone(), code)) {
            tracing::info!(code, ca.id = ca_id.as_str(), "certificates of this CA are left alone");
        }
    }
}
