//! pairing-relay: a batch for the mailboxes.

use std::collections::BTreeSet;
use std::sync::Mutex;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::ThingName;
use loam_kit::wiretap::Scenario;
use loam_kit::{App, DeadLetterQueue, LiveAccess, Person, Stack, claims, now, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use pairing::people::UserId;
use pairing::relay::{Handler, IdentityId, LIVE_MILLIS, Mailbox, RelayConfig};
use pairing::store::Store;
use serde_json::{Value, json};

use crate::{all_done, survives_crashes, survives_strain};

/// A batch: whose the thing is, and whether something in it can never be told.
pub(crate) struct Story {
    name: &'static str,
    owned: bool,
    broken: bool,
}

pub(crate) const STORIES: [Story; 3] = [
    Story { name: "relay: a new state and a command of somebody's thing", owned: true, broken: false },
    Story { name: "relay: a new state, and what nobody sends", owned: true, broken: true },
    Story { name: "relay: news of a thing that is nobody's any more", owned: false, broken: false },
];

/// A person, and what they connect with. A second connection of the same identity ends the first, so that worlds that stand
/// beside each other have different ones.
struct Listener {
    user: UserId,
    access: LiveAccess,
}

/// Those whose worlds are gone.
static IDLE: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

impl Listener {
    async fn idle(stack: &Stack) -> Self {
        let idle = IDLE.lock().unwrap().pop();
        if let Some(listener) = idle {
            return listener;
        }
        let person = Person::of(stack, unique_thing("fault-relay").as_str(), &[]).await;
        let claims = claims(&person.id_token);
        let user = UserId::parse(claims.get("sub").and_then(Value::as_str).unwrap()).unwrap();
        Self { user, access: LiveAccess::of(stack, &person).await }
    }
}

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    thing: ThingName,
    dead_letters: DeadLetterQueue,
    app: tokio::sync::Mutex<App>,
    listener: Option<Listener>,
}

impl Drop for World {
    fn drop(&mut self) {
        IDLE.lock().unwrap().extend(self.listener.take());
    }
}

/// What is left after a run, each once: the topics that were told, the codes of what was kept.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    told: BTreeSet<String>,
    kept: BTreeSet<String>,
}

impl Story {
    fn batch(&self, thing: &ThingName) -> Vec<BatchItem> {
        let document = json!({"current": {"state": {"reported": {"on": true}}, "version": 4,
            "metadata": {"reported": {"on": {"timestamp": now().as_secs()}}}}});
        let document = if self.broken { json!([document]) } else { document };
        let shadow = |document: &Value| {
            json!({"payload": STANDARD.encode(document.to_string()), "receivedAt": now().as_millis(),
                "topic": format!("$aws/things/{thing}/shadow/update/documents")})
        };
        let event = json!({"id": format!("{thing}.4"), "type": "command.accepted", "thing": thing, "epoch": 1,
            "at": now().as_millis(), "data": {}});
        let item = |(at, body): (usize, Value)| BatchItem { message_id: at.to_string(), body: body.to_string() };
        [shadow(&document), event].into_iter().enumerate().map(item).collect()
    }

    /// Whose the thing is, as the tenancy's row says it.
    fn tenancy(&self, user: &UserId) -> Value {
        let since = now().plus_millis(-60_000);
        let owner = json!({user.as_str(): {"role": "owner", "since": since, "by": null, "mail": false}});
        let (members, standing) =
            if self.owned { (owner, json!({"state": "paired"})) } else { (json!({}), json!({"state": "vacant"})) };
        json!({"version": 1, "epoch": 1, "standing": standing, "since": since, "updatedAt": since, "members": members,
            "invitations": {}, "offer": null, "lastEnd": null})
    }
}

impl Scenario for Story {
    type World = World;
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let (stack, thing) = (Stack::deployed(), unique_thing("fault"));
        let function = stack.function("PairingRelay");
        let config = RelayConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let (admin, listener) = (stack.admin().await, Listener::idle(&stack).await);
        let Listener { user, access } = &listener;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = aws_sdk_dynamodb::Client::new(&admin).put_item().table_name(&config.pairings_table);
        let put = put.item("thing", text(thing.as_str())).item("item", text("tenancy"));
        put.item("row", text(&self.tenancy(user).to_string())).send().await.unwrap();
        let identity = IdentityId::parse(&access.identity_id).unwrap();
        let mailbox = Mailbox { identity, live_until: now().plus_millis(LIVE_MILLIS) };
        let store = Store::of_mailboxes(&admin, config.pairings_table.clone());
        store.put_mailbox(user, &mailbox).await.unwrap();
        Ok(World {
            app: tokio::sync::Mutex::new(App::listening(&stack, access).await),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("RelayDeadLetters")),
            handler: Handler::new(&stack.role_of(function, endpoint).await, config),
            thing,
            listener: Some(listener),
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let invocation = Invocation { request_id: "fault".to_owned(), now: now() };
        all_done(world.handler.handle(self.batch(&world.thing), &invocation).await)
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let identity = &world.listener.as_ref().unwrap().access.identity_id;
        let own = format!("loam/users/{identity}/things/{}/asked", world.thing);
        let heard = world.app.lock().await.heard_by_now(&own).await;
        let last = |topic: &str| topic.rsplit('/').next().unwrap_or_default().to_owned();
        let kept = world.dead_letters.about(world.thing.as_str()).await;
        let code = |kept: Value| kept.get("code").and_then(Value::as_str).unwrap_or("no code").to_owned();
        Ok(Left {
            // What comes late may be of a world before.
            told: heard
                .iter()
                .filter(|(topic, _)| topic.contains(world.thing.as_str()))
                .map(|(topic, _)| last(topic))
                .collect(),
            kept: kept.into_iter().map(code).collect(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pairing_relay_tells_everybody_in_the_end_wherever_it_crashes() {
    for story in &STORIES {
        Box::pin(survives_crashes(story)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pairing_relay_loses_no_news_to_throttling_and_failures() {
    for story in &STORIES {
        Box::pin(survives_strain(story)).await;
    }
}
