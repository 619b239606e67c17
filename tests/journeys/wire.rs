//! An MQTT 5 client that does what it is told, right or wrong, and says what the broker answered.

use std::time::Duration;

use loam_kit::Credentials;
use rumqttc::Transport;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::time::timeout;

/// On a busy machine; the broker answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Client {
    requests: AsyncClient,
    wire: EventLoop,
    heard: Vec<String>,
}

impl Client {
    /// Connects with these credentials under any client id; `None` when the broker refuses it.
    pub(crate) async fn connect(port: u16, with: &Credentials, client_id: &str, will: Option<&str>) -> Option<Self> {
        let read = |path| std::fs::read(path).unwrap();
        let mut options = MqttOptions::new(client_id, "localhost", port);
        let identity = Some((read(&with.cert), read(&with.key)));
        options.set_transport(Transport::tls(read(&with.root_ca), identity, None));
        options.set_keep_alive(Duration::from_secs(60)).set_clean_start(true);
        if let Some(topic) = will {
            options.set_last_will(LastWill::new(topic, "{}", QoS::AtLeastOnce, false, None));
        }
        let (requests, wire) = AsyncClient::new(options, 16);
        let mut client = Self { requests, wire, heard: Vec::new() };
        client.answer(|packet| matches!(packet, Packet::ConnAck(_)).then_some(())).await?;
        Some(client)
    }

    /// Whether the broker takes a message on `topic` from it; `None` when it ended the connection over it.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str, retain: bool) -> Option<bool> {
        self.requests.publish(topic, QoS::AtLeastOnce, retain, payload.to_owned()).await.unwrap();
        let taken = [PubAckReason::Success, PubAckReason::NoMatchingSubscribers];
        let ours = |packet: &Packet| if let Packet::PubAck(answer) = packet { Some(answer.reason) } else { None };
        self.answer(ours).await.map(|reason| taken.contains(&reason))
    }

    /// Whether the broker grants the subscription; `None` when it ended the connection over it.
    pub(crate) async fn subscribe(&mut self, filter: &str) -> Option<bool> {
        self.requests.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        self.answer(|packet| {
            let Packet::SubAck(answer) = packet else { return None };
            Some(matches!(answer.return_codes.as_slice(), [SubscribeReasonCode::Success(_)]))
        })
        .await
    }

    /// The topics of what it was sent since the last call, up to the first on `last` and with it.
    pub(crate) async fn topics_until(&mut self, last: &str) -> Vec<String> {
        while !self.heard.iter().any(|topic| topic == last) {
            self.answer(|packet| matches!(packet, Packet::Publish(_)).then_some(())).await.unwrap();
        }
        std::mem::take(&mut self.heard)
    }

    /// Leaves with a goodbye.
    pub(crate) async fn leave(mut self) {
        self.requests.disconnect().await.unwrap();
        self.answer(|_| None::<()>).await;
    }

    /// What `find` makes of the first packet that it knows; `None` once the connection has ended.
    async fn answer<T>(&mut self, find: impl Fn(&Packet) -> Option<T>) -> Option<T> {
        let answered = timeout(PATIENCE, async {
            loop {
                match self.wire.poll().await {
                    Ok(Event::Incoming(packet)) => {
                        if let Packet::Publish(publish) = &packet {
                            self.heard.extend(String::from_utf8(publish.topic.to_vec()));
                        }
                        if let Some(found) = find(&packet) {
                            return Some(found);
                        }
                    }
                    Ok(Event::Outgoing(_)) => {}
                    Err(_) => return None,
                }
            }
        });
        answered.await.unwrap()
    }
}
