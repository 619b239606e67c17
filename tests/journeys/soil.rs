//! A soil sensor speaks: a mail goes out, the reading is archived, nothing is lost.

use loam_device::QoS;
use loam_kit::{eventually, now, reading};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_dry_reading_reaches_the_mailbox_and_the_archive() {
    let world = World::new("dry").await;
    let device = world.device().await;
    let sent = reading("soilSensor1", &json!("20"), now()).to_string();
    device.publish(&world.topic(), sent.clone(), QoS::AtLeastOnce).await.unwrap();

    let mail = eventually("the mail", async || world.inbox.take().await.pop()).await;
    assert_eq!(mail.subject, "Attention:Humidity Under Threshold");
    assert_eq!(mail.message, "Humidity 20 under threshold for device name soilSensor1");

    let key =
        eventually("the archived reading", async || world.archive.keys_of(world.thing.as_str()).await.pop()).await;
    let (topic, millis) = key.rsplit_once('/').unwrap();
    assert_eq!(topic, world.topic());
    assert!(now().as_millis() - millis.parse::<i64>().unwrap() < 60_000, "{key} is not the time of now");
    assert_eq!(String::from_utf8(world.archive.read(&key).await).unwrap(), sent);
    device.disconnect().await;
}

#[tokio::test]
async fn every_kind_of_bad_message_is_kept_and_the_good_ones_still_alert() {
    let world = World::new("bad").await;
    let device = world.device().await;
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("not-utf8", b"\xff\xfe\x00".to_vec()),
        ("not-json", b"humidity=20".to_vec()),
        ("not-json", br#"{"name":"a","humidity":NaN}"#.to_vec()),
        ("not-json", br#"{"name":"a","humidity":"#.to_vec()),
        ("missing-field", br#"{"name":"a"}"#.to_vec()),
        ("missing-field", br#"{"name":"a","humidity":null}"#.to_vec()),
        ("not-a-number", br#"{"name":"a","humidity":"abc"}"#.to_vec()),
        ("not-a-number", br#"{"name":"a","humidity":1e400}"#.to_vec()),
        ("wrong-type", br#"{"name":"a","humidity":{"value":20}}"#.to_vec()),
        ("wrong-type", format!(r#"{{"name":"a","humidity":{deep}}}"#).into_bytes()),
        ("not-an-object", deep.into_bytes()),
        ("invalid-name", br#"{"name":"soil/+","humidity":20}"#.to_vec()),
        ("not-json", vec![b'x'; 127 * 1024]),
    ];
    for (_, payload) in &bad {
        device.publish(&world.topic(), payload.clone(), QoS::AtLeastOnce).await.unwrap();
    }
    let good = json!({"name": "other name", "humidity": 12, "unknown": [1, 2], "timeStampEpoch": now().as_millis()});
    device.publish(&world.topic(), good.to_string(), QoS::AtLeastOnce).await.unwrap();

    let mail = eventually("the good reading's mail", async || world.inbox.take().await.pop()).await;
    assert_eq!(mail.message, "Humidity 12 under threshold for device name other name");
    assert_eq!(mail.attributes["thing"], world.thing.as_str(), "the topic decides who it is");

    let mut expected: Vec<_> = bad.iter().map(|(code, _)| (*code).to_owned()).collect();
    expected.sort();
    assert_eq!(codes_of_all_kept(&world, expected.len()).await, expected);
    device.disconnect().await;
}

async fn codes_of_all_kept(world: &World, count: usize) -> Vec<String> {
    let kept = eventually(&format!("{count} kept messages"), async || {
        let kept = world.alert_dead_letters.about(world.thing.as_str()).await;
        (kept.len() >= count).then_some(kept)
    })
    .await;
    let code = |kept: &Value| kept["code"].as_str().unwrap_or("no code").to_owned();
    let mut codes: Vec<_> = kept.iter().map(code).collect();
    codes.sort();
    codes
}

#[tokio::test]
async fn a_device_cannot_speak_for_another_thing() {
    let (thief, victim) = tokio::join!(World::new("thief"), World::new("victim"));
    let device = thief.device().await;
    let stolen = reading("victim", &json!(1), now()).to_string();
    let _ = device.publish(&victim.topic(), stolen, QoS::AtLeastOnce).await;

    // Its own message takes the same way; once it has arrived, the stolen one would have too.
    let honest = reading("thief", &json!(2), now()).to_string();
    eventually("the thief's own message is taken", async || {
        device.publish(&thief.topic(), honest.clone(), QoS::AtLeastOnce).await.ok()
    })
    .await;
    eventually("the thief's own mail", async || thief.inbox.take().await.pop()).await;
    assert_eq!(victim.inbox.take().await, []);
    assert_eq!(victim.archive.keys_of(victim.thing.as_str()).await, Vec::<String>::new());
}
