//! The decision: what is to be done next with a thing that retires. Pure.

use std::collections::BTreeMap;

use loam_domain::CertificateId;
use loam_things::{LifeCycle, Retirement, ThingRecord};

/// Who must acknowledge: every capability that keeps something of a thing. One that comes later joins here.
pub const CAPABILITIES: [&str; 9] =
    [ONBOARDING, "catalog", "commands", "file-transfer", "firmware", "pairing", "presence", "soil-alerts", "telemetry"];

/// This capability's own name among them.
pub(crate) const ONBOARDING: &str = "onboarding";

/// What a run knows of AWS. A run begins with nothing, and asks for every step again: each is "ensure that it is gone".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// How far each certificate of the record is; one that is not here was not looked at yet.
    pub certificates: BTreeMap<CertificateId, Stage>,
    /// The device's connection and session are ended.
    pub disconnected: bool,
    /// The shadows are deleted.
    pub shadows: bool,
    /// The registry has no such thing.
    pub thing: bool,
    /// The catalog has no such item.
    pub catalog: bool,
    /// The shadows are deleted once more, after everybody acknowledged.
    pub swept: bool,
}

/// How far a certificate is on its way out, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It lets nobody in.
    Inactive,
    /// And it has none of our policies.
    WithoutPolicies,
    /// And AWS IoT was told to detach it from the thing.
    Detached,
    /// It is deleted.
    Gone,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ensure this in AWS.
    Ensure(Task),
    /// Acknowledge for this capability.
    Acknowledge,
    /// Retire the record for ever.
    Close,
    /// Others have not acknowledged; the last one's acknowledgement comes here as an event.
    Await,
    /// Nothing: the thing is retired, or nobody wants it to be.
    Nothing,
}

/// Something that must be gone from AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Make the certificate inactive.
    Deactivate(CertificateId),
    /// End the device's connection and its session, without its last will.
    Disconnect,
    /// Detach our policies from the certificate.
    DetachPolicies(CertificateId),
    /// Detach the certificate from the thing.
    Detach(CertificateId),
    /// Delete the certificate.
    DeleteCertificate(CertificateId),
    /// Delete the shadows.
    DeleteShadows,
    /// Delete the thing from the registry.
    DeleteThing,
    /// Delete the catalog's item.
    DeleteCatalogItem,
    /// Delete the shadows once more: another capability may have written one before it acknowledged.
    SweepShadows,
}

/// The next step for a thing with this record, of which a run has come so far.
///
/// All certificates are inactive before the connection is ended, so that the device cannot come back; the certificates
/// go before the thing, as AWS IoT deletes neither while they are attached.
#[must_use]
pub fn next(record: &ThingRecord, progress: &Progress) -> Step {
    let Some(retirement) = record.retirement.as_ref().filter(|_| record.state != LifeCycle::Retired) else {
        return Step::Nothing;
    };
    if retirement.awaiting.contains(ONBOARDING) {
        return erase(record, progress);
    }
    close(retirement, progress)
}

fn erase(record: &ThingRecord, progress: &Progress) -> Step {
    let stage = |id: &CertificateId| progress.certificates.get(id).copied();
    let active = record.certificates.keys().find(|id| stage(id).is_none());
    let standing = record.certificates.keys().find(|id| stage(id) != Some(Stage::Gone));
    match (active, standing) {
        (Some(id), _) => Step::Ensure(Task::Deactivate(id.clone())),
        (None, _) if !progress.disconnected => Step::Ensure(Task::Disconnect),
        (None, Some(id)) => match stage(id) {
            None | Some(Stage::Inactive) => Step::Ensure(Task::DetachPolicies(id.clone())),
            Some(Stage::WithoutPolicies) => Step::Ensure(Task::Detach(id.clone())),
            Some(Stage::Detached | Stage::Gone) => Step::Ensure(Task::DeleteCertificate(id.clone())),
        },
        (None, None) if !progress.shadows => Step::Ensure(Task::DeleteShadows),
        (None, None) if !progress.thing => Step::Ensure(Task::DeleteThing),
        (None, None) if !progress.catalog => Step::Ensure(Task::DeleteCatalogItem),
        (None, None) => Step::Acknowledge,
    }
}

fn close(retirement: &Retirement, progress: &Progress) -> Step {
    match (retirement.awaiting.is_empty(), progress.swept) {
        (false, _) => Step::Await,
        (true, false) => Step::Ensure(Task::SweepShadows),
        (true, true) => Step::Close,
    }
}

#[cfg(test)]
mod tests;
