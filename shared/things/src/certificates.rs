//! What becomes of a thing when a certificate of it does: its state follows from which of them can connect.

use loam_domain::{CertificateId, EventType, Timestamp};
use serde_json::json;

use crate::draft::{Draft, data};
use crate::next::{already, refused};
use crate::{Certificate, CertificateState, LifeCycle, Notice, ThingRecord, Transition, Why};

/// AWS IoT says that it is active.
pub(crate) fn activate(record: &ThingRecord, id: &CertificateId, now: Timestamp) -> Transition {
    match record.status_of(id) {
        None => refused(record, Why::UnknownCertificate),
        Some(CertificateState::Revoked) if record.is_retiring() => refused(record, Why::Retired),
        Some(CertificateState::Revoked) => refused(record, Why::CertificateGone),
        Some(CertificateState::Active | CertificateState::Retiring) => already(record),
        Some(CertificateState::Pending) if record.is_retiring() => refused(record, Why::Retired),
        Some(CertificateState::Pending) => {
            let mut draft = Draft::of(record, now);
            set(&mut draft, id, CertificateState::Active);
            go_on(&mut draft, id);
            draft.done()
        }
    }
}

/// The state of a thing of which one more certificate can connect.
fn go_on(draft: &mut Draft, id: &CertificateId) {
    let told = data([("certificateId", json!(id))]);
    let was = draft.record.state;
    let stage = draft.record.suspended_from.take().unwrap_or(was);
    draft.record.state = stage.max(LifeCycle::Active);
    let kind = match was {
        _ if stage == LifeCycle::Registered => EventType::ThingActive,
        LifeCycle::Suspended => EventType::ThingResumed,
        LifeCycle::Registered | LifeCycle::Active | LifeCycle::Onboarded | LifeCycle::Paired | LifeCycle::Retired => {
            EventType::CertificateAdded
        }
    };
    draft.tell(kind, told);
    if draft.record.state == LifeCycle::Active && draft.record.described_at.is_some() {
        onboard(draft);
    }
}

/// An active thing has described itself.
pub(crate) fn onboard(draft: &mut Draft) {
    draft.record.state = LifeCycle::Onboarded;
    draft.tell_description(EventType::ThingOnboarded);
}

/// A newer one is to take its place. One that never became active has nothing to wait for and goes at once.
pub(crate) fn retire(record: &ThingRecord, id: &CertificateId, now: Timestamp) -> Transition {
    match record.status_of(id) {
        None => refused(record, Why::UnknownCertificate),
        Some(CertificateState::Retiring | CertificateState::Revoked) => already(record),
        Some(CertificateState::Pending) => remove(record, id, now),
        Some(CertificateState::Active) => {
            let mut draft = Draft::of(record, now);
            set(&mut draft, id, CertificateState::Retiring);
            draft.step();
            draft.done()
        }
    }
}

/// A newer one took its place.
pub(crate) fn remove(record: &ThingRecord, id: &CertificateId, now: Timestamp) -> Transition {
    take(record, id, now, |draft| {
        draft.tell(EventType::CertificateRetired, data([("certificateId", json!(id))]));
    })
}

/// Somebody revoked or deactivated it.
pub(crate) fn revoke(record: &ThingRecord, id: &CertificateId, notice: &Notice, now: Timestamp) -> Transition {
    take(record, id, now, |draft| tell_revoked(draft, id, notice))
}

/// Somebody revoked or deactivated all of them.
pub(crate) fn revoke_all(record: &ThingRecord, notice: &Notice, now: Timestamp) -> Transition {
    let standing: Vec<_> = record.standing().cloned().collect();
    if standing.is_empty() {
        return already(record);
    }
    let mut draft = Draft::of(record, now);
    for id in &standing {
        set(&mut draft, id, CertificateState::Revoked);
        tell_revoked(&mut draft, id, notice);
    }
    suspend_without_certificates(&mut draft);
    draft.done()
}

fn take(record: &ThingRecord, id: &CertificateId, now: Timestamp, tell: impl FnOnce(&mut Draft)) -> Transition {
    match record.status_of(id) {
        None => refused(record, Why::UnknownCertificate),
        Some(CertificateState::Revoked) => already(record),
        Some(CertificateState::Pending | CertificateState::Active | CertificateState::Retiring) => {
            let mut draft = Draft::of(record, now);
            set(&mut draft, id, CertificateState::Revoked);
            tell(&mut draft);
            suspend_without_certificates(&mut draft);
            draft.done()
        }
    }
}

/// A thing of which no certificate can connect is suspended; a registered one only once none is about to, either.
fn suspend_without_certificates(draft: &mut Draft) {
    let record = &draft.record;
    let stays = match record.state {
        LifeCycle::Registered => record.standing().next().is_some(),
        LifeCycle::Active | LifeCycle::Onboarded | LifeCycle::Paired => record.live().next().is_some(),
        LifeCycle::Suspended | LifeCycle::Retired => true,
    };
    if !stays {
        draft.record.suspended_from = Some(draft.record.state);
        draft.record.state = LifeCycle::Suspended;
        let from = draft.record.suspended_from.map(LifeCycle::as_str);
        draft.tell(EventType::ThingSuspended, data([("from", json!(from))]));
    }
}

fn tell_revoked(draft: &mut Draft, id: &CertificateId, notice: &Notice) {
    let told = data([
        ("certificateId", json!(id)),
        ("caId", json!(draft.record.ca_id)),
        ("reasons", json!(notice.reasons)),
        ("by", json!(notice.by)),
    ]);
    draft.tell(EventType::CertificateRevoked, told);
}

fn set(draft: &mut Draft, id: &CertificateId, status: CertificateState) {
    let since = draft.record.updated_at;
    draft.record.certificates.insert(id.clone(), Certificate { status, since });
}
