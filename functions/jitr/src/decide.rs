//! Whether a certificate becomes a thing. Pure: no clock, no AWS.

use loam_domain::{CertificateId, ThingName, Timestamp};
use loam_things::{CertificateState, ThingRecord};

use crate::certificate::{Authority, Certificate};
use crate::checks::flaws;
use crate::lists::Listed;
use crate::name::thing_name;
use crate::profile::{Mode, Profile, SecondCertificate};
use crate::reason::Reason;

/// All that a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Its id, as AWS says.
    pub id: &'a CertificateId,
    /// The certificate.
    pub certificate: &'a Certificate,
    /// The id of the CA that it was registered under.
    pub ca_id: &'a CertificateId,
    /// That CA's certificate.
    pub authority: &'a Authority,
    /// That CA's profile.
    pub profile: &'a Profile,
    /// First level of the topics on which devices answer calls: a reserved name.
    pub prefix: &'a str,
    /// What its lists say.
    pub listed: Listed,
    /// The record of the thing that the certificate names, if there is one.
    pub record: Option<&'a ThingRecord>,
    /// Whether the registry knows a thing of that name. Only of weight where there is no record.
    pub in_registry: bool,
    /// The time.
    pub now: Timestamp,
}

/// What becomes of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is revoked.
    Refuse {
        /// The thing that it named, where that is a name.
        thing: Option<ThingName>,
        /// Every reason, at least one, in the order of [`Reason`].
        reasons: Vec<Reason>,
    },
    /// It becomes a thing, or a further certificate of one.
    Admit(Admission),
}

/// How a certificate is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Which thing.
    pub thing: ThingName,
    /// Its place there.
    pub place: Place,
    /// The thing's other certificates that can connect or are about to.
    pub others: Vec<CertificateId>,
    /// What becomes of those.
    pub then: Then,
}

/// Where a certificate stands in its thing's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// There is no record: it claims the name.
    First,
    /// The record names it: an earlier try got so far.
    Known,
    /// The record knows others only.
    Further,
}

/// What becomes of the other certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// There are none.
    Nothing,
    /// They retire once the device has connected with the new one.
    Rotate,
    /// They are retired at once.
    Replace,
}

/// Decides; finds all reasons at once.
#[must_use]
pub fn decide(case: &Case<'_>) -> Decision {
    let mut reasons = flaws(case.certificate, case.authority, case.now);
    if case.certificate.id != case.id.as_str() {
        reasons.push(Reason::Unreadable);
    }
    let name = thing_name(case.certificate, case.profile, case.prefix);
    let thing = name.as_ref().ok().cloned();
    reasons.extend(name.err().unwrap_or_default());
    reasons.extend(of_lists(case));
    let standing = thing.as_ref().map(|_| standing(case)).unwrap_or(Ok((Place::First, Then::Nothing)));
    match (thing, standing) {
        (Some(thing), Ok((place, then))) if reasons.is_empty() => {
            let others = others(case).cloned().collect();
            Decision::Admit(Admission { thing, place, others, then })
        }
        (thing, standing) => {
            reasons.extend(standing.err().unwrap_or_default());
            reasons.sort_unstable();
            reasons.dedup();
            Decision::Refuse { thing, reasons }
        }
    }
}

fn of_lists(case: &Case<'_>) -> Vec<Reason> {
    let unlisted = case.profile.document().mode == Mode::Listed && !case.listed.allowed;
    let found = [(case.listed.denied, Reason::Denied), (unlisted, Reason::NotListed)];
    found.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

/// What the thing's record says: the certificate's place, or why it has none.
fn standing(case: &Case<'_>) -> Result<(Place, Then), Vec<Reason>> {
    let Some(record) = case.record else {
        return if case.in_registry { Err(vec![Reason::ThingTaken]) } else { Ok((Place::First, Then::Nothing)) };
    };
    let known = record.status_of(case.id);
    if record.is_retiring() {
        let of_it = known.map(|_| Reason::CertificateRetired);
        return Err([Some(Reason::ThingRetired), of_it].into_iter().flatten().collect());
    }
    let place = match known {
        Some(CertificateState::Revoked) => return Err(vec![Reason::CertificateRevoked]),
        Some(CertificateState::Pending | CertificateState::Active | CertificateState::Retiring) => Place::Known,
        None if record.ca_id != *case.ca_id => return Err(vec![Reason::ThingTaken]),
        None => Place::Further,
    };
    match (others(case).next(), case.profile.document().second_certificate) {
        (None, _) => Ok((place, Then::Nothing)),
        (Some(_), SecondCertificate::Rotate) => Ok((place, Then::Rotate)),
        (Some(_), SecondCertificate::Replace) => Ok((place, Then::Replace)),
        (Some(_), SecondCertificate::Refuse) => Err(vec![Reason::SecondCertificate]),
    }
}

fn others<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a CertificateId> {
    let id = case.id;
    case.record.into_iter().flat_map(|record| record.standing()).filter(move |other| *other != id)
}

#[cfg(test)]
mod tests;
