//! What a device does on the wire, packet by packet, against a stand-in broker.

// In tests of one crate, `cfg(test)` is always on; it tells clippy that these are tests.
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod updates;
#[cfg(test)]
mod words;

use loam_device::{Device, DeviceError, Event, Options, QoS, Reason};
use stand_in::{CONNECT, DISCONNECT, LONG, PATIENCE, PUBACK, PUBLISH_QOS_1, StandIn, device, next, patient_device};
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn connect_carries_the_last_will_the_client_id_and_a_clean_start() {
    let broker = StandIn::start().await;
    let _device = device(&broker);
    let body = broker.accept().await.expect(CONNECT).await;
    let text = String::from_utf8_lossy(&body);
    assert_eq!(body[..7], *b"\0\x04MQTT\x05");
    // Will at QoS 1, not retained, clean start; keep-alive 60 s.
    assert_eq!(body[7..10], [0b0000_1110, 0, 60]);
    assert!(text.contains("lwt/sensor") && text.contains(r#"{"state":{"reported":{"connected":false}}}"#), "{text}");
    assert!(text.contains("\0\x06sensor"), "{text}");
}

#[tokio::test]
async fn a_connection_closed_before_its_answer_is_a_refusal_and_is_tried_again() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let mut events = device.events();
    broker.accept().await.expect(CONNECT).await;
    assert_eq!(next(&mut events).await, Event::ConnectionRefused { reason: Reason::Closed });
    assert!(matches!(next(&mut events).await, Event::Reconnecting { .. }));
    let _peer = broker.accept_and_welcome().await;
    assert_eq!(next(&mut events).await, Event::Connected);
}

#[tokio::test]
async fn a_qos_1_publish_is_done_only_once_the_broker_has_acknowledged_it() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let mut publish = std::pin::pin!(device.publish("a", "x", QoS::AtLeastOnce));
    let mut peer = tokio::select! {
        peer = broker.accept_and_welcome() => peer,
        early = &mut publish => panic!("{early:?} before CONNACK"),
    };
    let body = tokio::select! {
        body = peer.expect(PUBLISH_QOS_1) => body,
        early = &mut publish => panic!("{early:?} before PUBACK"),
    };
    peer.send(&[PUBACK, 2, body[3], body[4]]).await;
    assert!(timeout(PATIENCE, publish).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_publish_that_the_broker_refuses_says_why() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let (outcome, _peer) = tokio::join!(device.publish("a", "x", QoS::AtLeastOnce), async {
        let mut peer = broker.accept_and_welcome().await;
        let body = peer.expect(PUBLISH_QOS_1).await;
        peer.send(&[PUBACK, 4, body[3], body[4], 0x87, 0]).await;
        peer
    });
    let error = outcome.unwrap_err();
    assert!(matches!(&error, DeviceError::PublishRefused { reason } if reason == "NotAuthorized"), "{error}");
}

#[tokio::test]
async fn a_publish_whose_connection_is_lost_says_so() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let (outcome, ()) = tokio::join!(device.publish("a", "x", QoS::AtLeastOnce), async {
        broker.accept_and_welcome().await.expect(PUBLISH_QOS_1).await;
    });
    assert!(matches!(outcome, Err(DeviceError::ConnectionLost)), "{outcome:?}");
}

#[tokio::test]
async fn a_delivery_whose_connection_is_lost_is_sent_again_on_the_next() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let (outcome, again) = tokio::join!(device.deliver("a", b"x", QoS::AtLeastOnce), async {
        broker.accept_and_welcome().await.expect(PUBLISH_QOS_1).await;
        broker.accept_and_welcome().await.acknowledge_publish().await
    });
    assert!(outcome.is_ok());
    assert_eq!(again, ("a".to_owned(), "x".to_owned()));
}

#[tokio::test]
async fn a_subscription_is_confirmed_again_before_the_device_calls_itself_connected() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let (subscription, filter) = tokio::join!(device.subscribe("$aws/things/sensor/#"), async {
        broker.accept_and_welcome().await.answer_subscribe(1).await
    });
    let mut subscription = subscription.unwrap();
    assert_eq!(filter, "$aws/things/sensor/#");
    let mut peer = broker.accept_and_welcome().await;
    assert!(timeout(Duration::from_millis(20), device.connected()).await.is_err());
    assert_eq!(peer.answer_subscribe(1).await, "$aws/things/sensor/#");
    timeout(PATIENCE, device.connected()).await.unwrap().unwrap();
    peer.publish("$aws/things/sensor/shadow/get/accepted", "{}").await;
    let message = timeout(PATIENCE, subscription.recv()).await.unwrap().unwrap();
    assert_eq!(message.topic, "$aws/things/sensor/shadow/get/accepted");
}

