use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{CertificateId, ThingName, Timestamp};
use loam_things::twins::RecordView;
use loam_things::{LifeCycle, Registration, Things};

use crate::now;

/// A claim on the thing's name, by a certificate and a CA that only this thing has: so no test waits for the count of
/// another's things.
#[must_use]
pub fn claim_of(thing: &ThingName) -> Registration {
    Registration::new(id_of(thing, 0), id_of(thing, 1))
}

/// A thing's record as a claim on its name leaves it, without AWS IoT: registered, its one certificate pending.
///
/// # Panics
/// When the local AWS refuses.
pub async fn register(things: &Things, thing: &ThingName) -> CertificateId {
    let claim = claim_of(thing);
    let certificate = claim.certificate.clone();
    things.register(thing, claim, now()).await.unwrap();
    certificate
}

/// The same, and its certificate is active.
///
/// # Panics
/// When the local AWS refuses.
pub async fn register_active(things: &Things, thing: &ThingName) -> CertificateId {
    let certificate = register(things, thing).await;
    things.certificate_activated(thing, &certificate, now()).await.unwrap();
    certificate
}

/// What the catalog holds of a record in this state of which nothing more is told: in its first version and its first owner's
/// time.
#[must_use]
pub fn plain_record(state: LifeCycle, registered_at: Timestamp) -> RecordView {
    RecordView {
        version: 1,
        epoch: 1,
        state,
        thing_type: None,
        groups: BTreeSet::new(),
        attributes: BTreeMap::new(),
        registered_at,
        told: BTreeMap::new(),
        capabilities: None,
        firmware: None,
    }
}

/// An id that only this thing has.
fn id_of(thing: &ThingName, which: u64) -> CertificateId {
    let hash = |seed: u64| {
        thing.as_str().bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211))
    };
    let text: String = (1..=4).map(|part| format!("{:016x}", hash((which * 4 + part) * 7_919))).collect();
    CertificateId::parse(&text).unwrap()
}
