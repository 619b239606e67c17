//! Whoever subscribes to events waits for kinds that exist.

use std::collections::BTreeSet;

use loam_domain::EventType;

use crate::template::{Resource, resources};

/// What a subscription waits for: kinds of events, and how kinds begin; none if it does not filter by them.
fn kinds(subscription: &Resource) -> BTreeSet<String> {
    let kinds = subscription.at("/FilterPolicy/type").as_array().into_iter().flatten();
    kinds.map(|kind| kind["prefix"].as_str().map_or_else(|| kind.as_str().unwrap().to_owned(), begins)).collect()
}

/// How a kind of events is written here of which only the beginning is named.
fn begins(prefix: &str) -> String {
    format!("{prefix}*")
}

#[test]
fn every_subscription_waits_for_kinds_of_events_that_exist() {
    let exists = |waited: &String| match waited.strip_suffix('*') {
        Some(prefix) => EventType::ALL.iter().any(|kind| kind.as_str().starts_with(prefix)),
        None => EventType::ALL.iter().any(|kind| kind.as_str() == waited),
    };
    let subscriptions = resources("AWS::SNS::Subscription");
    assert!(subscriptions.iter().any(|subscription| !kinds(subscription).is_empty()), "this test would prove nothing");
    for subscription in &subscriptions {
        let unknown: Vec<_> = kinds(subscription).into_iter().filter(|waited| !exists(waited)).collect();
        assert!(unknown.is_empty(), "{} waits in vain for {unknown:?}", subscription.id);
    }
}

#[test]
fn who_rolls_firmware_out_is_mailed_when_a_wave_passes_and_whenever_a_rollout_halts_or_ends() {
    let mailbox = resources("AWS::SNS::Subscription").into_iter().find(|each| each.id == "RolloutMailbox").unwrap();
    let mailed = kinds(&mailbox);
    for kind in [
        EventType::RolloutWavePassed,
        EventType::RolloutPaused,
        EventType::RolloutStopping,
        EventType::RolloutStopped,
        EventType::RolloutCompleted,
    ] {
        assert!(mailed.contains(kind.as_str()), "{} is not mailed", kind.as_str());
    }
    assert!(mailed.iter().all(|kind| kind.starts_with("rollout.")), "{mailed:?}");
}
