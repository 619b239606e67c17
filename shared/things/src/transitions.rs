//! The boundaries of the life cycle, one sentence each.

use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{CertificateId, EventType, ThingName, Timestamp};
use serde_json::json;

use crate::{
    Acknowledgement, Addition, Beside, Change, Description, End, Intent, LifeCycle, MAX_STANDING_CERTIFICATES, Notice,
    Outcome, Registration, RetirementOrder, ThingRecord, Transition, Why, next,
};

/// A thing's life in a test.
pub(crate) struct Life {
    pub(crate) record: Option<ThingRecord>,
    pub(crate) now: i64,
}

pub(crate) fn thing() -> ThingName {
    ThingName::parse("t1").unwrap()
}

/// The id whose digits are all `digit`.
pub(crate) fn id(digit: char) -> CertificateId {
    CertificateId::parse(&digit.to_string().repeat(CertificateId::LENGTH)).unwrap()
}

pub(crate) fn claim(certificate: char) -> Intent {
    Intent::Register(Registration {
        thing_type: Some("soil".to_owned()),
        groups: BTreeSet::from(["balcony".to_owned()]),
        ..Registration::new(id(certificate), id('c'))
    })
}

pub(crate) fn add(certificate: char, beside: Beside) -> Intent {
    Intent::AddCertificate(Addition { certificate: id(certificate), ca_id: id('c'), beside })
}

pub(crate) fn description(at: i64, model: &str) -> Intent {
    let told = BTreeMap::from([("modelName".to_owned(), model.to_owned())]);
    Intent::Described(Description { at: Timestamp::from_millis(at), told, capabilities: None, firmware: None })
}

pub(crate) fn notice() -> Notice {
    Notice { by: "operator".to_owned(), reasons: vec!["stolen".to_owned()] }
}

pub(crate) fn retirement(expected_version: Option<u64>) -> Intent {
    let awaiting = BTreeSet::from(["onboarding".to_owned(), "presence".to_owned()]);
    Intent::BeginRetirement(RetirementOrder { by: "operator".to_owned(), awaiting, expected_version })
}

pub(crate) fn ended(epoch: u64) -> Intent {
    let awaiting = BTreeSet::from(["catalog".to_owned(), "telemetry".to_owned()]);
    Intent::Ended(End { epoch, cause: "owner".to_owned(), awaiting })
}

pub(crate) fn erased_by(capability: &str, through: u64, looked_at: i64) -> Intent {
    let looked_at = Timestamp::from_millis(looked_at);
    Intent::AcknowledgeErasure(Acknowledgement { capability: capability.to_owned(), through, looked_at })
}

fn acknowledged(capability: &str) -> Intent {
    Intent::AcknowledgeRetirement(capability.to_owned())
}

impl Life {
    /// The thing after these intents, each of which changes it.
    pub(crate) fn after<const N: usize>(intents: [Intent; N]) -> Self {
        let mut life = Self { record: None, now: 1_000 };
        for intent in intents {
            life.change(&intent);
        }
        life
    }

    pub(crate) fn onboarded() -> Self {
        Self::after([claim('1'), Intent::CertificateActivated(id('1')), description(5, "A")])
    }

    pub(crate) fn try_it(&mut self, intent: &Intent) -> Transition {
        self.now += 1;
        next(&thing(), self.record.as_ref(), intent, Timestamp::from_millis(self.now))
    }

    /// The types of the events that the intent tells.
    pub(crate) fn change(&mut self, intent: &Intent) -> Vec<EventType> {
        let Transition::Change(change) = self.try_it(intent) else { panic!("{intent:?} changes nothing") };
        let Change { record, events } = *change;
        self.record = Some(record);
        events.iter().map(|event| event.kind).collect()
    }

    pub(crate) fn refused(&mut self, intent: &Intent) -> Why {
        let came = self.try_it(intent);
        let Transition::Nothing(Outcome::Refused(why, _)) = came else { panic!("{intent:?}: {came:?}") };
        why
    }

    pub(crate) fn is_already(&mut self, intent: &Intent) -> bool {
        matches!(self.try_it(intent), Transition::Nothing(Outcome::Already(_)))
    }

    pub(crate) fn state(&self) -> LifeCycle {
        self.record.as_ref().unwrap().state
    }
}

#[test]
fn the_first_claim_wins_the_same_one_finds_it_won_and_another_finds_it_taken() {
    let mut life = Life::after([]);
    assert_eq!(life.change(&claim('1')), [EventType::ThingRegistered]);
    assert!(life.is_already(&claim('1')));
    assert_eq!(life.refused(&claim('2')), Why::Taken);
    assert_eq!((life.state(), life.record.unwrap().version), (LifeCycle::Registered, 1));
}

