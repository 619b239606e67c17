//! What comes in by the queue: documents of shadows, events, notices.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{Event, EventType, Refusal, RefusalCode, RuleMessage, ThingName, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Happening, Refused, Subject, shadow};
use crate::tenancy::Tenancy;

/// A message, understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// News of a thing.
    News(News),
    /// It concerns nobody here: a name that no thing of ours has, an event that no mailbox is told of.
    NotOurs,
}

/// What is new of a thing.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// Which.
    pub thing: ThingName,
    /// In which of the mailbox's topics it stands.
    pub subject: Subject,
    /// When, and in whose time.
    pub happening: Happening,
    /// What is told of it.
    content: Content,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// As it is.
    Fields(Map<String, Value>),
    /// The state of a shadow, of which everybody sees what belongs to the present owner's time.
    Shadow(Box<Document>),
}

/// AWS IoT's message on `.../shadow/update/documents`.
/// Source: AWS IoT Core developer guide, "Device Shadow service documents", "/documents response".
#[derive(Deserialize)]
struct Documents {
    current: Document,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Document {
    #[serde(default)]
    state: Sections,
    #[serde(default)]
    metadata: Option<Value>,
    version: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Sections {
    #[serde(default)]
    desired: Option<Map<String, Value>>,
    #[serde(default)]
    reported: Option<Map<String, Value>>,
}

/// A notice of the topic of notices, in SNS's envelope, whose attributes name the thing.
/// Source: Amazon SNS developer guide, "Parsing Amazon SNS message formats".
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    timestamp: String,
    #[serde(default)]
    subject: Option<String>,
    message: String,
    message_attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    notice_id: Attribute,
    kind: Attribute,
    thing: Attribute,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    value: String,
}

impl News {
    /// What the people of `tenancy` are told: a JSON object with `thing`, `at` and what belongs to its subject.
    #[must_use]
    pub fn document(&self, tenancy: &Tenancy) -> Value {
        let mut told = match &self.content {
            Content::Fields(fields) => fields.clone(),
            Content::Shadow(document) => document.told(tenancy.since),
        };
        told.insert("thing".to_owned(), json!(self.thing.as_str()));
        told.insert("at".to_owned(), json!(self.happening.at));
        Value::Object(told)
    }
}

impl Document {
    fn told(&self, since: Timestamp) -> Map<String, Value> {
        let section = |name: &str, state: Option<&Map<String, Value>>| {
            let times = self.metadata.as_ref().and_then(|metadata| metadata.get(name));
            let own = state.map(|state| shadow::since(since, state, times)).unwrap_or_default();
            (name.to_owned(), Value::Object(own))
        };
        let desired = section("desired", self.state.desired.as_ref());
        let reported = section("reported", self.state.reported.as_ref());
        Map::from_iter([desired, reported, ("version".to_owned(), json!(self.version))])
    }
}

impl Message {
    /// Understands one message of the queue: what the rule selects, an event of the topic `Events`, or a notice.
    ///
    /// # Errors
    /// [`Refused`], for what neither AWS IoT nor Loam sends.
    pub fn parse(body: &str) -> Result<Self, Refused> {
        let not_json = || Refusal::new(RefusalCode::NotJson, "the message is not JSON");
        let message: Value = serde_json::from_str(body).map_err(|_| not_json())?;
        let has = |field: &str| message.get(field).is_some();
        if has("TopicArn") {
            notice(&message)
        } else if has("type") && !has("topic") {
            event(&message)
        } else {
            document(&message)
        }
    }
}

fn document(message: &Value) -> Result<Message, Refused> {
    let message = RuleMessage::deserialize(message).map_err(|_| {
        Refusal::new(
            RefusalCode::NotARuleMessage,
            "expected the fields payload, topic and receivedAt that the rule selects",
        )
    })?;
    let ["$aws", "things", thing, "shadow", "update", "documents"] = message.topic.split('/').collect::<Vec<_>>()[..]
    else {
        let expected = "expected $aws/things/{thing}/shadow/update/documents";
        return Err(Refusal::new(RefusalCode::UnknownTopic, expected).into());
    };
    let Ok(thing) = ThingName::parse(thing) else { return Ok(Message::NotOurs) };
    let not_base64 = |_| Refusal::new(RefusalCode::NotBase64, "the field `payload` is not base64");
    let bytes = STANDARD.decode(&message.payload).map_err(not_base64)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| Refused::NotADocument)?;
    // Serde would read a list as the fields of an object in their order.
    if !["", "/current", "/current/state"].into_iter().all(|place| value.pointer(place).is_none_or(Value::is_object)) {
        return Err(Refused::NotADocument);
    }
    let Documents { current } = serde_json::from_value(value).map_err(|_| Refused::NotADocument)?;
    let happening = Happening { epoch: None, at: message.received_at };
    Ok(Message::News(News { thing, subject: Subject::State, happening, content: Content::Shadow(Box::new(current)) }))
}

