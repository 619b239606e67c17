//! The handler against the local AWS, under the function's own role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod routes;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_iot::types::{AttributePayload, CertificateStatus};
use jitr::lists::{Entry, Kind, List};
use jitr::{By, Standing};
use loam_domain::{CertificateId, ThingName};
use loam_kit::{eventually, now, patience, unique_thing};
use loam_things::{CertificateState, LifeCycle, RetirementOrder};
use serde_json::{Value, json};
use world::World;

/// A world under an open profile, and a thing of its own.
async fn open(purpose: &str) -> (World, ThingName) {
    (World::new(json!({"enabled": true})).await, unique_thing(purpose))
}

async fn assert_is_active(world: &World, thing: &ThingName, certificate: &CertificateId) {
    assert_eq!(world.status(certificate).await, CertificateStatus::Active);
    assert_eq!(world.policies(certificate).await, [world.policy.clone()]);
    assert!(world.principals(thing).await.contains(&certificate.to_string()));
    let record = world.record(thing).await.unwrap();
    assert_eq!(record.status_of(certificate), Some(CertificateState::Active));
    assert_eq!(world.standing(certificate).await, Some(Standing::Active(thing.clone())));
}

async fn assert_is_refused(world: &World, certificate: &CertificateId, reasons: &[&str]) {
    assert_eq!(world.reasons(certificate).await, reasons);
    assert_eq!(world.status(certificate).await, CertificateStatus::Revoked);
    assert!(world.policies(certificate).await.is_empty());
}

#[tokio::test]
async fn a_new_certificate_becomes_an_active_thing_with_its_policy_and_its_place() {
    let (world, thing) = open("first").await;
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    assert_is_active(&world, &thing, &certificate).await;
    assert_eq!(world.record(&thing).await.unwrap().state, LifeCycle::Active);
}

#[tokio::test]
async fn a_things_certificate_brings_type_groups_and_attributes_of_its_profile() {
    let (world, thing) = open("typed").await;
    let name = format!("t{}", thing.as_str());
    world.iot.create_thing_type().thing_type_name(&name).send().await.unwrap();
    world.iot.create_thing_group().thing_group_name(&name).send().await.unwrap();
    let profile = json!({"enabled": true, "thingType": name, "groups": [name], "attributes": {"site": "north"}});
    world.put_profile(profile).await;
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    let described = world.iot.describe_thing().thing_name(thing.as_str()).send().await.unwrap();
    assert_eq!(described.thing_type_name.as_deref(), Some(name.as_str()));
    assert_eq!(described.attributes.unwrap()["site"], "north");
    let groups = world.iot.list_thing_groups_for_thing().thing_name(thing.as_str()).send().await.unwrap();
    assert_eq!(groups.thing_groups.unwrap()[0].group_name.as_deref(), Some(name.as_str()));
}

#[tokio::test]
async fn a_certificate_of_a_ca_without_a_profile_is_not_touched() {
    let (world, thing) = (World::without_profile().await, unique_thing("foreign"));
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    assert_eq!(world.status(&certificate).await, CertificateStatus::PendingActivation);
    assert_eq!((world.standing(&certificate).await, world.record(&thing).await), (None, None));
}

#[tokio::test]
async fn a_certificate_waits_while_its_profile_is_disabled_and_joins_once_it_is_enabled() {
    let (world, thing) = open("waits").await;
    world.put_profile(json!({"enabled": false})).await;
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    assert_eq!(world.status(&certificate).await, CertificateStatus::PendingActivation);
    world.put_profile(json!({"enabled": true})).await;
    world.register(&certificate).await;
    assert_is_active(&world, &thing, &certificate).await;
}

#[tokio::test]
async fn a_certificate_event_that_comes_three_times_and_twice_in_a_batch_changes_nothing_more() {
    let (world, thing) = open("thrice").await;
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    let version = world.record(&thing).await.unwrap().version;
    for _ in 0..2 {
        world.register(&certificate).await;
    }
    assert!(world.deliver([world.event(&certificate)]).await.is_empty());
    assert_is_active(&world, &thing, &certificate).await;
    assert_eq!(world.record(&thing).await.unwrap().version, version);
}

