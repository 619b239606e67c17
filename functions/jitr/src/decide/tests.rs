use loam_domain::{CertificateId, ThingName, Timestamp};
use loam_things::{Addition, Beside, Intent, Notice, Registration, RetirementOrder, ThingRecord, Transition, next};
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_830_000_000_000);

macro_rules! read {
    ($name:literal) => {
        Certificate::from_pem(include_str!(concat!("../../tests/certificates/", $name, ".pem"))).unwrap()
    };
}

fn id(digit: &str) -> CertificateId {
    CertificateId::parse(&digit.repeat(64)).unwrap()
}

fn thing() -> ThingName {
    ThingName::parse("sensor7").unwrap()
}

/// A case whose parts a test changes.
struct Given {
    certificate: Certificate,
    profile: Value,
    listed: Listed,
    record: Option<ThingRecord>,
    in_registry: bool,
    other_id: Option<CertificateId>,
}

impl Given {
    fn new() -> Self {
        let listed = Listed::default();
        Self {
            certificate: read!("p256"),
            profile: json!({}),
            listed,
            record: None,
            in_registry: false,
            other_id: None,
        }
    }

    fn own_id(&self) -> CertificateId {
        CertificateId::parse(&self.certificate.id).unwrap()
    }

    /// A record that went through these intents.
    fn with(mut self, intents: impl IntoIterator<Item = Intent>) -> Self {
        for intent in intents {
            match next(&thing(), self.record.as_ref(), &intent, NOW) {
                Transition::Change(change) => self.record = Some(change.record),
                Transition::Nothing(outcome) => panic!("{intent:?}: {outcome:?}"),
            }
        }
        self
    }

    fn profile(self, profile: Value) -> Self {
        Self { profile, ..self }
    }

    fn decide(&self) -> Decision {
        let mut document = self.profile.clone();
        document["enabled"] = json!(true);
        decide(&Case {
            id: &self.other_id.clone().unwrap_or_else(|| self.own_id()),
            certificate: &self.certificate,
            ca_id: &id("c"),
            authority: &Authority::from_pem(include_str!("../../tests/certificates/ca.pem")).unwrap(),
            profile: &Profile::check(serde_json::from_value(document).unwrap()).unwrap(),
            prefix: "call",
            listed: self.listed,
            record: self.record.as_ref(),
            in_registry: self.in_registry,
            now: NOW,
        })
    }

    fn codes(&self) -> Vec<&'static str> {
        match self.decide() {
            Decision::Refuse { reasons, .. } => reasons.into_iter().map(Reason::as_str).collect(),
            Decision::Admit(_) => vec![],
        }
    }

    fn place(&self) -> (Place, Then) {
        match self.decide() {
            Decision::Admit(admission) => (admission.place, admission.then),
            Decision::Refuse { reasons, .. } => panic!("{reasons:?}"),
        }
    }
}

fn register(certificate: CertificateId, ca_id: CertificateId) -> Intent {
    Intent::Register(Registration {
        certificate,
        ca_id,
        thing_type: None,
        groups: [].into(),
        attributes: [].into(),
        initial_desired: None,
        max_devices: None,
    })
}

/// A thing with the certificate `a`, active, of the same CA.
fn others_thing() -> [Intent; 2] {
    [register(id("a"), id("c")), Intent::CertificateActivated(id("a"))]
}

fn notice() -> Notice {
    Notice { by: "anna".to_owned(), reasons: vec!["stolen".to_owned()] }
}

const NONE: [&str; 0] = [];

#[test]
fn a_good_certificate_claims_a_name_that_nobody_has() {
    let Decision::Admit(admission) = Given::new().decide() else { panic!("admitted") };
    let expected = Admission { thing: thing(), place: Place::First, others: vec![], then: Then::Nothing };
    assert_eq!(admission, expected);
}

#[test]
fn a_certificate_under_another_ones_id_is_refused() {
    assert_eq!(Given { other_id: Some(id("e")), ..Given::new() }.codes(), ["unreadable"]);
}

#[test]
fn a_profile_in_mode_listed_admits_only_what_is_allowed() {
    let listed = |allowed, denied| {
        let given = Given { listed: Listed { allowed, denied }, ..Given::new() };
        given.profile(json!({"mode": "listed"})).codes()
    };
    assert_eq!(listed(true, false), NONE);
    assert_eq!(listed(false, false), ["not-listed"]);
    assert_eq!(listed(true, true), ["denied"]);
    assert_eq!(listed(false, true), ["denied", "not-listed"]);
}

