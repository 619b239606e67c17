//! News for the mailboxes, broken; and good ones in any order, more than once, while the thing changes hands: who is no member
//! hears nothing, whatever still comes, and who is one hears all of their time.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp, UserId};
use loam_kit::{App, Chance, DeadLetterQueue, LiveAccess, Person, Stack, claims, now, number_of, unique_thing};
use loam_runtime::BatchItem;
use pairing::relay::{Handler, IdentityId, LIVE_MILLIS, Mailbox, RelayConfig};
use pairing::store::Store;
use serde_json::{Map, Value, json};

use crate::copies::{Run, batches, deliver};
use crate::kinds::{Due, FIELDS, WHOLE};
use crate::malformed::{self, in_batches, invocation, per_kind, storm, with_letters};
use crate::presence::no_events;
use crate::sending::{Volley, Volleys, on};

#[derive(Clone)]
struct Queue(Handler);

impl malformed::Target for Queue {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 1, |batch| async move { Box::pin(self.0.handle(batch, &invocation())).await }).await
    }
}

impl Run for Queue {
    async fn run(&self, batch: Vec<BatchItem>) -> Vec<String> {
        let all = batch.iter().map(|item| item.message_id.clone()).collect();
        Box::pin(self.0.handle(batch, &invocation())).await.unwrap_or(all)
    }
}

/// What the rule makes of a new state of the thing's shadow.
fn shadow(thing: &ThingName, document: &[u8], at: Timestamp) -> Value {
    on(thing, &format!("$aws/things/{thing}/shadow/update/documents"), document, at)
}

fn document(version: i64, at: Timestamp) -> String {
    let state = json!({"reported": {"on": true}});
    let times = json!({"reported": {"on": {"timestamp": at.as_secs()}}});
    json!({"current": {"state": state, "metadata": times, "version": version}}).to_string()
}

/// A document that nobody can read is kept; one of a thing that is nobody's is left alone.
fn volleys(count: usize, seed: u64) -> Vec<Volley> {
    let mut volleys = Volleys::new(count, seed);
    volleys.add_payloads(WHOLE.iter().chain(&FIELDS), Due::Either, |thing, payload| shadow(thing, payload, now()));
    volleys.add_events(|thing| shadow(thing, document(1, now()).as_bytes(), now()));
    volleys.add("an event that is none", Due::Kept, no_events);
    volleys.add_bodies();
    volleys.all()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_kept_or_left_alone_by_the_relay() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = RelayConfig::from_lookup(&with_letters(stack.function("PairingRelay"), &queue)).unwrap();
    let volleys = volleys(per_kind(), 23);
    assert!(volleys.len() >= 40, "{} kinds", volleys.len());
    storm("pairing-relay", Queue(Handler::new(&admin, config)), volleys, &queue).await;
}

/// Somebody with an app that listens.
struct Listener {
    user: UserId,
    identity: IdentityId,
    app: App,
    asked: usize,
}

impl Listener {
    async fn new(stack: &Stack, store: &Store, name: &str) -> Self {
        let person = Person::of(stack, name, &[]).await;
        let access = LiveAccess::of(stack, &person).await;
        let user = UserId::parse(claims(&person.id_token)["sub"].as_str().unwrap()).unwrap();
        let identity = IdentityId::parse(&access.identity_id).unwrap();
        let mailbox = Mailbox { identity: identity.clone(), live_until: now().plus_millis(LIVE_MILLIS) };
        store.put_mailbox(&user, &mailbox).await.unwrap();
        Self { user, identity, app: App::listening(stack, &access).await, asked: 0 }
    }

    /// What they have heard of the thing since they were asked last, each once.
    async fn heard(&mut self, thing: &ThingName) -> BTreeSet<String> {
        self.asked += 1;
        let own = format!("loam/users/{}/asked/{}", self.identity, self.asked);
        let heard = self.app.heard_by_now(&own).await;
        let ours = heard.iter().filter(|(topic, _)| topic.contains(&format!("/things/{thing}/")));
        ours.map(|(_, told)| if told["id"].is_null() { told["version"].to_string() } else { told["id"].to_string() })
            .collect()
    }
}

/// Whose the thing is from when on, in which epoch.
struct Time {
    epoch: u64,
    since: Timestamp,
    /// Places among the listeners; the first owns it.
    members: &'static [usize],
}

/// A thing and its news.
struct Scene {
    relay: Queue,
    rows: aws_sdk_dynamodb::Client,
    table: String,
    thing: ThingName,
    listeners: Vec<Listener>,
    chance: Chance,
}

