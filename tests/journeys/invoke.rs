//! Devices that are called over HTTP: by people with a token, and by systems that sign.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use loam_device::Options;
use loam_device::invoke::{Call, Listen, Reply, carry_out, serve};
use loam_domain::ThingName;
use loam_kit::{Answer, Api, Made, Person, Signed, seed_membership, unique_thing};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::newcomers::{Newcomers, in_time};

/// A device that joined by itself and answers calls, and who may call it.
struct World {
    newcomers: Newcomers,
    made: Made,
    thing: ThingName,
    controller: Api,
    system: Signed,
    /// How often the device carried out which request.
    carried_out: Arc<Mutex<BTreeMap<String, u32>>>,
    answering: JoinHandle<()>,
}

/// Somebody with a role on the thing; none: somebody who may not know of it.
async fn person(newcomers: &Newcomers, thing: &ThingName, role: Option<&str>) -> Api {
    let person = Person::of(&newcomers.stack, unique_thing("person").as_str(), &[]).await;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(person.token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    if let Some(role) = role {
        seed_membership(&newcomers.stack, claims["sub"].as_str().unwrap(), thing, role, 1).await;
    }
    Api::new(&newcomers.stack, Some(&person.token))
}

impl World {
    async fn new(purpose: &str) -> Self {
        let newcomers = Newcomers::new(&json!({"enabled": true})).await;
        let member = newcomers.joined(purpose).await;
        newcomers.is_in_state(&member.thing, "active").await;
        member.device.disconnect().await;
        let carried_out = Arc::default();
        let answering = answering(&newcomers, &member.made, &carried_out).await;
        Self {
            controller: person(&newcomers, &member.thing, Some("controller")).await,
            system: Signed::admin(&newcomers.stack),
            made: member.made,
            thing: member.thing,
            newcomers,
            carried_out,
            answering,
        }
    }

    fn path(&self, method: &str) -> String {
        format!("/v1/things/{}/methods/{method}", self.thing)
    }

    async fn call(&self, method: &str, body: &Value) -> Answer {
        self.controller.post(&self.path(method), body).await
    }

    /// What the device answered: its status and payload.
    async fn told(&self, method: &str, body: &Value) -> (u64, Value) {
        let answer = self.call(method, body).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.body);
        let mut body = answer.json();
        assert!(body["elapsedMs"].is_u64() && body["correlationId"].as_str().unwrap().len() == 36, "{body}");
        (body["status"].as_u64().unwrap(), body["payload"].take())
    }

    async fn refused(&self, method: &str, body: &Value) -> (u16, String) {
        let answer = self.call(method, body).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.body);
        (answer.status, answer.code())
    }

    async fn next_call_is_right(&self) {
        assert_eq!(self.told("add", &json!({"payload": [1, 2.5]})).await, (200, json!(3.5)));
    }

    async fn invoke(&self, query: &str) -> (u16, String) {
        let answer = self.system.get(&format!("/Prod/invoke{query}")).await;
        (answer.status, without_elapsed(&answer.body))
    }
}

/// A device with these credentials that is connected and answers calls, hearing them by Direct Messaging alone.
async fn answering(
    newcomers: &Newcomers,
    made: &Made,
    carried_out: &Arc<Mutex<BTreeMap<String, u32>>>,
) -> JoinHandle<()> {
    let device = newcomers.switched_on(made, Options::default());
    in_time("the device connects", device.connected()).await.unwrap();
    let counted = Arc::clone(carried_out);
    tokio::spawn(async move {
        let methods = |call: &Call| -> Vec<Reply> {
            *counted.lock().unwrap().entry(call.request.clone()).or_default() += 1;
            carry_out(call)
        };
        serve(&device, Listen::Direct, methods).await.unwrap();
    })
}

