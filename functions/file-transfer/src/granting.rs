//! Grants, made of what is stored: header, key and URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::Timestamp;

use crate::FileFailure;
use crate::grant::{File, Grant, Key, PartUrl, Who, brings_key, url_seconds, window};
use crate::head::{Head, NAMESPACE};
use crate::order::Sha256Hex;
use crate::plan::Plan;
use crate::transfer::{Attempt, Transfer};
use crate::worker::{Worker, subject};

impl Worker {
    /// The grant of `who` receives; `None` if the keys are erased or the transfer ends just now.
    pub(crate) async fn grant_file(
        &self,
        transfer: &Transfer,
        attempt: &Attempt,
        sha256: &Sha256Hex,
        who: Who,
        now: Timestamp,
    ) -> Result<Option<Grant>, FileFailure> {
        let Some(seconds) = url_seconds(transfer, now) else { return Ok(None) };
        let Some(mut grant) = self.grant(transfer, attempt, sha256.clone(), (who, seconds), now).await? else {
            return Ok(None);
        };
        grant.body = Some(self.objects.url_of_body(&transfer.id, &attempt.id, seconds).await?);
        Ok(Some(grant))
    }

    /// The grant of a device that sends, with URLs for parts that are missing from `from` on.
    pub(crate) async fn grant_parts(
        &self,
        transfer: &Transfer,
        attempt: &Attempt,
        from: u32,
        now: Timestamp,
    ) -> Result<Option<Grant>, FileFailure> {
        let Some(seconds) = url_seconds(transfer, now) else { return Ok(None) };
        let Some(sha256) = attempt.sha256.clone() else { return Ok(None) };
        let Some(mut grant) = self.grant(transfer, attempt, sha256, (Who::Device, seconds), now).await? else {
            return Ok(None);
        };
        let plan = Plan::new(attempt.layout).map_err(|_| FileFailure::Format)?;
        let missing = self.missing(transfer, attempt).await?;
        for number in window(&missing, from) {
            let Some(part) = plan.part(number) else { continue };
            let url = self.objects.url_of_part(&transfer.id, &attempt.id, &attempt.upload, number, seconds).await?;
            grant.uploads.push(PartUrl { part: number, bytes: part.sealed.end - part.sealed.start, url });
        }
        grant.missing = u32::try_from(missing.len()).unwrap_or(u32::MAX);
        Ok(Some(grant))
    }

    /// The parts of an upload that S3 does not hold as they must be.
    pub(crate) async fn missing(&self, transfer: &Transfer, attempt: &Attempt) -> Result<Vec<u32>, FileFailure> {
        let plan = Plan::new(attempt.layout).map_err(|_| FileFailure::Format)?;
        let held = self.objects.parts(&transfer.id, &attempt.id, &attempt.upload).await?.unwrap_or_default();
        let have: Vec<_> = held.iter().map(|held| (held.number, held.bytes)).collect();
        Ok(plan.missing(&have))
    }

    async fn grant(
        &self,
        transfer: &Transfer,
        attempt: &Attempt,
        sha256: Sha256Hex,
        (who, seconds): (Who, u64),
        now: Timestamp,
    ) -> Result<Option<Grant>, FileFailure> {
        let Some(head) = self.objects.head(&transfer.id, &attempt.id).await? else { return Ok(None) };
        let plan = Plan::new(attempt.layout).map_err(|_| FileFailure::Format)?;
        let key = if brings_key(transfer, who) { Some(self.key(transfer, attempt, &head).await?) } else { None };
        let seconds = i64::try_from(seconds).unwrap_or_default();
        Ok(Some(Grant {
            transfer_id: transfer.id.clone(),
            attempt: attempt.id.clone(),
            direction: transfer.order.direction,
            file: File {
                name: transfer.order.name.clone(),
                size: attempt.layout.size,
                sha256,
                body_bytes: plan.sealed_bytes(),
                part_bytes: plan.part_bytes(),
                parts: plan.parts(),
                frame_length: attempt.layout.frame_length,
            },
            issued_at: now,
            expires_at: now.plus_millis(seconds * 1_000),
            ends_at: transfer.expires_at,
            header: STANDARD.encode(head.header().map_err(|_| FileFailure::Format)?),
            key,
            body: None,
            uploads: Vec::new(),
            missing: 0,
        }))
    }

    async fn key(&self, transfer: &Transfer, attempt: &Attempt, head: &Head) -> Result<Key, FileFailure> {
        let subject = subject(transfer);
        let key = self.keys.wrapping_key(head, &subject.wrapping_pairs()).await?;
        Ok(Key {
            namespace: NAMESPACE.to_owned(),
            name: subject.key_name(&attempt.id),
            value: STANDARD.encode(key.as_slice()),
        })
    }
}
