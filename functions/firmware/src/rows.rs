//! Rows as they are written today: what a later version must still read. A row that is missing here, or reads otherwise, is a
//! row that nobody can read any more.

use serde_json::{Value, json};

use crate::assignment::Assignment;
use crate::execution::{Execution, State};
use crate::release::Release;
use crate::rollout::Rollout;
use crate::tally::Tally;

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

fn execution(facts: &Value) -> Value {
    let mut row = json!({
        "rollout": id(), "thing": "t1", "wave": 0, "target": "2.1.0", "version": 3, "attempt": 1, "from": "2.0.0",
        "lease": null, "claimedAt": 1, "notifiedAt": 2, "startedAt": null, "installingAt": null, "phase": null, "percent": null,
        "verdict": null, "hardware": null,
        "running": {"at": 0, "version": "2.0.0"}, "reached": false, "end": null, "withdrawn": false,
    });
    let (Value::Object(fields), Value::Object(facts)) = (&mut row, facts.clone()) else { panic!() };
    fields.extend(facts);
    row
}

#[test]
fn an_execution_of_every_kind_is_read_as_it_was_written() {
    let state = |facts: Value| kept::<Execution>(&execution(&facts)).state();
    assert_eq!(state(json!({"lease": {"version": 2, "until": 9}, "notifiedAt": null})), State::Queued);
    assert_eq!(state(json!({})), State::Notified);
    for (phase, expected) in
        [("downloading", State::Downloading), ("verifying", State::Verifying), ("installing", State::Installing)]
    {
        assert_eq!(state(json!({"phase": phase, "startedAt": 3})), expected);
        assert_eq!(state(json!({"phase": phase, "percent": 40, "startedAt": 3})), expected);
    }
    assert_eq!(state(json!({"running": {"at": 5, "version": "2.1.0"}, "reached": true})), State::Succeeded);
    for (verdict, expected) in [("failed", State::Failed), ("rejected", State::Rejected)] {
        assert_eq!(state(json!({"verdict": {"at": 4, "verdict": verdict, "code": "self-test"}})), expected);
    }
    for (end, expected) in [
        ("already-installed", State::AlreadyInstalled),
        ("wrong-hardware", State::Incompatible),
        ("from-too-old", State::Incompatible),
        ("runs-newer", State::Incompatible),
        ("unreached", State::Unreached),
        ("stalled", State::TimedOut),
        ("stopped", State::Removed),
        ("superseded", State::Removed),
        ("retired", State::Removed),
    ] {
        assert_eq!(state(json!({ "end": end })), expected);
    }
    assert_eq!(state(json!({"end": "from-too-old", "hardware": "c3"})), State::Incompatible);
}

#[test]
fn an_execution_that_was_written_before_a_fact_was_kept_is_read_without_it() {
    let mut row = execution(&json!({"end": "unreached"}));
    for fact in ["installingAt", "withdrawn", "percent", "hardware"] {
        row.as_object_mut().unwrap().remove(fact).unwrap();
    }
    let read: Execution = serde_json::from_value(row).unwrap();
    assert!(!read.withdrawn && read.installing_at.is_none() && read.hardware.is_none() && read.is_given_up());
}

#[test]
fn a_rollout_of_every_kind_is_read_as_it_was_written() {
    let wave = |size: Value| json!({"size": size, "successPercent": 90, "errors": {"percent": 5}, "soakMinutes": 1});
    let counted = json!({"size": "rest", "successPercent": 90, "errors": {"count": 3}, "soakMinutes": 0});
    let waves = [wave(json!({"list": ["t1"]})), wave(json!({"count": 1})), wave(json!({"percent": 9})), counted];
    let targets = [
        json!({"filter": "tags.a = 1"}),
        json!({"group": "g"}),
        json!({"left": {"rollout": id(), "version": "2.0.0"}}),
    ];
    let row = |status: &Value, targets: &Value| {
        json!({
            "id": id(), "version": 4, "firmware": firmware(), "sealed": true, "downgrade": false, "status": status,
            "definition": {
                "release": id(), "targets": targets, "waves": waves, "perMinute": 1000, "offlineMinutes": 10,
                "progressMinutes": 5, "window": {"days": ["mon", "sun"], "fromMinute": 60, "minutes": 120},
                "joinUntil": 9, "delivery": "job", "rollBack": true,
            },
            "waves": [
                {"openedAt": 1, "gateAt": 2, "waived": true, "shards": 16},
                {"openedAt": null, "gateAt": null, "waived": false, "shards": 0},
            ],
            "createdBy": "ann", "createdAt": 1, "approvedBy": "bob", "rank": {"at": 1, "rollout": id()},
            "manifest": {"sequence": 9, "at": 1, "notAfter": 5}, "granted": {"minute": 3, "things": 7}, "attempts": 2, "retrying": true,
        })
    };
    let plain = ["filling", "ready", "approved", "running", "completed"].map(|status| json!(status));
    let paused = ["operator", "gate-missed"].map(|why| json!({ "paused": why }));
    let stops = ["operator", "errors", "no-targets"].map(|why| [json!({ "stopping": why }), json!({ "stopped": why })]);
    for status in plain.iter().chain(&paused).chain(stops.as_flattened()) {
        kept::<Rollout>(&row(status, &targets[0]));
    }
    targets
        .iter()
        .for_each(|targets| assert_eq!(kept::<Rollout>(&row(&json!("ready"), targets)).definition.check(), Ok(())));
}

#[test]
fn rows_of_the_time_before_images_were_sealed_have_images_that_are_not() {
    let release = json!({
        "firmware": firmware(), "channel": "stable", "notes": "n", "state": "draft", "version": 1, "createdAt": 1, "signed": null,
        "by": [],
    });
    assert!(!serde_json::from_value::<Release>(release).unwrap().sealed);
    let mut rollout = serde_json::to_value(crate::rollout::tests::running()).unwrap();
    rollout.as_object_mut().unwrap().remove("sealed");
    assert!(!serde_json::from_value::<Rollout>(rollout).unwrap().sealed);
}

#[test]
fn releases_counters_and_assignments_are_read_as_they_were_written() {
    for (state, signed) in [("draft", json!(null)), ("published", json!(9)), ("deprecated", json!(9))] {
        kept::<Release>(&json!({
            "firmware": firmware(), "channel": "stable", "notes": "n", "sealed": true, "state": state, "version": 1,
            "createdAt": 1, "signed": signed, "by": ["ann"],
        }));
    }
    let words = [
        "queued",
        "notified",
        "downloading",
        "verifying",
        "installing",
        "succeeded",
        "failed",
        "rejected",
        "timed-out",
        "unreached",
        "already-installed",
        "incompatible",
        "removed",
    ];
    let counts: serde_json::Map<String, Value> = words.iter().map(|word| ((*word).to_owned(), json!(2))).collect();
    assert_eq!(kept::<Tally>(&json!(counts)).total(), 26);
    for downgrade in [false, true] {
        kept::<Assignment>(&json!({
            "rank": {"at": 1, "rollout": id()}, "wave": 1, "shard": 2, "sequence": 9, "downgrade": downgrade, "version": 3,
        }));
    }
}
