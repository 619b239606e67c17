//! The record of things on the real table, and its events through the deployed relay.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use loam_domain::{CertificateId, Event, EventType, ThingName, Timestamp};
use loam_kit::{Chance, Inbox, Stack, eventually, now, number_of, unique_thing};
use loam_things::{
    Addition, Beside, Described, Description, LifeCycle, Notice, Outcome, Registered, Registration, RetirementOrder,
    ThingRecord, Things, Why,
};
use tokio::task::JoinSet;

/// A certificate that no other test has.
fn certificate(thing: &ThingName, number: usize) -> CertificateId {
    let seed = thing
        .as_str()
        .bytes()
        .fold(1_469_598_103_934_665_603_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211));
    CertificateId::parse(&format!("{seed:032x}{number:032x}")).unwrap()
}

fn claim(certificate: CertificateId, ca_id: CertificateId, max_devices: Option<u64>) -> Registration {
    Registration {
        certificate,
        ca_id,
        thing_type: None,
        groups: BTreeSet::new(),
        attributes: BTreeMap::new(),
        initial_desired: None,
        max_devices,
    }
}

/// One test's world: a thing and a CA of its own.
#[derive(Clone)]
struct World {
    things: Things,
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    thing: ThingName,
    ca: CertificateId,
}

impl World {
    async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let (admin, table) = (stack.admin().await, stack.resources["ThingsTable"].clone());
        let thing = unique_thing(purpose);
        let ca = certificate(&thing, 999);
        let dynamodb = aws_sdk_dynamodb::Client::new(&admin);
        Self { things: Things::new(&admin, table.clone()), dynamodb, table, thing, ca }
    }

    async fn registered(purpose: &str) -> Self {
        let world = Self::new(purpose).await;
        let came = world.register(&world.thing, 1, None).await;
        assert!(matches!(came, Registered::Won(_)), "{came:?}");
        world
    }

    async fn active(purpose: &str) -> Self {
        let world = Self::registered(purpose).await;
        world.things.certificate_activated(&world.thing, &world.certificate(1), now()).await.unwrap();
        world
    }

    fn certificate(&self, number: usize) -> CertificateId {
        certificate(&self.thing, number)
    }

    async fn register(&self, thing: &ThingName, number: usize, most: Option<u64>) -> Registered {
        let claim = claim(self.certificate(number), self.ca.clone(), most);
        self.things.register(thing, claim, now()).await.unwrap()
    }

    async fn record(&self) -> ThingRecord {
        self.things.get(&self.thing).await.unwrap().unwrap()
    }

    async fn history(&self) -> Vec<Event> {
        self.things.history(&self.thing, None, 100).await.unwrap().events
    }

    /// What stands beside the record: the caller's own item.
    fn also(&self, model: &str) -> TransactWriteItem {
        let put = Put::builder().table_name(&self.table).item("thing", AttributeValue::S(self.thing.to_string()));
        let put = put.item("item", AttributeValue::S("also".to_owned()));
        let put = put.item("model", AttributeValue::S(model.to_owned())).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    }

    async fn beside(&self) -> Option<String> {
        let get = self.dynamodb.get_item().table_name(&self.table).consistent_read(true);
        let get = get.key("thing", AttributeValue::S(self.thing.to_string()));
        let item = get.key("item", AttributeValue::S("also".to_owned())).send().await.unwrap().item?;
        item["model"].as_s().ok().cloned()
    }

    async fn describe(&self, at: i64, model: &str) -> Described {
        let told = BTreeMap::from([("modelName".to_owned(), model.to_owned())]);
        let description = Description { at: Timestamp::from_millis(at), told, capabilities: None, firmware: None };
        self.things.described(&self.thing, description, self.also(model), now()).await.unwrap()
    }

    async fn retire(&self, thing: &ThingName) {
        let awaiting = BTreeSet::from(["presence".to_owned()]);
        let order = RetirementOrder { by: "operator".to_owned(), awaiting, expected_version: None };
        self.things.begin_retirement(thing, order, now()).await.unwrap();
        self.things.acknowledge_retirement(thing, "presence", now()).await.unwrap();
        assert!(matches!(self.things.retired(thing, now()).await.unwrap(), Outcome::Done(_)));
    }
}

