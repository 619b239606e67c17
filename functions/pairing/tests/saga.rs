//! The queue's function against the local AWS, under its own role.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use loam_domain::{EventType, ThingName, Timestamp, UserId};
use loam_kit::{
    DeadLetterQueue, Stack, begin_retirement, eventually, now, register_described, rule_event, unique_thing,
};
use loam_runtime::{BatchItem, Invocation};
use loam_things::{Acknowledgement, LifeCycle};
use pairing::saga::{Config, Handler};
use pairing::store::{Came, ERASERS, Store};
use pairing::tenancy::{Actor, Intent, Standing};
use pairing::token::{ShareId, Token};
use serde_json::{Value, json};

/// When everything is quiet.
const LATER: i64 = 60_000;

struct World {
    handler: Handler,
    store: Store,
    dead_letters: DeadLetterQueue,
    thing: ThingName,
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

impl World {
    /// A thing that is onboarded.
    async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("Pairing");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let admin = stack.admin().await;
        let (store, thing) = (Store::new(&admin, config.tables.clone()), unique_thing(purpose));
        register_described(store.things(), &thing).await;
        Self {
            handler: Handler::new(&stack.role_of(function, &stack.endpoint).await, config),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("PairingDeadLetters")),
            store,
            thing,
        }
    }

    async fn change(&self, intent: Intent) -> Came {
        self.store.change(&self.thing, &intent, &[], now()).await.unwrap()
    }

    async fn paired(&self) {
        let came = self.change(Intent::Pair { user: user("ann"), epoch: 1 }).await;
        assert!(matches!(came, Came::Done { .. }), "{came:?}");
    }

    async fn deliver(&self, message: &Value, at: Timestamp) {
        let item = BatchItem { message_id: "0".to_owned(), body: message.to_string() };
        let invocation = Invocation { request_id: "test".to_owned(), now: at };
        assert!(self.handler.handle(vec![item], &invocation).await.unwrap().is_empty());
    }

    fn word(&self, word: &str, payload: &str) -> Value {
        let mut event = rule_event(&self.thing, payload.as_bytes(), now());
        let fields = event.as_object_mut().unwrap();
        fields.insert("topic".to_owned(), format!("loam/{}/pairing/{word}", self.thing).into());
        fields.insert("clientId".to_owned(), self.thing.as_str().into());
        event
    }

    fn event(&self, kind: &str) -> Value {
        json!({"id": "x", "type": kind, "thing": self.thing, "at": 7, "epoch": 2, "data": {}})
    }

    async fn record(&self) -> loam_things::ThingRecord {
        self.store.things().get(&self.thing).await.unwrap().unwrap()
    }

    async fn everybody_erased(&self) {
        let later = now().plus_millis(LATER);
        for capability in ERASERS.map(str::to_owned) {
            let word = Acknowledgement { capability, through: 1, looked_at: later };
            self.store.things().acknowledge_erasure(&self.thing, word, later).await.unwrap();
        }
        self.deliver(&self.event("thing.erasure-acknowledged"), later).await;
    }
}

#[tokio::test]
async fn a_press_opens_a_window_once_and_one_of_a_stranger_opens_none() {
    let world = World::new("press").await;
    let press = world.word("window", r#"{"durationSeconds":600}"#);
    world.deliver(&press, now()).await;
    let window = world.store.window(&world.thing).await.unwrap().unwrap();
    assert!(window.is_open(now(), 1));
    world.deliver(&press, now()).await;
    assert_eq!(world.store.window(&world.thing).await.unwrap(), Some(window));
    let stranger = World { thing: unique_thing("stranger"), ..world };
    stranger.deliver(&stranger.word("window", ""), now()).await;
    assert_eq!(stranger.store.window(&stranger.thing).await.unwrap(), None);
}

#[tokio::test]
async fn a_press_that_nobody_can_read_is_kept() {
    let world = World::new("odd").await;
    world.deliver(&world.word("window", r#"{"durationSeconds":-1}"#), now()).await;
    let is_kept = async || world.dead_letters.texts().await.iter().any(|text| text.contains(world.thing.as_str()));
    eventually("the press is kept", async || is_kept().await.then_some(())).await;
    assert_eq!(world.store.window(&world.thing).await.unwrap(), None);
}

#[tokio::test]
async fn a_reset_ends_the_owners_time_at_once_and_the_next_begins_when_all_is_erased() {
    let world = World::new("reset").await;
    world.paired().await;
    world.deliver(&world.word("reset", r#"{"epoch":7}"#), now()).await;
    assert!(world.record().await.is_paired(), "it was meant for another time");
    world.deliver(&world.word("reset", r#"{"epoch":1}"#), now()).await;
    let record = world.record().await;
    assert_eq!((record.state, record.epoch), (LifeCycle::Onboarded, 2));
    assert!(matches!(world.change(Intent::Pair { user: user("bob"), epoch: 2 }).await, Came::Nothing(_)));
    world.deliver(&world.event("thing.erasure-acknowledged"), now()).await;
    assert!(world.record().await.erasure.is_some(), "others are awaited");
    world.everybody_erased().await;
    assert_eq!(world.record().await.erasure, None);
    assert!(matches!(world.change(Intent::Pair { user: user("bob"), epoch: 2 }).await, Came::Done { .. }));
    world.deliver(&world.word("reset", r#"{"epoch":1}"#), now()).await;
    assert!(world.record().await.is_paired(), "the first owner's reset came twice");
}

#[tokio::test]
async fn an_heir_owns_the_thing_as_soon_as_nothing_is_left() {
    let world = World::new("heir").await;
    world.paired().await;
    let (id, token) = (ShareId::from_random([1; 16]), Token::new([2; 32]).hash());
    world.change(Intent::Offer { by: user("ann"), id: id.clone(), token }).await;
    world.change(Intent::TakeOver { user: user("bob"), id, token }).await;
    assert_eq!(world.store.tenancy(&world.thing).await.unwrap().unwrap().owner(), None);
    world.everybody_erased().await;
    assert_eq!(world.store.tenancy(&world.thing).await.unwrap().unwrap().owner(), Some(&user("bob")));
    assert!(world.record().await.is_paired());
    let history = world.store.things().history(&world.thing, None, 2).await.unwrap();
    let told: Vec<_> = history.events.iter().map(|event| event.kind).collect();
    assert_eq!(told, [EventType::ThingPaired, EventType::ThingErased]);
}

#[tokio::test]
async fn with_a_thing_that_retires_everybodys_time_is_over_for_ever() {
    let world = World::new("retires").await;
    world.paired().await;
    world.deliver(&world.word("window", ""), now()).await;
    world.deliver(&world.event("thing.retiring"), now()).await;
    assert!(world.record().await.is_paired(), "an order that is not in the record ends nothing");
    begin_retirement(world.store.things(), &world.thing, &["pairing", "nobody"], now()).await;
    world.deliver(&world.event("thing.retiring"), now()).await;
    let tenancy = world.store.tenancy(&world.thing).await.unwrap().unwrap();
    assert_eq!((tenancy.standing, tenancy.members.len()), (Standing::Gone, 0));
    assert_eq!(world.store.window(&world.thing).await.unwrap(), None);
    assert!(!world.record().await.retirement.unwrap().awaiting.contains("pairing"));
    let unpair = world.change(Intent::Unpair { by: Actor::Operator }).await;
    assert!(matches!(unpair, Came::Nothing(_)), "{unpair:?}");
}
