//! What Loam says to devices about files.

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_domain::{ThingName, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::FileFailure;
use crate::grant::Grant;
use crate::ids::TransferId;
use crate::transfer::Transfer;

/// Publishes on `loam/{thing}/files/{transferId}/grant` and `.../rejected`.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    client: aws_sdk_iotdataplane::Client,
}

impl Mailbox {
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iotdataplane::Client::new(sdk) }
    }

    /// What a device needs for its part.
    pub(crate) async fn grant(&self, thing: &ThingName, grant: &Grant) -> Result<(), FileFailure> {
        self.publish(thing, &grant.transfer_id, "grant", grant).await
    }

    /// Somebody wants a file of the device; it answers with a request that says size and digest.
    pub(crate) async fn wanted(&self, transfer: &Transfer, now: Timestamp) -> Result<(), FileFailure> {
        let wanted = json!({
            "transferId": transfer.id, "direction": transfer.order.direction, "wanted": transfer.order.name,
            "mostBytes": transfer.order.size, "issuedAt": now, "endsAt": transfer.expires_at,
        });
        self.publish(&transfer.thing, &transfer.id, "grant", &wanted).await
    }

    /// Why a device gets nothing; the parts that are missing, as far as a message holds them.
    pub(crate) async fn rejected(
        &self,
        thing: &ThingName,
        id: &TransferId,
        code: &str,
        missing: &[u32],
    ) -> Result<(), FileFailure> {
        let some: Vec<_> = missing.iter().take(1_000).collect();
        let rejected = json!({"transferId": id, "code": code, "missing": some});
        self.publish(thing, id, "rejected", &rejected).await
    }

    async fn publish<T: Serialize + Sync>(
        &self,
        thing: &ThingName,
        id: &TransferId,
        kind: &str,
        payload: &T,
    ) -> Result<(), FileFailure> {
        let request = self.client.publish().topic(format!("loam/{thing}/files/{id}/{kind}")).qos(1);
        let answer = request.payload(Blob::new(serde_json::to_vec(payload)?)).send().await;
        answer.map(drop).map_err(|error| FileFailure::NotPublished(Box::new(error)))
    }
}
