//! The parsers, each with what must hold of all that it understands.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::event::{Message as News, Source};
use catalog::order::{Order, Place};
use catalog::paths::{Path, only};
use catalog::search::Search;
use event_relay::event::Told;
use jitr::certificate::{Authority, Certificate};
use jitr::checks::flaws;
use jitr::event::Message;
use jitr::name::thing_name;
use jitr::profile::{Profile, ProfileDocument};
use loam_domain::{DeviceMessage, Event, Measure, Readings, ThingName, Timestamp, Topic};
use loam_runtime::KeptEvent;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use soil_alerts::smart::{AlertRule, RuleSpec};
use telemetry::event::Points;

use crate::{files, firmware, owners};

/// A parser: whether it understands the input. Panics where it breaks, or breaks its word.
pub(crate) struct Parser {
    pub(crate) name: &'static str,
    pub(crate) parse: fn(&[u8]) -> bool,
}

const RECEIVED: Timestamp = Timestamp::from_millis(1_598_536_072_700);

pub(crate) const PARSERS: [Parser; 25] = [
    Parser { name: "device-message", parse: device_message },
    Parser { name: "readings", parse: readings },
    Parser { name: "measure", parse: measure },
    Parser { name: "topic", parse: topic },
    Parser { name: "points", parse: points },
    Parser { name: "rule-spec", parse: rule_spec },
    Parser { name: "kept-event", parse: kept_event },
    Parser { name: "certificate", parse: certificate },
    Parser { name: "certificate-event", parse: certificate_event },
    Parser { name: "stream-record", parse: stream_record },
    Parser { name: "catalog-news", parse: catalog_news },
    Parser { name: "list-parameters", parse: list_parameters },
    Parser { name: "command-message", parse: owners::command_message },
    Parser { name: "pairing-message", parse: owners::pairing_message },
    Parser { name: "relay-news", parse: owners::relay_news },
    Parser { name: "device-key", parse: owners::device_key },
    Parser { name: "sealed-message", parse: files::sealed_message },
    Parser { name: "file-message", parse: files::file_message },
    Parser { name: "file-notice", parse: files::file_notice },
    Parser { name: "release-descriptor", parse: firmware::release_descriptor },
    Parser { name: "upload-notice", parse: firmware::upload_notice },
    Parser { name: "rollout-definition", parse: firmware::rollout_definition },
    Parser { name: "firmware-word", parse: firmware::firmware_word },
    Parser { name: "firmware-notice", parse: firmware::firmware_notice },
    Parser { name: "firmware-manifest", parse: firmware::firmware_manifest },
];

/// The input is the event itself, or else its payload; what comes out are the payload's very bytes.
fn device_message(input: &[u8]) -> bool {
    if let Ok(event) = serde_json::from_slice::<Value>(input)
        && let Ok(message) = DeviceMessage::from_event(&event)
    {
        assert_eq!(event["payload"], STANDARD.encode(&message.payload));
        return true;
    }
    let event = event("device/t1/devicePayload", input);
    assert_eq!(DeviceMessage::from_event(&event).unwrap().payload, input);
    false
}

/// Every reading of a batch is accepted or refused, once.
fn readings(input: &[u8]) -> bool {
    let Ok(readings) = Readings::parse(input, RECEIVED) else { return false };
    let accepted = readings.accepted.iter().map(|(index, _)| *index);
    let mut places: Vec<_> = accepted.chain(readings.refused.iter().map(|refused| refused.index)).collect();
    places.sort_unstable();
    assert_eq!(places, (0..places.len()).collect::<Vec<_>>());
    assert!(readings.accepted.iter().all(|(_, reading)| reading.humidity.value().is_finite()));
    !readings.accepted.is_empty()
}

/// What is understood is finite, and its digits say the same number again.
fn measure(input: &[u8]) -> bool {
    let mut good = false;
    for piece in input.split(|byte| b",:{}".contains(byte)) {
        let Ok(raw) = serde_json::from_slice::<&RawValue>(piece) else { continue };
        if let Ok(measure) = Measure::from_json("humidity", raw) {
            assert!(measure.value().is_finite());
            let again: f64 = measure.to_string().parse().unwrap();
            assert_eq!(again.to_bits(), measure.value().to_bits());
            good = true;
        }
    }
    good
}

/// A topic that is understood names a thing that may be one.
fn topic(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let pieces = text.split('"').map(Topic::parse);
    let things = pieces.flatten().map(|topic| ThingName::parse(topic.thing().as_str()));
    things.inspect(|thing| assert!(thing.is_ok())).count() > 0
}

/// The input is a record's body, and also the payload of a good one on either topic.
fn points(input: &[u8]) -> bool {
    let bodies = ["device/t1/devicePayload", "device/t1/sensor/air/v1"].map(|topic| event(topic, input).to_string());
    let [soil, sensor] = &bodies;
    let mut good = false;
    for body in [&*String::from_utf8_lossy(input), soil, sensor] {
        let Ok(points) = Points::parse(body) else { continue };
        for (_, point) in &points.accepted {
            let value = point.sample.value.get();
            assert!(value.abs() < f64::EPSILON || (1e-100..=1e100).contains(&value.abs()));
            assert!((1..=128).contains(&point.metric.as_str().len()));
        }
        assert!(points.refused.iter().all(|part| part.reason.to_string().len() < 400));
        good |= !points.accepted.is_empty();
    }
    good
}

