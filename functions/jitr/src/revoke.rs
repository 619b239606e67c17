//! The end of certificates: rotated out, replaced, revoked.

use aws_sdk_iot::types::CertificateStatus;
use loam_domain::{CertificateId, ThingName, Timestamp};
use loam_things::{CertificateState, Notice};

use crate::error::JitrFailure;
use crate::event::{PrincipalChanged, Recheck, RevokedAs};
use crate::handler::{Done, Handler};

/// How often a revoked device is looked for before somebody is told: with a minute between two looks, well beyond the "few
/// minutes" within which AWS ends the connections of a certificate that is not active.
const MOST_LOOKS: u8 = 10;

impl Handler {
    /// The thing connected with another certificate: those that wait for this one to take their place are retired.
    pub(crate) async fn principal_changed(
        &self,
        change: &PrincipalChanged,
        now: Timestamp,
    ) -> Result<Done, JitrFailure> {
        let Some(record) = self.facts.things.get(&change.thing).await? else { return Ok(Done::Nothing) };
        if record.status_of(&change.certificate) != Some(CertificateState::Active) {
            // With one that is on its way out itself: the others wait on.
            return Ok(Done::Nothing);
        }
        let retiring = record.live().filter(|id| record.status_of(id) == Some(CertificateState::Retiring));
        for id in retiring {
            self.retire(&change.thing, id, now).await?;
        }
        Ok(Done::Nothing)
    }

    /// Takes a certificate out of use: inactive, without policies, without its thing; then the record says so.
    pub(crate) async fn retire(
        &self,
        thing: &ThingName,
        id: &CertificateId,
        now: Timestamp,
    ) -> Result<(), JitrFailure> {
        let registry = &self.facts.registry;
        if let Some(description) = registry.certificate(id).await? {
            registry.set_status(id, CertificateStatus::Inactive).await?;
            for policy in self.policies.iter() {
                registry.detach_policy(policy, &description.arn).await?;
            }
            registry.detach(thing, &description.arn).await?;
        }
        self.facts.things.certificate_removed(thing, id, now).await?;
        tracing::info!(certificate.id = id.as_str(), thing.name = thing.as_str(), "certificate retired");
        Ok(())
    }

    /// Finishes a revocation, whatever of it was done before, and sees that the device is gone.
    pub(crate) async fn recheck(&self, recheck: &Recheck, now: Timestamp) -> Result<Done, JitrFailure> {
        let Recheck { thing, certificates, .. } = recheck;
        for id in certificates {
            let notice = Notice { by: recheck.by.clone(), reasons: recheck.reasons.clone() };
            self.facts.things.certificate_revoked(thing, id, notice, now).await?;
            self.facts.registry.set_status(id, aws_status(recheck.status)).await?;
        }
        let Some(record) = self.facts.things.get(thing).await? else { return Ok(Done::Nothing) };
        if record.live().next().is_some() || !self.connections.is_connected(thing).await? {
            // Connected by a certificate that it may use, or not at all.
            return Ok(Done::Nothing);
        }
        self.connections.close(thing).await?;
        let attempts = recheck.attempt.saturating_add(1);
        if attempts >= MOST_LOOKS {
            return Err(JitrFailure::StillConnected { attempts });
        }
        self.rechecks.send(&Recheck { attempt: attempts, ..recheck.clone() }).await?;
        Ok(Done::Nothing)
    }
}

/// What AWS is told.
pub(crate) const fn aws_status(status: RevokedAs) -> CertificateStatus {
    match status {
        RevokedAs::Revoked => CertificateStatus::Revoked,
        RevokedAs::Inactive => CertificateStatus::Inactive,
    }
}
