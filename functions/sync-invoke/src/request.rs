use loam_domain::Timestamp;
use serde::Serialize;

use crate::python_json;

/// The largest payload that AWS IoT takes, in bytes.
pub const LARGEST_PAYLOAD: usize = 128 * 1024;

#[derive(Serialize)]
struct Wire<'a> {
    timestamp: String,
    request: &'a str,
    id: &'a str,
}

/// What a device gets for the call `id` of `request`, sent at `now`: the bytes of the published sample.
#[must_use]
pub fn wrapped(id: &str, request: &str, now: Timestamp) -> String {
    let wire = Wire { timestamp: now.as_millis().to_string(), request, id };
    // Three strings are always JSON.
    python_json::dumps(&wire).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_the_published_one_byte_for_byte() {
        let at = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(
            wrapped("an-id", "say \"é\"", at),
            r#"{"timestamp": "1700000000123", "request": "say \"\u00e9\"", "id": "an-id"}"#
        );
    }
}
