//! The wiretap: an HTTP proxy between AWS SDK clients and the local AWS.
//!
//! It knows service, operation, resources and caller of each call, records what became of it, and can refuse, lose,
//! hold, delay and throttle it. A crash of a function is its handler's future dropped while the wiretap holds one of
//! its calls: an error answer would only be retried by the SDK.
//!
//! ```no_run
//! use loam_kit::wiretap::{Fault, Rule, Wiretap, When};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let wiretap = Wiretap::start("http://127.0.0.1:4566").await?;
//! wiretap.rule(Rule::new(When::any().operation("PutItem"), Fault::Throttle).times(1));
//! // ... give `wiretap.endpoint()` to an SDK client and run the code under test ...
//! assert_eq!(wiretap.records().len(), 2, "throttled once, then done");
//! # Ok(()) }
//! ```

mod answer;
mod batch;
mod call;
mod capacity;
mod crash;
mod fault;
mod grants;
mod permissions;
mod proxy;
mod record;
mod scenario;
mod state;
mod strain;
mod table;
mod xml;

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Uri;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use call::{Account, Call, Caller, Need, Operation, Resource, Service};
pub use crash::{CrashFailure, CrashReport, Side, crash_everywhere};
pub use fault::{Fault, Rule, When};
pub use grants::{GrantError, Grants, Names, Statement};
pub use permissions::{TwoWay, two_way};
pub use record::{Effect, Outcome, Record, distinct};
pub use scenario::Scenario;
pub use strain::{Attempts, Strain, StrainFailure, StrainReport, strain_everywhere, throttle_everywhere};
pub use table::calls_table;

use proxy::Proxy;
use state::{State, Verdict};

/// Why a wiretap could not be started.
#[derive(Debug, thiserror::Error)]
pub enum WiretapError {
    /// The address of the local AWS is not usable.
    #[error("wiretap-upstream: '{0}' is not an address like http://127.0.0.1:4566; pass the local AWS's endpoint")]
    Upstream(String),
    /// No port could be had.
    #[error("wiretap-listen: no port on 127.0.0.1 could be opened; check the limit of open files")]
    Listen(#[from] std::io::Error),
}

/// A running wiretap; dropping it stops it and closes its connections.
pub struct Wiretap {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl Wiretap {
    /// Starts a wiretap in front of `upstream` (`http://<host>:<port>`), on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`WiretapError::Upstream`] for an address that is not plain HTTP with host and port, [`WiretapError::Listen`]
    /// when no port can be opened.
    pub async fn start(upstream: &str) -> Result<Self, WiretapError> {
        let uri: Option<Uri> = upstream.parse().ok();
        let plain = uri.filter(|uri| uri.scheme_str() == Some("http"));
        let authority = plain.and_then(|uri| uri.authority().cloned());
        let authority = authority.ok_or_else(|| WiretapError::Upstream(upstream.to_owned()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let proxy = Arc::new(Proxy::new(authority, Arc::clone(&state)));
        Ok(Self { address, state, accepting: tokio::spawn(proxy.accept(listener)) })
    }

    /// The endpoint to give to SDK clients.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets a rule; it counts calls from now on. The first rule that takes a call decides.
    pub fn rule(&self, rule: Rule) {
        self.state.add_rule(rule);
    }

    /// Drops all rules.
    pub fn clear_rules(&self) {
        self.state.clear_rules();
    }

    /// Every attempt so far, in the order of arrival.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.state.records()
    }

    /// Every call so far, in the order of arrival, without the SDK's further attempts.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        distinct(&self.records()).into_iter().map(|record| record.call.clone()).collect()
    }

    /// The number of attempts of `operation` so far.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.records().iter().filter(|record| record.call.operation.name() == operation).count()
    }

    /// Drops what was recorded, for example the setting-up of a test.
    pub fn clear_records(&self) {
        self.state.clear_records();
    }

    /// Waits until a call is held whose caller still waits, and says which.
    pub async fn wait_held(&self) -> Call {
        self.state.wait_held().await
    }

    /// Lets all held calls go on.
    pub fn release(&self) {
        self.state.judge_held(Verdict::Release);
    }

    /// Closes the connections of all held calls; those held before forwarding are never forwarded.
    pub fn forget(&self) {
        self.state.judge_held(Verdict::Forget);
    }

    /// Waits until no forwarded call is without its answer, so that a late one does not meet the next delivery.
    pub async fn settled(&self) {
        self.state.settled().await;
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
