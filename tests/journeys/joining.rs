//! Devices join by themselves: the first connection is dropped, and a while later the thing is useful.

use std::collections::BTreeSet;

use aws_sdk_iot::types::CertificateStatus;
use loam_device::{Description, Event, Options, QoS, description};
use loam_kit::{Inbox, eventually, now, reading, unique_thing};
use serde_json::json;
use tokio::task::JoinSet;

use crate::newcomers::{Newcomers, in_time, types};

#[tokio::test]
async fn a_new_device_joins_by_itself_and_becomes_useful() {
    let world = Newcomers::new(&json!({"enabled": true, "initialDesired": {"wait_time": 5}})).await;
    let thing = unique_thing("joins");
    let made = world.factory.certificate(thing.as_str(), &[]).await;
    let inbox = Inbox::open(&world.admin, world.stack.output("AlertsTopic"), thing.as_str()).await;
    assert_eq!(world.status(&made.certificate).await, None, "nobody has seen it");

    let device = world.switched_on(&made, Options::default());
    let first = in_time("the first connection ends", device.events().recv()).await.unwrap();
    let Event::ConnectionRefused { reason } = &first else { panic!("the first connection is dropped, not {first:?}") };
    assert!(reason.is_normal_for_a_new_device(), "{reason}");
    in_time("the device joins", device.connected()).await.unwrap();
    assert_eq!(world.status(&made.certificate).await, Some(CertificateStatus::Active));
    let said = Description::soil_sensor(thing.as_str(), "localhost");
    description::tell(&device, &said).await.unwrap();

    let life = world.is_in_state(&thing, "onboarded").await;
    assert_eq!(types(&life["history"]), ["thing.registered", "thing.active", "thing.onboarded"]);
    assert_eq!(life["record"]["caId"], world.factory.ca_id.as_str());
    is_in_the_catalog(&world, thing.as_str(), &said).await;
    eventually("the registry's three attributes", async || {
        let thing = world.iot.describe_thing().thing_name(thing.as_str()).send().await.unwrap();
        let attributes: BTreeSet<_> = thing.attributes.unwrap_or_default().into_iter().collect();
        let wanted = [("manufacturerName", "Loam"), ("modelName", "SoilSensor"), ("version", "1.0")];
        (attributes == wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).then_some(())
    })
    .await;
    let reported = json!({"manufacturerName": "Loam", "modelName": "SoilSensor", "version": "1.0", "connected": true});
    eventually("the first shadow", async || {
        let state = world.shadow(&thing).await["state"].take();
        (state["reported"] == reported && state["desired"] == json!({"wait_time": 5})).then_some(())
    })
    .await;
    assert_eq!(world.presence(&thing).await["connected"], true);

    let sent = reading(thing.as_str(), &json!("20"), now()).to_string();
    device.publish(&format!("device/{thing}/devicePayload"), sent, QoS::AtLeastOnce).await.unwrap();
    let mail = eventually("the mail", async || inbox.take().await.pop()).await;
    assert_eq!(mail.message, format!("Humidity 20 under threshold for device name {thing}"));
    device.disconnect().await;
}

/// The item of the classic catalog: exactly its nine fields.
async fn is_in_the_catalog(world: &Newcomers, thing: &str, said: &Description) {
    let item = eventually("the catalog item", async || world.items("IotCatalogTable", "clientId", thing).await.pop());
    let item: BTreeSet<_> =
        item.await.into_iter().map(|(field, value)| (field, value.as_s().unwrap().clone())).collect();
    let nine = [
        ("endpoint", "localhost"),
        ("clientId", thing),
        ("thingId", thing),
        ("manufacturerName", &said.manufacturer_name),
        ("modelName", &said.model_name),
        ("version", &said.version),
        ("friendlyName", &said.friendly_name),
        ("friendlyDescription", &said.friendly_description),
        ("type", &said.kind),
    ];
    assert_eq!(item, nine.map(|(field, value)| (field.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn twenty_devices_join_at_once() {
    let world = Newcomers::new(&json!({"enabled": true, "maxDevices": 20})).await;
    let mut made = Vec::new();
    for _ in 0..20 {
        made.push(world.factory.certificate(unique_thing("crowd").as_str(), &[]).await);
    }
    let mut joining = JoinSet::new();
    for one in &made {
        let device = world.switched_on(one, Options::default());
        joining.spawn(async move {
            in_time("one of twenty joins", device.connected()).await.unwrap();
            device
        });
    }
    let devices = joining.join_all().await;
    assert_eq!(devices.len(), 20);
    for one in &made {
        assert_eq!(world.status(&one.certificate).await, Some(CertificateStatus::Active));
        let principals = world.iot.list_thing_principals().thing_name(&one.credentials.thing).send().await.unwrap();
        assert_eq!(principals.principals.unwrap().len(), 1);
    }
    // There is room for no other.
    let late = world.factory.certificate(unique_thing("late").as_str(), &[]).await;
    assert!(!world.factory.present(&late).await);
    eventually("the one too many is revoked", async || {
        (world.status(&late.certificate).await == Some(CertificateStatus::Revoked)).then_some(())
    })
    .await;
}
