//! The boundaries between two owners, one sentence each.

use loam_domain::EventType;
use serde_json::{Value, json};

use crate::transitions::{Life, add, claim, ended, erased_by, id, notice, retirement};
use crate::{Beside, Intent, LifeCycle, QUIET_MILLIS, Transition, Why};

/// When everything is quiet.
const LATER: i64 = QUIET_MILLIS + 9_000;

fn paired() -> Life {
    let mut life = Life::onboarded();
    assert_eq!(life.change(&Intent::Paired { epoch: 1 }), [EventType::ThingPaired]);
    life
}

/// Paired and ended; catalog and telemetry are awaited.
fn erasing() -> Life {
    let mut life = paired();
    assert_eq!(life.change(&ended(1)), [EventType::ThingUnpaired]);
    life
}

fn erased() -> Life {
    let mut life = erasing();
    for capability in ["catalog", "telemetry"] {
        assert_eq!(life.change(&erased_by(capability, 1, LATER)), [EventType::ThingErasureAcknowledged]);
    }
    life
}

fn epoch(life: &Life) -> u64 {
    life.record.as_ref().unwrap().epoch
}

#[test]
fn only_an_onboarded_thing_gets_an_owner_in_its_present_epoch_and_once() {
    let mut life = Life::after([claim('1')]);
    assert_eq!(life.refused(&Intent::Paired { epoch: 1 }), Why::NotOnboarded);
    life.change(&Intent::CertificateActivated(id('1')));
    assert_eq!(life.refused(&Intent::Paired { epoch: 1 }), Why::NotOnboarded);
    let mut life = paired();
    assert_eq!((life.state(), epoch(&life)), (LifeCycle::Paired, 1));
    assert!(life.is_already(&Intent::Paired { epoch: 1 }));
    assert_eq!(life.refused(&Intent::Paired { epoch: 2 }), Why::EpochOver);
    let mut suspended = Life::onboarded();
    suspended.change(&Intent::Suspend(notice()));
    assert_eq!(suspended.refused(&Intent::Paired { epoch: 1 }), Why::NotOnboarded);
}

#[test]
fn an_owners_end_is_the_next_epoch_and_the_same_end_again_changes_nothing() {
    let mut life = erasing();
    assert_eq!((life.state(), epoch(&life)), (LifeCycle::Onboarded, 2));
    assert!(life.is_already(&ended(1)));
    assert_eq!(life.refused(&ended(2)), Why::NotPaired);
    assert_eq!(life.refused(&ended(3)), Why::EpochOver);
    assert_eq!(life.refused(&Intent::Paired { epoch: 1 }), Why::EpochOver);
    assert_eq!(life.refused(&Intent::Paired { epoch: 2 }), Why::Erasing);
}

#[test]
fn an_end_tells_which_epoch_ended_why_and_who_is_awaited_in_the_new_epoch() {
    let mut life = paired();
    let Transition::Change(change) = life.try_it(&ended(1)) else { panic!() };
    let data = Value::from(change.events[0].data.clone());
    assert_eq!(data, json!({"epoch": 1, "cause": "owner", "awaiting": ["catalog", "telemetry"]}));
    assert_eq!(change.events[0].epoch, 2);
}

#[test]
fn the_next_owner_comes_only_when_everybody_has_erased() {
    let mut life = erasing();
    assert_eq!(life.refused(&erased_by("catalog", 1, 1_003 + QUIET_MILLIS)), Why::TooEarly);
    assert_eq!(life.refused(&erased_by("catalog", 0, LATER)), Why::EpochOver);
    assert!(life.is_already(&erased_by("nobody", 1, LATER)));
    life.change(&erased_by("catalog", 1, LATER));
    assert!(life.is_already(&erased_by("catalog", 1, LATER)));
    assert_eq!(life.refused(&Intent::Erased { through: 1, paired: false }), Why::Erasing);
    life.change(&erased_by("telemetry", 1, LATER));
    assert_eq!(life.refused(&Intent::Erased { through: 0, paired: false }), Why::EpochOver);
    assert_eq!(life.refused(&Intent::Paired { epoch: 2 }), Why::Erasing);
    assert_eq!(life.change(&Intent::Erased { through: 1, paired: false }), [EventType::ThingErased]);
    assert!(life.is_already(&Intent::Erased { through: 1, paired: false }));
    assert!(life.is_already(&erased_by("catalog", 1, LATER)));
    assert_eq!(life.change(&Intent::Paired { epoch: 2 }), [EventType::ThingPaired]);
}

#[test]
fn an_heir_owns_it_in_the_same_step() {
    let mut life = erased();
    let told = life.change(&Intent::Erased { through: 1, paired: true });
    assert_eq!(told, [EventType::ThingErased, EventType::ThingPaired]);
    assert_eq!((life.state(), epoch(&life)), (LifeCycle::Paired, 2));
}

#[test]
fn a_suspended_thing_keeps_its_owner_and_loses_them_while_suspended() {
    let mut life = paired();
    life.change(&Intent::Suspend(notice()));
    assert!(life.record.as_ref().unwrap().is_paired());
    assert!(life.is_already(&Intent::Paired { epoch: 1 }));
    assert_eq!(life.change(&ended(1)), [EventType::ThingUnpaired]);
    assert_eq!(life.record.as_ref().unwrap().suspended_from, Some(LifeCycle::Onboarded));
    life.change(&add('2', Beside::Nobody));
    assert_eq!(life.change(&Intent::CertificateActivated(id('2'))), [EventType::ThingResumed]);
    assert_eq!(life.state(), LifeCycle::Onboarded);
}

#[test]
fn an_heir_of_a_suspended_thing_owns_it_when_it_comes_back() {
    let mut life = erased();
    life.change(&Intent::Suspend(notice()));
    life.change(&Intent::Erased { through: 1, paired: true });
    assert_eq!((life.state(), life.record.as_ref().unwrap().is_paired()), (LifeCycle::Suspended, true));
    life.change(&add('2', Beside::Nobody));
    life.change(&Intent::CertificateActivated(id('2')));
    assert_eq!(life.state(), LifeCycle::Paired);
}

#[test]
fn on_the_way_to_retirement_nobody_gets_or_gives_up_a_thing_and_its_end_erases_all() {
    let mut life = Life::onboarded();
    life.change(&retirement(None));
    assert_eq!(life.refused(&Intent::Paired { epoch: 1 }), Why::Retired);
    let mut life = paired();
    life.change(&retirement(None));
    assert_eq!(life.refused(&ended(1)), Why::Retired);
    let mut life = erased();
    life.change(&retirement(None));
    assert_eq!(life.refused(&Intent::Erased { through: 1, paired: true }), Why::Retired);
    for capability in ["presence", "onboarding"] {
        life.change(&Intent::AcknowledgeRetirement(capability.to_owned()));
    }
    life.change(&Intent::Retired);
    assert_eq!(life.record.unwrap().erasure, None);
}

#[test]
fn a_description_in_an_owners_time_is_told_and_leaves_the_owner() {
    let mut life = paired();
    let told = life.change(&crate::transitions::description(9, "B"));
    assert_eq!((told, life.state()), (vec![EventType::ThingDescribed], LifeCycle::Paired));
}
