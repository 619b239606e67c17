//! Broken messages for commands: words of devices and wishes of apps that are none, envelopes that no rule made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commands::{Config, Handler};
use loam_domain::ThingName;
use loam_kit::{Chance, DeadLetterQueue, Stack, now, rule_event, unique_thing};
use loam_runtime::BatchItem;
use serde_json::Value;

use crate::events::{EVENTS, bodies};
use crate::kinds::{Due, Kind, WHOLE};
use crate::malformed::{self, invocation, per_kind, storm};
use crate::sending::Volley;

struct Queue(Handler);

impl malformed::Target for Queue {
    async fn deliver(&self, volley: &Volley) -> usize {
        let mut again = 0;
        for event in &volley.events {
            let body = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
            let batch = vec![BatchItem { message_id: "m".to_owned(), body }];
            again += Box::pin(self.0.handle(batch, &invocation())).await.map_or(1, |failed| failed.len());
        }
        again
    }
}

fn on(thing: &ThingName, topic: &str, payload: &[u8]) -> Value {
    let mut event = rule_event(thing, &[], now());
    event["topic"] = topic.into();
    event["payload"] = STANDARD.encode(payload).into();
    event
}

/// A word of a device is kept if nobody can read it; a wish is always answered.
fn volleys(count: usize, seed: u64) -> Vec<Volley> {
    let (mut chance, mut volleys) = (Chance::new(seed), Vec::new());
    let id = "0174312a5abc0123456789abcdef0123";
    for Kind { name, make, .. } in &WHOLE {
        let thing = unique_thing("storm");
        let topic = format!("loam/{thing}/commands/{id}/succeeded");
        let events = (0..count).map(|_| on(&thing, &topic, &make(&mut chance))).collect();
        volleys.push(Volley { kind: name, due: Due::Either, thing, events });
    }
    for (tail, Kind { name, make, .. }) in ["desired", "commands/request"]
        .iter()
        .zip([&WHOLE, &WHOLE])
        .flat_map(|(tail, kinds)| kinds.iter().map(move |kind| (tail, kind)))
    {
        let thing = unique_thing("storm");
        let topic = format!("loam/users/eu-west-1:storm/things/{thing}/{tail}");
        let events = (0..count).map(|_| on(&thing, &topic, &make(&mut chance))).collect();
        volleys.push(Volley { kind: name, due: Due::Accepted, thing, events });
    }
    for kind in &EVENTS {
        let thing = unique_thing("storm");
        let topic = format!("loam/{thing}/commands/{id}/accepted");
        let events = (0..count).map(|_| (kind.make)(&mut chance, on(&thing, &topic, b"{}"))).collect();
        volleys.push(Volley { kind: kind.name, due: Due::Either, thing, events });
    }
    let thing = unique_thing("storm");
    let events = (0..count).map(|_| Value::from(bodies(&mut chance))).collect();
    volleys.push(Volley { kind: "a body that no rule wrote", due: Due::Kept, thing, events });
    volleys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_answered_or_kept_by_commands() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let function = stack.function("Commands");
    let own = |name: &str| (name == "DEAD_LETTERS_URL").then(|| queue.url().to_owned());
    let config = Config::from_lookup(&|name| own(name).or_else(|| function.variable(name))).unwrap();
    let volleys = volleys(per_kind(), 11);
    assert!(volleys.len() >= 40, "{} kinds", volleys.len());
    storm("commands", Queue(Handler::new(&admin, config)), volleys, &queue).await;
}