fn event(message: &Value) -> Result<Message, Refused> {
    let event = Event::deserialize(message).map_err(|_| Refused::NotAnEvent)?;
    let (Some(subject), Some(thing)) = (subject(event.kind), event.thing) else { return Ok(Message::NotOurs) };
    let mut fields = Map::from_iter([("id".to_owned(), json!(event.id)), ("type".to_owned(), json!(event.kind))]);
    let told = |name: &str| subject != Subject::Presence || PRESENCE.contains(&name);
    fields.extend(event.data.into_iter().filter(|(name, _)| told(name)));
    if subject == Subject::Presence {
        fields.insert("connected".to_owned(), json!(event.kind == EventType::PresenceConnected));
    }
    // A connection knows nothing of owners: its event carries the epoch of the thing's first one.
    let epoch = (subject != Subject::Presence).then_some(event.epoch);
    let happening = Happening { epoch, at: event.at };
    Ok(Message::News(News { thing, subject, happening, content: Content::Fields(fields) }))
}

/// What of a connection's event is told: sessions and certificates are nobody's business.
const PRESENCE: [&str; 4] = ["since", "reason", "clean", "flapping"];

/// Under which subject an event is told; `None`: it is not. An exhaustive match: a new type of event is decided here.
const fn subject(kind: EventType) -> Option<Subject> {
    match kind {
        EventType::PresenceConnected | EventType::PresenceDisconnected => Some(Subject::Presence),
        EventType::CommandQueued
        | EventType::CommandDelivered
        | EventType::CommandAccepted
        | EventType::CommandProgress
        | EventType::CommandSucceeded
        | EventType::CommandFailed
        | EventType::CommandRejected
        | EventType::CommandExpired
        | EventType::CommandCancelled
        | EventType::CommandLate => Some(Subject::Commands),
        EventType::ThingPaired
        | EventType::MemberInvited
        | EventType::MemberJoined
        | EventType::MemberLeft
        | EventType::InvitationRevoked
        | EventType::OwnershipOffered
        | EventType::OwnershipWithdrawn => Some(Subject::Members),
        EventType::FileReady
        | EventType::FileCompleted
        | EventType::FileFailed
        | EventType::FileCancelled
        | EventType::FileExpired => Some(Subject::Files),
        EventType::ThingRegistered
        | EventType::ThingActive
        | EventType::ThingOnboarded
        | EventType::ThingDescribed
        | EventType::ThingSuspended
        | EventType::ThingResumed
        | EventType::ThingRetiring
        | EventType::ThingRetireAcknowledged
        | EventType::ThingRetired
        | EventType::ThingUnpaired
        | EventType::ThingErasureAcknowledged
        | EventType::ThingErased
        | EventType::CertificateAdded
        | EventType::CertificateRefused
        | EventType::CertificateRevoked
        | EventType::CertificateRetired
        | EventType::PresencePrincipalChanged
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
        | EventType::FirmwareFailed => None,
    }
}

