use std::collections::BTreeMap;

use loam_domain::{Event, EventType, ThingName, Timestamp};
use serde_json::json;

use crate::draft::{Draft, clamped, data};
use crate::{
    Addition, Certificate, CertificateState, Description, Intent, LifeCycle, Outcome, Registration, Retirement,
    RetirementOrder, ThingRecord, Why, certificates, tenure,
};

/// How many certificates of a thing may be pending, active or retiring at a time.
pub const MAX_STANDING_CERTIFICATES: usize = 8;

/// What an intent makes of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// This, in one write.
    Change(Box<Change>),
    /// Nothing: `Already`, `Refused` or `Missing`; never `Done`.
    Nothing(Outcome),
}

/// The next record and the events that tell of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The record after it. Its version is higher by one for each step; each event carries the version of its own.
    pub record: ThingRecord,
    /// What is told, in this order; empty for what concerns nobody.
    pub events: Vec<Event>,
}

/// What comes of `intent` for `thing`, of which `record` is known, at `now`.
///
/// Pure. Repeated with the record after it, it changes nothing: a cause that comes twice finds its work done.
#[must_use]
pub fn next(thing: &ThingName, record: Option<&ThingRecord>, intent: &Intent, now: Timestamp) -> Transition {
    match (record, intent) {
        (None, Intent::Register(registration)) => create(thing, registration, now),
        (None, _) => Transition::Nothing(Outcome::Missing),
        (Some(record), intent) => changed(record, intent, now),
    }
}

fn changed(record: &ThingRecord, intent: &Intent, now: Timestamp) -> Transition {
    match intent {
        Intent::Register(registration) => claim(record, registration),
        Intent::AddCertificate(addition) => add(record, addition, now),
        Intent::CertificateActivated(id) => certificates::activate(record, id, now),
        Intent::CertificateRetiring(id) => certificates::retire(record, id, now),
        Intent::CertificateRemoved(id) => certificates::remove(record, id, now),
        Intent::CertificateRevoked(id, notice) => certificates::revoke(record, id, notice, now),
        Intent::Suspend(notice) => certificates::revoke_all(record, notice, now),
        Intent::Described(description) => describe(record, description, now),
        Intent::ShadowSeeded => seeded(record, now),
        Intent::BeginRetirement(order) => begin_retirement(record, order, now),
        Intent::AcknowledgeRetirement(capability) => acknowledge(record, capability, now),
        Intent::Retired => end(record, now),
        Intent::Paired { epoch } => tenure::pair(record, *epoch, now),
        Intent::Ended(end) => tenure::end(record, end, now),
        Intent::AcknowledgeErasure(acknowledgement) => tenure::acknowledge(record, acknowledgement, now),
        Intent::Erased { through, paired } => tenure::erased(record, *through, *paired, now),
    }
}

fn create(thing: &ThingName, claim: &Registration, now: Timestamp) -> Transition {
    let now = clamped(now);
    let pending = Certificate { status: CertificateState::Pending, since: now };
    let record = ThingRecord {
        thing: thing.clone(),
        state: LifeCycle::Registered,
        version: 0,
        epoch: 1,
        ca_id: claim.ca_id.clone(),
        certificates: BTreeMap::from([(claim.certificate.clone(), pending)]),
        thing_type: claim.thing_type.clone(),
        groups: claim.groups.clone(),
        attributes: claim.attributes.clone(),
        registered_at: now,
        updated_at: now,
        described_at: None,
        told: BTreeMap::new(),
        capabilities: None,
        firmware: None,
        shadow_seeded: false,
        initial_desired: claim.initial_desired.clone(),
        suspended_from: None,
        retirement: None,
        erasure: None,
    };
    let mut draft = Draft::of(&record, now);
    let told = data([("certificateId", json!(claim.certificate)), ("caId", json!(claim.ca_id))]);
    draft.tell(EventType::ThingRegistered, told);
    draft.done()
}

/// A claim on a name that is taken: by the same certificate, by another, or for ever.
fn claim(record: &ThingRecord, claim: &Registration) -> Transition {
    match record.status_of(&claim.certificate) {
        _ if record.is_retiring() => refused(record, Why::Retired),
        Some(CertificateState::Revoked) => refused(record, Why::CertificateGone),
        Some(CertificateState::Pending | CertificateState::Active | CertificateState::Retiring) => already(record),
        None => refused(record, Why::Taken),
    }
}

fn add(record: &ThingRecord, addition: &Addition, now: Timestamp) -> Transition {
    match record.status_of(&addition.certificate) {
        _ if record.is_retiring() => refused(record, Why::Retired),
        Some(CertificateState::Revoked) => refused(record, Why::CertificateGone),
        Some(CertificateState::Pending | CertificateState::Active | CertificateState::Retiring) => already(record),
        None if has_place_for(record, addition) => {
            let mut draft = Draft::of(record, now);
            let pending = Certificate { status: CertificateState::Pending, since: draft.record.updated_at };
            draft.record.certificates.insert(addition.certificate.clone(), pending);
            draft.step();
            draft.done()
        }
        None => refused(record, Why::Taken),
    }
}

