use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use loam_runtime::{Class, Failure as _, diagnostic};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::direct::Direct;
use crate::progress::{Outcome, Progress};
use crate::publish::Publisher;
use crate::request::{LARGEST_PAYLOAD, wrapped};
use crate::session::{Broker, Clock, SessionFailure, Sessions, Waiting};
use crate::{Config, Delivery, DeliveryMode, Target, Verdict};

/// How long a request that the device has answered may still wait for AWS's word that it was delivered: a connection that
/// is given up half-way cannot be used again, and opening one costs the next call more.
const LAST_WORD: Duration = Duration::from_millis(50);
/// How long to wait before a lost session is opened again.
const BREATH: Duration = Duration::from_millis(100);
/// How often a session is tried that does not open, before anything was sent.
const OPENINGS: u32 = 3;

/// One call of a device.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is called.
    pub target: Target,
    /// Handed to the device as it is.
    pub request: String,
    /// Its id, where it is a repeat or may be repeated: the device carries out an id once. None: any new one.
    pub id: Option<String>,
    /// How long it may take, all in all.
    pub budget: Duration,
    /// For how much of it to wait for a device that is not connected.
    pub connect_budget: Duration,
    /// For how much of it to wait for the answer, from when the request went out to a device that is connected.
    pub response_budget: Duration,
    /// Whether an answer that is none ends the call, or is as if nothing had come.
    pub ends_on_malformed: bool,
}

/// How a call ended, and under which id it was made; empty when it never got one.
#[derive(Debug, Clone)]
pub struct Called {
    /// The id in topics and payloads.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// Calls devices: requests by Direct Messaging, answers by the environment's session.
#[derive(Debug)]
pub struct Invoker {
    sessions: Sessions,
    way: Way,
    clock: Clock,
}

/// How requests go out.
#[derive(Debug)]
enum Way {
    Direct(Direct),
    Publish(Publisher),
}

impl Way {
    /// How long to wait before a device that is not connected is tried again, for callers that wait for it. AWS IoT tells of
    /// one connection once a second.
    const fn look_again(&self) -> Duration {
        match self {
            Self::Direct(_) => Duration::from_millis(300),
            Self::Publish(_) => Duration::from_millis(1_100),
        }
    }
}

/// When a call ends: at its deadline, or when the device had its time after the request last went out.
struct Ends {
    deadline: Instant,
    response: Duration,
    went_out: Mutex<Instant>,
}

impl Ends {
    fn new(deadline: Instant, response: Duration) -> Self {
        Self { deadline, response, went_out: Mutex::new(Instant::now()) }
    }

    fn at(&self) -> Instant {
        self.deadline.min(*self.went_out.lock().unwrap_or_else(PoisonError::into_inner) + self.response)
    }

    fn are_here(&self) -> bool {
        Instant::now() >= self.at()
    }

    /// The request goes out now; how much time is left for it.
    fn goes_out(&self) -> Duration {
        *self.went_out.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.at().saturating_duration_since(Instant::now())
    }
}

impl Invoker {
    /// Makes clients; connects nowhere yet.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &Config, clock: Clock) -> Self {
        let broker = Broker::new(sdk, config.address.clone(), config.prefix.clone(), clock);
        let way = match config.delivery {
            DeliveryMode::Direct => Way::Direct(Direct::new(sdk, config.address.host())),
            DeliveryMode::Publish => Way::Publish(Publisher::new(sdk)),
        };
        Self { sessions: Sessions::new(broker), way, clock }
    }

    /// The session; for tests that look for leaks.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Calls the device and waits for its answer. Nothing of it runs on when this returns.
    pub async fn call(&self, request: &Request) -> Called {
        let deadline = Instant::now() + request.budget;
        if is_too_large(&request.request) {
            return Called { id: String::new(), outcome: Outcome::TooLarge };
        }
        match timeout_at(deadline, self.place(request)).await {
            Ok(Some(waiting)) => self.exchange(request, waiting, Ends::new(deadline, request.response_budget)).await,
            Ok(None) | Err(_) => Called { id: String::new(), outcome: Outcome::Unavailable },
        }
    }

    /// A place among those that hear answers. A session that does not open is tried again, as nothing was sent yet.
    async fn place(&self, request: &Request) -> Option<Waiting> {
        for _ in 0..OPENINGS {
            let placed = match &request.id {
                Some(id) => self.sessions.wait_as(id, &request.target).await,
                None => self.sessions.wait_for(&request.target).await,
            };
            match placed {
                Ok(waiting) => return Some(waiting),
                Err(failure) => log(&failure),
            }
            sleep(BREATH).await;
        }
        None
    }

