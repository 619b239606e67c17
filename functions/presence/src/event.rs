//! What comes in: AWS IoT's life-cycle events, last wills, and the order to erase.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{Event, EventType, Refusal, RefusalCode, RuleMessage, ThingName, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::error::Refused;
use crate::fact::{Beginning, Ending, Fact, How};
use crate::mark::{Mark, Stage};

/// A message, understood as far as it is anybody's of ours.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Somebody says something of a client of this name, or says it in a way that is refused. Whether the client is a
    /// thing of ours stands elsewhere.
    Said(ThingName, Result<Fact, Refused>),
    /// The thing retires: what is kept of it is to be erased.
    Retiring(ThingName),
    /// It speaks of a client that can be no thing of ours, or of what concerns nobody here.
    NotOurs,
}

/// What AWS IoT publishes when a client comes or goes.
/// Source: AWS IoT Core developer guide, "Lifecycle events", "Connect/Disconnect events".
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LifeCycleEvent {
    client_id: String,
    /// Only of clients that connect as an exclusive thing.
    #[serde(default)]
    thing_name: Option<String>,
    timestamp: i64,
    event_type: String,
    session_identifier: String,
    #[serde(default)]
    principal_identifier: Option<String>,
    version_number: i64,
    #[serde(default)]
    client_initiated_disconnect: bool,
    #[serde(default)]
    disconnect_reason: Option<String>,
}

/// How far an event's own time may lie ahead of its arrival. AWS's times are right to 2 minutes; the rest is generosity.
const MOST_AHEAD_MILLIS: i64 = 60 * 60 * 1000;

impl Message {
    /// Understands the event that a rule hands to a function, or an event of the topic `Events`.
    ///
    /// # Errors
    /// The refusal of what names no client at all.
    pub fn from_event(event: &Value) -> Result<Self, Refused> {
        if event.get("type").is_some() && event.get("topic").is_none() {
            return of_events(event);
        }
        let message = RuleMessage::deserialize(event).map_err(|_| {
            let expected = "expected the fields payload, topic and receivedAt that the rules select";
            Refusal::new(RefusalCode::NotARuleMessage, expected)
        })?;
        match message.topic.split('/').collect::<Vec<_>>().as_slice() {
            ["$aws", "events", "presence", kind @ ("connected" | "disconnected"), client] => {
                Ok(ThingName::parse(client).map_or(Self::NotOurs, |thing| life_cycle(thing, kind, &message)))
            }
            ["lwt", client] => Ok(ThingName::parse(client).map_or(Self::NotOurs, |thing| {
                let fact = will(&thing, &message);
                Self::Said(thing, fact)
            })),
            _ => {
                let expected = "expected $aws/events/presence/{connected,disconnected}/{client} or lwt/{thing}";
                Err(Refusal::new(RefusalCode::UnknownTopic, expected).into())
            }
        }
    }
}

fn of_events(event: &Value) -> Result<Message, Refused> {
    match Event::deserialize(event) {
        Ok(Event { kind: EventType::ThingRetiring, thing: Some(thing), .. }) => Ok(Message::Retiring(thing)),
        Ok(_) => Ok(Message::NotOurs),
        Err(_) => Err(Refused::NotAnEvent),
    }
}

/// A client that connects as another thing than its name says is none of ours: our policy lets no device do so.
fn life_cycle(thing: ThingName, kind: &str, message: &RuleMessage) -> Message {
    match read::<LifeCycleEvent>(message) {
        Ok(event) if event.thing_name.as_ref().is_some_and(|name| name != thing.as_str()) => Message::NotOurs,
        Ok(event) => {
            let fact = event.fact(&thing, kind, message.received_at);
            Message::Said(thing, fact)
        }
        Err(refused) => Message::Said(thing, Err(refused)),
    }
}

