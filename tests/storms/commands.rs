//! Broken messages for commands: words of devices and wishes of apps that are none, envelopes that no rule made.

use commands::{Config, Handler};
use loam_domain::ThingName;
use loam_kit::{DeadLetterQueue, Stack, now};
use serde_json::Value;

use crate::kinds::{Due, WHOLE};
use crate::malformed::{self, in_batches, invocation, per_kind, storm, with_letters};
use crate::sending::{Volley, Volleys, on};

struct Queue(Handler);

impl malformed::Target for Queue {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 1, |batch| async move { Box::pin(self.0.handle(batch, &invocation())).await }).await
    }
}

/// A device's word on a command.
fn said(thing: &ThingName, id: &str, word: &str, payload: &[u8]) -> Value {
    on(thing, &format!("loam/{thing}/commands/{id}/{word}"), payload, now())
}

/// A word of a device is kept if nobody can read it; a wish is always answered.
fn volleys(count: usize, seed: u64) -> Vec<Volley> {
    let (id, mut volleys) = ("0174312a5abc0123456789abcdef0123", Volleys::new(count, seed));
    volleys.add_payloads(&WHOLE, Due::Either, |thing, payload| said(thing, id, "succeeded", payload));
    for tail in ["desired", "commands/request"] {
        let wish = |thing: &ThingName, payload: &[u8]| {
            on(thing, &format!("loam/users/eu-west-1:storm/things/{thing}/{tail}"), payload, now())
        };
        volleys.add_payloads(&WHOLE, Due::Accepted, wish);
    }
    volleys.add_events(|thing| said(thing, id, "accepted", b"{}"));
    volleys.add_bodies();
    volleys.all()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_answered_or_kept_by_commands() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = Config::from_lookup(&with_letters(stack.function("Commands"), &queue)).unwrap();
    let volleys = volleys(per_kind(), 11);
    assert!(volleys.len() >= 40, "{} kinds", volleys.len());
    storm("commands", Queue(Handler::new(&admin, config)), volleys, &queue).await;
}
