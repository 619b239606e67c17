//! What somebody orders, and what the device gets of it.

use loam_domain::{MAX_TOPIC_BYTES, ThingName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command_id::CommandId;

/// The longest payload, in bytes of its JSON text as the device gets it: 64 KB.
pub const MOST_PAYLOAD_BYTES: usize = 65_536;

/// The shortest time to live, in seconds: a delivery with its acknowledgement takes up to 15.
pub const LEAST_TTL_SECONDS: u64 = 15;

/// The longest time to live, in seconds: seven days.
pub const MOST_TTL_SECONDS: u64 = 604_800;

/// The time to live where none is given, in seconds: an hour.
pub const USUAL_TTL_SECONDS: u64 = 3_600;

/// The most deliveries that can be asked for.
pub const MOST_DELIVERIES: u32 = 10;

/// The most deliveries where no number is given.
pub const USUAL_DELIVERIES: u32 = 5;

/// The longest name, in characters (each is one byte).
pub const MOST_NAME_BYTES: usize = 64;

/// An order that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// What is to be done, in the device's own words.
    pub name: String,
    /// With what: any JSON, as it was written; the device gets these bytes.
    pub payload: String,
    /// How long it is worth doing, in seconds.
    pub ttl_seconds: u64,
    /// How often it may be sent without the device's acknowledgement.
    pub max_deliveries: u32,
}

/// Why nothing can be ordered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOrder {
    /// No name of a command.
    #[error("`name` has 1 to {MOST_NAME_BYTES} characters of [A-Za-z0-9:._-]")]
    Name,
    /// Too long or too short a life.
    #[error("`ttlSeconds` is {LEAST_TTL_SECONDS} to {MOST_TTL_SECONDS} (seven days)")]
    Ttl,
    /// Too many deliveries, or none.
    #[error("`maxDeliveries` is 1 to {MOST_DELIVERIES}")]
    Deliveries,
    /// Too large.
    #[error("`payload` has {bytes} bytes, expected at most {MOST_PAYLOAD_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl BadOrder {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Name => "invalid-command-name",
            Self::Ttl => "invalid-ttl",
            Self::Deliveries => "invalid-max-deliveries",
            Self::TooLarge { .. } => "payload-too-large",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Name | Self::Ttl | Self::Deliveries => 400,
            Self::TooLarge { .. } => 413,
        }
    }
}

impl Order {
    /// An order within its bounds; what is not given is as usual.
    ///
    /// # Errors
    /// [`BadOrder`].
    pub fn new(
        name: &str,
        payload: &RawValue,
        ttl_seconds: Option<u64>,
        max_deliveries: Option<u32>,
    ) -> Result<Self, BadOrder> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":._-".contains(&byte));
        if !plain || !(1..=MOST_NAME_BYTES).contains(&name.len()) {
            return Err(BadOrder::Name);
        }
        let ttl_seconds = ttl_seconds.unwrap_or(USUAL_TTL_SECONDS);
        if !(LEAST_TTL_SECONDS..=MOST_TTL_SECONDS).contains(&ttl_seconds) {
            return Err(BadOrder::Ttl);
        }
        let max_deliveries = max_deliveries.unwrap_or(USUAL_DELIVERIES);
        if !(1..=MOST_DELIVERIES).contains(&max_deliveries) {
            return Err(BadOrder::Deliveries);
        }
        let bytes = payload.get().len();
        if bytes > MOST_PAYLOAD_BYTES {
            return Err(BadOrder::TooLarge { bytes });
        }
        Ok(Self { name: name.to_owned(), payload: payload.get().to_owned(), ttl_seconds, max_deliveries })
    }

    /// When an order that is placed at `now` is worth nothing any more.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(i64::try_from(self.ttl_seconds).unwrap_or(i64::MAX).saturating_mul(1_000))
    }
}

/// Where the device gets the command `id`; 183 bytes at most, so that the topic always fits.
#[must_use]
pub fn request_topic(thing: &ThingName, id: &CommandId) -> String {
    let topic = format!("loam/{thing}/commands/{id}/request");
    debug_assert!(topic.len() <= MAX_TOPIC_BYTES);
    topic
}

/// What the device gets: times in milliseconds since the epoch. It must not begin after `expiresAt`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// The command's id.
    pub id: &'a CommandId,
    /// What is to be done.
    pub name: &'a str,
    /// With what.
    pub payload: &'a RawValue,
    /// When it was ordered.
    pub issued_at: Timestamp,
    /// When it is worth nothing any more.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn code(name: &str, ttl: Option<u64>, deliveries: Option<u32>) -> &'static str {
        Order::new(name, &raw("{}"), ttl, deliveries).map_or_else(BadOrder::code, |_| "ok")
    }

    #[test]
    fn a_life_of_15_seconds_to_7_days_is_taken_and_none_of_0_or_10_years() {
        for (ttl, expected) in [(0, "invalid-ttl"), (14, "invalid-ttl"), (15, "ok"), (604_800, "ok")] {
            assert_eq!(code("blink", Some(ttl), None), expected, "{ttl}");
        }
        for ttl in [604_801, 315_360_000, u64::MAX] {
            assert_eq!(code("blink", Some(ttl), None), "invalid-ttl", "{ttl}");
        }
        assert_eq!(Order::new("blink", &raw("{}"), None, None).unwrap().ttl_seconds, 3_600);
    }

    #[test]
    fn one_to_ten_deliveries_are_taken() {
        for (deliveries, expected) in
            [(0, "invalid-max-deliveries"), (1, "ok"), (10, "ok"), (11, "invalid-max-deliveries")]
        {
            assert_eq!(code("blink", None, Some(deliveries)), expected, "{deliveries}");
        }
    }

    #[test]
    fn a_payload_of_65536_bytes_is_taken_and_one_byte_more_is_not() {
        let text = |bytes: usize| raw(&format!("\"{}\"", "x".repeat(bytes - 2)));
        assert!(Order::new("blink", &text(65_536), None, None).is_ok());
        let refused = Order::new("blink", &text(65_537), None, None).unwrap_err();
        assert_eq!((refused, refused.status()), (BadOrder::TooLarge { bytes: 65_537 }, 413));
    }

    #[test]
    fn a_name_has_64_plain_characters_at_most() {
        assert_eq!(code(&"n".repeat(64), None, None), "ok");
        for name in ["", &"n".repeat(65), "a/b", "a b", "ä", "a\0"] {
            assert_eq!(code(name, None, None), "invalid-command-name", "{name:?}");
        }
    }

    #[test]
    fn the_device_gets_five_fields_on_a_topic_that_fits() {
        let (thing, id) =
            (ThingName::parse(&"t".repeat(128)).unwrap(), CommandId::new(Timestamp::from_millis(0), [1; 10]));
        let longest = format!("loam/{thing}/commands/{id}/succeeded");
        assert!(longest.len() <= MAX_TOPIC_BYTES && request_topic(&thing, &id).len() <= MAX_TOPIC_BYTES);
        let payload = raw("{\"a\": 1.0}");
        let (issued_at, expires_at) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
        let request = Request { id: &id, name: "blink", payload: &payload, issued_at, expires_at };
        let text = serde_json::to_string(&request).unwrap();
        let expected = format!(r#"{{"id":"{id}","name":"blink","payload":{{"a": 1.0}},"issuedAt":1,"expiresAt":2}}"#);
        assert_eq!(text, expected);
    }
}