fn has_place_for(record: &ThingRecord, addition: &Addition) -> bool {
    let places = match addition.beside {
        crate::Beside::Nobody => 1,
        crate::Beside::Others => MAX_STANDING_CERTIFICATES,
    };
    record.ca_id == addition.ca_id && record.standing().count() < places
}

/// A description of a thing that is not active yet is kept: the broker may let a device in before we hear that its
/// certificate is active. [`certificates::activate`] then tells of both.
fn describe(record: &ThingRecord, description: &Description, now: Timestamp) -> Transition {
    if record.is_retiring() {
        return refused(record, Why::Retired);
    }
    if record.described_at.is_some_and(|known| known >= description.at) {
        return refused(record, Why::Stale);
    }
    let mut draft = Draft::of(record, now);
    let after = &mut draft.record;
    after.described_at = Some(description.at);
    after.told.clone_from(&description.told);
    after.capabilities = description.capabilities.clone().or(after.capabilities.take());
    after.firmware = description.firmware.clone().or(after.firmware.take());
    let says_new =
        (&after.told, &after.capabilities, &after.firmware) != (&record.told, &record.capabilities, &record.firmware);
    let stage = record.stage();
    match record.state {
        LifeCycle::Active => certificates::onboard(&mut draft),
        _ if says_new && stage > LifeCycle::Active => draft.tell_description(EventType::ThingDescribed),
        LifeCycle::Registered
        | LifeCycle::Onboarded
        | LifeCycle::Paired
        | LifeCycle::Suspended
        | LifeCycle::Retired => draft.step(),
    }
    draft.done()
}

fn seeded(record: &ThingRecord, now: Timestamp) -> Transition {
    if record.shadow_seeded {
        return already(record);
    }
    if record.is_retiring() {
        return refused(record, Why::Retired);
    }
    let mut draft = Draft::of(record, now);
    draft.record.shadow_seeded = true;
    draft.step();
    draft.done()
}

fn begin_retirement(record: &ThingRecord, order: &RetirementOrder, now: Timestamp) -> Transition {
    if record.state == LifeCycle::Retired {
        return refused(record, Why::Retired);
    }
    if record.is_retiring() {
        return already(record);
    }
    if order.expected_version.is_some_and(|version| version != record.version) {
        return refused(record, Why::Stale);
    }
    let mut draft = Draft::of(record, now);
    let started_at = draft.record.updated_at;
    draft.record.retirement = Some(Retirement { started_at, by: order.by.clone(), awaiting: order.awaiting.clone() });
    let told = data([("by", json!(order.by)), ("awaiting", json!(order.awaiting))]);
    draft.tell(EventType::ThingRetiring, told);
    draft.done()
}

fn acknowledge(record: &ThingRecord, capability: &str, now: Timestamp) -> Transition {
    let Some(retirement) = &record.retirement else { return refused(record, Why::NotRetiring) };
    let mut retirement = retirement.clone();
    if !retirement.awaiting.remove(capability) {
        return already(record);
    }
    let mut draft = Draft::of(record, now);
    let told = data([("capability", json!(capability)), ("awaiting", json!(retirement.awaiting))]);
    draft.record.retirement = Some(retirement);
    draft.tell(EventType::ThingRetireAcknowledged, told);
    draft.done()
}

fn end(record: &ThingRecord, now: Timestamp) -> Transition {
    let Some(retirement) = &record.retirement else { return refused(record, Why::NotRetiring) };
    if record.state == LifeCycle::Retired {
        return already(record);
    }
    if !retirement.awaiting.is_empty() {
        return refused(record, Why::Awaiting);
    }
    let mut draft = Draft::of(record, now);
    let after = &mut draft.record;
    let gone = Certificate { status: CertificateState::Revoked, since: after.updated_at };
    after
        .certificates
        .values_mut()
        .filter(|each| each.status != CertificateState::Revoked)
        .for_each(|each| *each = gone);
    after.state = LifeCycle::Retired;
    after.suspended_from = None;
    // The retirement erased all of it.
    after.erasure = None;
    draft.tell(EventType::ThingRetired, data([("by", json!(retirement.by))]));
    draft.done()
}

pub(crate) fn already(record: &ThingRecord) -> Transition {
    Transition::Nothing(Outcome::Already(Box::new(record.clone())))
}

pub(crate) fn refused(record: &ThingRecord, why: Why) -> Transition {
    Transition::Nothing(Outcome::Refused(why, Box::new(record.clone())))
}
