//! A run that sends a thing its commands, one after the other.

use std::time::Duration;

use aws_config::SdkConfig;
use loam_direct_messages::{Delivery, Message, Messenger};
use loam_domain::{ThingName, Timestamp};
use loam_things::Things;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::command::{Command, Intent, Lease, Sent, Transition, next};
use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::line::{Leave, Pace, Turn, turn};
use crate::order::{Request, request_topic};
use crate::store::{Saved, Store, wait_after};

/// So long after its beginning a run sends nothing more, in milliseconds: what it sent last takes up to 25 s, and its
/// function has 60.
const SENDS_FOR_MILLIS: i64 = 25_000;

/// A run that has to wait no longer than this waits; for longer the queue does, in milliseconds.
const WAITS_ITSELF_MILLIS: i64 = 1_500;

/// For how long AWS IoT waits for the device's PUBACK.
const CONFIRMATION: Duration = Duration::from_secs(15);

/// After how long what is no fault of the device is tried again, in milliseconds.
const AGAIN_MILLIS: i64 = 30_000;

/// The time as a run sees it: when it began, and what passed since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Timestamp,
    since: Instant,
}

impl Clock {
    pub(crate) fn new(began: Timestamp) -> Self {
        Self { began, since: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.began.plus_millis(self.passed())
    }

    fn passed(&self) -> i64 {
        i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing waits that could be sent now.
    Done,
    /// The device is not connected; its next connect brings the next run.
    Offline,
    /// The device's policy, or our role, forbids it: nothing is sent before somebody has a look.
    Forbidden,
    /// Another run is at it, and looks once more.
    Busy,
    /// There is no such thing of ours, or it retires.
    NotOurs,
    /// Again at this time.
    Again(Timestamp),
}

/// Sends commands.
#[derive(Debug, Clone)]
pub(crate) struct Deliverer {
    store: Store,
    things: Things,
    messenger: Messenger,
}

/// What a run knows of itself.
struct Run<'a> {
    thing: &'a ThingName,
    id: &'a str,
    clock: Clock,
    epoch: u64,
    pace: Pace,
}

impl Deliverer {
    pub(crate) fn new(sdk: &SdkConfig, store: Store, things: Things) -> Self {
        Self { store, things, messenger: Messenger::new(sdk, None) }
    }

    /// Sends what waits for a thing, as far as its time goes. It may be stopped anywhere: what it counted stays counted,
    /// and the next run goes on when it is taken for dead.
    pub(crate) async fn run(&self, thing: &ThingName, id: &str, clock: Clock) -> Result<Ended, CommandsFailure> {
        let record = self.things.get(thing).await?.filter(|record| !record.is_retiring());
        let Some(record) = record else { return Ok(Ended::NotOurs) };
        // Most connects find nothing that waits.
        if self.store.open(thing).await?.is_empty() {
            return Ok(Ended::Done);
        }
        if !self.take(thing, id, clock.now()).await? {
            return Ok(Ended::Busy);
        }
        let mut run = Run { thing, id, clock, epoch: record.epoch, pace: Pace::default() };
        loop {
            let ended = self.send_all(&mut run).await;
            // Whatever it came to, the next run need not wait until this one is taken for dead.
            let again = self.leave(&run).await;
            let ended = ended?;
            if !again? {
                return Ok(ended);
            }
        }
    }

    /// Whether the line is this run's. If it is another's, that one is told to look once more.
    async fn take(&self, thing: &ThingName, id: &str, now: Timestamp) -> Result<bool, CommandsFailure> {
        let mut tries = 0;
        loop {
            let line = self.store.line(thing).await?;
            let (after, taken) = match line.take(id, now) {
                Ok(after) => (Some(after), true),
                Err(_) => (line.knock(), false),
            };
            let Some(after) = after else { return Ok(false) };
            if self.store.put_line(thing, &after).await? {
                return Ok(taken);
            }
            tries = wait_after(tries).await?;
        }
    }

    /// Leaves the line; whether the run goes on, as somebody came with news meanwhile.
    async fn leave(&self, run: &Run<'_>) -> Result<bool, CommandsFailure> {
        let mut tries = 0;
        loop {
            let now = run.clock.now();
            let (after, again) = match self.store.line(run.thing).await?.leave(run.id, now) {
                Leave::Gone => return Ok(false),
                Leave::Free(after) => (after, false),
                Leave::Again(after) => (after, true),
            };
            if self.store.put_line(run.thing, &after).await? {
                return Ok(again);
            }
            tries = wait_after(tries).await?;
        }
    }

