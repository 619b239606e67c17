//! One MQTT session for the answers, per execution environment.

mod address;
mod ahead;
mod failure;
mod inbox;
mod link;
mod rule;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use loam_domain::Timestamp;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Mutex;

pub use address::Address;
pub use failure::SessionFailure;
pub use inbox::Waiting;
pub use link::KEEP_ALIVE;
pub use rule::{Facts, Stale};

use crate::{Prefix, Target};
use link::Link;

/// Where the time comes from.
pub type Clock = fn() -> Timestamp;

/// How a session is opened.
#[derive(Debug)]
pub struct Broker {
    /// Where.
    pub address: Address,
    /// First part of the client id, and first level of the topics of answers.
    pub prefix: Prefix,
    /// What is declared to the broker, 5 s or more; AWS takes 30 to 1,200 s.
    pub keep_alive: Duration,
    /// What time it is.
    pub clock: Clock,
    region: String,
    provider: Option<SharedCredentialsProvider>,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Broker {
    /// A broker at `address`, with region and credentials of `sdk`, asked for at each connection.
    #[must_use]
    pub fn new(sdk: &SdkConfig, address: Address, prefix: Prefix, clock: Clock) -> Self {
        Self {
            address,
            prefix,
            keep_alive: KEEP_ALIVE,
            clock,
            region: sdk.region().map(ToString::to_string).unwrap_or_default(),
            provider: sdk.credentials_provider(),
            tls: OnceLock::new(),
        }
    }

    async fn credentials(&self) -> Result<Credentials, SessionFailure> {
        let provider = self.provider.as_ref().ok_or_else(|| SessionFailure::NoCredentials("none configured".into()))?;
        provider.provide_credentials().await.map_err(|error| SessionFailure::NoCredentials(error.into()))
    }

    /// Reading the machine's root certificates takes milliseconds: done once, and only where there is TLS.
    fn tls(&self) -> Result<Arc<ClientConfig>, SessionFailure> {
        if let Some(made) = self.tls.get() {
            return Ok(Arc::clone(made));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(SessionFailure::NoRoots);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(|_| SessionFailure::NoRoots)?;
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        Ok(Arc::clone(self.tls.get_or_init(|| config)))
    }
}

/// The environment's session: opened by the first call, replaced before use when it cannot be relied on.
#[derive(Debug)]
pub struct Sessions {
    broker: Broker,
    current: Mutex<Option<Arc<Link>>>,
}

impl Sessions {
    /// No connection is made before the first call.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        Self { broker, current: Mutex::new(None) }
    }

    /// A place for a call of `target`: the broker hears its answers from now on.
    ///
    /// # Errors
    /// [`SessionFailure`].
    pub async fn wait_for(&self, target: &Target) -> Result<Waiting, SessionFailure> {
        loop {
            if let Some(waiting) = self.link().await?.wait_for(target).await {
                return Ok(waiting);
            }
        }
    }

    /// A place under an id that the call brings along, because it lost its session or is a repeat of one: a round trip more.
    ///
    /// # Errors
    /// [`SessionFailure`].
    pub async fn wait_as(&self, id: &str, target: &Target) -> Result<Waiting, SessionFailure> {
        loop {
            if let Some(waiting) = self.link().await?.adopt(id, target).await {
                return Ok(waiting);
            }
        }
    }

    /// How many calls wait and how many subscriptions are held, at most; for tests that look for leaks.
    pub async fn load(&self) -> (usize, usize) {
        self.current.lock().await.as_ref().map_or((0, 0), |link| link.load())
    }

    async fn link(&self) -> Result<Arc<Link>, SessionFailure> {
        let mut current = self.current.lock().await;
        // What lies in the socket's buffer after a freeze, an end for example, is to be known before the session is judged:
        // the runtime looks at its sockets before it goes on here, and then lets the session's task run.
        tokio::task::yield_now().await;
        if let Some(link) = current.as_ref() {
            let Some(why) = link.facts().stale((self.broker.clock)()) else { return Ok(Arc::clone(link)) };
            tracing::info!(why = why.word(), "session replaced");
            metrics::counter!("SessionsReplaced").increment(1);
            *current = None;
        }
        let client_id = format!("{}_{}", self.broker.prefix, uuid::Uuid::new_v4());
        let link = Arc::new(Link::open(&self.broker, client_id.clone()).await?);
        tracing::info!(client.id = client_id, "session opened");
        metrics::counter!("SessionsOpened").increment(1);
        *current = Some(Arc::clone(&link));
        Ok(link)
    }
}