impl LifeCycleEvent {
    fn fact(self, thing: &ThingName, kind: &str, received_at: Timestamp) -> Result<Fact, Refused> {
        let at = Timestamp::from_millis(self.timestamp);
        // A time that is still to come would be newer than all that follows.
        let to_come = at.millis_since(received_at) > MOST_AHEAD_MILLIS;
        if self.client_id != thing.as_str() || self.event_type != kind || self.version_number < 0 || to_come {
            return Err(Refused::Contradictory);
        }
        let stage = if kind == "connected" { Stage::Began } else { Stage::Ended };
        let mark = Mark { at, version_number: self.version_number, session: self.session_identifier, stage };
        let principal = self.principal_identifier;
        Ok(match stage {
            Stage::Began => Fact::Began(Beginning { mark, principal }),
            Stage::Ended | Stage::Missed | Stage::Found => {
                let how = How::new(self.disconnect_reason, self.client_initiated_disconnect);
                Fact::Ended(Ending { mark, principal, how })
            }
        })
    }
}

/// The last will is a piece of a shadow: `{"state":{"reported":{"connected":false}}}`, the value a boolean or a text.
///
/// The broker publishes it for the client that left, so that the topic's thing must be the client. A message over HTTPS
/// has no client; as a will decides nothing, it may hint all the same.
fn will(thing: &ThingName, message: &RuleMessage) -> Result<Fact, Refused> {
    match message.client_id.as_deref() {
        Some(client) if client != thing.as_str() && client != NO_CLIENT => return Err(Refused::OtherPublisher),
        _ => {}
    }
    let payload: Value = read(message)?;
    let connected = match payload.pointer("/state/reported/connected") {
        Some(Value::Bool(connected)) => *connected,
        Some(Value::String(word)) if word == "true" => true,
        Some(Value::String(word)) if word == "false" => false,
        _ => return Err(Refused::NotAWill),
    };
    Ok(Fact::Hint { connected })
}

/// What `clientid()` gives for a message that came over HTTPS.
/// Source: AWS IoT Core developer guide, "SQL reference", `clientid()`.
const NO_CLIENT: &str = "n/a";

