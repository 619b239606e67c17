use std::collections::BTreeSet;

use loam_domain::{ThingName, Timestamp};
use loam_things::{Intent, Registration, RetirementOrder, Transition};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_598_536_072_677);

fn id(digit: char) -> CertificateId {
    CertificateId::parse(&digit.to_string().repeat(64)).unwrap()
}

fn after(record: Option<&ThingRecord>, intent: &Intent) -> ThingRecord {
    match loam_things::next(&ThingName::parse("t1").unwrap(), record, intent, NOW) {
        Transition::Change(change) => change.record,
        Transition::Nothing(outcome) => panic!("{outcome:?}"),
    }
}

fn registered(certificates: &[char]) -> ThingRecord {
    let registration = Registration::new(id(certificates[0]), id('c'));
    let mut record = after(None, &Intent::Register(registration));
    let first = record.certificates[&id(certificates[0])];
    record.certificates.extend(certificates.iter().map(|digit| (id(*digit), first)));
    record
}

fn retiring(certificates: &[char]) -> ThingRecord {
    let awaiting = CAPABILITIES.map(str::to_owned).into();
    let order = RetirementOrder { by: "op".to_owned(), awaiting, expected_version: None };
    after(Some(&registered(certificates)), &Intent::BeginRetirement(order))
}

/// AWS IoT with the thing in it, and what it refuses.
#[derive(Debug, Clone, Default)]
struct Aws {
    active: BTreeSet<CertificateId>,
    with_policy: BTreeSet<CertificateId>,
    attached: BTreeSet<CertificateId>,
    certificates: BTreeSet<CertificateId>,
    connected: bool,
    shadow: bool,
    thing: bool,
    item: bool,
}

impl Aws {
    fn with(record: &ThingRecord) -> Self {
        let all: BTreeSet<_> = record.certificates.keys().cloned().collect();
        let (active, with_policy, attached, certificates) = (all.clone(), all.clone(), all.clone(), all);
        Self { active, with_policy, attached, certificates, connected: true, shadow: true, thing: true, item: true }
    }

    /// Does a task as AWS does it.
    fn does(&mut self, task: &Task, progress: &mut Progress) {
        match task {
            Task::Deactivate(id) => {
                self.active.remove(id);
                let there = self.certificates.contains(id);
                progress.certificates.insert(id.clone(), if there { Stage::Inactive } else { Stage::Gone });
            }
            Task::Disconnect => {
                assert!(self.active.is_empty(), "the device could come back");
                (self.connected, progress.disconnected) = (false, true);
            }
            Task::DetachPolicies(id) => {
                assert!(!self.active.contains(id), "an active certificate without a policy");
                self.with_policy.remove(id);
                progress.certificates.insert(id.clone(), Stage::WithoutPolicies);
            }
            Task::Detach(id) => {
                self.attached.remove(id);
                progress.certificates.insert(id.clone(), Stage::Detached);
            }
            Task::DeleteCertificate(id) => {
                assert!(!self.active.contains(id) && !self.attached.contains(id) && !self.with_policy.contains(id));
                self.certificates.remove(id);
                progress.certificates.insert(id.clone(), Stage::Gone);
            }
            Task::DeleteShadows => (self.shadow, progress.shadows) = (false, true),
            Task::SweepShadows => (self.shadow, progress.swept) = (false, true),
            Task::DeleteThing => {
                assert!(self.attached.is_empty());
                (self.thing, progress.thing) = (false, true);
            }
            Task::DeleteCatalogItem => (self.item, progress.catalog) = (false, true),
        }
    }

    fn is_empty(&self) -> bool {
        self.certificates.is_empty()
            && self.with_policy.is_empty()
            && !(self.connected || self.shadow || self.thing || self.item)
    }
}

#[test]
fn a_thing_that_nobody_retires_or_that_is_retired_has_no_step() {
    assert_eq!(next(&registered(&['a']), &Progress::default()), Step::Nothing);
    let mut record = retiring(&['a']);
    record.retirement.as_mut().unwrap().awaiting.clear();
    let retired = after(Some(&record), &Intent::Retired);
    assert_eq!(next(&retired, &Progress::default()), Step::Nothing);
}

#[test]
fn every_certificate_is_inactive_before_the_connection_ends() {
    let record = retiring(&['a', 'b']);
    let mut progress = Progress::default();
    assert_eq!(next(&record, &progress), Step::Ensure(Task::Deactivate(id('a'))));
    progress.certificates.insert(id('a'), Stage::Inactive);
    assert_eq!(next(&record, &progress), Step::Ensure(Task::Deactivate(id('b'))));
    progress.certificates.insert(id('b'), Stage::Gone);
    assert_eq!(next(&record, &progress), Step::Ensure(Task::Disconnect));
}

#[test]
fn what_others_keep_is_awaited_and_their_last_shadow_swept_before_the_end() {
    let mut record = after(Some(&retiring(&['a'])), &Intent::AcknowledgeRetirement(ONBOARDING.to_owned()));
    assert_eq!(next(&record, &Progress::default()), Step::Await);
    record.retirement.as_mut().unwrap().awaiting.clear();
    assert_eq!(next(&record, &Progress::default()), Step::Ensure(Task::SweepShadows));
    assert_eq!(next(&record, &Progress { swept: true, ..Progress::default() }), Step::Close);
}

/// Runs until nothing is left to do or `steps` are done; then the run dies and forgets what it knew.
fn run(record: &mut ThingRecord, aws: &mut Aws, steps: usize) {
    let mut progress = Progress::default();
    for _ in 0..steps {
        match next(record, &progress) {
            Step::Await | Step::Nothing => return,
            Step::Acknowledge => *record = after(Some(record), &Intent::AcknowledgeRetirement(ONBOARDING.to_owned())),
            Step::Close => *record = after(Some(record), &Intent::Retired),
            Step::Ensure(task) => aws.does(&task, &mut progress),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// 10,000 ways to die, and others' acknowledgements at any time between.
    #[test]
    fn a_retirement_that_dies_again_and_again_leaves_nothing(
        certificates in prop::sample::subsequence(vec!['a', 'b', 'd'], 1..=3),
        deaths in prop::collection::vec(0..14_usize, 0..8),
        acknowledged in prop::collection::vec(0..8_usize, CAPABILITIES.len() - 1),
    ) {
        let mut record = retiring(&certificates);
        let mut aws = Aws::with(&record);
        for (round, steps) in deaths.iter().chain(&[usize::MAX; 8]).copied().enumerate() {
            for (capability, _) in CAPABILITIES[1..].iter().zip(&acknowledged).filter(|(_, at)| **at == round) {
                record = after(Some(&record), &Intent::AcknowledgeRetirement((*capability).to_owned()));
                // What another capability wrote at its last moment.
                aws.shadow = true;
            }
            run(&mut record, &mut aws, steps.min(100));
        }
        prop_assert_eq!(record.state, LifeCycle::Retired);
        prop_assert!(aws.is_empty(), "{:?}", aws);
    }
}
