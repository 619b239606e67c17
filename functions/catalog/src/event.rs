//! What comes in by the queue: documents of shadows, their ends, and events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{Event, EventType, Refusal, RefusalCode, RuleMessage, ThingName, Timestamp};
use loam_things::Erasure;
use loam_things::twins::{PresenceView, ShadowView};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::Refused;

/// How far a document's time may be ahead of the rule's: both are clocks of AWS.
const MAX_AHEAD_MILLIS: i64 = 5 * 60 * 1000;

/// A message, understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// News of a thing.
    News(ThingName, Source),
    /// It concerns nobody here: a name that no thing of ours has, an event that says nothing new.
    NotOurs,
}

/// What one source says of a thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Its shadow is this.
    Shadow(ShadowView),
    /// Its connection is this.
    Presence(PresenceView),
    /// Its record changed: it is read again.
    Record,
    /// It retires, or is retired: what is known of it is to be erased.
    End,
    /// Its owner's time is over: what people said of it is to be erased. Its record changed, too.
    OwnersEnd,
}

/// AWS IoT's message on `.../shadow/update/documents`.
/// Source: AWS IoT Core developer guide, "Device Shadow service documents", "/documents response".
#[derive(Deserialize)]
struct Documents {
    current: Document,
    timestamp: i64,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    state: State,
    version: u64,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default)]
    desired: Option<Map<String, Value>>,
    #[serde(default)]
    reported: Option<Map<String, Value>>,
}

/// AWS IoT's message on `.../shadow/delete/accepted`: the version that ended.
/// Source: the same guide, "/delete/accepted".
#[derive(Deserialize)]
struct Deleted {
    version: u64,
    timestamp: i64,
}

impl Message {
    /// Understands one message of the queue: what a rule selects, or an event of the topic `Events`.
    ///
    /// # Errors
    /// [`Refused`], for what neither AWS IoT nor Loam sends.
    pub fn parse(body: &str) -> Result<Self, Refused> {
        if let Some(Erasure::OfPeople(thing)) = Erasure::parse(body) {
            return Ok(Self::News(thing, Source::OwnersEnd));
        }
        let not_json = || Refusal::new(RefusalCode::NotJson, "the message is not JSON");
        let event: Value = serde_json::from_str(body).map_err(|_| not_json())?;
        if event.get("type").is_some() && event.get("topic").is_none() {
            return of_events(&event);
        }
        let message = RuleMessage::deserialize(&event).map_err(|_| {
            let expected = "expected the fields payload, topic and receivedAt that the rules select";
            Refusal::new(RefusalCode::NotARuleMessage, expected)
        })?;
        match message.topic.split('/').collect::<Vec<_>>().as_slice() {
            ["$aws", "things", thing, "shadow", "update", "documents"] => news(thing, || document(&message)),
            ["$aws", "things", thing, "shadow", "delete", "accepted"] => news(thing, || deletion(&message)),
            _ => {
                let expected = "expected $aws/things/{thing}/shadow/update/documents or .../shadow/delete/accepted";
                Err(Refusal::new(RefusalCode::UnknownTopic, expected).into())
            }
        }
    }
}

/// A name that Loam refuses everywhere is none of ours, whatever is said of it.
fn news(thing: &str, source: impl FnOnce() -> Result<Source, Refused>) -> Result<Message, Refused> {
    match ThingName::parse(thing) {
        Ok(thing) => Ok(Message::News(thing, source()?)),
        Err(_) => Ok(Message::NotOurs),
    }
}

fn document(message: &RuleMessage) -> Result<Source, Refused> {
    let Documents { current: Document { state, version }, timestamp } = read(message)?;
    let (desired, reported) = (state.desired.unwrap_or_default(), state.reported.unwrap_or_default());
    let at = time(timestamp, message)?;
    Ok(Source::Shadow(ShadowView { version, at, deleted: false, desired, reported }))
}

fn deletion(message: &RuleMessage) -> Result<Source, Refused> {
    let Deleted { version, timestamp } = read(message)?;
    let at = time(timestamp, message)?;
    Ok(Source::Shadow(ShadowView { version, at, deleted: true, desired: Map::new(), reported: Map::new() }))
}

/// The document's own time, in seconds. One that is still to come would go before all documents until then.
fn time(timestamp: i64, message: &RuleMessage) -> Result<Timestamp, Refused> {
    let at = Timestamp::from_millis(timestamp.saturating_mul(1000));
    if at.millis_since(message.received_at) > MAX_AHEAD_MILLIS { Err(Refused::FromTheFuture) } else { Ok(at) }
}

