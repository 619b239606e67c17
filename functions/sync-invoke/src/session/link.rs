use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{HOST, HeaderValue};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing, TlsConfiguration, Transport};
use tokio::sync::oneshot;

use super::inbox::{Asked, Inbox, Waiting};
use super::rule::Facts;
use super::{Broker, SessionFailure};
use crate::Target;

/// Requests that wait to be written: one order is nine packets.
const QUEUE: usize = 64;
/// What TCP, TLS, WebSocket and CONNECT may take together, in seconds.
const CONNECT_SECONDS: u64 = 5;
/// Room for the topic, the properties and the headers of the largest message.
const LARGEST_PACKET: u32 = 160 * 1024;

/// One MQTT connection for answers, and the task that reads it. Dropping it says goodbye.
#[derive(Debug)]
pub(super) struct Link {
    client: AsyncClient,
    inbox: Arc<Inbox>,
}

impl Link {
    /// Connects as `client_id`, a name that nobody else uses, and asks for the first ids in the same breath.
    pub(super) async fn open(broker: &Broker, client_id: String) -> Result<Self, SessionFailure> {
        let credentials = broker.credentials().await?;
        let now = (broker.clock)();
        let end = credentials.expiry().and_then(|end| end.duration_since(std::time::UNIX_EPOCH).ok());
        let end =
            end.map(|end| loam_domain::Timestamp::from_millis(i64::try_from(end.as_millis()).unwrap_or(i64::MAX)));
        let facts = Facts { alive: true, opened: now, heard: now, credentials_end: end, keep_alive: broker.keep_alive };
        let uri = broker.address.signed(&broker.region, credentials, now)?;
        let inbox = Arc::new(Inbox::new(broker.prefix.clone(), facts));
        let (client, wire) = AsyncClient::new(options(broker, client_id, uri)?, QUEUE);
        let link = Self { client, inbox };
        link.replenish();
        let (told, failure) = oneshot::channel();
        tokio::spawn(drive(wire, Arc::clone(&link.inbox), broker.clock, told));
        link.ready(failure).await.map(|()| link)
    }

    /// Waits for the first ids.
    async fn ready(&self, mut failure: oneshot::Receiver<String>) -> Result<(), SessionFailure> {
        loop {
            let changed = self.inbox.changed();
            if self.inbox.is_refused() {
                return Err(SessionFailure::NotSubscribed);
            }
            if self.inbox.has_ids() {
                return Ok(());
            }
            tokio::select! {
                () = changed => {}
                why = &mut failure => return Err(SessionFailure::NotOpened(why.unwrap_or_default())),
            }
        }
    }

    pub(super) fn facts(&self) -> Facts {
        self.inbox.facts()
    }

    pub(super) fn load(&self) -> (usize, usize) {
        self.inbox.load()
    }

    /// A place for a call of `target`; `None` once the session is lost.
    pub(super) async fn wait_for(&self, target: &Target) -> Option<Waiting> {
        loop {
            let changed = self.inbox.changed();
            let waiting = self.inbox.wait_for(target);
            self.replenish();
            if waiting.is_some() || !self.inbox.facts().alive {
                return waiting;
            }
            changed.await;
        }
    }

    /// A place for a call that brings its id along; `None` once the session is lost.
    pub(super) async fn adopt(&self, id: &str, target: &Target) -> Option<Waiting> {
        let waiting = self.inbox.adopt(id, target);
        self.inbox.asked(Asked::Adopted(id.to_owned()));
        self.taken(self.client.try_subscribe(self.inbox.filter(id), QoS::AtLeastOnce));
        loop {
            let changed = self.inbox.changed();
            if self.inbox.is_granted(id) {
                return Some(waiting);
            }
            if !self.inbox.facts().alive {
                return None;
            }
            changed.await;
        }
    }

    /// Orders the next ids when few are left, and ends the subscriptions of those that are spent: those first, as the
    /// broker counts what there is at any moment.
    fn replenish(&self) {
        let Some(order) = self.inbox.order() else { return };
        for id in order.unsubscribe {
            self.taken(self.client.try_unsubscribe(self.inbox.filter(&id)));
        }
        let filters: Vec<_> = order.subscribe.iter().map(|id| self.inbox.filter(id)).collect();
        if !filters.is_empty() {
            let filters = filters.into_iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce));
            self.taken(self.client.try_subscribe_many(filters));
        }
    }

    /// A connection that does not write what it is handed is as good as none: its queue is full, or its task has ended.
    fn taken<E>(&self, handed_over: Result<(), E>) {
        if handed_over.is_err() {
            self.inbox.lost();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.client.try_disconnect());
    }
}

fn options(broker: &Broker, client_id: String, uri: axum::http::Uri) -> Result<MqttOptions, SessionFailure> {
    // A WebSocket's port stands in its URL.
    let mut options = MqttOptions::new(client_id, broker.address.dial(), 0);
    let mut network = NetworkOptions::new();
    // Without this, Nagle's algorithm and delayed acknowledgements together cost each call 40 ms.
    network.set_tcp_nodelay(true);
    let transport = if broker.address.is_secure() {
        Transport::wss_with_config(TlsConfiguration::Rustls(broker.tls()?))
    } else {
        Transport::Ws
    };
    let host = HeaderValue::from_str(broker.address.host()).map_err(|_| SessionFailure::Unsigned)?;
    options
        .set_transport(transport)
        .set_keep_alive(broker.keep_alive)
        .set_clean_start(true)
        .set_network_options(network)
        .set_connection_timeout(CONNECT_SECONDS)
        .set_max_packet_size(Some(LARGEST_PACKET))
        .set_request_modifier(move |mut request| {
            *request.uri_mut() = uri.clone();
            request.headers_mut().insert(HOST, host.clone());
            std::future::ready(request)
        });
    Ok(options)
}

/// Reads one connection until it ends. It never connects again: the next call does, under another name.
async fn drive(mut wire: EventLoop, inbox: Arc<Inbox>, clock: super::Clock, told: oneshot::Sender<String>) {
    let why = loop {
        match wire.poll().await {
            Ok(Event::Outgoing(Outgoing::Disconnect)) => break "left".to_owned(),
            Ok(event) if !on_event(&inbox, clock, &event) => break "silent for too long".to_owned(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    inbox.lost();
    drop(told.send(why));
}

/// False when the connection is not to be trusted any more.
#[expect(clippy::wildcard_enum_match_arm, reason = "rumqttc sees to all other packets by itself")]
fn on_event(inbox: &Inbox, clock: super::Clock, event: &Event) -> bool {
    match event {
        Event::Outgoing(Outgoing::Subscribe(packet)) => inbox.written(*packet),
        Event::Outgoing(_) => {}
        Event::Incoming(packet) => {
            if !inbox.heard(clock()) {
                return false;
            }
            match packet {
                Packet::SubAck(answer) => inbox.answered(answer.pkid, is_granted(answer)),
                Packet::Publish(message) => match std::str::from_utf8(&message.topic) {
                    Ok(topic) => inbox.received(topic, &message.payload),
                    Err(_) => metrics::counter!("ForeignAnswers").increment(1),
                },
                _ => {}
            }
        }
    }
    true
}

fn is_granted(answer: &SubAck) -> bool {
    answer.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_)))
}

/// The keep-alive that a session declares: the shortest that AWS IoT takes as it is, so that a frozen environment is
/// known for one soonest.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);
