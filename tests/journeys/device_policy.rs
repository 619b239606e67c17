//! What a device may do with its own topics, and what it may not with anybody else's: each use of each topic, tried over
//! MQTT by a thing with its own certificate. How the broker says no to an MQTT 5 client (CONNACK, PUBACK and SUBACK with
//! "not authorized"): <https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html#mqtt5-reason-codes>.

use aws_sdk_iot::Client as Iot;
use aws_sdk_iotdataplane::Client as Data;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_kit::{Credentials, Stack, join, now, unique_thing};
use serde_json::json;

use crate::wire::Client;

/// The template's default of InvokeTopicPrefix.
const PREFIX: &str = "loam-invoke";

/// What a device publishes. `{t}` is the thing, `{p}` the prefix of calls.
const SAYS: [&str; 27] = [
    "device/{t}/devicePayload",
    "device/{t}/sensor/temperature/v1",
    "lwt/{t}",
    "loam/{t}/describe",
    "{p}/m-1/{t}/blink/ack",
    "loam/{t}/commands/c-1/accepted",
    "loam/{t}/commands/c-1/progress",
    "loam/{t}/commands/c-1/succeeded",
    "loam/{t}/commands/c-1/failed",
    "loam/{t}/commands/c-1/rejected",
    "loam/{t}/pairing/window",
    "loam/{t}/pairing/reset",
    "loam/{t}/files/request",
    "loam/{t}/files/complete",
    "loam/{t}/firmware/r-1/progress",
    "$aws/things/{t}/shadow/get",
    "$aws/things/{t}/shadow/update",
    "$aws/things/{t}/shadow/delete",
    "$aws/things/{t}/shadow/name/setup/get",
    "$aws/things/{t}/shadow/name/setup/update",
    "$aws/things/{t}/shadow/name/setup/delete",
    "$aws/things/{t}/jobs/get",
    "$aws/things/{t}/jobs/start-next",
    "$aws/things/{t}/jobs/$next/get",
    "$aws/things/{t}/jobs/j-1/get",
    "$aws/things/{t}/jobs/j-1/update",
    "$aws/things/{t}/jobs/$next/update",
];

/// What a device subscribes to; the first is what the published sample of synchronous calls does.
const ASKS_FOR: [&str; 16] = [
    "{t}/#",
    "{t}/+/{p}/+",
    "{t}/blink/{p}/m-1",
    "loam/{t}/#",
    "loam/{t}/commands/+/request",
    "loam/{t}/files/+/grant",
    "loam/{t}/files/+/rejected",
    "$aws/things/{t}/shadow/#",
    "$aws/things/{t}/shadow/update/delta",
    "$aws/things/{t}/shadow/get/accepted",
    "$aws/things/{t}/shadow/name/+/update/documents",
    "$aws/things/{t}/jobs/#",
    "$aws/things/{t}/jobs/notify",
    "$aws/things/{t}/jobs/notify-next",
    "$aws/things/{t}/jobs/+/get/accepted",
    "$aws/things/{t}/jobs/start-next/rejected",
];

/// What Loam sends to a device.
const HEARS: [&str; 4] =
    ["{t}/blink/{p}/m-1", "loam/{t}/commands/c-1/request", "loam/{t}/files/f-1/grant", "loam/{t}/files/f-1/rejected"];

/// What no device may publish, whatever its name.
const SAYS_WRONG: [&str; 14] = [
    "{p}/m-1/{w}/{t}/ack",
    "{p}/{t}/{w}/blink/ack",
    "{p}/{t}/ack",
    "{p}/m-1/{t}",
    "lwt/{t}/more",
    "device/{t}",
    "loam/{t}",
    "loam/users/u-1/things/{t}/state",
    "{t}/blink/{p}/m-1",
    "{w}/{t}/{p}/m-1",
    "DEVICE/{t}/devicePayload",
    "Loam/{t}/describe",
    "$aws/rules/anything/{t}",
    "$aws/things/{t}/streams/s-1/get/json",
];

/// What no device may subscribe to.
const ASKS_WRONG: [&str; 32] = [
    "#",
    "+",
    "+/#",
    "+/+/#",
    "/#",
    "loam/#",
    "loam/+/#",
    "loam/+/commands/+/request",
    "loam/+",
    "loam/{t}",
    "loam/users/#",
    "device/#",
    "device/+/devicePayload",
    "device/{t}/#",
    "lwt/+",
    "lwt/{t}",
    "+/{t}/#",
    "{t}",
    "+/+/{p}/+",
    "{p}/#",
    "{p}/+/+/+/ack",
    "{p}/+/{t}/+/ack",
    "$aws/#",
    "$aws/things/#",
    "$aws/things/+/#",
    "$aws/things/+/shadow/#",
    "$aws/things/{t}/#",
    "$aws/events/#",
    "$aws/events/presence/+/{t}",
    "$share/g/#",
    "$share/g/loam/{w}/#",
    "$share/g/{w}/#",
];

/// Things whose names are as close to each other as names can be, and one that does not exist.
struct Fleet {
    stack: Stack,
    members: Vec<Credentials>,
    stranger: String,
}

