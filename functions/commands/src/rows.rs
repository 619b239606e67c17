//! Rows as they are written today: what a later version must still read.

use loam_domain::Timestamp;
use serde_json::{Value, json};

use crate::command::Command;
use crate::line::Line;

/// Reads a row and writes it again: the same.
fn kept<T: serde::Serialize + serde::de::DeserializeOwned>(row: &Value) -> T {
    let read: T = serde_json::from_value(row.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *row);
    read
}

fn command(facts: Value) -> Value {
    let mut row = json!({
        "id": "0123456789abcdef0123456789abcdef", "thing": "t1", "epoch": 2, "by": "ann",
        "order": {"name": "blink", "payload": "{\"a\": 1.0}", "ttlSeconds": 60, "maxDeliveries": 3},
        "issuedAt": 1, "expiresAt": 60_001, "version": 4, "deliveries": 1, "lease": null, "notBefore": null,
        "deliveredAt": null, "acceptedAt": null, "progress": null, "word": null, "verdicts": [], "cancelledAt": null,
        "expiryTold": false,
    });
    let (Value::Object(row_fields), Value::Object(facts)) = (&mut row, facts) else { panic!() };
    row_fields.extend(facts);
    row
}

#[test]
fn a_command_of_every_kind_is_read_as_it_was_written() {
    let state = |facts| kept::<Command>(&command(facts)).state(Timestamp::from_millis(50)).as_str();
    assert_eq!(state(json!({"lease": {"version": 2, "until": 3}, "notBefore": 9})), "queued");
    assert_eq!(state(json!({"deliveredAt": 5})), "delivered");
    let note = json!({"reasonCode": "E1", "reasonDescription": "d", "result": {"x": [1]}, "resultLeftOut": true});
    assert_eq!(state(json!({"acceptedAt": 5, "progress": {"at": 6, "note": note}})), "accepted");
    for verdict in ["failed", "rejected", "succeeded"] {
        let word = json!({"verdict": verdict, "said": {"at": 7, "note": {}}});
        assert_eq!(state(json!({"word": word, "verdicts": [verdict]})), verdict);
    }
    assert_eq!(state(json!({"cancelledAt": 9, "expiryTold": true})), "cancelled");
}

#[test]
fn a_line_is_read_as_it_was_written() {
    kept::<Line>(&json!({"version": 1, "held": {"run": "r1", "until": 5, "knocked": true}}));
    assert_eq!(kept::<Line>(&json!({"version": 2, "held": null})).held, None);
}