/// Delivers until nothing comes again, as the queue does.
async fn deliver_until_done(world: &World, certificate: &CertificateId) {
    let started = Instant::now();
    while !world.deliver([world.event(certificate)]).await.is_empty() {
        assert!(started.elapsed() < patience(), "{certificate} still comes again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// For each number of concurrent deliveries, a few runs: enough to meet at every step.
const RUNS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn one_certificate_delivered_two_to_eight_times_at_once_is_activated_once() {
    let world = Arc::new(World::new(json!({"enabled": true})).await);
    let mut runs = 0;
    for rivals in 2..=8 {
        for _ in 0..RUNS {
            let thing = unique_thing("race");
            let certificate = world.present(thing.as_str()).await;
            let deliveries = (0..rivals).map(|_| {
                let (world, certificate) = (world.clone(), certificate.clone());
                tokio::spawn(async move { deliver_until_done(&world, &certificate).await })
            });
            for delivery in deliveries.collect::<Vec<_>>() {
                delivery.await.unwrap();
            }
            assert_is_active(&world, &thing, &certificate).await;
            let record = world.record(&thing).await.unwrap();
            assert_eq!((record.state, record.version), (LifeCycle::Active, 2), "registered once, activated once");
            runs += 1;
        }
    }
    println!("figure: races for one certificate: {runs} runs of 2 to 8 deliveries, 1 activation in each");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_to_eight_certificates_that_claim_one_name_exactly_one_wins() {
    let world = Arc::new(World::new(json!({"enabled": true})).await);
    let mut runs = 0;
    for rivals in 2..=8 {
        let thing = unique_thing("claim");
        let mut certificates = Vec::new();
        for _ in 0..rivals {
            certificates.push(world.present(thing.as_str()).await);
        }
        let deliveries = certificates.iter().map(|certificate| {
            let (world, certificate) = (world.clone(), certificate.clone());
            tokio::spawn(async move { deliver_until_done(&world, &certificate).await })
        });
        for delivery in deliveries.collect::<Vec<_>>() {
            delivery.await.unwrap();
        }
        let mut active = 0;
        for certificate in &certificates {
            match world.status(certificate).await {
                CertificateStatus::Active => active += 1,
                _ => assert_is_refused(&world, certificate, &["second-certificate"]).await,
            }
        }
        assert_eq!((active, world.principals(&thing).await.len()), (1, 1), "{rivals} rivals");
        runs += 1;
    }
    println!("figure: races for one name: {runs} runs of 2 to 8 certificates, 1 winner in each");
}

#[tokio::test]
async fn a_certificate_of_a_reserved_name_is_revoked_and_told_of() {
    let world = World::new(json!({"enabled": true})).await;
    let certificate = world.present("loam").await;
    world.register(&certificate).await;
    assert_is_refused(&world, &certificate, &["reserved-name"]).await;
}

#[tokio::test]
async fn a_refused_certificates_notice_names_its_reasons() {
    let (world, thing) = open("notice").await;
    world.put_profile(json!({"enabled": true, "mode": "listed"})).await;
    let inbox = world.inbox(&thing).await;
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    let mail = eventually("the notice", async || inbox.take().await.pop()).await;
    let event: Value = serde_json::from_str(&mail.message).unwrap();
    assert_eq!((&event["type"], &event["thing"]), (&json!("certificate.refused"), &json!(thing)));
    assert_eq!(event["data"]["reasons"], json!(["not-listed"]));
    assert_eq!(event["id"], format!("refused.{certificate}"));
    assert_eq!(mail.attributes["type"], "certificate.refused");
    assert_is_refused(&world, &certificate, &["not-listed"]).await;
}

#[tokio::test]
async fn allow_and_deny_lists_name_certificates_serial_numbers_and_things() {
    let world = World::new(json!({"enabled": true, "mode": "listed"})).await;
    let put = async |list, kind, value: &str| {
        let entry = Entry::new(list, kind, value).unwrap();
        world.profiles.put_entry(&world.authority.ca_id, &entry, By { who: "test", at: now() }).await.unwrap();
    };
    for (kind, denied) in [(Kind::Certificate, false), (Kind::Name, false), (Kind::Name, true), (Kind::Serial, true)] {
        let thing = unique_thing("listed");
        let (pem, _key) = world.authority.issue(thing.as_str());
        let read = jitr::certificate::Certificate::from_pem(&pem).unwrap();
        let certificate = world.authority.present(&pem).await;
        put(List::Allow, Kind::Name, thing.as_str()).await;
        let value = match kind {
            Kind::Certificate => certificate.as_str(),
            Kind::Serial => read.serial.as_str(),
            Kind::Name => thing.as_str(),
        };
        put(if denied { List::Deny } else { List::Allow }, kind, value).await;
        world.register(&certificate).await;
        if denied {
            assert_is_refused(&world, &certificate, &["denied"]).await;
        } else {
            assert_is_active(&world, &thing, &certificate).await;
        }
    }
}

#[tokio::test]
async fn an_expired_certificate_under_our_profile_is_revoked() {
    let (world, thing) = open("expired").await;
    let (pem, _key) = world.authority.issue_with(thing.as_str(), |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let certificate = world.authority.present(&pem).await;
    world.register(&certificate).await;
    assert_is_refused(&world, &certificate, &["expired"]).await;
    assert_eq!(world.record(&thing).await, None);
}

#[tokio::test]
async fn a_name_that_the_registry_knows_and_no_certificate_of_ours_made_is_left_to_its_owner() {
    let (world, thing) = open("taken").await;
    let attributes = AttributePayload::builder().attributes("owner", "somebody").build();
    world.iot.create_thing().thing_name(thing.as_str()).attribute_payload(attributes).send().await.unwrap();
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    assert_is_refused(&world, &certificate, &["thing-taken"]).await;
    assert!(world.principals(&thing).await.is_empty());
    assert_eq!(world.record(&thing).await, None);
}

#[tokio::test]
async fn a_certificate_beyond_the_profiles_number_of_devices_is_refused_and_the_last_one_is_not() {
    let world = World::new(json!({"enabled": true, "maxDevices": 1})).await;
    let (first, second) = (unique_thing("last"), unique_thing("beyond"));
    let (admitted, refused) = (world.present(first.as_str()).await, world.present(second.as_str()).await);
    world.register(&admitted).await;
    world.register(&refused).await;
    assert_is_active(&world, &first, &admitted).await;
    assert_is_refused(&world, &refused, &["profile-full"]).await;
}

#[tokio::test]
async fn a_second_certificate_is_refused_and_the_first_one_stays() {
    let (world, thing) = open("second").await;
    let (first, second) = (world.present(thing.as_str()).await, world.present(thing.as_str()).await);
    world.register(&first).await;
    world.register(&second).await;
    assert_is_active(&world, &thing, &first).await;
    assert_is_refused(&world, &second, &["second-certificate"]).await;
}

fn changed(thing: &ThingName, certificate: &CertificateId) -> String {
    let data = json!({"principal": certificate});
    json!({"id": "x.1", "type": "presence.principal-changed", "thing": thing, "at": 1, "epoch": 1, "data": data})
        .to_string()
}

#[tokio::test]
async fn a_rotated_certificate_goes_once_the_device_connected_with_the_new_one() {
    let (world, thing) = open("rotate").await;
    world.put_profile(json!({"enabled": true, "secondCertificate": "rotate"})).await;
    let (old, new) = (world.present(thing.as_str()).await, world.present(thing.as_str()).await);
    world.register(&old).await;
    world.register(&new).await;
    let record = world.record(&thing).await.unwrap();
    assert_eq!(record.status_of(&old), Some(CertificateState::Retiring));
    assert_eq!(world.status(&old).await, CertificateStatus::Active, "it connects until the new one does");
    assert!(world.deliver([changed(&thing, &old)]).await.is_empty());
    assert_eq!(world.status(&old).await, CertificateStatus::Active, "a connect with the old one retires nothing");
    for _ in 0..2 {
        assert!(world.deliver([changed(&thing, &new)]).await.is_empty());
    }
    assert_eq!(world.status(&old).await, CertificateStatus::Inactive);
    assert!(world.policies(&old).await.is_empty());
    assert_eq!(world.principals(&thing).await, [new.to_string()]);
    assert_is_active(&world, &thing, &new).await;
}

#[tokio::test]
async fn a_replaced_certificate_goes_at_once() {
    let (world, thing) = open("replace").await;
    world.put_profile(json!({"enabled": true, "secondCertificate": "replace"})).await;
    let (old, new) = (world.present(thing.as_str()).await, world.present(thing.as_str()).await);
    world.register(&old).await;
    world.register(&new).await;
    assert_eq!(world.status(&old).await, CertificateStatus::Inactive);
    assert_eq!(world.principals(&thing).await, [new.to_string()]);
    assert_is_active(&world, &thing, &new).await;
}

#[tokio::test]
async fn a_retired_things_certificate_is_never_registered_again() {
    let (world, thing) = open("retired").await;
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    let order = RetirementOrder { by: "test".to_owned(), awaiting: [].into(), expected_version: None };
    world.things.begin_retirement(&thing, order, now()).await.unwrap();
    world.things.retired(&thing, now()).await.unwrap();
    world.make_pending(&certificate).await;
    world.register(&certificate).await;
    assert_is_revoked_for(&world, &certificate, &["thing-retired", "certificate-retired"]).await;
}

/// Like [`assert_is_refused`], for a certificate that still holds its policy.
async fn assert_is_revoked_for(world: &World, certificate: &CertificateId, reasons: &[&str]) {
    assert_eq!(world.reasons(certificate).await, reasons);
    assert_eq!(world.status(certificate).await, CertificateStatus::Revoked);
}

#[tokio::test]
async fn an_active_certificate_that_is_not_ours_is_a_no_op() {
    let (world, thing) = open("active").await;
    let certificate = world.present(thing.as_str()).await;
    let activate = world.iot.update_certificate().certificate_id(certificate.as_str());
    activate.new_status(CertificateStatus::Active).send().await.unwrap();
    world.register(&certificate).await;
    assert_eq!(world.standing(&certificate).await, Some(Standing::Left));
    assert_eq!((world.policies(&certificate).await.len(), world.record(&thing).await), (0, None));
}

#[tokio::test]
async fn a_message_that_is_no_certificate_event_is_kept_and_the_one_beside_it_done() {
    let (world, thing) = open("beside").await;
    let certificate = world.present(thing.as_str()).await;
    let letter = json!({"hello": format!("/{thing}/")}).to_string();
    assert!(world.deliver([letter, world.event(&certificate)]).await.is_empty());
    assert_is_active(&world, &thing, &certificate).await;
    let kept = eventually("a kept message", async || world.kept(&thing).await).await;
    assert_eq!((&kept["keptBy"], &kept["code"]), (&json!("jitr"), &json!("unknown-message")));
}

#[tokio::test]
async fn a_recheck_finishes_a_revocation_of_certificates_that_died_half_way() {
    let (world, thing) = open("recheck").await;
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    let recheck = json!({
        "kind": "recheck", "thing": thing, "certificates": [certificate], "status": "INACTIVE", "by": "anna",
        "reasons": ["lost"], "attempt": 0,
    });
    assert!(world.deliver([recheck.to_string()]).await.is_empty());
    assert_eq!(world.status(&certificate).await, CertificateStatus::Inactive);
    let record = world.record(&thing).await.unwrap();
    assert_eq!((record.state, record.live().count()), (LifeCycle::Suspended, 0));
}
