//! Rows as they are written today: what a later version must still read.

use serde_json::{Value, json};

use crate::digest::FileDigest;
use crate::order::KeyFrom;
use crate::slots::Slots;
use crate::transfer::Transfer;
use crate::transfer::tests::at;

/// Reads a row and writes it again: the same.
fn kept<T: serde::Serialize + serde::de::DeserializeOwned>(row: &Value) -> T {
    let read: T = serde_json::from_value(row.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *row);
    read
}

fn transfer(facts: &Value) -> Value {
    let digest = "0".repeat(64);
    let mut row = json!({
        "id": "0123456789abcdef0123456789abcdef", "thing": "t1", "epoch": 2, "by": "ann",
        "order": {"direction": "download", "name": "f", "size": 3, "sha256": digest, "ttlSeconds": 60, "key": "grant"},
        "createdAt": 1, "expiresAt": 60_001, "version": 4, "source": null, "attempt": null, "uploadedAt": null,
        "body": null, "progress": {"parts": 0, "digest": null}, "ready": null, "end": null, "erasedAt": null,
    });
    row.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    row
}

#[test]
fn a_transfer_of_every_kind_is_read_as_it_was_written() {
    let digest = "0".repeat(64);
    let state = |facts: Value| kept::<Transfer>(&transfer(&facts)).state(at(50)).as_str();
    let up = json!({"direction": "upload", "name": "f", "size": 3, "sha256": null, "ttlSeconds": 60, "key": "kms"});
    let attempt = json!({"id": "0123456789abcdef0123456789abcdef", "upload": "u", "sha256": null,
        "layout": {"size": 3, "frameLength": 65_536}});
    assert_eq!(state(json!({})), "awaiting-source");
    let kept_digest = FileDigest::default().keep(true);
    let progress = json!({"parts": 1, "digest": kept_digest});
    assert_eq!(
        state(json!({"source": {"version": "v", "at": 2}, "attempt": attempt, "progress": progress})),
        "sealing"
    );
    assert_eq!(state(json!({"by": null, "order": up})), "awaiting-upload");
    assert_eq!(state(json!({"order": up, "uploadedAt": 3, "body": "e"})), "verifying");
    assert_eq!(state(json!({"ready": {"sha256": digest, "at": 3}})), "ready");
    for how in ["completed", "failed", "cancelled", "expired"] {
        assert_eq!(state(json!({"end": {"how": how, "at": 9, "reason": "x"}, "erasedAt": 10})), how);
    }
}

#[test]
fn a_row_of_the_time_before_keys_came_in_two_ways_has_its_key_in_the_grant() {
    let old = json!({"direction": "download", "name": "f", "size": 3, "sha256": null, "ttlSeconds": 60});
    let read: Transfer = serde_json::from_value(transfer(&json!({"order": old}))).unwrap();
    assert_eq!(read.order.key, KeyFrom::Grant);
}

#[test]
fn slots_are_read_as_they_were_written() {
    let slots = kept::<Slots>(&json!({"version": 3, "active": {"0123456789abcdef0123456789abcdef": 7}}));
    assert_eq!(slots.active.len(), 1);
}
