//! The end: a device is revoked while it is connected, and a thing retires.

use aws_sdk_iot::types::CertificateStatus;
use loam_device::{Event, Options, QoS};
use loam_kit::{Inbox, eventually, now, reading};
use serde_json::{Value, json};

use crate::newcomers::{Member, Newcomers, hears};

fn is_refused(event: &Event) -> bool {
    matches!(event, Event::ConnectionRefused { .. })
}

fn is_dropped(event: &Event) -> bool {
    matches!(event, Event::Dropped { .. })
}

#[tokio::test]
async fn a_device_that_is_revoked_while_connected_is_out_and_stays_out() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let Member { thing, made, device, mut events } = world.onboarded("stolen").await;
    let notices = Inbox::open(&world.admin, world.stack.output("EventsTopic"), thing.as_str()).await;
    let path = format!("/v1/things/{thing}/revoke");
    let answer = world.operator.post(&path, &json!({"reason": "stolen"})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let revoked = answer.json();
    assert_eq!(
        [&revoked["state"], &revoked["status"], &revoked["connection"], &revoked["certificates"]],
        [&json!("suspended"), &json!("REVOKED"), &json!("ended"), &json!([made.certificate])]
    );
    hears(&mut events, "its session ends", is_dropped).await;
    hears(&mut events, "it is not let in again", is_refused).await;
    hears(&mut events, "and not later either", is_refused).await;
    drop(device);

    assert_eq!(world.status(&made.certificate).await, Some(CertificateStatus::Revoked));
    let life = world.life(&thing).await;
    assert_eq!(
        (&life["record"]["state"], &life["record"]["suspendedFrom"]),
        (&json!("suspended"), &json!("onboarded"))
    );
    let of_it =
        life["history"]["items"].as_array().unwrap().iter().find(|event| event["type"] == "certificate.revoked");
    let audit = &of_it.unwrap()["data"];
    assert_eq!((&audit["reasons"], audit["by"].is_string()), (&json!(["stolen"]), true), "{audit}");
    let notice = eventually("the security notice", async || {
        let mails = notices.take().await.into_iter();
        mails
            .map(|mail| serde_json::from_str::<Value>(&mail.message).unwrap())
            .find(|event| event["type"] == "certificate.revoked")
    })
    .await;
    assert_eq!(notice["data"], *audit);
    assert_eq!(world.operator.post(&path, &json!({"reason": "stolen"})).await.status, 200, "again changes nothing");
}

/// Everything that the stack keeps of a thing, by place: how many items.
async fn kept(world: &Newcomers, thing: &str, certificate: &str) -> Vec<(&'static str, usize)> {
    let things = world.iot.describe_thing().thing_name(thing).send().await;
    let name = loam_domain::ThingName::parse(thing).unwrap();
    let (series, latest) = (format!("{thing}#humidity"), thing);
    vec![
        ("thing", usize::from(things.is_ok())),
        ("certificate", usize::from(world.status(certificate).await.is_some())),
        ("shadow", usize::from(world.shadow(&name).await.is_object())),
        ("catalog", world.items("IotCatalogTable", "clientId", thing).await.len()),
        (
            "presence",
            world
                .items("PresenceTable", "thing", thing)
                .await
                .iter()
                .filter(|item| !item.contains_key("erased"))
                .count(),
        ),
        ("alert states", world.items("AlertStatesTable", "thing", thing).await.len()),
        ("series", world.items("TelemetryTable", "pk", &series).await.len()),
        ("latest values", world.items("TelemetryTable", "pk", latest).await.len()),
    ]
}

#[tokio::test]
async fn a_retired_thing_leaves_nothing_behind_and_never_comes_back() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let Member { thing, made, device, mut events } = world.onboarded("old").await;
    let sent = reading(thing.as_str(), &json!(20), now()).to_string();
    device.publish(&format!("device/{thing}/devicePayload"), sent, QoS::AtLeastOnce).await.unwrap();
    eventually("everybody keeps something of it", async || {
        let kept = kept(&world, thing.as_str(), &made.certificate).await;
        kept.iter().all(|(_, count)| *count > 0).then_some(())
    })
    .await;

    let answer = world.operator.send("DELETE", &format!("/v1/things/{thing}"), &[], None).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    hears(&mut events, "its session ends", is_dropped).await;
    device.power_off().await;
    let life = world.is_in_state(&thing, "retired").await;
    assert_eq!(life["history"]["items"][0]["type"], "thing.retired");
    let kept = kept(&world, thing.as_str(), &made.certificate).await;
    assert!(kept.iter().all(|(_, count)| *count == 0), "{kept:?}");

    let notices = Inbox::open(&world.admin, world.stack.output("EventsTopic"), thing.as_str()).await;
    let device = world.switched_on(&made, Options::default());
    let notice = eventually("the same certificate is refused", async || {
        let mails = notices.take().await.into_iter();
        mails
            .map(|mail| serde_json::from_str::<Value>(&mail.message).unwrap())
            .find(|event| event["type"] == "certificate.refused")
    })
    .await;
    assert_eq!(notice["data"]["reasons"], json!(["thing-retired", "certificate-retired"]));
    device.power_off().await;
    eventually("it is revoked", async || {
        (world.status(&made.certificate).await == Some(CertificateStatus::Revoked)).then_some(())
    })
    .await;
    assert_eq!(world.life(&thing).await["record"]["state"], "retired");
}
