//! One connection: who waits for which of the broker's answers, and how it ends.

use crate::error::DeviceError;
use crate::event::{Event, Reason};
use crate::in_flight::InFlight;
use crate::message::QoS;
use crate::wire;
use rumqttc::v5::mqttbytes::QoS as WireQoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, PubAck, PubAckReason, Publish};
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
    /// The largest packet that the broker said it takes, in bytes.
    largest_packet: Option<usize>,
    pub(crate) announced: bool,
    /// Subscriptions from before whose confirmation is still to come.
    pub(crate) renewing: HashSet<String>,
    pub(crate) publishes: InFlight<Done>,
    pub(crate) subscribes: InFlight<String>,
}

/// How a connection ended.
pub(crate) enum End {
    Asked,
    Lost { event: Event, settled: bool, asked: Option<oneshot::Sender<()>> },
}

impl Connection {
    /// A connection that begins once its event loop is polled.
    pub(crate) fn new(options: MqttOptions) -> (Self, EventLoop) {
        let (client, wire) = AsyncClient::new(options, HAND_OVER);
        let connection = Self {
            client,
            accepted: None,
            largest_packet: None,
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

    pub(crate) fn accept(&mut self, answer: &ConnAck) {
        self.accepted = Some(Instant::now());
        let limit = answer.properties.as_ref().and_then(|properties| properties.max_packet_size);
        self.largest_packet = limit.and_then(|bytes| usize::try_from(bytes).ok());
    }

    /// Hands a message to rumqttc, unless the broker would end the connection because of its size.
    pub(crate) fn publish(&mut self, topic: String, payload: Vec<u8>, qos: QoS, done: Done) {
        let qos = match qos {
            QoS::AtMostOnce => WireQoS::AtMostOnce,
            QoS::AtLeastOnce => WireQoS::AtLeastOnce,
        };
        let mut publish = Publish::new(&topic, qos, payload, None);
        // The size counts a packet id only once there is one.
        publish.pkid = 1;
        let (bytes, packet) = (publish.payload.len(), publish.size());
        if let Some(most) = self.largest_packet.filter(|most| packet > *most) {
            let _ = done.send(Err(DeviceError::PacketTooLarge { bytes, packet, most }));
            return;
        }
        // `takes_work` leaves room, so this fails only if the connection has ended; then dropping `done` says so.
        if self.client.try_publish(topic, qos, false, publish.payload).is_ok() {
            self.publishes.hand_over(done);
        }
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
            return End::Lost { event: Event::TakenOver, settled: self.has_settled(), asked: None };
        }
        self.lost(wire::reason(error), None)
    }

    pub(crate) fn lost(&self, reason: Reason, asked: Option<oneshot::Sender<()>>) -> End {
        let on_purpose = reason == Reason::Asked;
        let event = match self.accepted {
            Some(_) => Event::Dropped { reason },
            None => Event::ConnectionRefused { reason },
        };
        End::Lost { event, settled: on_purpose || self.has_settled(), asked }
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