impl Fleet {
    async fn new() -> Self {
        let stack = Stack::deployed();
        let (short, stranger) = (unique_thing("policy").to_string(), unique_thing("stranger").to_string());
        let (longer, upper) = (format!("{short}b"), short.to_uppercase());
        let members = join(&stack, &[&short, &longer, &upper]).await;
        Self { stack, members, stranger }
    }

    async fn connect(&self, member: &Credentials) -> Client {
        Client::connect(self.stack.mqtt_port, member, &member.thing, None).await.unwrap()
    }

    /// Every other name.
    fn others<'a>(&'a self, member: &'a Credentials) -> impl Iterator<Item = &'a str> {
        let others = self.members.iter().map(|other| other.thing.as_str()).filter(|other| *other != member.thing);
        others.chain([self.stranger.as_str()])
    }

    async fn data(&self) -> Data {
        Data::new(&self.stack.admin().await)
    }
}

fn filled(template: &str, thing: &str, other: &str) -> String {
    template.replace("{t}", thing).replace("{w}", other).replace("{p}", PREFIX)
}

/// What every function that listens on one of the topics takes without a complaint.
fn payload(thing: &str) -> String {
    let said = json!({
        "name": thing, "humidity": 90, "timeStampEpoch": now().as_millis(), "temperature": 21,
        "state": {"reported": {"connected": true}},
        "endpoint": "localhost", "clientId": thing, "thingId": "1", "manufacturerName": "Loam", "modelName": "policy",
        "version": "1", "friendlyName": "policy", "friendlyDescription": "a thing of the policy test", "type": "TEST",
    });
    said.to_string()
}

/// How often something was tried, and what of it went the wrong way.
#[derive(Default)]
struct Tally {
    tried: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, right: bool, what: String) {
        self.tried += 1;
        if !right {
            self.wrong.push(what);
        }
    }

    #[expect(clippy::print_stdout, reason = "the counts are what this test is read for")]
    fn end(self, what: &str, wrongly: &str) {
        println!("{what}: {} tried, {} {wrongly}", self.tried, self.wrong.len());
        assert_eq!(self.wrong, Vec::<String>::new(), "{wrongly}");
    }
}

#[tokio::test]
async fn a_device_may_use_every_topic_of_its_own() {
    let fleet = Fleet::new().await;
    let mut tally = Tally::default();
    for member in &fleet.members {
        let thing = member.thing.as_str();
        let will = format!("lwt/{thing}");
        let with_will = Client::connect(fleet.stack.mqtt_port, member, thing, Some(&will)).await;
        tally.count(with_will.is_some(), format!("{thing} connects with its last will"));
        with_will.unwrap().leave().await;
        let mut client = fleet.connect(member).await;
        for topic in SAYS.map(|topic| filled(topic, thing, "")) {
            let taken = client.publish(&topic, &payload(thing), false).await;
            tally.count(taken == Some(true), format!("{thing} publishes {topic}"));
        }
        for filter in ASKS_FOR.map(|filter| filled(filter, thing, "")) {
            tally.count(client.subscribe(&filter).await == Some(true), format!("{thing} subscribes to {filter}"));
        }
        client.leave().await;
    }
    tally.end("own topics", "denied");
}

