//! Laws that hold whatever is wanted of a thing, in any order and as often as may be.
//!
//! 256 histories run with every test run; `PROPTEST_CASES=10000` says how many.

use loam_domain::{Event, EventType, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::rows::{event_sk, record_item, record_of};
use crate::transitions::{add, claim, description, ended, erased_by, id, notice, retirement, thing};
use crate::{Beside, Change, EpochErasure, Intent, LifeCycle, Outcome, ThingRecord, Transition, next};

fn intents() -> impl Strategy<Value = Intent> {
    let digit = prop::sample::select(vec!['1', '2', '3', '4']);
    let word = prop::sample::select(vec!["onboarding", "presence", "nobody"]);
    prop_oneof![
        3 => digit.clone().prop_map(claim),
        2 => digit.clone().prop_map(|digit| add(digit, Beside::Others)),
        1 => digit.clone().prop_map(|digit| add(digit, Beside::Nobody)),
        4 => digit.clone().prop_map(|digit| Intent::CertificateActivated(id(digit))),
        1 => digit.clone().prop_map(|digit| Intent::CertificateRetiring(id(digit))),
        1 => digit.clone().prop_map(|digit| Intent::CertificateRemoved(id(digit))),
        1 => digit.prop_map(|digit| Intent::CertificateRevoked(id(digit), notice())),
        1 => Just(Intent::Suspend(notice())),
        3 => (0_i64..20, prop::sample::select(vec!["A", "B"])).prop_map(|(at, model)| description(at, model)),
        1 => Just(Intent::ShadowSeeded),
        1 => prop::option::of(0_u64..9).prop_map(retirement),
        2 => word.prop_map(|word| Intent::AcknowledgeRetirement(word.to_owned())),
        1 => Just(Intent::Retired),
        4 => (1_u64..4).prop_map(|epoch| Intent::Paired { epoch }),
        3 => (1_u64..4).prop_map(ended),
        4 => (prop::sample::select(vec!["catalog", "telemetry", "nobody"]), 0_u64..4, looking())
            .prop_map(|(who, through, looked_at)| erased_by(who, through, looked_at)),
        3 => (0_u64..4, any::<bool>()).prop_map(|(through, paired)| Intent::Erased { through, paired }),
    ]
}

/// Before and after all is quiet.
fn looking() -> impl Strategy<Value = i64> {
    prop_oneof![1 => 0_i64..50, 3 => Just(i64::MAX)]
}

/// State and certificates agree.
fn assert_agrees(record: &ThingRecord) {
    let (live, standing) = (record.live().count(), record.standing().count());
    match record.state {
        LifeCycle::Registered => assert!(live == 0 && standing > 0, "{record:?}"),
        LifeCycle::Active => assert!(live > 0 && record.described_at.is_none(), "{record:?}"),
        LifeCycle::Onboarded | LifeCycle::Paired => assert!(live > 0 && record.described_at.is_some(), "{record:?}"),
        LifeCycle::Suspended => assert!(live == 0, "{record:?}"),
        LifeCycle::Retired => {
            assert!(standing == 0, "{record:?}");
            assert!(record.retirement.as_ref().is_some_and(|retirement| retirement.awaiting.is_empty()), "{record:?}");
        }
    }
    assert_eq!(record.suspended_from.is_some(), record.state == LifeCycle::Suspended, "{record:?}");
    assert!(!record.is_paired() || record.described_at.is_some(), "{record:?}");
    if let Some(erasure) = &record.erasure {
        assert!(!record.is_paired() && erasure.through + 1 == record.epoch, "{record:?}");
    }
}

/// An epoch ends with its owner's time, once, and begins with an erasure; the next owner's begins after that one is done.
fn assert_epochs_follow_owners(before: &ThingRecord, change: &Change) {
    let after = &change.record;
    let ended = change.events.iter().filter(|event| event.kind == EventType::ThingUnpaired).count();
    assert_eq!(after.epoch - before.epoch, ended as u64, "{change:?}");
    assert_eq!(ended == 1, before.is_paired() && !after.is_paired() && !after.is_retiring(), "{change:?}");
    if after.is_paired() && !before.is_paired() {
        assert!(before.erasure.as_ref().is_none_or(EpochErasure::is_done), "{change:?}");
        assert_eq!(change.events.last().unwrap().kind, EventType::ThingPaired);
    }
    assert!(change.events.iter().all(|event| event.epoch == after.epoch), "{change:?}");
}

/// Which states the event leads to.
fn leads_to(kind: EventType) -> Option<LifeCycle> {
    match kind {
        EventType::ThingRegistered => Some(LifeCycle::Registered),
        EventType::ThingActive => Some(LifeCycle::Active),
        EventType::ThingOnboarded | EventType::ThingUnpaired => Some(LifeCycle::Onboarded),
        EventType::ThingPaired => Some(LifeCycle::Paired),
        EventType::ThingSuspended => Some(LifeCycle::Suspended),
        EventType::ThingRetired => Some(LifeCycle::Retired),
        EventType::ThingDescribed
        | EventType::ThingResumed
        | EventType::ThingRetiring
        | EventType::ThingRetireAcknowledged
        | EventType::ThingErasureAcknowledged
        | EventType::ThingErased
        | EventType::CertificateAdded
        | EventType::CertificateRefused
        | EventType::CertificateRevoked
        | EventType::CertificateRetired
        | EventType::PresenceConnected
        | EventType::PresenceDisconnected
        | EventType::PresencePrincipalChanged
        | EventType::MemberInvited
        | EventType::MemberJoined
        | EventType::MemberLeft
        | EventType::InvitationRevoked
        | EventType::OwnershipOffered
        | EventType::OwnershipWithdrawn
        | EventType::CommandQueued
        | EventType::CommandDelivered
        | EventType::CommandAccepted
        | EventType::CommandProgress
        | EventType::CommandSucceeded
        | EventType::CommandFailed
        | EventType::CommandRejected
        | EventType::CommandExpired
        | EventType::CommandCancelled
        | EventType::CommandLate
        | EventType::FileReady
        | EventType::FileCompleted
        | EventType::FileFailed
        | EventType::FileCancelled
        | EventType::FileExpired
        | EventType::ReleaseRefused
        | EventType::ReleasePublished
        | EventType::ReleaseDeprecated
        | EventType::RolloutStarted
        | EventType::RolloutWaveOpened
        | EventType::RolloutWavePassed
        | EventType::RolloutPaused
        | EventType::RolloutResumed
        | EventType::RolloutStopping
        | EventType::RolloutStopped
        | EventType::RolloutCompleted
        | EventType::FirmwareSucceeded
        | EventType::FirmwareFailed => None,
    }
}

/// A change is one step for each event, or one silent one; a new state is told by the last event.
fn assert_one_event_per_step(before: Option<&ThingRecord>, change: &Change) {
    let steps = change.record.version - before.map_or(0, |before| before.version);
    assert_eq!(steps, change.events.len().max(1) as u64, "{change:?}");
    if before.map(|before| before.state) != Some(change.record.state) {
        let last = change.events.last().unwrap();
        let told =
            leads_to(last.kind).map_or(last.kind == EventType::ThingResumed, |state| state == change.record.state);
        assert!(told, "{change:?}");
    }
}

/// What only goes forward: certificates, versions and times.
fn assert_goes_forward(before: &ThingRecord, after: &ThingRecord) {
    assert!(after.version > before.version && after.updated_at >= before.updated_at);
    for (id, certificate) in &before.certificates {
        assert!(after.status_of(id) >= Some(certificate.status), "{id}");
    }
    assert_eq!((&after.thing, &after.ca_id, after.registered_at), (&before.thing, &before.ca_id, before.registered_at));
}

/// Lives a history; answers the last record and all events.
fn live(history: &[(Intent, i64)]) -> (Option<ThingRecord>, Vec<Event>) {
    let (mut record, mut events): (Option<ThingRecord>, Vec<Event>) = (None, vec![]);
    for (intent, now) in history {
        let now = Timestamp::from_millis(*now);
        let change = match next(&thing(), record.as_ref(), intent, now) {
            Transition::Change(change) => *change,
            Transition::Nothing(outcome) => {
                assert!(!matches!(outcome, Outcome::Done(_)));
                continue;
            }
        };
        assert_agrees(&change.record);
        assert_one_event_per_step(record.as_ref(), &change);
        if let Some(before) = &record {
            assert_goes_forward(before, &change.record);
            assert_epochs_follow_owners(before, &change);
            assert_ne!(before.state, LifeCycle::Retired, "retired is final");
        }
        assert_eq!(record_of(&record_item(&change.record).unwrap()).unwrap(), change.record);
        let again = next(&thing(), Some(&change.record), intent, now);
        assert!(matches!(again, Transition::Nothing(_)), "{intent:?} again: {again:?}");
        events.extend(change.events);
        record = Some(change.record);
    }
    (record, events)
}

fn version_of(event: &Event) -> u64 {
    event.id.strip_prefix("t1.").unwrap().parse().unwrap()
}

proptest! {
    #[test]
    fn any_order_and_repetition_of_intents_keeps_the_laws(
        history in vec((intents(), prop_oneof![Just(i64::MIN), 0_i64..50, Just(i64::MAX)]), 0..40)
    ) {
        let (record, events) = live(&history);
        let ids: Vec<_> = events.iter().map(version_of).collect();
        prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", ids);
        let places: Vec<_> = events.iter().map(|event| event_sk(event.at, version_of(event))).collect();
        prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", places);
        prop_assert!(places.iter().all(|place| place.len() == "event#1598536072677#0000000001".len()));
        prop_assert_eq!(record.is_none(), events.is_empty());
    }
}