fn read<T: serde::de::DeserializeOwned>(message: &RuleMessage) -> Result<T, Refused> {
    let bytes = STANDARD
        .decode(&message.payload)
        .map_err(|_| Refusal::new(RefusalCode::NotBase64, "the field `payload` is not base64"))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Refusal::new(RefusalCode::NotUtf8, "the payload is not UTF-8, expected JSON"))?;
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Refused::NotALifeCycleEvent,
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            Refusal::new(RefusalCode::NotJson, "the payload is not JSON").into()
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(topic: &str, client: Option<&str>, payload: &str) -> Value {
        let payload = STANDARD.encode(payload);
        json!({"payload": payload, "topic": topic, "clientId": client, "receivedAt": 1_800_000_000_000_i64})
    }

    fn connected() -> Value {
        json!({"clientId": "t1", "timestamp": 1_800_000_000_000_i64, "eventType": "connected", "sessionIdentifier": "s",
               "principalIdentifier": "p", "ipAddress": "192.0.2.1", "versionNumber": 7})
    }

    fn of(topic: &str, payload: &Value) -> Message {
        Message::from_event(&rule(topic, Some("n/a"), &payload.to_string())).unwrap()
    }

    fn code(message: &Message) -> &'static str {
        match message {
            Message::Said(_, Ok(_)) => "understood",
            Message::Said(_, Err(refused)) => refused.code(),
            Message::Retiring(_) => "retiring",
            Message::NotOurs => "not-ours",
        }
    }

    const CONNECTED: &str = "$aws/events/presence/connected/t1";
    const DISCONNECTED: &str = "$aws/events/presence/disconnected/t1";

    #[test]
    fn a_connected_event_is_the_beginning_of_a_connection() {
        let Message::Said(thing, Ok(Fact::Began(beginning))) = of(CONNECTED, &connected()) else { panic!() };
        assert_eq!((thing.as_str(), beginning.principal.as_deref()), ("t1", Some("p")));
        let at = Timestamp::from_millis(1_800_000_000_000);
        assert_eq!(beginning.mark, Mark { at, version_number: 7, session: "s".to_owned(), stage: Stage::Began });
    }

    #[test]
    fn a_disconnected_event_tells_how() {
        let mut event = connected();
        event["eventType"] = json!("disconnected");
        event["clientInitiatedDisconnect"] = json!(true);
        event["disconnectReason"] = json!("CLIENT_INITIATED_DISCONNECT");
        let Message::Said(_, Ok(Fact::Ended(ending))) = of(DISCONNECTED, &event) else { panic!() };
        assert_eq!((ending.mark.stage, ending.how.clean), (Stage::Ended, true));
    }

    #[test]
    fn an_event_that_contradicts_its_topic_is_refused() {
        assert_eq!(code(&of(DISCONNECTED, &connected())), "contradictory-event");
        for (field, value) in [
            ("clientId", json!("t2")),
            ("versionNumber", json!(-1)),
            ("timestamp", json!(1_800_003_600_001_i64)),
            ("timestamp", json!(i64::MAX)),
        ] {
            let mut event = connected();
            event[field] = value;
            assert_eq!(code(&of(CONNECTED, &event)), "contradictory-event", "{field}");
        }
    }

    #[test]
    fn a_client_that_can_be_no_thing_of_ours_is_not_refused() {
        assert_eq!(of("$aws/events/presence/connected/a b", &connected()), Message::NotOurs);
        assert_eq!(of("lwt/device", &json!({})), Message::NotOurs);
        let mut event = connected();
        event["thingName"] = json!("another");
        assert_eq!(of(CONNECTED, &event), Message::NotOurs);
        event["thingName"] = json!("t1");
        assert_eq!(code(&of(CONNECTED, &event)), "understood");
    }

    #[test]
    fn a_will_is_a_hint_whether_it_says_so_by_a_boolean_or_by_a_text() {
        for (value, hint) in
            [(json!(false), false), (json!("false"), false), (json!(true), true), (json!("true"), true)]
        {
            let will = json!({"state": {"reported": {"connected": value}}});
            let Message::Said(_, Ok(Fact::Hint { connected })) = of("lwt/t1", &will) else { panic!() };
            assert_eq!(connected, hint);
        }
    }

    #[test]
    fn a_will_of_another_shape_is_refused() {
        for value in [json!(0), json!("False"), json!(null), json!({})] {
            assert_eq!(code(&of("lwt/t1", &json!({"state": {"reported": {"connected": value}}}))), "not-a-will");
        }
        assert_eq!(code(&of("lwt/t1", &json!({"connected": false}))), "not-a-will");
    }

    #[test]
    fn a_will_on_the_topic_of_another_thing_is_refused_and_one_without_a_client_is_a_hint() {
        let will = r#"{"state":{"reported":{"connected":false}}}"#;
        let by = |client| code(&Message::from_event(&rule("lwt/t1", client, will)).unwrap());
        assert_eq!(by(Some("t2")), "other-publisher");
        assert_eq!((by(Some("t1")), by(Some("n/a")), by(None)), ("understood", "understood", "understood"));
    }

    #[test]
    fn only_the_order_to_retire_is_heard_of_all_events() {
        let event = |kind: &str| json!({"id": "t1.2", "type": kind, "thing": "t1", "at": 7, "epoch": 1, "data": {}});
        assert_eq!(code(&Message::from_event(&event("thing.retiring")).unwrap()), "retiring");
        assert_eq!(Message::from_event(&event("thing.active")).unwrap(), Message::NotOurs);
        assert_eq!(Message::from_event(&event("thing.unheard")).unwrap_err().code(), "not-an-event");
    }

    #[test]
    fn what_names_no_client_is_refused_as_a_whole() {
        for event in [json!(null), json!([]), json!({"topic": "lwt/t1"}), json!({"payload": 1, "topic": CONNECTED})] {
            assert_eq!(Message::from_event(&event).unwrap_err().code(), "not-a-rule-message");
        }
        let other = rule("device/t1/devicePayload", None, "{}");
        assert_eq!(Message::from_event(&other).unwrap_err().code(), "unknown-topic");
    }

    #[test]
    fn a_broken_payload_is_refused_with_its_client() {
        let broken = |payload: &str| code(&Message::from_event(&rule(CONNECTED, None, payload)).unwrap());
        assert_eq!(
            (broken("{"), broken("[]"), broken("{}")),
            ("not-json", "not-a-life-cycle-event", "not-a-life-cycle-event")
        );
    }
}