fn notice(message: &Value) -> Result<Message, Refused> {
    let Envelope { timestamp, subject, message, message_attributes: attributes } =
        Envelope::deserialize(message).map_err(|_| Refused::NotANotice)?;
    let Ok(thing) = ThingName::parse(&attributes.thing.value) else { return Ok(Message::NotOurs) };
    let fields = json!({"id": attributes.notice_id.value, "kind": attributes.kind.value, "subject": subject, "message": message});
    let Value::Object(fields) = fields else { return Err(Refused::NotANotice) };
    let time: jiff::Timestamp = timestamp.parse().map_err(|_| Refused::NotANotice)?;
    let happening = Happening { epoch: None, at: Timestamp::from_millis(time.as_millisecond()) };
    Ok(Message::News(News { thing, subject: Subject::Alerts, happening, content: Content::Fields(fields) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::tests::{Home, pair};

    fn told(message: &Value) -> (Subject, Happening, Value) {
        let home = Home::after([pair("ann", 1)]);
        assert_eq!(home.tenancy.since, Timestamp::from_millis(1_000));
        match Message::parse(&message.to_string()) {
            Ok(Message::News(news)) => (news.subject, news.happening, news.document(&home.tenancy)),
            other => panic!("{other:?}"),
        }
    }

    fn of_rule(topic: &str, payload: &[u8]) -> Value {
        json!({"payload": STANDARD.encode(payload), "topic": topic, "receivedAt": 1_517_000_000_500_i64})
    }

    fn of_event(kind: &str, data: &Value) -> Value {
        json!({"id": "t1.4", "type": kind, "thing": "t1", "at": 2_000, "epoch": 1, "data": data})
    }

    #[test]
    fn a_document_tells_the_state_of_the_owners_time() {
        let document = json!({
            "previous": {"state": {"reported": {"secret": 1}}, "version": 9},
            "current": {"state": {"desired": {"on": true}, "reported": {"on": false, "former": 1}}, "version": 10,
                        "metadata": {"desired": {"on": {"timestamp": 2}},
                                     "reported": {"on": {"timestamp": 1}, "former": {"timestamp": 0}}}},
            "timestamp": 2,
        });
        let (subject, happening, told) =
            told(&of_rule("$aws/things/t1/shadow/update/documents", document.to_string().as_bytes()));
        assert_eq!((subject, happening.epoch), (Subject::State, None));
        let at = 1_517_000_000_500_i64;
        assert_eq!(
            told,
            json!({"thing": "t1", "at": at, "version": 10, "desired": {"on": true}, "reported": {"on": false}})
        );
    }

    #[test]
    fn of_a_connection_neither_session_nor_certificate_is_told() {
        let data =
            json!({"since": 1_900, "reason": "x", "principal": "p", "sessionIdentifier": "s", "versionNumber": 4});
        let (subject, happening, told) = told(&of_event("presence.disconnected", &data));
        assert_eq!((subject, happening.epoch), (Subject::Presence, None));
        assert_eq!(
            told,
            json!({"id": "t1.4", "type": "presence.disconnected", "thing": "t1", "at": 2_000, "since": 1_900,
                   "reason": "x", "connected": false})
        );
    }

    #[test]
    fn commands_files_and_people_are_told_with_what_belongs_to_them() {
        let (subject, _, document) = told(&of_event("command.succeeded", &json!({"command": "c1"})));
        assert_eq!((subject, &document["command"]), (Subject::Commands, &json!("c1")));
        let (subject, _, document) = told(&of_event("file.ready", &json!({"transferId": "f1"})));
        assert_eq!((subject, &document["transferId"]), (Subject::Files, &json!("f1")));
        let (subject, _, document) = told(&of_event("member.joined", &json!({"user": "bob", "role": "viewer"})));
        assert_eq!(
            (subject, &document["user"], &document["type"]),
            (Subject::Members, &json!("bob"), &json!("member.joined"))
        );
    }

    #[test]
    fn data_cannot_take_the_place_of_thing_and_time() {
        let (_, _, document) = told(&of_event("command.progress", &json!({"thing": "t2", "at": 5})));
        assert_eq!((&document["thing"], &document["at"]), (&json!("t1"), &json!(2_000)));
    }

    #[test]
    fn a_notice_is_told_with_its_texts() {
        let attribute = |value: &str| json!({"Type": "String", "Value": value});
        let notice = json!({
            "Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:000000000000:t", "Subject": "Attention:...",
            "Message": "Humidity 20 ...", "Timestamp": "2026-11-21T10:00:00.123Z",
            "MessageAttributes": {"noticeId": attribute("n1"), "kind": attribute("opened"), "thing": attribute("t1")},
        });
        let (subject, happening, told) = told(&notice);
        assert_eq!((subject, happening.at.as_millis()), (Subject::Alerts, 1_795_255_200_123));
        assert_eq!(
            told,
            json!({"thing": "t1", "at": 1_795_255_200_123_i64, "id": "n1", "kind": "opened", "subject": "Attention:...",
                   "message": "Humidity 20 ..."})
        );
    }

    #[test]
    fn what_no_mailbox_is_told_of_is_left_alone() {
        for kind in ["thing.registered", "thing.unpaired", "certificate.added", "presence.principal-changed"] {
            assert_eq!(Message::parse(&of_event(kind, &json!({})).to_string()), Ok(Message::NotOurs), "{kind}");
        }
        let odd = of_rule("$aws/things/loam/shadow/update/documents", b"{}");
        assert_eq!(Message::parse(&odd.to_string()), Ok(Message::NotOurs));
    }

    #[test]
    fn what_nobody_sends_is_refused_with_its_code() {
        let topic = "$aws/things/t1/shadow/update/documents";
        let code = |body: &str| Message::parse(body).unwrap_err().code();
        assert_eq!(code("{"), "not-json");
        assert_eq!(code("[]"), "not-a-rule-message");
        assert_eq!(code(&of_rule("device/t1/x", b"{}").to_string()), "unknown-topic");
        assert_eq!(code(&json!({"payload": "?", "topic": topic, "receivedAt": 1}).to_string()), "not-base64");
        for bad in [
            "",
            "[]",
            "{}",
            "{\"current\":[]}",
            "{\"current\":{\"version\":-1}}",
            "{\"current\":{\"state\":[],\"version\":1}}",
        ] {
            assert_eq!(code(&of_rule(topic, bad.as_bytes()).to_string()), "not-a-shadow-document", "{bad}");
        }
        assert_eq!(code("{\"type\":\"thing.sold\"}"), "not-an-event");
        assert_eq!(code("{\"TopicArn\":\"x\",\"Message\":\"y\"}"), "not-a-notice");
    }
}