#[tokio::test]
async fn a_refused_subscription_is_an_error_and_not_a_silence() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let (outcome, _peer) = tokio::join!(device.subscribe("other/thing"), async {
        let mut peer = broker.accept_and_welcome().await;
        peer.answer_subscribe(0x87).await;
        peer
    });
    assert_eq!(outcome.unwrap_err().code(), "subscription-refused");
}

#[tokio::test]
async fn a_message_that_was_never_subscribed_to_is_acknowledged_and_handed_over() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let mut unsolicited = device.unsolicited();
    let mut peer = broker.accept_and_welcome().await;
    peer.publish("sensor/method/prefix/1", "hello").await;
    assert_eq!(peer.expect(PUBACK).await[..2], [0, 9]);
    assert_eq!(timeout(PATIENCE, unsolicited.recv()).await.unwrap().unwrap().payload, b"hello");
}

#[tokio::test]
async fn a_message_over_the_broker_s_own_limit_is_refused_here_and_the_connection_lives_on() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let mut peer = broker.accept().await;
    peer.expect(CONNECT).await;
    // CONNACK with the property Maximum Packet Size = 100.
    peer.send(&[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 100]).await;
    // Fixed header 2, topic 2 + 1, packet id 2, properties 1: 92 bytes of payload make 100.
    let over = device.publish("a", [b'x'; 93], QoS::AtLeastOnce).await.unwrap_err();
    assert_eq!(over.code(), "packet-too-large");
    let (fits, _) = tokio::join!(device.publish("a", [b'x'; 92], QoS::AtLeastOnce), peer.acknowledge_publish());
    assert!(fits.is_ok());
}

#[tokio::test]
async fn a_payload_over_128_kib_is_refused_without_a_connection() {
    let broker = StandIn::start().await;
    let over = device(&broker).publish("a", vec![0; 131_073], QoS::AtLeastOnce).await.unwrap_err();
    assert_eq!(over.code(), "payload-too-large");
}

#[tokio::test]
async fn a_dropped_connection_ends_without_a_goodbye_and_at_once() {
    let broker = StandIn::start().await;
    let device = patient_device(&broker);
    let mut events = device.events();
    let mut peer = broker.accept_and_welcome().await;
    device.connected().await.unwrap();
    timeout(PATIENCE, device.drop_connection()).await.unwrap();
    assert_eq!(peer.packet().await, None);
    assert_eq!(next(&mut events).await, Event::Connected);
    assert_eq!(next(&mut events).await, Event::Dropped { reason: Reason::Asked });
    assert_eq!(next(&mut events).await, Event::Reconnecting { after: LONG });
    // Nor does the back-off keep a device from ending.
    timeout(PATIENCE, device.disconnect()).await.unwrap();
}

#[tokio::test]
async fn a_device_that_disconnects_says_goodbye_and_waits_for_the_broker_to_close() {
    let broker = StandIn::start().await;
    let device = patient_device(&broker);
    let mut peer = broker.accept_and_welcome().await;
    device.connected().await.unwrap();
    let leaving = tokio::spawn(device.disconnect());
    peer.expect(DISCONNECT).await;
    assert!(!leaving.is_finished());
    drop(peer);
    timeout(PATIENCE, leaving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_device_whose_power_is_cut_says_nothing() {
    let broker = StandIn::start().await;
    let device = patient_device(&broker);
    let mut peer = broker.accept_and_welcome().await;
    device.connected().await.unwrap();
    device.power_off().await;
    assert_eq!(peer.packet().await, None);
}

#[tokio::test]
async fn a_take_over_is_told_apart_from_a_lost_connection() {
    let broker = StandIn::start().await;
    let device = device(&broker);
    let mut events = device.events();
    let mut peer = broker.accept_and_welcome().await;
    peer.send(&[DISCONNECT, 2, 0x8E, 0]).await;
    assert_eq!(next(&mut events).await, Event::Connected);
    assert_eq!(next(&mut events).await, Event::TakenOver);
    let _peer = broker.accept_and_welcome().await;
}

#[tokio::test]
async fn a_device_that_is_not_to_reconnect_ends_with_its_connection() {
    let broker = StandIn::start().await;
    let once = Options { reconnect: false, ..Options::default() };
    let device = Device::connect(&broker.identity(), once).unwrap();
    drop(broker.accept_and_welcome().await);
    let ended = async { while device.publish("a", "x", QoS::AtMostOnce).await.is_ok() {} };
    timeout(PATIENCE, ended).await.unwrap();
    assert!(matches!(device.connected().await, Err(DeviceError::Ended)));
}