#[test]
fn a_thing_is_active_with_its_first_certificate_and_onboarded_with_its_first_description() {
    let mut life = Life::after([claim('1')]);
    assert_eq!(life.change(&Intent::CertificateActivated(id('1'))), [EventType::ThingActive]);
    assert_eq!(life.change(&description(5, "A")), [EventType::ThingOnboarded]);
    assert_eq!(life.state(), LifeCycle::Onboarded);
}

#[test]
fn a_description_that_overtakes_the_activation_is_told_with_it() {
    let mut life = Life::after([claim('1')]);
    assert_eq!(life.change(&description(5, "A")), []);
    assert_eq!(life.state(), LifeCycle::Registered);
    let told = life.change(&Intent::CertificateActivated(id('1')));
    assert_eq!(told, [EventType::ThingActive, EventType::ThingOnboarded]);
    assert_eq!((life.state(), life.record.unwrap().version), (LifeCycle::Onboarded, 4));
}

#[test]
fn a_description_of_the_same_time_or_before_is_stale_and_one_that_says_nothing_new_is_not_told() {
    let mut life = Life::onboarded();
    assert_eq!(life.refused(&description(5, "B")), Why::Stale);
    assert_eq!(life.refused(&description(4, "B")), Why::Stale);
    assert_eq!(life.change(&description(6, "A")), []);
    assert_eq!(life.change(&description(7, "B")), [EventType::ThingDescribed]);
}

#[test]
fn a_description_that_names_no_capabilities_leaves_those_that_are_known() {
    let mut life = Life::onboarded();
    let words = Some(BTreeSet::from(["files".to_owned()]));
    let Intent::Described(plain) = description(6, "A") else { panic!() };
    let full = Description { capabilities: words.clone(), firmware: Some(json!("1.0")), ..plain };
    assert_eq!(life.change(&Intent::Described(full)), [EventType::ThingDescribed]);
    assert_eq!(life.change(&description(7, "A")), []);
    let record = life.record.unwrap();
    assert_eq!((record.capabilities, record.firmware), (words, Some(json!("1.0"))));
}

#[test]
fn the_last_certificates_end_suspends_the_thing_and_a_new_one_brings_it_back_to_where_it_was() {
    let mut life = Life::onboarded();
    let told = life.change(&Intent::CertificateRevoked(id('1'), notice()));
    assert_eq!(told, [EventType::CertificateRevoked, EventType::ThingSuspended]);
    assert_eq!(life.change(&add('2', Beside::Nobody)), []);
    assert_eq!(life.state(), LifeCycle::Suspended);
    assert_eq!(life.change(&Intent::CertificateActivated(id('2'))), [EventType::ThingResumed]);
    assert_eq!((life.state(), life.record.unwrap().suspended_from), (LifeCycle::Onboarded, None));
}

#[test]
fn a_thing_that_was_never_active_is_suspended_only_once_none_of_its_certificates_is_about_to_be() {
    let mut life = Life::after([claim('1'), add('2', Beside::Others)]);
    assert_eq!(life.change(&Intent::CertificateRevoked(id('1'), notice())), [EventType::CertificateRevoked]);
    assert_eq!(life.state(), LifeCycle::Registered);
    life.change(&Intent::CertificateRevoked(id('2'), notice()));
    assert_eq!(life.state(), LifeCycle::Suspended);
    life.change(&add('3', Beside::Nobody));
    assert_eq!(life.change(&Intent::CertificateActivated(id('3'))), [EventType::ThingActive]);
    assert_eq!(life.state(), LifeCycle::Active);
}

#[test]
fn a_revoked_certificate_never_comes_back() {
    let mut life = Life::onboarded();
    life.change(&Intent::Suspend(notice()));
    assert_eq!(life.refused(&claim('1')), Why::CertificateGone);
    assert_eq!(life.refused(&add('1', Beside::Others)), Why::CertificateGone);
    assert_eq!(life.refused(&Intent::CertificateActivated(id('1'))), Why::CertificateGone);
    assert!(life.is_already(&Intent::Suspend(notice())));
}

#[test]
fn a_rotation_never_leaves_the_thing_without_a_certificate() {
    let mut life = Life::onboarded();
    assert_eq!(life.refused(&add('2', Beside::Nobody)), Why::Taken);
    assert_eq!(life.change(&add('2', Beside::Others)), []);
    assert_eq!(life.change(&Intent::CertificateActivated(id('2'))), [EventType::CertificateAdded]);
    assert_eq!(life.change(&Intent::CertificateRetiring(id('1'))), []);
    assert_eq!(life.change(&Intent::CertificateRemoved(id('1'))), [EventType::CertificateRetired]);
    assert!(life.is_already(&Intent::CertificateRetiring(id('1'))));
    assert_eq!(life.state(), LifeCycle::Onboarded);
}

