//! Whether a thing is there: power loss, a short loss, a takeover.

use loam_device::{Device, Options};
use loam_domain::ThingName;
use loam_kit::eventually;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::newcomers::{Member, Newcomers, in_time, types};

/// The template's default of `PresenceDelaySeconds`.
const DELAY_SECONDS: u64 = 5;

/// Waits until route and shadow show that it is there, or not; what the route answers.
async fn shows(world: &Newcomers, thing: &ThingName, connected: bool) -> Value {
    eventually(&format!("{thing} is shown as connected: {connected}"), async || {
        let (presence, shadow) = tokio::join!(world.presence(thing), world.shadow(thing));
        let shown = [&presence["connected"], &shadow["state"]["reported"]["connected"]];
        (shown == [&json!(connected); 2]).then_some(presence)
    })
    .await
}

/// Waits until presence knows how the connection before ended, by AWS's own word, while at no time the thing is shown
/// offline; what the route answers.
async fn is_never_offline(world: &Newcomers, thing: &ThingName) -> Value {
    let presence = eventually("presence hears how the connection before ended", async || {
        let (presence, shadow) = tokio::join!(world.presence(thing), world.shadow(thing));
        assert_eq!(presence["connected"], true, "{presence}");
        assert_eq!(shadow["state"]["reported"]["connected"], true, "{shadow}");
        presence["lastDisconnectReason"].is_string().then_some(presence)
    })
    .await;
    assert!(!types(&history(world, thing).await).contains(&"presence.disconnected".to_owned()));
    presence
}

async fn history(world: &Newcomers, thing: &ThingName) -> Value {
    world.operator.get(&format!("/v1/things/{thing}/presence/history")).await.json()
}

#[tokio::test]
async fn a_device_without_power_is_offline_after_the_delay_and_back_when_it_returns() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let Member { thing, made, device, .. } = world.joined("power").await;
    let before = shows(&world, &thing, true).await;
    let cut = Instant::now();
    device.power_off().await;
    let gone = shows(&world, &thing, false).await;
    assert!(cut.elapsed().as_secs() >= DELAY_SECONDS, "after {:?}", cut.elapsed());
    assert_eq!(gone["clean"], false);
    assert_eq!(gone["sessionIdentifier"], before["sessionIdentifier"]);

    let device = world.switched_on(&made, Options::default());
    in_time("it is back", device.connected()).await.unwrap();
    let back = shows(&world, &thing, true).await;
    assert_ne!(back["sessionIdentifier"], before["sessionIdentifier"]);
    let told = types(&history(&world, &thing).await);
    // The first connection with a certificate tells of it; the second one is with the same.
    let expected = ["presence.connected", "presence.principal-changed", "presence.disconnected", "presence.connected"];
    assert_eq!(told, expected);
    device.disconnect().await;
}

#[tokio::test]
async fn a_device_that_is_back_within_the_delay_was_never_offline() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let Member { thing, device, .. } = world.joined("blink").await;
    let before = shows(&world, &thing, true).await;
    let cut = Instant::now();
    device.drop_connection().await;
    in_time("it is back", device.connected()).await.unwrap();
    assert!(cut.elapsed().as_secs() < DELAY_SECONDS, "this machine is too slow for this test: {:?}", cut.elapsed());
    let after = is_never_offline(&world, &thing).await;
    assert_eq!((&after["clean"], &after["flapping"]), (&json!(false), &json!(false)));
    assert_ne!(after["sessionIdentifier"], before["sessionIdentifier"]);
    device.disconnect().await;
}

#[tokio::test]
async fn a_device_whose_client_id_is_taken_over_is_never_offline() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let Member { thing, made, device, .. } = world.joined("taken").await;
    shows(&world, &thing, true).await;
    // The first one comes back and the second one not, so that they do not take turns for ever.
    let second: Device = world.switched_on(&made, Options { reconnect: false, ..Options::default() });
    in_time("the second one connects", second.connected()).await.unwrap();
    let presence = is_never_offline(&world, &thing).await;
    assert_eq!(presence["lastDisconnectReason"], "DUPLICATE_CLIENTID");
    in_time("the first one is back", device.connected()).await.unwrap();
    device.disconnect().await;
}
