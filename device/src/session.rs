//! The task behind a device: one connection after the other, until it is told to stop.

use crate::error::DeviceError;
use crate::event::{Event, Reason};
use crate::identity::Identity;
use crate::in_flight::InFlight;
use crate::message::{Message, QoS};
use crate::options::Options;
use crate::subscriptions::Subscriptions;
use crate::wire;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS as WireQoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAck, PubAckReason, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event as WireEvent, EventLoop};
use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

/// How many requests rumqttc holds for one connection: every subscription renewed at once, and some publishes.
const HAND_OVER: usize = 128;
/// How many of them may be publishes and new subscriptions.
const MOST_UNWRITTEN: usize = 64;
/// A connection that lasted this long was a good one: the next back-off begins anew.
const SETTLED: Duration = Duration::from_secs(10);
/// How long the broker may take to close after DISCONNECT.
const GOODBYE: Duration = Duration::from_secs(2);
/// So many refusals are normal while a new device is being registered.
const EXPECTED_REFUSALS: u32 = 5;

/// Who waits for a request's answer.
pub(crate) type Done = oneshot::Sender<Result<(), DeviceError>>;

/// What a device asks of its session; waits while there is no connection.
#[derive(Debug)]
pub(crate) enum Work {
    Publish { topic: String, payload: Vec<u8>, qos: QoS, done: Done },
    Subscribe { filter: String, messages: mpsc::Sender<Message>, done: Done },
}

/// What is obeyed at once, connected or not.
#[derive(Debug)]
pub(crate) enum Control {
    /// Say goodbye and end.
    Disconnect,
    /// Cut the wire; dropping the sender says that it is cut.
    Drop(oneshot::Sender<()>),
}

/// What outlives a connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(crate) options: Options,
    pub(crate) work: mpsc::Receiver<Work>,
    pub(crate) control: mpsc::UnboundedReceiver<Control>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) unsolicited: broadcast::Sender<Message>,
    pub(crate) up: watch::Sender<bool>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) ever_connected: bool,
}

/// What ends with a connection.
struct Connection {
    client: AsyncClient,
    accepted: Option<Instant>,
    announced: bool,
    /// Subscriptions from before whose confirmation is still to come.
    renewing: HashSet<String>,
    publishes: InFlight<Done>,
    subscribes: InFlight<String>,
}

/// What happened next on a connection.
enum Step {
    Wire(Box<Result<WireEvent, ConnectionError>>),
    Control(Control),
}

/// How a connection ended.
enum End {
    Asked,
    Lost { event: Event, settled: bool, _asked: Option<oneshot::Sender<()>> },
}

impl Session {
    pub(crate) async fn run(mut self) {
        let mut attempt = 0;
        loop {
            let ended = self.connection().await;
            self.up.send_replace(false);
            let End::Lost { event, settled, .. } = ended else { return };
            if settled {
                attempt = 0;
            }
            self.report(&event, attempt);
            let _ = self.events.send(event);
            if !self.options.reconnect {
                return;
            }
            let after = self.options.back_off.delay(attempt, fastrand::f64());
            tracing::debug!(thing.name = self.identity.thing(), wait_ms = after.as_millis(), "reconnecting");
            let _ = self.events.send(Event::Reconnecting { after });
            if !self.pause(after).await {
                return;
            }
            attempt = attempt.saturating_add(1);
        }
    }

    /// Waits; false if the device is to end instead.
    async fn pause(&mut self, wait: Duration) -> bool {
        let mut wait = pin!(sleep(wait));
        loop {
            tokio::select! {
                () = &mut wait => return true,
                control = self.control.recv() => {
                    let Some(Control::Drop(_nothing_to_cut)) = control else { return false };
                }
            }
        }
    }

    async fn connection(&mut self) -> End {
        let (client, mut wire) = AsyncClient::new(wire::mqtt_options(&self.identity, &self.options), HAND_OVER);
        let mut connection = Connection::new(client);
        loop {
            match self.step(&mut wire, &mut connection).await {
                Step::Wire(result) => match *result {
                    Ok(event) => self.on_wire(&mut connection, event),
                    Err(error) => {
                        // Answers that came in the same read as the end are still answers.
                        while let Some(event) = wire.state.events.pop_front() {
                            self.on_wire(&mut connection, event);
                        }
                        return connection.ended(&error);
                    }
                },
                Step::Control(Control::Drop(asked)) => return connection.lost(Reason::Asked, Some(asked)),
                Step::Control(Control::Disconnect) => {
                    connection.say_goodbye(&mut wire).await;
                    return End::Asked;
                }
            }
        }
    }

    /// Polls the connection without ever giving up a poll half-way, because that could lose a packet; takes work in
    /// meanwhile.
    async fn step(&mut self, wire: &mut EventLoop, connection: &mut Connection) -> Step {
        let mut poll = pin!(wire.poll());
        loop {
            tokio::select! {
                polled = &mut poll => return Step::Wire(Box::new(polled)),
                control = self.control.recv() => return Step::Control(control.unwrap_or(Control::Disconnect)),
                Some(work) = self.work.recv(), if connection.takes_work() => self.take(connection, work),
            }
        }
    }

