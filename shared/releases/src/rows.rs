//! A device's journal as it is written today: what a later firmware must still read.

use serde_json::{Value, json};

use crate::journal::Journal;

/// Reads a row and writes it again: the same.
fn kept<T: serde::Serialize + serde::de::DeserializeOwned>(row: &Value) -> T {
    let read: T = serde_json::from_value(row.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *row);
    read
}

fn id() -> String {
    "0123456789abcdef".repeat(2)
}

fn firmware() -> Value {
    json!({
        "release": id(), "version": "2.1.0", "hardware": ["c3", "s3"], "size": 11, "sha256": "ab".repeat(32),
        "minimumFrom": "1.4.0", "securityCounter": 3,
    })
}

#[test]
fn a_journal_of_every_stage_is_read_as_it_was_written() {
    let order = json!({"rollout": id(), "attempt": 1, "firmware": firmware(), "sequence": 9});
    let over =
        |verdict: Value| json!({"stage": "over", "rollout": id(), "attempt": 1, "verdict": verdict, "told": false});
    for stage in [
        json!({"stage": "idle"}),
        json!({"stage": "fetching", "order": order, "written": 5}),
        json!({"stage": "trying", "order": order, "starts": 2}),
        over(json!("succeeded")),
        over(json!("withdrawn")),
        over(json!({"refused": "expired"})),
        over(json!({"failed": "no-connection"})),
    ] {
        let seen = json!({"sequence": 9, "digest": "ab".repeat(32), "issuedAt": 1});
        kept::<Journal>(
            &json!({"active": "a", "running": "2.0.0", "securityCounter": 3, "seen": seen, "stage": stage}),
        );
    }
}
