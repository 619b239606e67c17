//! A device's words and the erasers' acknowledgements, broken; and good ones in any order, more than once, beside people who
//! share the thing and hand it over: it is always one person's, or nobody's.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::pairing::claim_code::ClaimCode;
use loam_domain::{ThingName, Timestamp, UserId};
use loam_kit::{Chance, DeadLetterQueue, Stack, now, number_of, register_described, twin_of_table, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Acknowledgement;
use pairing::people::Guest;
use pairing::saga::{Config, Handler};
use pairing::store::{Came, ERASERS, Store};
use pairing::tenancy::{Intent, Standing, Tenancy};
use pairing::token::{ShareId, Token};
use serde_json::{Value, json};

use crate::copies::{Run, batches, deliver};
use crate::kinds::{Due, WHOLE};
use crate::malformed::{self, in_batches, invocation, per_kind, storm, with_letters};
use crate::presence::no_events;
use crate::sending::{Volley, Volleys, on};

/// The queue's function, at a time.
#[derive(Clone)]
struct Queue(Handler, Timestamp);

impl malformed::Target for Queue {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 1, |batch| async move { Box::pin(self.0.handle(batch, &invocation())).await }).await
    }
}

impl Run for Queue {
    async fn run(&self, batch: Vec<BatchItem>) -> Vec<String> {
        let all = batch.iter().map(|item| item.message_id.clone()).collect();
        let invocation = Invocation { request_id: "storm".to_owned(), now: self.1 };
        Box::pin(self.0.handle(batch, &invocation)).await.unwrap_or(all)
    }
}

/// What the rules make of a word of the device.
fn said(thing: &ThingName, word: &str, payload: &[u8], at: Timestamp) -> Value {
    on(thing, &format!("loam/{thing}/pairing/{word}"), payload, at)
}

/// A word that nobody can read is kept; one of a thing that is not ours is left alone.
fn volleys(count: usize, seed: u64) -> Vec<Volley> {
    let mut volleys = Volleys::new(count, seed);
    for word in ["window", "reset"] {
        volleys.add_payloads(&WHOLE, Due::Either, |thing, payload| said(thing, word, payload, now()));
    }
    volleys.add_events(|thing| said(thing, "window", b"{}", now()));
    volleys.add("an event that is none", Due::Kept, no_events);
    volleys.add_bodies();
    volleys.all()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_kept_or_left_alone_by_pairing() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = Config::from_lookup(&with_letters(stack.function("Pairing"), &queue)).unwrap();
    let volleys = volleys(per_kind(), 17);
    assert!(volleys.len() >= 40, "{} kinds", volleys.len());
    storm("pairing", Queue(Handler::new(&admin, config), now()), volleys, &queue).await;
}

/// Waves of one thing's life.
const WAVES: i64 = 5;
/// From one wave to the next, in milliseconds.
const WAVE_MILLIS: i64 = 120_000;
/// When the words of a wave are dealt with, and when all is quiet after an end; from the wave's begin, in milliseconds.
const DEALT_MILLIS: i64 = 10_000;
const QUIET_MILLIS: i64 = 60_000;

/// A thing, of which no deployed function hears.
struct Life {
    handler: Handler,
    store: Store,
    rows: aws_sdk_dynamodb::Client,
    memberships: String,
    thing: ThingName,
    began: Timestamp,
}

/// What comes of a wave.
struct Wave {
    at: Timestamp,
    /// The device is reset in it.
    resets: bool,
    /// The owner hands the thing over in it.
    hands_over: bool,
}

impl Life {
    async fn begin() -> Self {
        let stack = Stack::deployed();
        let (admin, thing) = (stack.admin().await, unique_thing("storm"));
        let mut config = Config::from_lookup(&|name| stack.function("Pairing").variable(name)).unwrap();
        config.tables.things = twin_of_table(&admin, &config.tables.things).await;
        let store = Store::new(&admin, config.tables.clone());
        register_described(store.things(), &thing).await;
        Self {
            rows: aws_sdk_dynamodb::Client::new(&admin),
            memberships: config.tables.memberships.clone(),
            handler: Handler::new(&admin, config),
            store,
            thing,
            began: now(),
        }
    }

    fn user(&self, name: &str) -> UserId {
        UserId::parse(&format!("{name}-{}", self.thing)).unwrap()
    }

    async fn tenancy(&self) -> Tenancy {
        self.store.known(&self.thing).await.unwrap().unwrap().tenancy
    }

