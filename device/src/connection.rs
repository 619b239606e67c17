//! One connection: who waits for which of the broker's answers, and how it ends.

use crate::error::DeviceError;
use crate::event::{Event, Reason};
use crate::in_flight::InFlight;
use crate::wire;
use rumqttc::v5::mqttbytes::QoS as WireQoS;
use rumqttc::v5::mqttbytes::v5::{PubAck, PubAckReason};
use rumqttc::v5::{AsyncClient, ConnectionError, EventLoop, MqttOptions};
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// How many requests rumqttc holds for one connection: every subscription renewed at once, and some publishes.
const HAND_OVER: usize = 128;
/// How many of them may be publishes and new subscriptions.
const MOST_UNWRITTEN: usize = 64;
/// A connection that lasted this long was a good one: the next back-off begins anew.
const SETTLED: Duration = Duration::from_secs(10);
/// How long the broker may take to close after DISCONNECT.
const GOODBYE: Duration = Duration::from_secs(2);

/// Who waits for a request's answer.
pub(crate) type Done = oneshot::Sender<Result<(), DeviceError>>;

/// What ends with a connection.
pub(crate) struct Connection {
    pub(crate) client: AsyncClient,
    pub(crate) accepted: Option<Instant>,
    pub(crate) announced: bool,
    /// Subscriptions from before whose confirmation is still to come.
    pub(crate) renewing: HashSet<String>,
    pub(crate) publishes: InFlight<Done>,
    pub(crate) subscribes: InFlight<String>,
}

/// How a connection ended.
pub(crate) enum End {
    Asked,
    Lost { event: Event, settled: bool, _asked: Option<oneshot::Sender<()>> },
}

impl Connection {
    /// A connection that begins once its event loop is polled.
    pub(crate) fn new(options: MqttOptions) -> (Self, EventLoop) {
        let (client, wire) = AsyncClient::new(options, HAND_OVER);
        let connection = Self {
            client,
            accepted: None,
            announced: false,
            renewing: HashSet::new(),
            publishes: InFlight::new(),
            subscribes: InFlight::new(),
        };
        (connection, wire)
    }

    pub(crate) fn takes_work(&self) -> bool {
        self.accepted.is_some() && self.publishes.unwritten() + self.subscribes.unwritten() < MOST_UNWRITTEN
    }

    pub(crate) fn subscribe(&mut self, filter: String) {
        if self.client.try_subscribe(filter.clone(), WireQoS::AtLeastOnce).is_ok() {
            self.subscribes.hand_over(filter);
        }
    }

    pub(crate) fn on_puback(&mut self, answer: &PubAck) {
        let Some(done) = self.publishes.answered(answer.pkid) else { return };
        let outcome = match answer.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
            PubAckReason::UnspecifiedError
            | PubAckReason::ImplementationSpecificError
            | PubAckReason::NotAuthorized
            | PubAckReason::TopicNameInvalid
            | PubAckReason::PacketIdentifierInUse
            | PubAckReason::QuotaExceeded
            | PubAckReason::PayloadFormatInvalid => {
                Err(DeviceError::PublishRefused { reason: format!("{:?}", answer.reason) })
            }
        };
        let _ = done.send(outcome);
    }

    pub(crate) fn ended(&self, error: &ConnectionError) -> End {
        if wire::is_takeover(error) {
            return End::Lost { event: Event::TakenOver, settled: self.has_settled(), _asked: None };
        }
        self.lost(wire::reason(error), None)
    }

    pub(crate) fn lost(&self, reason: Reason, asked: Option<oneshot::Sender<()>>) -> End {
        let event = match self.accepted {
            Some(_) => Event::Dropped { reason },
            None => Event::ConnectionRefused { reason },
        };
        End::Lost { event, settled: self.has_settled(), _asked: asked }
    }

    pub(crate) fn has_settled(&self) -> bool {
        self.accepted.is_some_and(|since| since.elapsed() >= SETTLED)
    }

    /// Sends DISCONNECT and waits for the broker to close: closing first could overtake it and set the last will off.
    pub(crate) async fn say_goodbye(&self, wire: &mut EventLoop) {
        if self.accepted.is_some() && self.client.try_disconnect().is_ok() {
            let _ = timeout(GOODBYE, async { while wire.poll().await.is_ok() {} }).await;
        }
    }
}
