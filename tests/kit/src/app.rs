use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_sqs::config::Credentials;
use aws_sigv4::http_request::{
    SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use hyper::header::{HOST, HeaderValue};
use hyper::http::Uri;
use rumqttc::Transport;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde::Deserialize;
use serde_json::Value;

use crate::{Stack, now, patience};

/// The service that MQTT over WebSocket is signed for.
const SERVICE: &str = "iotdevicegateway";

/// What `POST /v1/credentials` answers. Without `Debug`: a key belongs in no message.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveAccess {
    /// The person's identity, which is the client id, too.
    pub identity_id: String,
    /// Host name of the broker.
    pub endpoint: String,
    access_key_id: String,
    secret_key: String,
    session_token: String,
}

/// A person's app: one MQTT 5 session over WebSocket, which does what it is told, right or wrong.
pub struct App {
    requests: AsyncClient,
    wire: EventLoop,
    heard: VecDeque<(String, Value)>,
}

impl LiveAccess {
    /// The WebSocket's address with its signature; AWS IoT wants the session token after it.
    fn address(&self, stack: &Stack) -> Uri {
        let url = format!("ws://{}/mqtt", self.endpoint);
        let identity = Credentials::new(&self.access_key_id, &self.secret_key, None, None, "credentials");
        let (identity, mut settings) = (Identity::from(identity), SigningSettings::default());
        settings.signature_location = SignatureLocation::QueryParams;
        settings.session_token_mode = SessionTokenMode::Exclude;
        settings.expires_in = Some(Duration::from_secs(300));
        let time = UNIX_EPOCH + Duration::from_millis(now().as_millis().unsigned_abs());
        let parameters =
            v4::SigningParams::builder().identity(&identity).region(&stack.region).name(SERVICE).time(time);
        let parameters = parameters.settings(settings).build().expect("all parameters are given").into();
        let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]));
        let signed = sign(request.expect("a request"), &parameters).expect("it can be signed");
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in signed.output().params() {
            query.append_pair(name, value);
        }
        query.append_pair("X-Amz-Security-Token", &self.session_token);
        format!("{url}?{}", query.finish()).parse().expect("a URL")
    }
}

impl App {
    /// Connects under `client_id`; `None` when the broker refuses it.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn connect(stack: &Stack, access: &LiveAccess, client_id: &str) -> Option<Self> {
        let dial = format!("ws://{}/mqtt", stack.endpoint.trim_start_matches("http://").trim_end_matches('/'));
        let (uri, host) = (access.address(stack), HeaderValue::from_str(&access.endpoint).expect("a host"));
        let mut options = MqttOptions::new(client_id, dial, 0);
        options.set_transport(Transport::Ws).set_keep_alive(Duration::from_secs(60)).set_clean_start(true);
        options.set_request_modifier(move |mut request| {
            *request.uri_mut() = uri.clone();
            request.headers_mut().insert(HOST, host.clone());
            std::future::ready(request)
        });
        let (requests, wire) = AsyncClient::new(options, 64);
        let mut app = Self { requests, wire, heard: VecDeque::new() };
        app.answer(|packet| matches!(packet, Packet::ConnAck(_)).then_some(())).await?;
        Some(app)
    }

    /// Its own mailbox, heard: connected as itself and subscribed to all of it.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn listening(stack: &Stack, access: &LiveAccess) -> Self {
        let mut app = Self::connect(stack, access, &access.identity_id).await.expect("one's own identity connects");
        let all = format!("loam/users/{}/#", access.identity_id);
        assert_eq!(app.subscribe(&all).await, Some(true), "one's own mailbox can be heard");
        app
    }

    /// Whether the broker grants the subscription; `None` when it ended the connection over it.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn subscribe(&mut self, filter: &str) -> Option<bool> {
        self.requests.subscribe(filter, QoS::AtLeastOnce).await.expect("the session takes requests");
        self.answer(|packet| {
            let Packet::SubAck(answer) = packet else { return None };
            Some(matches!(answer.return_codes.as_slice(), [SubscribeReasonCode::Success(_)]))
        })
        .await
    }

    /// Whether the broker takes a message; `None` when it ended the connection over it.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn publish(&mut self, topic: &str, payload: &Value) -> Option<bool> {
        self.send(topic, payload, false).await
    }

    /// Likewise for a message that the broker is to keep.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn publish_retained(&mut self, topic: &str, payload: &Value) -> Option<bool> {
        self.send(topic, payload, true).await
    }

    async fn send(&mut self, topic: &str, payload: &Value, retain: bool) -> Option<bool> {
        let sent = self.requests.publish(topic, QoS::AtLeastOnce, retain, payload.to_string());
        sent.await.expect("the session takes requests");
        let taken = [PubAckReason::Success, PubAckReason::NoMatchingSubscribers];
        let ours = |packet: &Packet| if let Packet::PubAck(answer) = packet { Some(answer.reason) } else { None };
        self.answer(ours).await.map(|reason| taken.contains(&reason))
    }

    /// The next message that `wanted` knows; others are dropped.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn hears(&mut self, wanted: impl Fn(&str, &Value) -> bool) -> (String, Value) {
        loop {
            while let Some((topic, document)) = self.heard.pop_front() {
                if wanted(&topic, &document) {
                    return (topic, document);
                }
            }
            self.answer(|packet| matches!(packet, Packet::Publish(_)).then_some(())).await.expect("the session lives");
        }
    }

    /// All that has come up to now, as far as the broker has sent it: everything before an answer of its own.
    ///
    /// # Panics
    /// When the broker does not answer.
    pub async fn heard_by_now(&mut self, own: &str) -> Vec<(String, Value)> {
        assert_eq!(self.subscribe(own).await, Some(true), "a granted filter");
        self.heard.drain(..).collect()
    }

    /// What `find` makes of the first packet that it knows; `None` once the connection has ended.
    async fn answer<T>(&mut self, find: impl Fn(&Packet) -> Option<T>) -> Option<T> {
        let answered = tokio::time::timeout(patience(), async {
            loop {
                match self.wire.poll().await {
                    Ok(Event::Incoming(packet)) => {
                        if let Packet::Publish(publish) = &packet {
                            let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                            self.heard.push_back((topic, serde_json::from_slice(&publish.payload).unwrap_or_default()));
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
        answered.await.expect("the broker answers in time")
    }
}
