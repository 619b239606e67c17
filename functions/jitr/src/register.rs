//! A certificate's way from its event to its thing: load, decide, apply. Activation comes last.

use aws_sdk_iot::types::CertificateStatus;
use loam_domain::{CertificateId, ThingName};

use crate::admit::Claim;
use crate::certificate::Certificate;
use crate::decide::Decision;
use crate::error::JitrFailure;
use crate::event::Registered;
use crate::handler::{Done, Handler};
use crate::ledger::Worker;
use crate::ledger_row::{Standing, Step, next_step};
use crate::profile::Profile;
use crate::reason::Reason;
use crate::registry::Description;

/// How often a name is claimed while others are faster.
const MOST_TRIES: usize = 3;

/// One certificate on its way.
pub(crate) struct Way<'a> {
    pub(crate) event: &'a Registered,
    pub(crate) profile: &'a Profile,
    pub(crate) worker: &'a Worker,
}

impl Way<'_> {
    pub(crate) const fn id(&self) -> &CertificateId {
        &self.event.certificate_id
    }
}

impl Handler {
    /// Deals with one event of a registered certificate.
    pub(crate) async fn registered(&self, event: &Registered, worker: &Worker) -> Result<Done, JitrFailure> {
        let (id, ca_id) = (&event.certificate_id, &event.ca_certificate_id);
        let Some(stored) = self.facts.profiles.get(ca_id).await? else {
            self.leave(ca_id, "no-profile");
            return Ok(Done::Nothing);
        };
        if !stored.profile.document().enabled {
            self.leave(ca_id, "profile-disabled");
            return Ok(Done::Nothing);
        }
        let Some(row) = self.ledger.take(id, ca_id, worker).await? else { return Err(JitrFailure::LeaseHeld) };
        let way = Way { event, profile: &stored.profile, worker };
        let came = self.step(&way, row.standing).await;
        if came.is_err() {
            // The lease would run out by itself: that this fails as well changes nothing but the wait.
            let _ = self.ledger.release(id, worker).await;
        }
        came
    }

    async fn step(&self, way: &Way<'_>, standing: Standing) -> Result<Done, JitrFailure> {
        let Some(description) = self.facts.registry.certificate(way.id()).await? else {
            self.ledger.settle(way.id(), way.worker, &Standing::Left).await?;
            return Ok(Done::Nothing);
        };
        if description.ca_id.as_ref() != Some(&way.event.ca_certificate_id) {
            return Err(JitrFailure::OtherCa);
        }
        match next_step(standing, description.status) {
            Step::Settle(standing) => {
                self.ledger.settle(way.id(), way.worker, &standing).await?;
                Ok(Done::Nothing)
            }
            Step::Finish(thing) => self.finish(way, &thing).await,
            Step::Refuse(thing, reasons) => self.refuse(way, thing, reasons).await,
            Step::Decide => self.decided(way, &description).await,
        }
    }

    async fn decided(&self, way: &Way<'_>, description: &Description) -> Result<Done, JitrFailure> {
        let Ok(certificate) = Certificate::from_pem(&description.pem) else {
            return self.plan_to_refuse(way, None, vec![Reason::Unreadable]).await;
        };
        for _ in 0..MOST_TRIES {
            let decision = self.decision(way, &certificate).await?;
            let admission = match decision {
                Decision::Refuse { thing, reasons } => return self.plan_to_refuse(way, thing, reasons).await,
                Decision::Admit(admission) => admission,
            };
            self.ledger.plan(way.id(), way.worker, &Standing::Admitting(admission.thing.clone())).await?;
            match self.claim(way, &admission).await? {
                Claim::Has(record) => return self.equip(way, description, *record).await,
                Claim::Cannot(reason) => return self.plan_to_refuse(way, Some(admission.thing), vec![reason]).await,
                Claim::TooLate => {}
            }
        }
        Err(JitrFailure::Contended)
    }

    async fn decision(&self, way: &Way<'_>, certificate: &Certificate) -> Result<Decision, JitrFailure> {
        let ca_id = &way.event.ca_certificate_id;
        let decided = self.facts.decision(way.id(), ca_id, way.profile, certificate, way.worker.now).await?;
        Ok(decided.1)
    }

    /// Notes a refusal, then carries it out.
    pub(crate) async fn plan_to_refuse(
        &self,
        way: &Way<'_>,
        thing: Option<ThingName>,
        reasons: Vec<Reason>,
    ) -> Result<Done, JitrFailure> {
        let planned = Standing::Refusing(thing.clone(), reasons.clone());
        self.ledger.plan(way.id(), way.worker, &planned).await?;
        self.refuse(way, thing, reasons).await
    }

    /// The notice first: what is revoked and never told cannot be told later, as the event then finds nothing to do.
    async fn refuse(&self, way: &Way<'_>, thing: Option<ThingName>, reasons: Vec<Reason>) -> Result<Done, JitrFailure> {
        let words: Vec<_> = reasons.iter().map(|reason| reason.as_str()).collect();
        let ca_id = &way.event.ca_certificate_id;
        self.notices.refused(way.id(), ca_id, thing.as_ref(), &reasons, way.worker.now).await?;
        self.facts.registry.set_status(way.id(), CertificateStatus::Revoked).await?;
        tracing::warn!(
            certificate.id = way.id().as_str(),
            thing.name = thing.as_ref().map(ThingName::as_str),
            code = words.join(","),
            "certificate refused"
        );
        self.ledger.settle(way.id(), way.worker, &Standing::Refused(thing, reasons)).await?;
        Ok(Done::Refused)
    }
}