#[tokio::test]
async fn a_device_hears_what_is_meant_for_it_shadow_and_jobs_included() {
    let fleet = Fleet::new().await;
    let (data, mut tally) = (fleet.data().await, Tally::default());
    for member in &fleet.members {
        let thing = member.thing.as_str();
        let mut client = fleet.connect(member).await;
        for filter in ["{t}/#", "loam/{t}/#", "$aws/things/{t}/shadow/#", "$aws/things/{t}/jobs/#"] {
            assert_eq!(client.subscribe(&filled(filter, thing, "")).await, Some(true));
        }
        for topic in HEARS.map(|topic| filled(topic, thing, "")) {
            publish(&data, &topic).await;
            tally.count(client.topics_until(&topic).await.contains(&topic), topic);
        }
        let desired = Blob::new(r#"{"state":{"desired":{"light":"on"}}}"#);
        data.update_thing_shadow().thing_name(thing).payload(desired).send().await.unwrap();
        let delta = format!("$aws/things/{thing}/shadow/update/delta");
        tally.count(client.topics_until(&delta).await.contains(&delta), delta);
        client.publish(&format!("$aws/things/{thing}/jobs/get"), "{}", false).await;
        let jobs = format!("$aws/things/{thing}/jobs/get/accepted");
        tally.count(client.topics_until(&jobs).await.contains(&jobs), jobs);
        client.leave().await;
    }
    tally.end("own mail", "not received");
}

async fn publish(data: &Data, topic: &str) {
    data.publish().topic(topic).qos(1).payload(Blob::new("{}")).send().await.unwrap();
}

#[tokio::test]
async fn a_device_is_nobody_else_by_client_id_or_last_will() {
    let fleet = Fleet::new().await;
    let mut tally = Tally::default();
    for member in &fleet.members {
        let thing = member.thing.as_str();
        let odd = ["", "+", "#", "*", "$aws", "${iot:Connection.Thing.ThingName}"].map(str::to_owned);
        let near = [format!("{thing} "), format!("{thing}/"), format!("{thing}*"), format!("{thing}/{PREFIX}")];
        let others = fleet.others(member).map(str::to_owned);
        for id in others.chain(odd).chain(near).chain(["device", "lwt", "loam", PREFIX].map(str::to_owned)) {
            let client = Client::connect(fleet.stack.mqtt_port, member, &id, None).await;
            tally.count(client.is_none(), format!("{thing} connects as {id:?}"));
        }
        for other in fleet.others(member) {
            for topic in [format!("lwt/{other}"), format!("device/{other}/devicePayload")] {
                let client = Client::connect(fleet.stack.mqtt_port, member, thing, Some(&topic)).await;
                tally.count(client.is_none(), format!("{thing} leaves a will on {topic}"));
            }
        }
    }
    tally.end("connections as somebody else", "allowed");
}

#[tokio::test]
async fn a_device_says_nothing_in_another_thing_s_name() {
    let fleet = Fleet::new().await;
    let mut tally = Tally::default();
    for member in &fleet.members {
        let thing = member.thing.as_str();
        let mut client = fleet.connect(member).await;
        for other in fleet.others(member) {
            let others = SAYS.map(|topic| filled(topic, other, ""));
            for topic in others.into_iter().chain(SAYS_WRONG.map(|topic| filled(topic, thing, other))) {
                let taken = client.publish(&topic, "{}", false).await;
                tally.count(taken != Some(true), format!("{thing} publishes {topic}"));
                if taken.is_none() {
                    client = fleet.connect(member).await;
                }
            }
        }
        let kept = client.publish(&format!("device/{thing}/devicePayload"), &payload(thing), true).await;
        tally.count(kept != Some(true), format!("{thing} leaves a retained message"));
    }
    tally.end("publishing on foreign topics", "allowed");
}

#[tokio::test]
async fn a_device_subscribes_to_nothing_of_another_thing_s() {
    let fleet = Fleet::new().await;
    let mut tally = Tally::default();
    for member in &fleet.members {
        let thing = member.thing.as_str();
        let mut client = fleet.connect(member).await;
        for other in fleet.others(member) {
            let others = ASKS_FOR.iter().chain(&HEARS).map(|filter| filled(filter, other, ""));
            for filter in others.chain(ASKS_WRONG.map(|filter| filled(filter, thing, other))) {
                let granted = client.subscribe(&filter).await;
                tally.count(granted != Some(true), format!("{thing} subscribes to {filter}"));
                if granted.is_none() {
                    client = fleet.connect(member).await;
                }
            }
        }
    }
    tally.end("subscriptions to foreign topics", "allowed");
}

#[tokio::test]
async fn a_device_that_could_subscribe_to_everything_would_still_hear_its_own_mail_only() {
    let fleet = Fleet::new().await;
    let (data, mut tally) = (fleet.data().await, Tally::default());
    let member = fleet.members.first().unwrap();
    let wide = widen(&fleet, &member.thing).await;
    let mut client = fleet.connect(member).await;
    assert_eq!(client.subscribe("#").await, Some(true), "the wider policy is there");
    let mut foreign = 0;
    for other in fleet.others(member) {
        for topic in
            HEARS.iter().chain(&SAYS).map(|topic| filled(topic, other, "")).filter(|topic| !topic.starts_with('$'))
        {
            data.publish().topic(&topic).qos(1).payload(Blob::new(payload(other))).send().await.unwrap();
            foreign += 1;
        }
    }
    let fence = filled("{t}/blink/{p}/m-last", &member.thing, "");
    publish(&data, &fence).await;
    let heard = client.topics_until(&fence).await;
    let alien: Vec<_> = heard.into_iter().filter(|topic| *topic != fence).collect();
    tally.tried = foreign;
    tally.wrong = alien;
    client.leave().await;
    narrow(&fleet, &wide).await;
    tally.end("foreign mail", "received");
}

/// Gives the thing's certificate a second policy: it may subscribe to anything.
async fn widen(fleet: &Fleet, thing: &str) -> (String, String) {
    let iot = Iot::new(&fleet.stack.admin().await);
    let principals = iot.list_thing_principals().thing_name(thing).send().await.unwrap().principals.unwrap_or_default();
    let (name, certificate) = (format!("wide-{thing}"), principals.first().unwrap().clone());
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "arn:aws:iot:*:*:topicfilter/*"},
    ]});
    iot.create_policy().policy_name(&name).policy_document(document.to_string()).send().await.unwrap();
    iot.attach_policy().policy_name(&name).target(&certificate).send().await.unwrap();
    (name, certificate)
}

async fn narrow(fleet: &Fleet, (name, certificate): &(String, String)) {
    let iot = Iot::new(&fleet.stack.admin().await);
    iot.detach_policy().policy_name(name).target(certificate).send().await.unwrap();
    iot.delete_policy().policy_name(name).send().await.unwrap();
}