/// A rule that is accepted is accepted again as it was written.
fn rule_spec(input: &[u8]) -> bool {
    let Ok(spec) = serde_json::from_slice::<RuleSpec>(input) else { return false };
    let Ok(rule) = AlertRule::try_from(spec) else { return false };
    let written = serde_json::to_vec(rule.spec()).unwrap();
    assert_eq!(AlertRule::try_from(serde_json::from_slice::<RuleSpec>(&written).unwrap()).unwrap(), rule);
    let (breached, cleared) = (rule.breached_by(rule.spec().threshold), rule.cleared_by(rule.spec().threshold));
    assert!(!breached && (cleared || rule.spec().clear.is_some()));
    true
}

/// A letter is the same after it was written and read again.
fn kept_event(input: &[u8]) -> bool {
    let Ok(kept) = serde_json::from_slice::<KeptEvent>(input) else { return false };
    let written = serde_json::to_vec(&kept).unwrap();
    assert_eq!(serde_json::from_slice::<KeptEvent>(&written).unwrap(), kept);
    true
}

/// The CA of the certificates that mutation begins with.
const CA: &str = include_str!("../../functions/jitr/tests/certificates/ca.pem");

/// How the ids of those begin that it signed and that have no flaw.
const SIGNED: [&str; 6] = ["28c457f6", "2c013105", "43b11bb7", "fa6f937f", "42d035e5", "98c0173b"];

/// The input is a certificate in PEM form, or in DER. What is without flaws is one that the CA signed: the very ones that
/// mutation begins with. What names a thing names one that may be.
fn certificate(input: &[u8]) -> bool {
    let der = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(input));
    let (authority, profile) = (Authority::from_pem(CA).unwrap(), Profile::check(open_profile()).unwrap());
    let mut good = false;
    for pem in [&*String::from_utf8_lossy(input), &der] {
        let Ok(certificate) = Certificate::from_pem(pem) else { continue };
        if flaws(&certificate, &authority, RECEIVED).is_empty() {
            assert!(SIGNED.contains(&&certificate.id[..8]), "{} passes for signed", certificate.id);
        }
        if let Ok(name) = thing_name(&certificate, &profile, "call") {
            assert!(ThingName::parse(name.as_str()).is_ok());
        }
        good = true;
    }
    good
}

fn open_profile() -> ProfileDocument {
    serde_json::from_value(json!({"enabled": true})).unwrap()
}

/// What is understood is written and understood again as the same.
fn certificate_event(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let Ok(message) = Message::parse(&text) else { return false };
    if let Message::Recheck(recheck) = &message {
        assert_eq!(Message::parse(&serde_json::to_string(recheck).unwrap()).unwrap(), message);
    }
    true
}

/// The input is a stream's record, or else the text of an event of the thing `t1`; what is told is read back the same.
fn stream_record(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let around = json!({"eventName": "INSERT", "dynamodb": {"Keys": {"thing": {"S": "t1"}, "item": {"S": "event#"}},
        "NewImage": {"event": {"S": text}}}});
    let records = [serde_json::from_slice(input).unwrap_or_default(), around];
    let told = records.iter().filter_map(|record| Told::of(record).ok().flatten());
    told.map(|told| {
        let written = serde_json::to_string(&told.event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&written).unwrap(), told.event);
        assert!(told.bytes() > told.message.len());
    })
    .count()
        > 0
}

/// The input is a message of the catalog's queue, or else the document of a shadow, or its end. A shadow that ended holds
/// nothing, and none is of a time to come.
fn catalog_news(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input).into_owned();
    let of_shadow = |topic| event(&format!("$aws/things/t1/shadow/{topic}"), input).to_string();
    let mut good = false;
    for body in [text, of_shadow("update/documents"), of_shadow("delete/accepted")] {
        let Ok(News::News(thing, source)) = News::parse(&body) else { continue };
        assert!(ThingName::parse(thing.as_str()).is_ok());
        if let Source::Shadow(shadow) = source {
            assert!(!shadow.deleted || (shadow.desired.is_empty() && shadow.reported.is_empty()));
            let told: Value = serde_json::from_str(&body).unwrap();
            let ahead = shadow.at.as_millis().saturating_sub(told["receivedAt"].as_i64().unwrap());
            assert!(ahead <= 300_000, "{ahead}");
        }
        good = true;
    }
    good
}

/// What may stand in the parameters of a list of things: a search finds the name that it is, an order puts a thing at its
/// own place, a field is shown as itself.
fn list_parameters(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let thing = json!({"deviceId": "t1", "friendlyName": text, "tags": {"a": 1}, "properties": {"reported": {}}});
    let mut good = false;
    for piece in text.split(['"', ':']) {
        if let Ok(search) = Search::parse(piece) {
            assert!(search.finds(piece), "{piece:?} does not find itself");
        }
        if let Ok(order) = Order::parse(piece) {
            let place = order.place(&ThingName::parse("t1").unwrap(), &thing);
            let sealed: Place = serde_json::from_str(&serde_json::to_string(&place).unwrap()).unwrap();
            assert_eq!(order.compare(&place, &sealed), Ordering::Equal);
            good = true;
        }
        if let Ok(field) = Path::parse(piece) {
            let shown = only(&thing, std::slice::from_ref(&field));
            assert_eq!(field.value(&shown), field.value(&thing));
            good = true;
        }
    }
    good
}

pub(crate) fn event(topic: &str, payload: &[u8]) -> Value {
    json!({"payload": STANDARD.encode(payload), "topic": topic, "clientId": "t1", "receivedAt": RECEIVED})
}