#[test]
fn the_deny_list_holds_in_an_open_profile_as_well() {
    let given = |denied| Given { listed: Listed { allowed: false, denied }, ..Given::new() };
    assert_eq!((given(true).codes(), given(false).codes()), (vec!["denied"], vec![]));
}

#[test]
fn a_name_that_the_registry_knows_and_we_do_not_is_taken() {
    assert_eq!(Given { in_registry: true, ..Given::new() }.codes(), ["thing-taken"]);
}

#[test]
fn a_name_of_another_cas_thing_is_taken_whatever_the_profile_says() {
    let foreign = [register(id("a"), id("d")), Intent::CertificateActivated(id("a"))];
    for second in ["refuse", "rotate", "replace"] {
        let given = Given::new().with(foreign.clone()).profile(json!({"secondCertificate": second}));
        assert_eq!(given.codes(), ["thing-taken"], "{second}");
    }
}

#[test]
fn a_second_live_certificate_follows_the_profile() {
    let with = |second: &str| Given::new().with(others_thing()).profile(json!({"secondCertificate": second}));
    assert_eq!(with("refuse").codes(), ["second-certificate"]);
    assert_eq!(with("rotate").place(), (Place::Further, Then::Rotate));
    assert_eq!(with("replace").place(), (Place::Further, Then::Replace));
    let Decision::Admit(admission) = with("rotate").decide() else { panic!("admitted") };
    assert_eq!(admission.others, [id("a")]);
}

#[test]
fn a_certificate_that_only_waits_counts_as_live() {
    assert_eq!(Given::new().with([register(id("a"), id("c"))]).codes(), ["second-certificate"]);
}

#[test]
fn a_thing_whose_certificates_are_all_revoked_takes_a_new_one_under_any_profile() {
    let suspended = others_thing().into_iter().chain([Intent::Suspend(notice())]);
    assert_eq!(Given::new().with(suspended).place(), (Place::Further, Then::Nothing));
}

#[test]
fn an_earlier_try_of_the_same_certificate_goes_on() {
    let given = Given::new();
    let own = given.own_id();
    assert_eq!(given.with([register(own, id("c"))]).place(), (Place::Known, Then::Nothing));
}

#[test]
fn an_earlier_try_beside_others_goes_on_as_the_profile_says() {
    let given = Given::new();
    let addition = Addition { certificate: given.own_id(), ca_id: id("c"), beside: Beside::Others };
    let given = given.with(others_thing().into_iter().chain([Intent::AddCertificate(addition)]));
    assert_eq!(given.codes(), ["second-certificate"]);
    assert_eq!(given.profile(json!({"secondCertificate": "rotate"})).place(), (Place::Known, Then::Rotate));
}

#[test]
fn a_revoked_certificate_and_a_retired_things_never_come_back() {
    let own = Given::new().own_id();
    let registered = [register(own.clone(), id("c")), Intent::CertificateActivated(own.clone())];
    let revoked = registered.clone().into_iter().chain([Intent::CertificateRevoked(own, notice())]);
    assert_eq!(Given::new().with(revoked).codes(), ["certificate-revoked"]);
    let order = RetirementOrder { by: "anna".to_owned(), awaiting: [].into(), expected_version: None };
    let retire = [Intent::BeginRetirement(order), Intent::Retired];
    let own_retired = registered.into_iter().chain(retire.clone());
    assert_eq!(Given::new().with(own_retired).codes(), ["thing-retired", "certificate-retired"]);
    let other_retired = others_thing().into_iter().chain(retire);
    assert_eq!(Given::new().with(other_retired).codes(), ["thing-retired"]);
}

#[test]
fn all_reasons_are_told_at_once_in_their_order() {
    let listed = Listed { allowed: false, denied: true };
    let given = Given { certificate: read!("many-flaws"), listed, in_registry: true, ..Given::new() };
    let expected = [
        "expired",
        "weak-key",
        "issuer-mismatch",
        "bad-signature",
        "is-a-ca",
        "name-pattern",
        "invalid-name",
        "denied",
        "not-listed",
    ];
    assert_eq!(given.profile(json!({"mode": "listed", "namePattern": "x"})).codes(), expected);
    let given = Given { certificate: read!("expired"), ..Given::new() }.with(others_thing());
    assert_eq!(given.codes(), ["expired", "second-certificate"]);
}