fn read<T: DeserializeOwned>(message: &RuleMessage) -> Result<T, Refused> {
    let not_base64 = |_| Refusal::new(RefusalCode::NotBase64, "the field `payload` is not base64");
    let bytes = STANDARD.decode(&message.payload).map_err(not_base64)?;
    let document: Value = serde_json::from_slice(&bytes).map_err(|_| Refused::NotADocument)?;
    // Serde would read a list as the fields of an object in their order.
    let is_object = |place: &str| document.pointer(place).is_none_or(Value::is_object);
    if !["", "/current", "/current/state"].into_iter().all(is_object) {
        return Err(Refused::NotADocument);
    }
    // From the bytes, not from the value, which keeps the last of two fields of one name and so hides that there are two.
    serde_json::from_slice(&bytes).map_err(|_| Refused::NotADocument)
}

fn of_events(event: &Value) -> Result<Message, Refused> {
    let event = Event::deserialize(event).map_err(|_| Refused::NotAnEvent)?;
    let Some(thing) = event.thing.clone() else { return Ok(Message::NotOurs) };
    let source = match event.kind {
        EventType::PresenceConnected => Source::Presence(presence(&event, true)?),
        EventType::PresenceDisconnected => Source::Presence(presence(&event, false)?),
        EventType::ThingRetiring | EventType::ThingRetired => Source::End,
        EventType::ThingRegistered
        | EventType::ThingActive
        | EventType::ThingOnboarded
        | EventType::ThingDescribed
        | EventType::ThingSuspended
        | EventType::ThingResumed
        | EventType::ThingPaired
        | EventType::ThingErased => Source::Record,
        EventType::ThingUnpaired => Source::OwnersEnd,
        EventType::ThingRetireAcknowledged
        | EventType::ThingErasureAcknowledged
        | EventType::CertificateAdded
        | EventType::CertificateRefused
        | EventType::CertificateRevoked
        | EventType::CertificateRetired
        | EventType::PresencePrincipalChanged
        | EventType::MemberInvited
        | EventType::MemberJoined
        | EventType::MemberLeft
        | EventType::InvitationRevoked
        | EventType::OwnershipOffered
        | EventType::OwnershipWithdrawn
        | EventType::CommandQueued
        | EventType::CommandDelivered
        | EventType::CommandAccepted
        | EventType::CommandProgress
        | EventType::CommandSucceeded
        | EventType::CommandFailed
        | EventType::CommandRejected
        | EventType::CommandExpired
        | EventType::CommandCancelled
        | EventType::CommandLate
        | EventType::FileReady
        | EventType::FileCompleted
        | EventType::FileFailed
        | EventType::FileCancelled
        | EventType::FileExpired
        | EventType::ReleaseRefused
        | EventType::ReleasePublished
        | EventType::ReleaseDeprecated
        | EventType::RolloutStarted
        | EventType::RolloutWaveOpened
        | EventType::RolloutWavePassed
        | EventType::RolloutPaused
        | EventType::RolloutResumed
        | EventType::RolloutStopping
        | EventType::RolloutStopped
        | EventType::RolloutCompleted
        | EventType::FirmwareSucceeded
        | EventType::FirmwareFailed => return Ok(Message::NotOurs),
    };
    Ok(Message::News(thing, source))
}

