use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{ThingName, Timestamp};
use serde_json::{Value, json};

/// A word that tests put into what devices say, and that no log may repeat.
pub const MARKER: &str = "quittenmus";

/// A thing that no other test uses.
///
/// # Panics
/// Never: the name keeps the rules.
#[must_use]
pub fn unique_thing(purpose: &str) -> ThingName {
    let id = uuid::Uuid::new_v4().simple().to_string();
    ThingName::parse(&format!("{purpose}-{}", id.get(..12).unwrap_or(&id))).unwrap()
}

/// The time now, for tests that stand at the edge.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "tests are an edge too")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// A classic soil reading.
#[must_use]
pub fn reading(name: &str, humidity: &Value, measured_at: Timestamp) -> Value {
    json!({"name": name, "humidity": humidity, "timeStampEpoch": measured_at.as_millis()})
}

/// The event that a rule into our own code makes of `payload`, published by `thing` on `device/{thing}/devicePayload`.
#[must_use]
pub fn rule_event(thing: &ThingName, payload: &[u8], received_at: Timestamp) -> Value {
    json!({
        "payload": STANDARD.encode(payload),
        "topic": format!("device/{thing}/devicePayload"),
        "clientId": thing.as_str(),
        "receivedAt": received_at.as_millis(),
    })
}
