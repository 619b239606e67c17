//! What an app wants over its live connection: the inbound half of its mailbox.
//!
//! The broker lets an app publish below its own identity only, so the topic says who wants something; whether they may is
//! decided for every message, by the same rule as over HTTP.

use loam_domain::ThingName;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::desired::{BadPatch, Patch};
use crate::order::{BadOrder, Order};

/// The longest `requestId`, in bytes.
pub const MOST_REQUEST_ID_BYTES: usize = 64;

/// Who wants something of which thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The identity whose mailbox it is.
    pub identity: String,
    /// The thing.
    pub thing: ThingName,
    /// What kind of wish it is.
    pub kind: Kind,
}

/// What can be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `.../desired`: a change of desired state.
    Desired,
    /// `.../commands/request`: a command.
    Command,
}

/// A wish, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// What the app calls it: it stands in the answer, and the same wish twice is one.
    pub request_id: String,
    /// What is wanted.
    pub what: What,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Another desired state, on this version of the shadow if one is given.
    Desired {
        /// The change.
        patch: Patch,
        /// The version that the app has seen.
        version: Option<u64>,
    },
    /// A command.
    Command(Order),
}

/// Why a wish is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWish {
    /// The topic is another.
    #[error("expected loam/users/{{identity}}/things/{{thing}}/desired or .../commands/request")]
    Topic,
    /// The payload is no such object.
    #[error(
        "expected an object with `requestId` (1 to {MOST_REQUEST_ID_BYTES} bytes), and `desired` and `version`?, or `name`, \
         `payload`?, `ttlSeconds`?, `maxDeliveries`?"
    )]
    Shape,
    /// The change is out of bounds.
    #[error(transparent)]
    Patch(#[from] BadPatch),
    /// The order is out of bounds.
    #[error(transparent)]
    Order(#[from] BadOrder),
}

impl BadWish {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Topic => "unknown-topic",
            Self::Shape => "invalid-body",
            Self::Patch(bad) => bad.code(),
            Self::Order(bad) => bad.code(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DesiredWire {
    request_id: String,
    desired: Map<String, Value>,
    version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CommandWire {
    request_id: String,
    name: String,
    payload: Option<Box<RawValue>>,
    ttl_seconds: Option<u64>,
    max_deliveries: Option<u32>,
}

impl Address {
    /// The address that a topic is.
    ///
    /// # Errors
    /// [`BadWish::Topic`].
    pub fn parse(topic: &str) -> Result<Self, BadWish> {
        let levels: Vec<&str> = topic.split('/').collect();
        let (identity, thing, kind) = match levels.as_slice() {
            ["loam", "users", identity, "things", thing, "desired"] => (identity, thing, Kind::Desired),
            ["loam", "users", identity, "things", thing, "commands", "request"] => (identity, thing, Kind::Command),
            _ => return Err(BadWish::Topic),
        };
        let thing = ThingName::parse(thing).map_err(|_| BadWish::Topic)?;
        if identity.is_empty() {
            return Err(BadWish::Topic);
        }
        Ok(Self { identity: (*identity).to_owned(), thing, kind })
    }

    /// Where the app hears what became of its wish: `accepted` or `rejected` beside where it asked.
    #[must_use]
    pub fn answer_topic(&self, accepted: bool) -> String {
        let Self { identity, thing, kind } = self;
        let (place, word) = (kind.place(), if accepted { "accepted" } else { "rejected" });
        format!("loam/users/{identity}/things/{thing}/{place}/{word}")
    }

    /// Reads what is wanted there.
    ///
    /// # Errors
    /// [`BadWish`].
    pub fn wish(&self, payload: &[u8]) -> Result<Wish, BadWish> {
        match self.kind {
            Kind::Desired => {
                let wire: DesiredWire = serde_json::from_slice(payload).map_err(|_| BadWish::Shape)?;
                let what = What::Desired { patch: Patch::new(wire.desired)?, version: wire.version };
                Ok(Wish { request_id: request_id(wire.request_id)?, what })
            }
            Kind::Command => {
                let wire: CommandWire = serde_json::from_slice(payload).map_err(|_| BadWish::Shape)?;
                let request_id = request_id(wire.request_id)?;
                // What is not given is nothing, and a device gets it as such.
                let payload = wire.payload.as_deref().unwrap_or(RawValue::NULL);
                let order = Order::new(&wire.name, payload, wire.ttl_seconds, wire.max_deliveries)?;
                Ok(Wish { request_id, what: What::Command(order) })
            }
        }
    }
}

impl Kind {
    const fn place(self) -> &'static str {
        match self {
            Self::Desired => "desired",
            Self::Command => "commands",
        }
    }
}

fn request_id(text: String) -> Result<String, BadWish> {
    if (1..=MOST_REQUEST_ID_BYTES).contains(&text.len()) { Ok(text) } else { Err(BadWish::Shape) }
}

#[cfg(test)]
mod tests {
    use loam_domain::{MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES};

    use super::*;

    fn address(tail: &str) -> Address {
        Address::parse(&format!("loam/users/eu-west-1:6f1c/things/t1/{tail}")).unwrap()
    }

    #[test]
    fn the_topic_says_who_wants_what_of_which_thing() {
        let address = address("commands/request");
        assert_eq!((address.identity.as_str(), address.thing.as_str()), ("eu-west-1:6f1c", "t1"));
        assert_eq!(address.answer_topic(true), "loam/users/eu-west-1:6f1c/things/t1/commands/accepted");
        for topic in [
            "loam/users/i/things/t1/state",
            "loam/users/i/things/t1/desired/accepted",
            "loam/users//things/t1/desired",
            "loam/users/i/things/loam/desired",
            "loam/t1/things/t1/desired",
        ] {
            assert_eq!(Address::parse(topic), Err(BadWish::Topic), "{topic}");
        }
    }

    #[test]
    fn the_longest_topic_fits() {
        let (identity, thing) = ("i".repeat(55), "t".repeat(128));
        let topic = format!("loam/users/{identity}/things/{thing}/commands/request");
        assert!(topic.len() <= MAX_TOPIC_BYTES && topic.matches('/').count() <= MAX_TOPIC_SLASHES);
        assert!(Address::parse(&topic).unwrap().answer_topic(false).len() <= MAX_TOPIC_BYTES);
    }

    #[test]
    fn a_wish_is_bound_like_a_request_over_http() {
        let desired = |payload: &str| address("desired").wish(payload.as_bytes()).map_err(|bad| bad.code());
        assert!(matches!(
            desired(r#"{"requestId":"r","desired":{"on":true},"version":7}"#).unwrap().what,
            What::Desired { version: Some(7), .. }
        ));
        assert_eq!(desired(r#"{"requestId":"r","desired":{"firmware":1}}"#), Err("reserved-property"));
        for odd in ["", "[]", r#"{"requestId":"","desired":{"a":1}}"#, r#"{"requestId":"r","desired":{"a":1},"x":1}"#] {
            assert_eq!(desired(odd), Err("invalid-body"), "{odd}");
        }
        let command = |payload: &str| address("commands/request").wish(payload.as_bytes()).map_err(|bad| bad.code());
        let wish = command(r#"{"requestId":"r","name":"blink","payload":{"n": 1.0}}"#).unwrap();
        assert!(matches!(wish.what, What::Command(order) if order.payload == r#"{"n": 1.0}"#));
        let plain = command(r#"{"requestId":"r","name":"blink"}"#).unwrap();
        assert!(matches!(plain.what, What::Command(order) if order.payload == "null"));
        assert_eq!(command(r#"{"requestId":"r","name":"blink","ttlSeconds":0}"#), Err("invalid-ttl"));
        let long = format!(r#"{{"requestId":"{}","name":"blink"}}"#, "r".repeat(65));
        assert_eq!(command(&long), Err("invalid-body"));
    }
}