fn kinds(events: &[Event]) -> Vec<EventType> {
    events.iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn what_happens_to_a_thing_is_told_to_subscribers_by_the_deployed_relay() {
    let (world, stack) = (World::new("told").await, Stack::deployed());
    let inbox = Inbox::open(&stack.admin().await, stack.output("EventsTopic"), world.thing.as_str()).await;
    world.register(&world.thing, 1, None).await;
    world.things.certificate_activated(&world.thing, &world.certificate(1), now()).await.unwrap();
    let told = std::cell::RefCell::new(BTreeMap::new());
    eventually("both events are told", async || {
        for mail in inbox.take().await {
            let event: Event = serde_json::from_str(&mail.message).unwrap();
            told.borrow_mut().insert(event.id.clone(), event);
        }
        (told.borrow().len() == 2).then_some(())
    })
    .await;
    let mut written = world.history().await;
    written.reverse();
    assert_eq!(told.into_inner().into_values().collect::<Vec<_>>(), written);
    assert_eq!(kinds(&written), [EventType::ThingRegistered, EventType::ThingActive]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_claims_on_one_name_at_once_exactly_one_wins() {
    let world = World::new("claims").await;
    let mut running = JoinSet::new();
    for number in 0..8 {
        let world = world.clone();
        running.spawn(async move { (number, world.register(&world.thing, number, None).await) });
    }
    let came = running.join_all().await;
    let won: Vec<_> = came.iter().filter(|(_, came)| matches!(came, Registered::Won(_))).collect();
    let taken = came.iter().filter(|(_, came)| matches!(came, Registered::Taken(_))).count();
    assert_eq!((won.len(), taken), (1, 7));
    assert!(world.record().await.certificates.contains_key(&world.certificate(won[0].0)));
    assert!(matches!(world.register(&world.thing, won[0].0, None).await, Registered::Mine(_)));
    assert_eq!(world.history().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ca_never_has_more_things_than_it_may_and_a_retired_one_makes_place() {
    let world = World::new("full").await;
    let names: Vec<_> = (0..5).map(|_| unique_thing("full")).collect();
    let mut running = JoinSet::new();
    for (number, name) in names.iter().cloned().enumerate() {
        let world = world.clone();
        running.spawn(async move { (world.register(&name, number, Some(2)).await, name) });
    }
    let came = running.join_all().await;
    let won: Vec<_> = came.iter().filter(|(came, _)| matches!(came, Registered::Won(_))).collect();
    assert_eq!(won.len(), 2);
    assert_eq!(came.iter().filter(|(came, _)| matches!(came, Registered::Full)).count(), 3);
    world.retire(&won[0].1).await;
    assert!(matches!(world.register(&won[0].1, 7, Some(2)).await, Registered::Retired(Why::Retired, _)));
    assert!(matches!(world.register(&world.thing, 8, Some(2)).await, Registered::Won(_)));
    assert!(matches!(world.register(&unique_thing("full"), 9, Some(2)).await, Registered::Full));
}

#[tokio::test]
async fn a_ca_that_may_have_none_has_none() {
    let world = World::new("none").await;
    assert!(matches!(world.register(&world.thing, 1, Some(0)).await, Registered::Full));
    assert_eq!(world.things.get(&world.thing).await.unwrap(), None);
}

#[tokio::test]
async fn a_description_and_the_callers_item_are_written_together_or_not_at_all() {
    let world = World::active("described").await;
    assert!(matches!(world.describe(5, "A").await, Described::Applied(_)));
    assert!(matches!(world.describe(5, "B").await, Described::Stale(record) if record.described_at.is_some()));
    assert_eq!(world.beside().await.as_deref(), Some("A"));
    assert!(matches!(world.describe(6, "B").await, Described::Applied(_)));
    assert_eq!(world.beside().await.as_deref(), Some("B"));
    world.retire(&world.thing).await;
    assert!(matches!(world.describe(7, "C").await, Described::Retired(_)));
    assert_eq!(world.beside().await.as_deref(), Some("B"));
}

#[tokio::test]
async fn a_thing_without_a_record_cannot_be_described() {
    let world = World::new("nobody").await;
    assert_eq!(world.describe(5, "A").await, Described::Missing);
    assert_eq!(world.beside().await, None);
}

#[tokio::test]
async fn the_history_comes_newest_first_page_by_page() {
    let world = World::active("history").await;
    world.describe(5, "A").await;
    let notice = Notice { by: "operator".to_owned(), reasons: vec!["lost".to_owned()] };
    world.things.suspend(&world.thing, notice, now()).await.unwrap();
    let first = world.things.history(&world.thing, None, 3).await.unwrap();
    let revoked = [EventType::ThingSuspended, EventType::CertificateRevoked, EventType::ThingOnboarded];
    assert_eq!(kinds(&first.events), revoked);
    let second = world.things.history(&world.thing, first.next.as_ref(), 3).await.unwrap();
    assert_eq!(kinds(&second.events), [EventType::ThingActive, EventType::ThingRegistered]);
    assert_eq!(second.next, None);
}

#[tokio::test]
async fn a_row_that_is_no_record_is_an_error_and_not_a_panic() {
    let world = World::new("foreign").await;
    let put = world.dynamodb.put_item().table_name(&world.table);
    let put = put.item("thing", AttributeValue::S(world.thing.to_string()));
    put.item("item", AttributeValue::S("record".to_owned())).send().await.unwrap();
    let failure = world.things.get(&world.thing).await.unwrap_err();
    assert_eq!(loam_runtime::Failure::code(&failure), "bad-thing-row");
}

/// What one of several at once does to the thing, by chance.
async fn meddle(world: World, seed: u64) {
    let mut chance = Chance::new(seed);
    for _ in 0..12 {
        let (things, thing) = (&world.things, &world.thing);
        let certificate = world.certificate(chance.number(0, 3));
        let notice = Notice { by: "operator".to_owned(), reasons: vec![] };
        let addition = Addition { certificate: certificate.clone(), ca_id: world.ca.clone(), beside: Beside::Others };
        let outcome = match chance.number(0, 5) {
            0 => things.add_certificate(thing, addition, now()).await,
            1 => things.certificate_activated(thing, &certificate, now()).await,
            2 => things.certificate_retiring(thing, &certificate, now()).await,
            3 => things.certificate_revoked(thing, &certificate, notice, now()).await,
            4 => things.shadow_seeded(thing, now()).await,
            _ => {
                world.describe(i64::try_from(chance.number(0, 29)).unwrap(), "A").await;
                continue;
            }
        };
        // Contended is what a caller tries again; nothing else may happen.
        if let Err(failure) = outcome {
            assert_eq!(loam_runtime::Failure::code(&failure), "thing-contended");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_writers_at_once_leave_one_record_whose_events_tell_its_life() {
    for seed in 0..number_of("LOAM_STORE_HISTORIES", 3) {
        let world = World::registered("meddled").await;
        let mut running = JoinSet::new();
        for writer in 0..4 {
            running.spawn(meddle(world.clone(), seed * 4 + writer));
        }
        running.join_all().await;
        let (record, mut events) = (world.record().await, world.history().await);
        events.reverse();
        let versions: Vec<u64> =
            events.iter().map(|event| event.id.rsplit('.').next().unwrap().parse().unwrap()).collect();
        assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
        assert!(versions.last() <= Some(&record.version), "{versions:?} {record:?}");
        let live = record.live().count();
        let agrees = match record.state {
            LifeCycle::Registered | LifeCycle::Suspended => live == 0,
            LifeCycle::Active | LifeCycle::Onboarded | LifeCycle::Paired => live > 0,
            LifeCycle::Retired => panic!("nobody retired it"),
        };
        assert!(agrees, "{record:?}");
    }
}