/// What filters read as `connectivity`. The version of the presence row ends the event's id.
fn presence(event: &Event, connected: bool) -> Result<PresenceView, Refused> {
    let version = event.id.rsplit_once(".presence.").and_then(|(_, version)| version.parse().ok());
    let version = version.ok_or(Refused::NotAnEvent)?;
    let mut connectivity = Map::from_iter([("connected".to_owned(), json!(connected))]);
    connectivity.insert("since".to_owned(), event.data.get("since").cloned().unwrap_or_else(|| json!(event.at)));
    for name in ["reason", "clean", "flapping"] {
        if let Some(value) = event.data.get(name) {
            connectivity.insert(name.to_owned(), value.clone());
        }
    }
    Ok(PresenceView { version, connectivity })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_rule(topic: &str, payload: &Value) -> Result<Message, Refused> {
        let payload = STANDARD.encode(payload.to_string());
        let received = 1_517_000_000_500_i64;
        Message::parse(&json!({"payload": payload, "topic": topic, "receivedAt": received}).to_string())
    }

    fn of_event(kind: &str, id: &str, data: &Value) -> Result<Message, Refused> {
        Message::parse(&json!({"id": id, "type": kind, "thing": "t1", "at": 9, "epoch": 1, "data": data}).to_string())
    }

    fn shadow(message: Message) -> ShadowView {
        let Message::News(_, Source::Shadow(shadow)) = message else { panic!("{message:?}") };
        shadow
    }

    #[test]
    fn a_document_tells_the_current_state_and_nothing_of_the_previous() {
        let payload = json!({
            "previous": {"state": {"desired": {"a": 0}, "reported": {"old": true}}, "metadata": {}, "version": 9},
            "current": {"state": {"desired": {"a": 1}}, "metadata": {}, "version": 10},
            "timestamp": 1_517_000_000, "clientToken": "x",
        });
        let shadow = shadow(of_rule("$aws/things/t1/shadow/update/documents", &payload).unwrap());
        assert_eq!((shadow.version, shadow.at.as_millis(), shadow.deleted), (10, 1_517_000_000_000, false));
        assert_eq!((json!(shadow.desired), json!(shadow.reported)), (json!({"a": 1}), json!({})));
    }

    #[test]
    fn an_end_leaves_nothing_but_its_version() {
        let payload = json!({"version": 11, "timestamp": 1_517_000_001});
        let shadow = shadow(of_rule("$aws/things/t1/shadow/delete/accepted", &payload).unwrap());
        assert!(shadow.deleted && shadow.version == 11 && shadow.desired.is_empty() && shadow.reported.is_empty());
    }

    #[test]
    fn a_document_is_at_most_five_minutes_ahead_of_the_rule() {
        let of = |timestamp: i64| {
            let document = json!({"current": {"version": 1}, "timestamp": timestamp});
            let end = json!({"version": 1, "timestamp": timestamp});
            let of = |topic: &str, payload| of_rule(&format!("$aws/things/t1/shadow/{topic}"), payload).map(|_| ());
            (of("update/documents", &document), of("delete/accepted", &end))
        };
        assert_eq!(of(1_517_000_300), (Ok(()), Ok(())));
        for ahead in [1_517_000_301, 4_102_444_800, i64::MAX] {
            assert_eq!(of(ahead), (Err(Refused::FromTheFuture), Err(Refused::FromTheFuture)), "{ahead}");
        }
        assert_eq!(of(i64::MIN), (Ok(()), Ok(())));
    }

    #[test]
    fn another_topic_a_named_shadow_and_a_broken_document_are_refused() {
        for topic in ["$aws/things/t1/shadow/name/n/update/documents", "device/t1/devicePayload", ""] {
            assert_eq!(of_rule(topic, &json!({})).unwrap_err().code(), "unknown-topic", "{topic}");
        }
        let lists = [
            json!([{"version": 1}, 1]),
            json!({"current": [{}, 1], "timestamp": 1}),
            json!({"current": {"state": [{"a": 1}], "version": 1}, "timestamp": 1}),
        ];
        let others = [json!({}), json!({"current": {"version": -1}, "timestamp": 1}), json!([])];
        for payload in lists.iter().chain(&others) {
            let refused = of_rule("$aws/things/t1/shadow/update/documents", payload).unwrap_err();
            assert_eq!(refused.code(), "not-a-shadow-document");
        }
        assert_eq!(Message::parse("{").unwrap_err().code(), "not-json");
        assert_eq!(Message::parse("{}").unwrap_err().code(), "not-a-rule-message");
    }

    #[test]
    fn a_name_that_no_thing_of_ours_can_have_is_left_alone() {
        assert_eq!(of_rule("$aws/things/loam/shadow/update/documents", &json!({})).unwrap(), Message::NotOurs);
    }

    #[test]
    fn presence_is_ordered_by_the_version_that_ends_its_id() {
        let data = json!({"since": 5, "reason": "CLIENT_ERROR", "clean": false, "principal": "secret"});
        let told = of_event("presence.disconnected", "t1.presence.12", &data).unwrap();
        let connectivity = json!({"connected": false, "since": 5, "reason": "CLIENT_ERROR", "clean": false});
        let Message::News(_, Source::Presence(view)) = told else { panic!("{told:?}") };
        assert_eq!((view.version, Value::Object(view.connectivity)), (12, connectivity));
        assert_eq!(of_event("presence.connected", "t1.presence.x", &data).unwrap_err().code(), "not-an-event");
    }

    #[test]
    fn what_an_event_means_here() {
        let source = |kind: &str| match of_event(kind, "t1.3", &json!({})).unwrap() {
            Message::News(_, source) => Some(source),
            Message::NotOurs => None,
        };
        for kind in ["registered", "active", "onboarded", "described", "suspended", "resumed"] {
            assert_eq!(source(&format!("thing.{kind}")), Some(Source::Record), "{kind}");
        }
        assert_eq!(source("thing.retiring"), Some(Source::End));
        assert_eq!(source("thing.retired"), Some(Source::End));
        assert_eq!(source("certificate.revoked"), None);
        assert_eq!(of_event("thing.unheard-of", "t1.3", &json!({})).unwrap_err().code(), "not-an-event");
    }
}
