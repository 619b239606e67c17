//! Rows as they are written today: what a later version must still read. A row that is missing here, or reads otherwise, is
//! a row of somebody's thing that nobody can read any more.

use serde_json::{Value, json};

use crate::attempts::Attempts;
use crate::challenge::{CHALLENGE_BYTES, Challenge};
use crate::claim::{Claim, ClaimState};
use crate::code_hash::CodeHash;
use crate::tenancy::Tenancy;
use crate::window::Window;

/// Reads a row and writes it again: the same.
fn kept<T: serde::Serialize + serde::de::DeserializeOwned>(row: &Value) -> T {
    let read: T = serde_json::from_value(row.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *row);
    read
}

fn tenancy(standing: &Value) -> Value {
    let hash = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let invitation = |state: Value| json!({"guest": "viewer", "token": hash, "expiresAt": 9, "state": state});
    json!({
        "version": 7, "epoch": 2, "standing": standing, "since": 5, "updatedAt": 6,
        "members": {
            "ann": {"role": "owner", "since": 5, "by": null, "mail": true},
            "bob": {"role": "controller", "since": 6, "by": "i1", "mail": false},
        },
        "invitations": {
            "i1": invitation(json!({"accepted": "bob"})), "i2": invitation(json!("open")),
            "i3": invitation(json!("revoked")),
        },
        "offer": {"id": "o1", "token": hash, "expiresAt": 9},
        "lastEnd": {"epoch": 1, "owner": "cid", "cause": "transfer"},
    })
}

#[test]
fn every_kind_of_tenancy_is_read_as_it_was_written() {
    let heir = json!({"state": "erasing", "heir": {"user": "dan", "by": "o1"}});
    for standing in [json!({"state": "vacant"}), json!({"state": "paired"}), heir, json!({"state": "gone"})] {
        let read: Tenancy = kept(&tenancy(&standing));
        assert_eq!(read.owner().map(|owner| owner.as_str()), Some("ann"));
    }
    for cause in ["owner", "operator", "reset", "transfer", "retired"] {
        let mut row = tenancy(&json!({"state": "vacant"}));
        row["lastEnd"]["cause"] = json!(cause);
        assert_eq!(kept::<Tenancy>(&row).last_end.unwrap().cause.as_str(), cause);
    }
}

#[test]
fn a_tenancy_with_a_role_or_a_token_that_nobody_knows_is_not_read() {
    for (place, odd) in [("/members/ann/role", "admin"), ("/offer/token", "AA"), ("/standing/state", "free")] {
        let mut row = tenancy(&json!({"state": "paired"}));
        *row.pointer_mut(place).unwrap() = json!(odd);
        assert!(serde_json::from_value::<Tenancy>(row).is_err(), "{place}");
    }
}

#[test]
fn a_claim_a_window_and_attempts_are_read_as_they_were_written() {
    for (state, expected) in
        [("open", ClaimState::Open), ("confirmed", ClaimState::Confirmed), ("burnt", ClaimState::Burnt)]
    {
        let challenge = Challenge::new([1; CHALLENGE_BYTES]).to_text();
        let row =
            json!({"thing": "t1", "user": "ann", "epoch": 2, "challenge": challenge, "expiresAt": 9, "state": state});
        assert_eq!(kept::<Claim>(&row).state, expected);
    }
    let code = CodeHash::decoy().to_text();
    for code in [json!(null), json!(code)] {
        kept::<Window>(&json!({"openedAt": 1, "until": 2, "epoch": 3, "code": code}));
    }
    kept::<Attempts>(&json!({"version": 1, "tried": 2, "waits": 3, "lockedUntil": 4, "lastAt": 5}));
    kept::<Attempts>(&json!({"version": 1, "tried": 2, "waits": 0, "lockedUntil": null, "lastAt": 5}));
}
