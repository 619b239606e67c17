//! What an app may do over MQTT with its identity's key, tried use by use against the deployed role and policy: its own mailbox,
//! and nothing of anybody else's.

use aws_sdk_iotdataplane::primitives::Blob;
use loam_kit::{App, LiveAccess, Person, Stack, join, now, unique_thing};
use serde_json::json;

use crate::wire::Client;

/// `{me}` is the app's own identity, `{you}` another person's, `{t}` a thing that both know of.
const SAYS: [&str; 2] = ["loam/users/{me}/things/{t}/desired", "loam/users/{me}/things/{t}/commands/request"];

const ASKS_FOR: [&str; 4] = [
    "loam/users/{me}/#",
    "loam/users/{me}/things/+/state",
    "loam/users/{me}/things/{t}/#",
    "loam/users/{me}/+/+/alerts",
];

/// What no app may publish: others' mailboxes, what only Loam says, devices' and AWS's topics.
const SAYS_WRONG: [&str; 29] = [
    "loam/users/{you}/things/{t}/desired",
    "loam/users/{you}/things/{t}/commands/request",
    "loam/users/{you}/things/{t}/state",
    "loam/users/{me}/things/{t}/state",
    "loam/users/{me}/things/{t}/presence",
    "loam/users/{me}/things/{t}/alerts",
    "loam/users/{me}/things/{t}/commands",
    "loam/users/{me}/things/{t}/members",
    "loam/users/{me}/things/{t}/files",
    "loam/users/{me}/things/{t}/desired/accepted",
    "loam/users/{me}/things",
    "loam/users/{me}",
    "loam/users/things/{t}/desired",
    "LOAM/users/{me}/things/{t}/desired",
    "loam/{t}/describe",
    "loam/{t}/commands/c-1/request",
    "loam/{t}/commands/c-1/succeeded",
    "loam/{t}/pairing/window",
    "loam/{t}/pairing/reset",
    "device/{t}/devicePayload",
    "lwt/{t}",
    "{t}/blink/loam-invoke/m-1",
    "loam-invoke/m-1/{t}/blink/ack",
    "$aws/things/{t}/shadow/get",
    "$aws/things/{t}/shadow/update",
    "$aws/things/{t}/shadow/delete",
    "$aws/things/{t}/jobs/get",
    "$aws/rules/anything/{t}",
    "{me}",
];

/// What no app may subscribe to.
const ASKS_WRONG: [&str; 26] = [
    "#",
    "+/#",
    "loam/#",
    "loam/+/#",
    "loam/users/#",
    "loam/users/+/#",
    "loam/users/+/things/{t}/state",
    "loam/users/{you}/#",
    "loam/users/{you}/things/{t}/state",
    "loam/users/{me}",
    "loam/{t}/#",
    "loam/{t}/commands/+/request",
    "loam/{t}/files/+/grant",
    "device/#",
    "device/{t}/#",
    "lwt/+",
    "{t}/#",
    "loam-invoke/#",
    "$aws/#",
    "$aws/things/{t}/shadow/#",
    "$aws/things/{t}/shadow/update/documents",
    "$aws/things/{t}/jobs/#",
    "$aws/events/#",
    "$aws/events/presence/+/{me}",
    "$share/g/loam/users/{me}/#",
    "$share/g/#",
];

struct Two {
    stack: Stack,
    thing: String,
    me: LiveAccess,
    you: LiveAccess,
}

impl Two {
    async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let access = async |name: &str| {
            let person = Person::of(&stack, &format!("{purpose}-{name}"), &[]).await;
            LiveAccess::of(&stack, &person).await
        };
        let (me, you, thing) = (access("me").await, access("you").await, unique_thing(purpose).to_string());
        Self { stack, thing, me, you }
    }

    fn of(&self, pattern: &str) -> String {
        let (me, you) = (&self.me.identity_id, &self.you.identity_id);
        pattern.replace("{me}", me).replace("{you}", you).replace("{t}", &self.thing)
    }

    async fn app(&self) -> App {
        App::connect(&self.stack, &self.me, &self.me.identity_id).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_uses_its_own_mailbox() {
    let two = Two::new("own").await;
    let mut app = two.app().await;
    for filter in ASKS_FOR {
        assert_eq!(app.subscribe(&two.of(filter)).await, Some(true), "{filter}");
    }
    for topic in SAYS {
        assert_eq!(app.publish(&two.of(topic), &json!({})).await, Some(true), "{topic}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_publishes_nowhere_else() {
    let two = Two::new("says").await;
    for topic in SAYS_WRONG {
        assert_ne!(two.app().await.publish(&two.of(topic), &json!({})).await, Some(true), "{topic}");
    }
    for topic in SAYS {
        let kept = two.app().await.publish_retained(&two.of(topic), &json!({})).await;
        assert_ne!(kept, Some(true), "{topic}: nothing of an app's is kept by the broker");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_subscribes_to_nothing_else() {
    let two = Two::new("asks").await;
    for filter in ASKS_WRONG {
        assert_ne!(two.app().await.subscribe(&two.of(filter)).await, Some(true), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_connects_as_nobody_else() {
    let two = Two::new("as").await;
    let near = [format!("{}x", two.me.identity_id), two.me.identity_id.to_uppercase(), "*".to_owned()];
    let region = two.me.identity_id.split(':').next().unwrap().to_owned();
    for client in
        near.into_iter().chain([two.you.identity_id.clone(), two.thing.clone(), format!("{region}:*"), region])
    {
        assert!(App::connect(&two.stack, &two.me, &client).await.is_none(), "{client}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_hears_what_is_said_in_its_own_mailbox_and_nothing_that_is_said_elsewhere() {
    let two = Two::new("hears").await;
    let (mut me, mut you) = (App::listening(&two.stack, &two.me).await, App::listening(&two.stack, &two.you).await);
    let broker = aws_sdk_iotdataplane::Client::new(&two.stack.admin().await);
    for topic in ["loam/users/{you}/things/{t}/state", "loam/{t}/describe", "loam/users/{me}/things/{t}/state"] {
        let send = broker.publish().topic(two.of(topic)).qos(1).payload(Blob::new(json!({"to": topic}).to_string()));
        send.send().await.unwrap();
    }
    let own = async |app: &mut App, whom: &LiveAccess| {
        let heard = app.heard_by_now(&format!("loam/users/{}/asked", whom.identity_id)).await;
        heard.into_iter().map(|(_, told)| told["to"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(own(&mut me, &two.me).await, ["loam/users/{me}/things/{t}/state"]);
    assert_eq!(own(&mut you, &two.you).await, ["loam/users/{you}/things/{t}/state"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_reaches_no_mailbox() {
    let two = Two::new("device").await;
    let device = join(&two.stack, &[&two.thing]).await.remove(0);
    for pattern in ["loam/users/{me}/things/{t}/state", "loam/users/{me}/things/{t}/desired", "loam/users/{me}/x"] {
        let topic = two.of(pattern);
        let mut wire = Client::connect(two.stack.mqtt_port, &device, &two.thing, None).await.unwrap();
        assert_ne!(wire.publish(&topic, &now().to_string(), false).await, Some(true), "{pattern}");
        let mut wire = Client::connect(two.stack.mqtt_port, &device, &two.thing, None).await.unwrap();
        assert_ne!(wire.subscribe(&topic).await, Some(true), "{pattern}");
    }
}