    async fn want(&self, intent: Intent, at: Timestamp) -> Came {
        self.store.change(&self.thing, &intent, &[], at).await.unwrap()
    }

    fn event(&self, kind: &str, at: Timestamp) -> String {
        json!({"id": format!("{}.9", self.thing), "type": kind, "thing": self.thing, "at": at, "epoch": 1, "data": {}})
            .to_string()
    }

    /// All that may come in a wave: presses of it, resets of every time up to `through`, and what changes nothing.
    fn messages(&self, wave: &Wave, through: u64) -> Vec<String> {
        let code = json!({"durationSeconds": 600, "code": ClaimCode::from_random([5; 7]).spelled()}).to_string();
        let press = |payload: &str, later: i64| {
            said(&self.thing, "window", payload.as_bytes(), wave.at.plus_millis(later)).to_string()
        };
        let reset = |payload: String, at| said(&self.thing, "reset", payload.as_bytes(), at).to_string();
        let mut messages = vec![
            press("", 1_000),
            press(&code, 2_000),
            press(r#"{"durationSeconds":300}"#, NEWEST_MILLIS),
            press("", -WAVE_MILLIS),
            // The device has forgotten when it was paired, and says so late.
            reset(String::new(), self.began.plus_millis(-1)),
        ];
        messages.extend((1..=through).map(|epoch| reset(json!({ "epoch": epoch }).to_string(), wave.at)));
        let others = ["thing.erasure-acknowledged", "thing.retiring", "thing.onboarded", "thing.unpaired"];
        messages.extend(others.map(|kind| self.event(kind, wave.at)));
        messages
    }

    /// Before the storm: it has an owner, who invites and perhaps offers.
    async fn prepare(&self, wave: &Wave, number: i64) -> Tenancy {
        let before = self.tenancy().await;
        if before.standing == Standing::Vacant {
            let user = self.user(&format!("owner{number}"));
            let came = self.want(Intent::Pair { user, epoch: before.epoch }, wave.at).await;
            assert!(matches!(came, Came::Done { .. }), "{came:?}");
        }
        let by = self.tenancy().await.owner().unwrap().clone();
        for guest in 0..GUESTS {
            let (id, token) = (share("guest", number, guest), Token::new([1; 32]).hash());
            self.want(Intent::Invite { by: by.clone(), id, token, guest: Guest::Viewer }, wave.at).await;
        }
        if wave.hands_over {
            let (id, token) = (share("offer", number, 0), Token::new([2; 32]).hash());
            let came = self.want(Intent::Offer { by, id, token }, wave.at).await;
            assert!(matches!(came, Came::Done { .. }), "{came:?}");
        }
        self.tenancy().await
    }

    /// What people do in the storm: guests come, somebody takes the thing over.
    async fn live(&self, wave: &Wave, number: i64) {
        let at = wave.at.plus_millis(DEALT_MILLIS);
        for guest in 0..GUESTS {
            let (id, token) = (share("guest", number, guest), Token::new([1; 32]).hash());
            self.want(Intent::Accept { user: self.user(&format!("guest{guest}")), id, token }, at).await;
            if wave.hands_over && guest == GUESTS / 2 {
                let (id, token) = (share("offer", number, 0), Token::new([2; 32]).hash());
                self.want(Intent::TakeOver { user: self.user(&format!("heir{number}")), id, token }, at).await;
            }
        }
    }

    async fn weather(&self, wave: &Wave, number: i64, chance: &mut Chance) {
        let before = self.prepare(wave, number).await;
        let through = if wave.resets { before.epoch } else { before.epoch - 1 };
        let queue = Queue(self.handler.clone(), wave.at.plus_millis(DEALT_MILLIS));
        let batches = batches(&self.messages(wave, through), chance);
        tokio::join!(deliver(&queue, batches), self.live(wave, number));
        let after = self.tenancy().await;
        let ends = wave.resets || wave.hands_over;
        assert_eq!(after.epoch, before.epoch + u64::from(ends), "an owner's time ends once: {after:?}");
        self.assert_agrees().await;
        let window = self.store.window(&self.thing).await.unwrap();
        if ends {
            self.assert_closed(&after, wave.at.plus_millis(DEALT_MILLIS)).await;
            self.erased(wave, &after, chance).await;
        } else {
            let opened_at = window.map(|window| window.opened_at);
            assert_eq!(opened_at, Some(wave.at.plus_millis(NEWEST_MILLIS)), "the newest press counts");
        }
    }

    /// All acknowledge, and the same messages come again: the heir owns the thing, or nobody does.
    async fn erased(&self, wave: &Wave, ended: &Tenancy, chance: &mut Chance) {
        let at = wave.at.plus_millis(QUIET_MILLIS);
        for capability in ERASERS.map(str::to_owned) {
            let word = Acknowledgement { capability, through: ended.epoch - 1, looked_at: at };
            self.store.things().acknowledge_erasure(&self.thing, word, at).await.unwrap();
        }
        let queue = Queue(self.handler.clone(), at);
        deliver(&queue, batches(&self.messages(wave, ended.epoch - 1), chance)).await;
        let after = self.tenancy().await;
        let heir = if let Standing::Erasing { heir } = &ended.standing { heir.as_ref() } else { None };
        assert_eq!(after.owner(), heir.map(|heir| &heir.user), "{after:?}");
        assert_eq!((after.epoch, after.members.len()), (ended.epoch, usize::from(heir.is_some())), "{after:?}");
        assert!(heir.is_some() || after.standing == Standing::Vacant, "{after:?}");
        self.assert_agrees().await;
        self.assert_closed(&after, at).await;
    }

    /// No press of an owner's time opens anything to those who come after it.
    async fn assert_closed(&self, tenancy: &Tenancy, at: Timestamp) {
        let window = self.store.window(&self.thing).await.unwrap();
        assert!(!window.is_some_and(|window| window.is_open(at, tenancy.epoch)), "{tenancy:?}");
    }

    /// Tenancy, record and memberships say the same, and it has one owner or none.
    async fn assert_agrees(&self) {
        let known = self.store.known(&self.thing).await.unwrap().unwrap();
        let (record, tenancy) = (known.record, known.tenancy);
        let paired = tenancy.standing == Standing::Paired;
        assert_eq!((record.epoch, record.is_paired()), (tenancy.epoch, paired), "{tenancy:?}");
        assert_eq!(record.erasure.is_some(), matches!(tenancy.standing, Standing::Erasing { .. }), "{tenancy:?}");
        let thing = AttributeValue::S(self.thing.to_string());
        let query = self.rows.query().table_name(&self.memberships).index_name("byThing");
        let query = query.key_condition_expression("thing = :thing").expression_attribute_values(":thing", thing);
        let rows = query.send().await.unwrap().items.unwrap_or_default();
        let text = |value: Option<&AttributeValue>| value.and_then(|value| value.as_s().ok()).unwrap().clone();
        let rows: BTreeMap<_, _> = rows.iter().map(|row| (text(row.get("user")), text(row.get("role")))).collect();
        let members = tenancy.members.iter();
        let members: BTreeMap<_, _> =
            members.map(|(user, member)| (user.to_string(), member.role.as_str().to_owned())).collect();
        assert_eq!(rows, members);
        assert_eq!(members.values().filter(|role| *role == "owner").count(), usize::from(paired));
    }
}

/// Who come in a wave.
const GUESTS: usize = 4;
/// The last press of a wave, from its begin, in milliseconds.
const NEWEST_MILLIS: i64 = 3_000;

fn share(word: &str, wave: i64, number: usize) -> ShareId {
    ShareId::parse(&format!("{word}-{wave}-{number}")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_in_any_order_beside_people_leave_one_owner_or_none_and_an_owners_time_ends_once() {
    let lives = (number_of("LOAM_STORM_EVENTS", 150_usize) / 50).clamp(2, 40);
    let (mut chance, mut ends) = (Chance::new(19), 0);
    for _ in 0..lives {
        let life = Life::begin().await;
        for number in 0..WAVES {
            let at = life.began.plus_millis(number * WAVE_MILLIS);
            // Each kind of wave is in each life; the last may be of any.
            let (resets, hands_over) = match number {
                0 => (false, false),
                1 => (true, false),
                2 => (false, true),
                3 => (true, true),
                _ => (chance.one(&[true, false]), chance.one(&[true, false])),
            };
            ends += usize::from(resets || hands_over);
            Box::pin(life.weather(&Wave { at, resets, hands_over }, number, &mut chance)).await;
        }
    }
    println!("figure: storm pairing: {lives} things, {ends} ends of owners' times, one owner or none after each");
}