    fn take(&mut self, connection: &mut Connection, work: Work) {
        match work {
            Work::Publish { topic, payload, qos, done } => {
                let qos = match qos {
                    QoS::AtMostOnce => WireQoS::AtMostOnce,
                    QoS::AtLeastOnce => WireQoS::AtLeastOnce,
                };
                // `takes_work` leaves room, so this fails only if the connection has ended; then `done` says so.
                if connection.client.try_publish(topic, qos, false, payload).is_ok() {
                    connection.publishes.hand_over(done);
                }
            }
            Work::Subscribe { done, .. } if self.subscriptions.is_full() => {
                let _ = done.send(Err(DeviceError::TooManySubscriptions));
            }
            Work::Subscribe { filter, messages, done } => {
                self.subscriptions.add(filter.clone(), messages, done);
                connection.subscribe(filter);
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "rumqttc sees to all other packets by itself")]
    fn on_wire(&mut self, connection: &mut Connection, event: WireEvent) {
        match event {
            WireEvent::Incoming(Packet::ConnAck(_)) => {
                connection.accepted = Some(Instant::now());
                for filter in self.subscriptions.filters() {
                    connection.renewing.insert(filter.clone());
                    connection.subscribe(filter);
                }
                self.announce(connection);
            }
            WireEvent::Incoming(Packet::PubAck(answer)) => connection.on_puback(&answer),
            WireEvent::Incoming(Packet::SubAck(answer)) => self.on_suback(connection, &answer),
            WireEvent::Incoming(Packet::Publish(publish)) => {
                if let Some(unsolicited) = self.subscriptions.deliver(publish.into()) {
                    let _ = self.unsolicited.send(unsolicited);
                }
            }
            WireEvent::Outgoing(Outgoing::Publish(packet_id)) => {
                if let Some(done) = connection.publishes.written(packet_id) {
                    let _ = done.send(Ok(()));
                }
            }
            WireEvent::Outgoing(Outgoing::Subscribe(packet_id)) => {
                let _ = connection.subscribes.written(packet_id);
            }
            WireEvent::Outgoing(Outgoing::AwaitAck(_)) => connection.publishes.held_back(),
            _ => {}
        }
    }

    fn on_suback(&mut self, connection: &mut Connection, answer: &SubAck) {
        let Some(filter) = connection.subscribes.answered(answer.pkid) else { return };
        let refusal = match answer.return_codes.first() {
            Some(SubscribeReasonCode::Success(_)) => None,
            Some(code) => Some(format!("{code:?}")),
            None => Some("no reason code".to_owned()),
        };
        if let Some(reason) = &refusal {
            tracing::warn!(thing.name = self.identity.thing(), filter, reason, "subscription refused");
        }
        self.subscriptions.answered(&filter, refusal.as_deref());
        connection.renewing.remove(&filter);
        self.announce(connection);
    }

    fn announce(&mut self, connection: &mut Connection) {
        if connection.announced || !connection.renewing.is_empty() {
            return;
        }
        connection.announced = true;
        self.ever_connected = true;
        tracing::info!(thing.name = self.identity.thing(), endpoint = self.identity.endpoint(), "connected");
        let _ = self.events.send(Event::Connected);
        self.up.send_replace(true);
    }

    fn report(&self, event: &Event, attempt: u32) {
        let thing = self.identity.thing();
        match event {
            Event::ConnectionRefused { reason } if !self.ever_connected && attempt < EXPECTED_REFUSALS => {
                tracing::info!(
                    thing.name = thing,
                    code = reason.code(),
                    %reason,
                    "not connected yet: normal while a new device is being registered"
                );
            }
            Event::ConnectionRefused { reason } => {
                tracing::warn!(thing.name = thing, code = reason.code(), %reason, advice = reason.advice(), "not connected");
            }
            Event::Dropped { reason } => {
                tracing::warn!(thing.name = thing, code = reason.code(), %reason, "connection lost");
            }
            Event::TakenOver => {
                tracing::warn!(
                    thing.name = thing,
                    "another connection with this client id took over: is its identity used twice?"
                );
            }
            Event::Connected | Event::Reconnecting { .. } => {}
        }
    }
}

impl Connection {
    fn new(client: AsyncClient) -> Self {
        Self {
            client,
            accepted: None,
            announced: false,
            renewing: HashSet::new(),
            publishes: InFlight::new(),
            subscribes: InFlight::new(),
        }
    }

    fn takes_work(&self) -> bool {
        self.accepted.is_some() && self.publishes.unwritten() + self.subscribes.unwritten() < MOST_UNWRITTEN
    }

    fn subscribe(&mut self, filter: String) {
        if self.client.try_subscribe(filter.clone(), WireQoS::AtLeastOnce).is_ok() {
            self.subscribes.hand_over(filter);
        }
    }

    fn on_puback(&mut self, answer: &PubAck) {
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

    fn ended(&self, error: &ConnectionError) -> End {
        if wire::is_takeover(error) {
            return End::Lost { event: Event::TakenOver, settled: self.has_settled(), _asked: None };
        }
        self.lost(wire::reason(error), None)
    }

    fn lost(&self, reason: Reason, asked: Option<oneshot::Sender<()>>) -> End {
        let event = match self.accepted {
            Some(_) => Event::Dropped { reason },
            None => Event::ConnectionRefused { reason },
        };
        End::Lost { event, settled: self.has_settled(), _asked: asked }
    }

    fn has_settled(&self) -> bool {
        self.accepted.is_some_and(|since| since.elapsed() >= SETTLED)
    }

    /// Sends DISCONNECT and waits for the broker to close: closing first could overtake it and set the last will off.
    async fn say_goodbye(&self, wire: &mut EventLoop) {
        if self.accepted.is_some() && self.client.try_disconnect().is_ok() {
            let _ = timeout(GOODBYE, async { while wire.poll().await.is_ok() {} }).await;
        }
    }
}
