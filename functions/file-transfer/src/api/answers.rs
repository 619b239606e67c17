use loam_domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::grant::Grant;
use crate::order::{Direction, KeyFrom, Sha256Hex};
use crate::plan::Plan;
use crate::transfer::Transfer;

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    /// Its id: 32 lower-case hexadecimal digits.
    transfer_id: String,
    /// For or from which thing.
    thing: String,
    /// `download`: to the device; `upload`: from it.
    #[schema(value_type = String)]
    direction: Direction,
    /// What the file is called.
    name: String,
    /// Its length in bytes; absent as long as a device has not said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Its SHA-256, as Loam read it; absent before it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    sha256: Option<Sha256Hex>,
    /// `awaiting-source`, `sealing`, `awaiting-upload`, `verifying`, `ready`, `completed`, `failed`, `cancelled`, `expired`.
    state: &'static str,
    /// Why it ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How many parts are sealed or verified.
    parts_done: u32,
    /// How many there are; absent before it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
    /// How its device comes to the key: `grant` or `kms`.
    #[schema(value_type = String)]
    key: KeyFrom,
    /// When it was created, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// When it ends by itself, likewise.
    #[schema(value_type = i64)]
    ends_at: Timestamp,
    /// Whether its keys are destroyed, so that nobody can read it any more.
    erased: bool,
}

/// Where to put the file of a download, unencrypted: over TLS, into a bucket that only Loam reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceUrl {
    /// `PUT`.
    pub(super) method: &'static str,
    /// The URL.
    pub(super) url: String,
    /// The `Content-Length`, which is signed with it.
    pub(super) bytes: u64,
    /// Until when it is good.
    #[schema(value_type = i64)]
    pub(super) expires_at: Timestamp,
}

/// A transfer, and what its person may do for it now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Access {
    /// It.
    pub(super) transfer: View,
    /// Of a download whose file has not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(super) source: Option<SourceUrl>,
    /// Of an upload that is ready: header, key and a URL for the body, which together are a message that every official
    /// client opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, required = false)]
    pub(super) grant: Option<Grant>,
}

impl View {
    pub(super) fn of(transfer: &Transfer, now: Timestamp) -> Self {
        let plan = transfer.attempt.as_ref().and_then(|attempt| Plan::new(attempt.layout).ok());
        Self {
            transfer_id: transfer.id.to_string(),
            thing: transfer.thing.to_string(),
            direction: transfer.order.direction,
            name: transfer.order.name.clone(),
            size: transfer.size(),
            sha256: transfer.ready.as_ref().map(|ready| ready.sha256.clone()),
            state: transfer.state(now).as_str(),
            reason: transfer.end.as_ref().and_then(|end| end.reason.clone()),
            parts_done: transfer.progress.parts,
            parts: plan.map(|plan| plan.parts()),
            key: transfer.order.key,
            created_at: transfer.created_at,
            ends_at: transfer.expires_at,
            erased: transfer.erased_at.is_some(),
        }
    }
}