    /// Sends the request, and awaits the answer side by side.
    async fn exchange(&self, request: &Request, waiting: Waiting, ends: Ends) -> Called {
        let id = waiting.id().to_owned();
        let mut progress = Progress::new(request.ends_on_malformed);
        let mut sending = pin!(self.send(request, id.clone(), &ends));
        let mut hearing = pin!(self.hear(waiting));
        let mut sent = false;
        let outcome = loop {
            let step = tokio::select! {
                (verdict, waiting) = &mut hearing => {
                    hearing.set(self.hear(waiting));
                    progress.heard(verdict)
                }
                delivery = &mut sending, if !sent => {
                    sent = true;
                    progress.delivered(delivery)
                }
                () = sleep_until(ends.at()) => ends.are_here().then(|| progress.at_the_end()),
            };
            if let Some(outcome) = step {
                break outcome;
            }
        };
        if !sent && matches!(outcome, Outcome::Answered(_)) {
            drop(timeout(LAST_WORD, sending).await);
        }
        Called { id, outcome }
    }

    /// The next message for the call, in the next session if it loses this one.
    async fn hear(&self, mut waiting: Waiting) -> (Verdict, Waiting) {
        loop {
            match waiting.heard().await {
                Some(verdict) => return (verdict, waiting),
                None => waiting = self.again(&waiting).await,
            }
        }
    }

    /// Sends the request; again while the device is not connected, and so cannot have it, as long as the caller waits.
    async fn send(&self, request: &Request, id: String, ends: &Ends) -> Delivery {
        let connect_by = Instant::now() + request.connect_budget;
        let look_again = self.way.look_again();
        loop {
            let payload = wrapped(&id, &request.request, (self.clock)());
            let left = ends.goes_out();
            let delivery = match &self.way {
                Way::Direct(direct) => Box::pin(direct.send(&request.target, &id, payload, left)).await,
                Way::Publish(publisher) => Box::pin(publisher.send(&request.target, &id, payload, left)).await,
            };
            if delivery != Delivery::NotConnected || Instant::now() + look_again > connect_by {
                return delivery;
            }
            sleep(look_again).await;
        }
    }

    /// Opens a new session for a call that lost its own; tries until it is stopped.
    async fn again(&self, lost: &Waiting) -> Waiting {
        loop {
            match self.sessions.wait_as(lost.id(), lost.target()).await {
                Ok(waiting) => return waiting,
                Err(failure) => log(&failure),
            }
            sleep(BREATH).await;
        }
    }
}

/// Whether AWS IoT would refuse the request once it is wrapped. Time and id are of one length for all calls.
fn is_too_large(request: &str) -> bool {
    let at = loam_domain::Timestamp::from_millis(1_000_000_000_000);
    wrapped("00000000-0000-0000-0000-000000000000", request, at).len() > LARGEST_PAYLOAD
}

fn log(failure: &SessionFailure) {
    let error = diagnostic(failure).error_message;
    metrics::counter!("Failures").increment(1);
    if failure.class() == Class::Unavailable {
        tracing::warn!(code = failure.code(), class = failure.class().as_str(), error, "no session for answers");
    } else {
        tracing::error!(code = failure.code(), class = failure.class().as_str(), error, "no session for answers");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_when_the_device_had_its_time_and_at_its_deadline_at_the_latest() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let ends = Ends::new(now + 9 * second, 5 * second);
        assert!(ends.at() >= now + 5 * second && ends.at() < now + 6 * second);
        assert!(!ends.are_here() && ends.goes_out() <= 5 * second);
        assert_eq!(Ends::new(now + 3 * second, 5 * second).at(), now + 3 * second);
        assert!(Ends::new(now, 5 * second).are_here());
    }

    #[tokio::test]
    async fn who_publishes_looks_for_a_device_less_than_once_a_second_as_aws_tells_no_oftener() {
        let sdk = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        assert!(Way::Publish(Publisher::new(&sdk)).look_again() > Duration::from_secs(1));
        assert!(Way::Direct(Direct::new(&sdk, "x")).look_again() < Duration::from_secs(1));
    }

    #[test]
    fn a_request_that_fills_the_payload_exactly_is_taken_and_one_byte_more_is_not() {
        let frame =
            wrapped("00000000-0000-0000-0000-000000000000", "", loam_domain::Timestamp::from_millis(1_000_000_000_000));
        let room = LARGEST_PAYLOAD - frame.len();
        assert!(!is_too_large(&"a".repeat(room)));
        assert!(is_too_large(&"a".repeat(room + 1)));
        assert!(is_too_large(&"é".repeat(room / 6 + 1)), "six bytes once it is escaped");
    }
}