/// `elapsed` is another in each run.
fn without_elapsed(body: &str) -> String {
    let Some((before, rest)) = body.split_once(r#""elapsed": ""#) else { return body.to_owned() };
    let (elapsed, after) = rest.split_once('"').unwrap();
    assert!(elapsed.parse::<u64>().is_ok(), "{elapsed}");
    format!(r#"{before}"elapsed": "N"{after}"#)
}

fn told(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_device_that_joined_by_itself_answers_its_controller() {
    let world = World::new("called").await;
    let echo = json!({"payload": {"b": [1, 2.50], "a": "é"}});
    assert_eq!(world.told("echo", &echo).await, (200, json!(r#"{"a":"é","b":[1,2.5]}"#)));
    assert_eq!(world.told("binary", &json!({"payloadBase64": "AQID"})).await, (200, json!("AwIB")));
    assert_eq!(world.told("echo", &json!({})).await, (200, json!("null")));
    assert_eq!(world.told("fail", &json!({})).await.0, 500, "the method's own status");
    assert_eq!(world.told("no-such-method", &json!({})).await.0, 404);
    assert_eq!(world.told("wait", &json!({"payload": {"ms": 300}})).await, (200, json!("done")));
    for _ in 0..2 {
        assert_eq!(world.told("double", &json!({})).await, (200, json!("first")));
        assert_eq!(world.told("foreign", &json!({})).await, (200, json!("right")));
    }
    assert_eq!(world.told("flood", &json!({"payload": {"times": 1000}})).await, (200, json!("flood")));
    world.next_call_is_right().await;
    let staged = world.controller.post(&format!("/Prod{}", world.path("add")), &json!({"payload": [2]})).await;
    assert_eq!((staged.status, staged.json()["payload"].as_f64()), (200, Some(2.0)));
}

#[tokio::test]
async fn only_controllers_and_operators_call_a_device_and_a_stranger_learns_of_nothing() {
    let world = World::new("roles").await;
    let call = json!({"payload": [1, 2.5]});
    let viewer = person(&world.newcomers, &world.thing, Some("viewer")).await;
    let answer = viewer.post(&world.path("add"), &call).await;
    assert_eq!((answer.status, answer.code()), told(403, "role-too-low"));
    let stranger = person(&world.newcomers, &world.thing, None).await;
    let there = stranger.post(&world.path("add"), &call).await;
    let nowhere = stranger.post(&format!("/v1/things/{}/methods/add", unique_thing("nobody")), &call).await;
    assert_eq!((there.status, there.code()), told(404, "device_not_found"));
    assert_eq!((nowhere.status, &nowhere.body), (404, &there.body));
    let operator = world.newcomers.operator.post(&world.path("add"), &call).await;
    assert_eq!((operator.status, operator.json()["payload"].as_f64()), (200, Some(3.5)));
    let nobody = Api::new(&world.newcomers.stack, None).post(&world.path("add"), &call).await;
    assert_eq!(nobody.status, 401);
    assert_eq!(world.carried_out.lock().unwrap().values().sum::<u32>(), 1, "the operator's call alone");
}

#[tokio::test]
async fn a_device_that_is_not_there_is_told_long_before_the_timeout_and_waited_for_where_asked() {
    let world = World::new("absent").await;
    world.next_call_is_right().await;
    world.answering.abort();
    let gone = json!({"payload": [1, 2.5], "responseTimeoutInSeconds": 25});
    // Until the broker has seen the connection's end, the device is one that does not answer.
    loam_kit::eventually("the device is gone", async || {
        let answer = world.call("add", &json!({"responseTimeoutInSeconds": 1})).await;
        (answer.code() == "device_not_connected").then_some(())
    })
    .await;
    let started = std::time::Instant::now();
    assert_eq!(world.refused("add", &gone).await, told(404, "device_not_connected"));
    let query = format!("?method=add&request=r&target={}&timeout=28", world.thing);
    assert_eq!(world.invoke(&query).await, told(500, r#"{"result": "timeout", "elapsed": "N"}"#));
    assert!(started.elapsed().as_secs() < 12, "both, of 53 s that were asked: {:?}", started.elapsed());
    let waits = json!({"payload": [1, 2.5], "connectTimeoutInSeconds": 20, "responseTimeoutInSeconds": 5});
    let comes_back = answering(&world.newcomers, &world.made, &world.carried_out);
    let (answer, _answering) = tokio::join!(world.call("add", &waits), comes_back);
    assert_eq!((answer.status, answer.json()["payload"].as_f64()), (200, Some(3.5)), "{}", answer.body);
}

#[tokio::test]
async fn a_device_that_answers_nothing_late_or_nonsense_is_told_apart() {
    let world = World::new("silent").await;
    let short = json!({"responseTimeoutInSeconds": 1});
    assert_eq!(world.refused("silent", &short).await, told(504, "no_answer"));
    let late = json!({"payload": {"ms": 1500}, "responseTimeoutInSeconds": 1});
    assert_eq!(world.refused("wait", &late).await, told(504, "no_answer"));
    assert_eq!(
        world.told("wait", &json!({"payload": {"ms": 1600}})).await,
        (200, json!("done")),
        "and not the late one"
    );
    assert_eq!(world.refused("malformed", &short).await, told(502, "malformed_reply"));
    let started = std::time::Instant::now();
    let patient = json!({"connectTimeoutInSeconds": 25, "responseTimeoutInSeconds": 1});
    assert_eq!(world.refused("silent", &patient).await, told(504, "no_answer"));
    assert!(started.elapsed().as_secs() < 12, "the time to connect is no time to answer: {:?}", started.elapsed());
    let query = format!("?method=silent&request=r&target={}&timeout=1", world.thing);
    assert_eq!(world.invoke(&query).await, told(500, r#"{"result": "timeout", "elapsed": "N"}"#));
    world.next_call_is_right().await;
}

#[tokio::test]
async fn a_call_with_a_key_is_carried_out_once_however_often_it_is_sent() {
    let world = World::new("key").await;
    let key = unique_thing("key").to_string();
    let send = async |milliseconds: u32| {
        let body = json!({"payload": {"ms": milliseconds}, "responseTimeoutInSeconds": 1});
        world.controller.send("POST", &world.path("wait"), &[("idempotency-key", &key)], Some(&body)).await
    };
    // The device has it and is not done in time: the repeat is the same call, whose answer is remembered or still to come.
    let first = send(1800).await;
    assert_eq!((first.status, first.code()), told(504, "no_answer"));
    let second = loam_kit::eventually("a repeat has the answer", async || {
        let answer = send(1800).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(second.json()["payload"], "done");
    assert_eq!(send(1800).await.body, second.body, "byte for byte, from now on");
    let reused = send(1801).await;
    assert_eq!((reused.status, reused.code()), told(409, "idempotency-key-reused"));
    assert_eq!(*world.carried_out.lock().unwrap(), BTreeMap::from([(r#"{"ms":1800}"#.to_owned(), 1)]));
}

#[tokio::test]
async fn the_published_route_takes_systems_that_sign_and_nobody_else() {
    let world = World::new("signed").await;
    let query = format!("?method=echo&request=%7B%22a%22%3A%201%7D&target={}&timeout=10", world.thing);
    let expected = r#"{"result": "ok", "elapsed": "N", "response": "{\"a\": 1}"}"#;
    assert_eq!(world.invoke(&query).await, told(200, expected));
    let bare = world.system.get(&format!("/invoke{query}")).await;
    assert_eq!((bare.status, without_elapsed(&bare.body)), told(200, expected));
    let forged = world.system.get_signed_for(&format!("/invoke{query}"), "/invoke?method=echo").await;
    let path = format!("/invoke{query}");
    let unsigned = Api::new(&world.newcomers.stack, None).get(&path).await;
    let token = world.newcomers.operator.get(&path).await;
    let without_right = Signed::function(&world.newcomers.stack, "Telemetry").get(&path).await;
    for (who, answer) in [("forged", forged), ("unsigned", unsigned), ("token", token), ("role", without_right)] {
        assert_eq!(answer.status, 403, "{who}: {}", answer.body);
    }
    assert_eq!(world.carried_out.lock().unwrap().values().sum::<u32>(), 2);
}

#[tokio::test]
async fn bad_input_is_refused_in_the_route_s_own_words_and_the_next_call_is_right() {
    let world = World::new("bad").await;
    let thing = world.thing.as_str();
    let missing =
        |names: &str| told(400, &format!(r#"{{"message":"Missing required request parameters: [{names}]"}}"#));
    assert_eq!(world.invoke("").await, missing("method, request, target, timeout"));
    assert_eq!(world.invoke(&format!("?method=&request=r&target={thing}&timeout=3")).await, missing("method"));
    let long = "x".repeat(300);
    for (target, method) in
        [("%2B", "m"), ("%23", "m"), ("a%2Fb", "m"), (&long, "m"), (thing, "a%2Fb"), (thing, "%2B"), (thing, &long)]
    {
        let (status, body) = world.invoke(&format!("?method={method}&request=r&target={target}&timeout=3")).await;
        assert_eq!(
            (status, body.contains(r#"{"result": "invalid_parameters""#)),
            (500, true),
            "{target} {method}: {body}"
        );
    }
    for timeout in ["abc", "-1", "61", "1e9"] {
        let query = format!("?method=x&method=add&request=%5B1%2C2%5D&target={thing}&timeout={timeout}");
        assert_eq!(
            world.invoke(&query).await,
            told(200, r#"{"result": "ok", "elapsed": "N", "response": 3.0}"#),
            "{timeout}"
        );
    }
    for (method, body, code) in [
        ("a+b", json!({}), "invalid-method-name"),
        (&*long, json!({}), "topic-too-long"),
        ("m", json!({"responseTimeoutInSeconds": 0}), "invalid-body"),
        ("m", json!({"responseTimeoutInSeconds": 26}), "invalid-body"),
        ("m", json!({"connectTimeoutInSeconds": -1}), "invalid-body"),
        ("m", json!({"responseTimeoutInSeconds": "abc"}), "invalid-body"),
        ("m", json!({"responseTimeoutInSeconds": 1e9}), "invalid-body"),
        ("m", json!({"payload": 1, "payloadBase64": "AQID"}), "invalid-body"),
        ("m", json!({"payloadBase64": "no base64!"}), "invalid-base64"),
    ] {
        assert_eq!(world.refused(method, &body).await, told(400, code), "{method} {body}");
    }
    assert_eq!(world.refused("echo", &json!({"payload": "x".repeat(131_072)})).await, told(413, "payload_too_large"));
    let other = world.controller.post(&format!("/v1/things/{long}/methods/m"), &json!({})).await;
    assert_eq!((other.status, other.code()), told(400, "invalid-thing-name"));
    world.next_call_is_right().await;
}