impl Scene {
    async fn new() -> Self {
        let stack = Stack::deployed();
        let function = stack.function("PairingRelay");
        let config = RelayConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let admin = stack.admin().await;
        let store = Store::of_mailboxes(&admin, config.pairings_table.clone());
        let mut listeners = Vec::new();
        for name in ["storm-ann", "storm-bob", "storm-cid"] {
            listeners.push(Listener::new(&stack, &store, name).await);
        }
        Self {
            rows: aws_sdk_dynamodb::Client::new(&admin),
            table: config.pairings_table.clone(),
            relay: Queue(Handler::new(&stack.role_of(function, &stack.endpoint).await, config)),
            thing: unique_thing("storm"),
            listeners,
            chance: Chance::new(29),
        }
    }

    /// Writes whose the thing is; nothing but this row, so that nobody tells of it.
    async fn becomes(&self, time: &Time) {
        let member = |(place, at): (usize, &usize)| {
            let role = if place == 0 { "owner" } else { "viewer" };
            let member = json!({"role": role, "since": time.since, "by": null, "mail": false});
            (self.listeners[*at].user.to_string(), member)
        };
        let members: Map<_, _> = time.members.iter().enumerate().map(member).collect();
        let standing =
            if members.is_empty() { json!({"state": "erasing", "heir": null}) } else { json!({"state": "paired"}) };
        let row = json!({"version": time.epoch, "epoch": time.epoch, "standing": standing, "since": time.since,
            "updatedAt": time.since, "members": members, "invitations": {}, "offer": null, "lastEnd": null});
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.rows.put_item().table_name(&self.table).item("thing", text(self.thing.as_str()));
        put.item("item", text("tenancy")).item("row", text(&row.to_string())).send().await.unwrap();
    }

    /// Of this time, so much news: what is told of each, and the messages.
    fn news(&self, time: &Time, first: i64, count: i64) -> (BTreeSet<String>, Vec<String>) {
        let kinds = ["presence.connected", "command.succeeded", "member.joined"];
        let one = |number: i64| {
            let at = time.since.plus_millis(number - first);
            let Some(kind) = kinds.get(usize::try_from(number % 4).unwrap()) else {
                let document = document(number, at);
                return (number.to_string(), shadow(&self.thing, document.as_bytes(), at).to_string());
            };
            let id = format!("{}.{number}", self.thing);
            let event = json!({"id": id, "type": kind, "thing": self.thing, "at": at, "epoch": time.epoch, "data": {}});
            (json!(id).to_string(), event.to_string())
        };
        (first..first + count).map(one).unzip()
    }

    async fn storm(&mut self, messages: &[String]) {
        let batches = batches(messages, &mut self.chance);
        deliver(&self.relay, batches).await;
    }

    /// The thing changes hands while old news come; they come again, with those of the new time. `own` is what its members are
    /// to hear in the end.
    async fn change(&mut self, time: &Time, old: &[String], own: (&BTreeSet<String>, &[String])) {
        let batches = batches(old, &mut self.chance);
        tokio::join!(deliver(&self.relay, batches), self.becomes(time));
        for listener in &mut self.listeners {
            // What was told in the middle of the change belongs to the one time or the other.
            listener.heard(&self.thing).await;
        }
        let (expected, messages) = own;
        self.storm(&[old, messages].concat()).await;
        for (at, listener) in self.listeners.iter_mut().enumerate() {
            let heard = listener.heard(&self.thing).await;
            if time.members.contains(&at) {
                assert_eq!(heard, *expected, "the listener {at} in the epoch {}", time.epoch);
            } else {
                assert!(heard.is_empty(), "the listener {at} in the epoch {} heard {heard:?}", time.epoch);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_in_any_order_while_a_thing_changes_hands_reach_its_members_and_nobody_else() {
    let mut scene = Scene::new().await;
    let count = i64::try_from((number_of("LOAM_STORM_EVENTS", 48_usize) / 4).clamp(8, 60)).unwrap();
    let since = |seconds: i64| now().plus_millis(seconds * 1_000 - 600_000);
    let first = Time { epoch: 1, since: since(0), members: &[0, 1] };
    let (told, mut messages) = scene.news(&first, 0, count);
    scene.change(&first, &[], (&told, &messages)).await;

    // The guest is removed: the owner hears all of their time, also what is older.
    let alone = Time { epoch: 1, since: first.since, members: &[0] };
    let (more, later) = scene.news(&Time { since: since(60), ..alone }, count, count);
    let all: BTreeSet<_> = told.union(&more).cloned().collect();
    scene.change(&alone, &messages, (&all, &later)).await;
    messages.extend(later);

    // The next owner hears nothing of the time before.
    let second = Time { epoch: 2, since: since(120), members: &[2] };
    let (told, later) = scene.news(&second, 2 * count, count);
    scene.change(&second, &messages, (&told, &later)).await;
    messages.extend(later);

    // Nobody's: nobody hears anything.
    let nobodys = Time { epoch: 3, since: since(180), members: &[] };
    scene.change(&nobodys, &messages, (&BTreeSet::new(), &[])).await;
    println!("figure: storm pairing-relay: {} messages in copies, none to a non-member", messages.len());
}
