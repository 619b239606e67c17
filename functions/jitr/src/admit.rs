//! What an admitted certificate gets, in this order: its name, its thing, its groups, its place, its policies; then it is
//! activated. Every step is "ensure".

use aws_sdk_iot::types::CertificateStatus;
use loam_domain::{CertificateId, ThingName};
use loam_things::{
    Addition, Beside, CertificateState, LifeCycle, Outcome, Registered as Claimed, Registration, ThingRecord, Why,
};

use crate::decide::{Admission, Place, Then};
use crate::error::JitrFailure;
use crate::handler::{Done, Handler, NAME};
use crate::ledger_row::Standing;
use crate::profile::SecondCertificate;
use crate::reason::Reason;
use crate::register::Way;
use crate::registry::{Created, Description};

/// What came of a claim on a name, or on a place in a thing's record.
pub(crate) enum Claim {
    /// The certificate has it.
    Has(Box<ThingRecord>),
    /// It cannot have it.
    Cannot(Reason),
    /// Somebody was faster: what was decided no longer holds.
    TooLate,
}

impl Handler {
    /// Claims the name, or the place beside others. Of any number of claims at once exactly one wins.
    pub(crate) async fn claim(&self, way: &Way<'_>, admission: &Admission) -> Result<Claim, JitrFailure> {
        let now = way.worker.now;
        if admission.place == Place::Further {
            let beside = if admission.then == Then::Nothing { Beside::Nobody } else { Beside::Others };
            let (certificate, ca_id) = (way.id().clone(), way.event.ca_certificate_id.clone());
            let addition = Addition { certificate, ca_id, beside };
            let outcome = self.facts.things.add_certificate(&admission.thing, addition, now).await?;
            return Ok(added(outcome));
        }
        Ok(match self.facts.things.register(&admission.thing, registration(way), now).await? {
            Claimed::Won(record) | Claimed::Mine(record) => Claim::Has(record),
            Claimed::Full => Claim::Cannot(Reason::ProfileFull),
            // The next decision sees the record, and says which reason it is or whether there is a place in it.
            Claimed::Taken(_) | Claimed::Retired(..) => Claim::TooLate,
        })
    }

    /// Thing, groups, principal, policies, activation, record, and what follows.
    pub(crate) async fn equip(
        &self,
        way: &Way<'_>,
        description: &Description,
        record: ThingRecord,
    ) -> Result<Done, JitrFailure> {
        let registry = &self.facts.registry;
        // Only a thing that never connected: later, other attributes are its own, and AWS would call them a conflict.
        if record.state == LifeCycle::Registered && registry.create_thing(&record).await? == Created::Foreign {
            return self.give_back(way, &record.thing).await;
        }
        for group in &record.groups {
            registry.join(&record.thing, group).await?;
        }
        registry.attach(&record.thing, &description.arn).await?;
        for policy in self.policies.iter() {
            registry.attach_policy(policy, &description.arn).await?;
        }
        if !registry.set_status(way.id(), CertificateStatus::Active).await? {
            self.ledger.settle(way.id(), way.worker, &Standing::Left).await?;
            return Ok(Done::Nothing);
        }
        self.finish(way, &record.thing).await
    }

    /// The certificate is active in AWS IoT: the record says so from here on, and others make place.
    pub(crate) async fn finish(&self, way: &Way<'_>, thing: &ThingName) -> Result<Done, JitrFailure> {
        let outcome = self.facts.things.certificate_activated(thing, way.id(), way.worker.now).await?;
        let record = match outcome {
            Outcome::Done(record) | Outcome::Already(record) => record,
            // Somebody revoked it, or retired the thing, while it was on its way.
            Outcome::Refused(Why::Retired, _) => return self.undo(way, thing, Reason::ThingRetired).await,
            Outcome::Refused(..) | Outcome::Missing => {
                return self.undo(way, thing, Reason::CertificateRevoked).await;
            }
        };
        self.make_place(way, &record).await?;
        tracing::info!(certificate.id = way.id().as_str(), thing.name = thing.as_str(), "certificate activated");
        self.ledger.settle(way.id(), way.worker, &Standing::Active(thing.clone())).await?;
        Ok(Done::Activated)
    }

    /// What the profile says of the thing's other certificates.
    async fn make_place(&self, way: &Way<'_>, record: &ThingRecord) -> Result<(), JitrFailure> {
        for other in active_besides(record, way.id()) {
            match way.profile.document().second_certificate {
                SecondCertificate::Rotate => {
                    self.facts.things.certificate_retiring(&record.thing, other, way.worker.now).await?;
                }
                SecondCertificate::Replace => {
                    self.retire(&record.thing, other, way.worker.now).await?;
                    self.connections.close(&record.thing).await?;
                }
                SecondCertificate::Refuse => {}
            }
        }
        Ok(())
    }

    /// It must not be active; the refusal sees to that, whatever it is now.
    async fn undo(&self, way: &Way<'_>, thing: &ThingName, reason: Reason) -> Result<Done, JitrFailure> {
        self.plan_to_refuse(way, Some(thing.clone()), vec![reason]).await
    }

    /// Somebody else's thing has the name that was just won: the record keeps the name, so that nobody wins it again, and
    /// the certificate goes.
    async fn give_back(&self, way: &Way<'_>, thing: &ThingName) -> Result<Done, JitrFailure> {
        let reasons = vec![Reason::ThingTaken.as_str().to_owned()];
        let notice = loam_things::Notice { by: NAME.to_owned(), reasons };
        self.facts.things.certificate_revoked(thing, way.id(), notice, way.worker.now).await?;
        self.undo(way, thing, Reason::ThingTaken).await
    }
}

fn registration(way: &Way<'_>) -> Registration {
    let document = way.profile.document();
    Registration {
        certificate: way.id().clone(),
        ca_id: way.event.ca_certificate_id.clone(),
        thing_type: document.thing_type.clone(),
        groups: document.groups.clone(),
        attributes: document.attributes.clone(),
        initial_desired: document.initial_desired.clone(),
        max_devices: document.max_devices,
    }
}

fn added(outcome: Outcome) -> Claim {
    match outcome {
        Outcome::Done(record) | Outcome::Already(record) => Claim::Has(record),
        // Eight stand beside each other already, or one came in between: the next decision tells.
        Outcome::Refused(..) | Outcome::Missing => Claim::TooLate,
    }
}

/// The other certificates that can connect and are not on their way out.
fn active_besides<'a>(record: &'a ThingRecord, id: &CertificateId) -> Vec<&'a CertificateId> {
    let active = |other: &&CertificateId| record.status_of(other) == Some(CertificateState::Active);
    record.live().filter(active).filter(|other| *other != id).collect()
}