#[test]
fn a_pending_certificate_that_is_replaced_goes_at_once() {
    let mut life = Life::after([claim('1'), add('2', Beside::Others)]);
    assert_eq!(life.change(&Intent::CertificateRetiring(id('1'))), [EventType::CertificateRetired]);
    assert_eq!(life.refused(&Intent::CertificateActivated(id('1'))), Why::CertificateGone);
    assert_eq!(life.state(), LifeCycle::Registered);
}

#[test]
fn a_thing_has_place_for_eight_certificates_of_its_own_ca() {
    let mut life = Life::after([claim('0')]);
    for digit in ('1'..='9').take(MAX_STANDING_CERTIFICATES - 1) {
        life.change(&add(digit, Beside::Others));
    }
    assert_eq!(life.refused(&add('a', Beside::Others)), Why::Taken);
    life.change(&Intent::CertificateRemoved(id('0')));
    let foreign = Addition { certificate: id('a'), ca_id: id('d'), beside: Beside::Others };
    assert_eq!(life.refused(&Intent::AddCertificate(foreign)), Why::Taken);
    assert_eq!(life.change(&add('a', Beside::Others)), []);
}

#[test]
fn what_a_thing_never_had_cannot_be_activated_or_revoked() {
    let mut life = Life::onboarded();
    assert_eq!(life.refused(&Intent::CertificateActivated(id('2'))), Why::UnknownCertificate);
    assert_eq!(life.refused(&Intent::CertificateRevoked(id('2'), notice())), Why::UnknownCertificate);
    assert_eq!(life.refused(&Intent::CertificateRemoved(id('2'))), Why::UnknownCertificate);
    let mut nobody = Life::after([]);
    assert_eq!(nobody.try_it(&Intent::ShadowSeeded), Transition::Nothing(Outcome::Missing));
}

#[test]
fn a_retirement_ends_once_all_have_acknowledged_and_not_before() {
    let mut life = Life::onboarded();
    assert_eq!(life.refused(&Intent::Retired), Why::NotRetiring);
    assert_eq!(life.change(&retirement(None)), [EventType::ThingRetiring]);
    assert!(life.is_already(&retirement(None)));
    assert_eq!(life.change(&acknowledged("presence")), [EventType::ThingRetireAcknowledged]);
    assert!(life.is_already(&acknowledged("presence")));
    assert!(life.is_already(&acknowledged("nobody")));
    assert_eq!(life.refused(&Intent::Retired), Why::Awaiting);
    life.change(&acknowledged("onboarding"));
    assert_eq!(life.change(&Intent::Retired), [EventType::ThingRetired]);
    assert!(life.is_already(&Intent::Retired));
    assert_eq!(life.state(), LifeCycle::Retired);
    assert_eq!(life.record.unwrap().standing().count(), 0);
}

#[test]
fn a_retirement_of_another_version_than_was_seen_is_stale_and_the_same_order_again_is_not() {
    let mut life = Life::onboarded();
    assert_eq!(life.refused(&retirement(Some(2))), Why::Stale);
    life.change(&retirement(Some(3)));
    assert!(life.is_already(&retirement(Some(3))));
}

#[test]
fn on_the_way_to_retirement_nothing_begins_and_certificates_can_still_be_revoked() {
    let mut life = Life::onboarded();
    life.change(&retirement(None));
    for intent in [claim('1'), claim('2'), add('2', Beside::Others), description(9, "B"), Intent::ShadowSeeded] {
        assert_eq!(life.refused(&intent), Why::Retired, "{intent:?}");
    }
    let told = life.change(&Intent::CertificateRevoked(id('1'), notice()));
    assert_eq!(told, [EventType::CertificateRevoked, EventType::ThingSuspended]);
}

#[test]
fn a_security_notice_names_certificate_ca_and_reasons() {
    let mut life = Life::onboarded();
    let Transition::Change(change) = life.try_it(&Intent::CertificateRevoked(id('1'), notice())) else { panic!() };
    let data = serde_json::Value::from(change.events[0].data.clone());
    assert_eq!(data, json!({"certificateId": id('1'), "caId": id('c'), "reasons": ["stolen"], "by": "operator"}));
}

#[test]
fn an_event_is_never_before_the_one_before_it() {
    let mut life = Life::onboarded();
    let before = life.record.clone().unwrap().updated_at;
    life.now = -5;
    let Transition::Change(change) = life.try_it(&retirement(None)) else { panic!() };
    assert_eq!((change.events[0].at, change.record.updated_at), (before, before));
    assert_eq!(change.events[0].id, "t1.4");
}
