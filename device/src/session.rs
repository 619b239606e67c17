//! The task behind a device: one connection after the other, until it is told to stop.

use crate::connection::{Connection, Done, End};
use crate::error::DeviceError;
use crate::event::{Event, Reason};
use crate::identity::Identity;
use crate::message::{Message, QoS};
use crate::options::Options;
use crate::subscriptions::Subscriptions;
use crate::wire;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::{Packet, SubAck, SubscribeReasonCode};
use rumqttc::v5::{ConnectionError, Event as WireEvent, EventLoop};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::sleep;

/// So many refusals are normal while a new device is being registered.
const EXPECTED_REFUSALS: u32 = 5;

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

/// What happened next on a connection.
enum Step {
    Wire(Box<Result<WireEvent, ConnectionError>>),
    Control(Control),
}

impl Session {
    pub(crate) async fn run(mut self) {
        let mut attempt = 0;
        loop {
            let ended = self.connection().await;
            self.up.send_replace(false);
            let End::Lost { event, settled, asked } = ended else { return };
            // Whoever asked for the loss learns of it now, not after the back-off.
            drop(asked);
            if settled {
                attempt = 0;
            }
            let after = self.options.back_off.delay(attempt, fastrand::f64());
            self.report(&event, attempt, after);
            let _ = self.events.send(event);
            if !self.options.reconnect {
                return;
            }
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
        let (mut connection, mut wire) = Connection::new(wire::mqtt_options(&self.identity, &self.options));
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
            Work::Publish { topic, payload, qos, done } => connection.publish(topic, payload, qos, done),
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
            WireEvent::Incoming(Packet::ConnAck(answer)) => {
                connection.accept(&answer);
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

    fn report(&self, event: &Event, attempt: u32, after: Duration) {
        let thing = self.identity.thing();
        let next = self.next_try(after);
        match event {
            Event::ConnectionRefused { reason }
                if !self.ever_connected && attempt < EXPECTED_REFUSALS && reason.is_normal_for_a_new_device() =>
            {
                tracing::info!(
                    thing.name = thing,
                    code = reason.code(),
                    "not connected yet; for a new device: registration is under way; {next}"
                );
            }
            Event::ConnectionRefused { reason } => {
                tracing::warn!(thing.name = thing, code = reason.code(), %reason, advice = reason.advice(), "not connected; {next}");
            }
            Event::Dropped { reason } => {
                tracing::warn!(thing.name = thing, code = reason.code(), %reason, "connection lost; {next}");
            }
            Event::TakenOver => {
                tracing::warn!(
                    thing.name = thing,
                    "another connection with this client id took over: is its identity used twice? {next}"
                );
            }
            Event::Connected | Event::Reconnecting { .. } => {}
        }
    }

    fn next_try(&self, after: Duration) -> String {
        if self.options.reconnect {
            format!("next try in {:.1} s", after.as_secs_f64())
        } else {
            "no further try, as asked".to_owned()
        }
    }
}