    /// One command after the other, until nothing can be sent.
    async fn send_all(&self, run: &mut Run<'_>) -> Result<Ended, CommandsFailure> {
        loop {
            let commands = self.store.open(run.thing).await?;
            let now = run.clock.now();
            let ended = match turn(&commands, run.epoch, true, run.pace, now) {
                Turn::Done | Turn::Offline => Some(Ended::Done),
                Turn::Wait { until } if until.millis_since(now) > WAITS_ITSELF_MILLIS => Some(Ended::Again(until)),
                Turn::Wait { .. } | Turn::Send(_) if run.clock.passed() > SENDS_FOR_MILLIS => Some(Ended::Again(now)),
                Turn::Wait { until } => {
                    let pause = u64::try_from(until.millis_since(now)).unwrap_or_default();
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    None
                }
                Turn::Send(id) => Box::pin(self.send(run, &commands, &id)).await?,
            };
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }

    /// Sends one; `None`: the run goes on.
    async fn send(
        &self,
        run: &mut Run<'_>,
        commands: &[Command],
        id: &CommandId,
    ) -> Result<Option<Ended>, CommandsFailure> {
        let now = run.clock.now();
        let Some(before) = commands.iter().find(|command| command.id == *id) else { return Ok(None) };
        let Transition::Change(change) = next(before, &Intent::Send, now) else { return Ok(None) };
        let guard = self.things.epoch_check(run.thing, before.epoch)?;
        match self.store.save(&change, Some(guard), now).await? {
            Saved::Yes => {}
            Saved::Lost => return Ok(None),
            Saved::Ended => return Ok(Some(Ended::NotOurs)),
        }
        let Some(lease) = change.command.lease else { return Ok(None) };
        let delivery = self.out(&change.command, lease, run.clock).await?;
        run.pace = run.pace.after_one(run.clock.now());
        let settled = Intent::Settle { version: lease.version, sent: sent(delivery) };
        self.store.apply(run.thing, id, &settled, run.clock.now()).await?;
        note(run.thing, id, delivery);
        Ok(self.after(delivery, run.clock).await)
    }

    /// The message itself; not if the run was held up after it was counted.
    async fn out(&self, command: &Command, lease: Lease, clock: Clock) -> Result<Delivery, CommandsFailure> {
        let payload = RawValue::from_string(command.order.payload.clone())?;
        let request = Request {
            id: &command.id,
            name: &command.order.name,
            payload: &payload,
            issued_at: command.issued_at,
            expires_at: command.expires_at,
        };
        let (payload, topic) = (serde_json::to_string(&request)?, request_topic(&command.thing, &command.id));
        if !lease.may_send(clock.now()) {
            return Ok(Delivery::NotSent);
        }
        let message = Message { to: &command.thing, topic, payload, answer: None };
        Ok(self.messenger.send(message, CONFIRMATION).await)
    }

    async fn after(&self, delivery: Delivery, clock: Clock) -> Option<Ended> {
        match delivery {
            Delivery::Confirmed | Delivery::Unknown => None,
            Delivery::NotConnected => Some(Ended::Offline),
            Delivery::Forbidden => Some(Ended::Forbidden),
            Delivery::Throttled => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                None
            }
            Delivery::TooLarge | Delivery::NotSent => Some(Ended::Again(clock.now().plus_millis(AGAIN_MILLIS))),
        }
    }
}

/// What an answer of AWS proves about a delivery.
const fn sent(delivery: Delivery) -> Sent {
    match delivery {
        Delivery::Confirmed => Sent::Confirmed,
        Delivery::Unknown => Sent::Unknown,
        Delivery::NotConnected | Delivery::Forbidden | Delivery::Throttled | Delivery::TooLarge | Delivery::NotSent => {
            Sent::NotReached
        }
    }
}

/// One line a delivery. Never the payload or the command's name.
fn note(thing: &ThingName, id: &CommandId, delivery: Delivery) {
    let (thing, id) = (thing.as_str(), id.as_str());
    let outcome = match delivery {
        Delivery::Confirmed => "confirmed",
        Delivery::Unknown => "unknown",
        Delivery::NotConnected => "not-connected",
        Delivery::Forbidden => "device-policy",
        Delivery::Throttled => "throttled",
        Delivery::TooLarge => "too-large",
        Delivery::NotSent => "not-sent",
    };
    metrics::counter!("Deliveries").increment(1);
    if delivery == Delivery::Forbidden {
        metrics::counter!("DevicePolicy").increment(1);
        tracing::warn!(thing.name = thing, command.id = id, outcome, "the device may not receive commands");
    } else {
        tracing::info!(thing.name = thing, command.id = id, outcome, "command sent");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_acknowledgement_confirms_and_only_what_surely_did_not_arrive_is_given_back() {
        assert_eq!(sent(Delivery::Confirmed), Sent::Confirmed);
        assert_eq!(sent(Delivery::Unknown), Sent::Unknown);
        for delivery in
            [Delivery::NotConnected, Delivery::Forbidden, Delivery::Throttled, Delivery::TooLarge, Delivery::NotSent]
        {
            assert_eq!(sent(delivery), Sent::NotReached, "{delivery:?}");
        }
    }
}
