//! The end: a device is revoked while it is connected, and a thing retires.

use aws_sdk_iot::types::CertificateStatus;
use loam_device::{Event, Options, QoS};
use loam_kit::{Inbox, eventually, now, reading};
use serde_json::{Value, json};

use crate::newcomers::{Item, Member, Newcomers, hears};

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
async fn kept(world: &Newcomers, thing: &str, certificate: &str, group: &str) -> Vec<(&'static str, usize)> {
    let things = world.iot.describe_thing().thing_name(thing).send().await;
    let name = loam_domain::ThingName::parse(thing).unwrap();
    let (series, latest) = (format!("{thing}#humidity"), thing);
    vec![
        ("thing", usize::from(things.is_ok())),
        ("certificate", usize::from(world.status(certificate).await.is_some())),
        ("shadow", usize::from(world.shadow(&name).await.is_object())),
        ("catalog", world.items("IotCatalogTable", "clientId", thing).await.len()),
        (
            "twin with its tags",
            world.items("TwinsTable", "thing", thing).await.iter().filter(|twin| is_tagged(twin)).count(),
        ),
        ("place in a group", world.items("GroupsTable", "group", group).await.len() - 1),
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

/// Whether people wrote a tag on it, and the projection knows its shadow and its connection.
fn is_tagged(twin: &Item) -> bool {
    let notes = twin["notes"].as_s().unwrap();
    notes.contains("shed") && twin.contains_key("shadow") && twin.contains_key("presence")
}

/// Puts the thing into a group of its own, and a tag on it; the group's name.
async fn is_filed(world: &Newcomers, thing: &str) -> String {
    let group = format!("group-of-{thing}");
    let tags = json!({"tags": {"room": "shed"}, "friendlyName": "Old one"});
    for (method, path, body) in [
        ("PUT", format!("/v1/groups/{group}"), Some(json!({}))),
        ("PUT", format!("/v1/groups/{group}/things/{thing}"), None),
        ("PATCH", format!("/v1/things/{thing}"), Some(tags)),
    ] {
        let answer = world.operator.send(method, &path, &[], body.as_ref()).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
    }
    group
}

#[tokio::test]
async fn a_retired_thing_leaves_nothing_behind_and_never_comes_back() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let Member { thing, made, device, mut events } = world.onboarded("old").await;
    let sent = reading(thing.as_str(), &json!(20), now()).to_string();
    device.publish(&format!("device/{thing}/devicePayload"), sent, QoS::AtLeastOnce).await.unwrap();
    let group = is_filed(&world, thing.as_str()).await;
    eventually("everybody keeps something of it", async || {
        let kept = kept(&world, thing.as_str(), &made.certificate, &group).await;
        kept.iter().all(|(_, count)| *count > 0).then_some(())
    })
    .await;

    let answer = world.operator.send("DELETE", &format!("/v1/things/{thing}"), &[], None).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    hears(&mut events, "its session ends", is_dropped).await;
    device.power_off().await;
    let life = world.is_in_state(&thing, "retired").await;
    assert_eq!(life["history"]["items"][0]["type"], "thing.retired");
    let kept = kept(&world, thing.as_str(), &made.certificate, &group).await;
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
    let listed = world.operator.get(&format!("/v1/things?filter=deviceId%20%3D%20'{thing}'&count=true")).await.json();
    assert_eq!((&listed["count"], &listed["items"]), (&json!(0), &json!([])), "nothing brought its twin back");
    let group = world.operator.get(&format!("/v1/groups/{group}")).await.json();
    assert_eq!((&group["members"], &group["things"]["items"]), (&json!(0), &json!([])));
}
