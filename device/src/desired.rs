//! The desired state: the device does what is desired of it, and reports that it did.

use crate::device::{Device, Subscription};
use crate::error::DeviceError;
use crate::message::{Message, QoS};
use crate::topics;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What a device runs is no wish: `ota` sees to it, and reports it when it is so.
const FIRMWARE: &str = "firmware";

/// What is desired of the device and not yet reported, in one version of its shadow.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Delta {
    version: u64,
    state: Map<String, Value>,
}

/// The whole shadow, as the device gets it after it has connected.
#[derive(Debug, Deserialize)]
struct Document {
    version: u64,
    state: Parts,
}

#[derive(Debug, Deserialize)]
struct Parts {
    delta: Option<Map<String, Value>>,
}

/// Obeys until the device ends: whatever is desired is reported at once. A real device would act before it reports. Deltas
/// may come twice or out of order; only a newer version is obeyed. What came while the device was away it asks for after
/// each connect.
///
/// # Errors
/// As [`Device::subscribe`] and [`Device::deliver`].
pub async fn obey(device: &Device) -> Result<(), DeviceError> {
    let mut deltas = device.subscribe(&topics::shadow_delta(device.thing())).await?;
    let mut documents = device.subscribe(&format!("{}/accepted", topics::shadow_get(device.thing()))).await?;
    loop {
        device.connected().await?;
        // Versions count anew for a shadow that was deleted meanwhile.
        let mut latest = 0;
        device.deliver(&topics::shadow_get(device.thing()), b"", QoS::AtLeastOnce).await?;
        while let Some(message) = next(device, &mut deltas, &mut documents).await {
            let Some(delta) = understood(&message) else { continue };
            if delta.version > latest && !delta.state.is_empty() {
                latest = delta.version;
                report(device, &delta).await?;
            }
        }
    }
}

/// The next message; `None` once the connection is lost.
async fn next(device: &Device, deltas: &mut Subscription, documents: &mut Subscription) -> Option<Message> {
    tokio::select! {
        message = deltas.recv() => message,
        message = documents.recv() => message,
        () = device.disconnected() => None,
    }
}

fn understood(message: &Message) -> Option<Delta> {
    let mut delta = if message.topic.ends_with("/accepted") {
        let document: Document = serde_json::from_slice(&message.payload).ok()?;
        Delta { version: document.version, state: document.state.delta? }
    } else {
        serde_json::from_slice(&message.payload).ok()?
    };
    delta.state.remove(FIRMWARE);
    Some(delta)
}

/// What, the log does not say: it is no place for it.
async fn report(device: &Device, delta: &Delta) -> Result<(), DeviceError> {
    let reported = json!({"state": {"reported": delta.state}}).to_string();
    device.deliver(&topics::shadow_update(device.thing()), reported.as_bytes(), QoS::AtLeastOnce).await?;
    tracing::info!(
        thing.name = device.thing(),
        properties = delta.state.len(),
        version = delta.version,
        "the desired state is reported"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str) -> Message {
        let payload = payload.as_bytes().to_vec();
        Message { topic: topic.to_owned(), payload, response_topic: None, correlation_data: None, duplicate: false }
    }

    #[test]
    fn a_delta_and_a_shadow_with_one_ask_the_same() {
        let of = |topic: &str, payload: &str| understood(&message(topic, payload));
        let delta = of("x/shadow/update/delta", r#"{"version":7,"state":{"on":true},"metadata":{}}"#).unwrap();
        let document = r#"{"version":7,"state":{"desired":{"on":true},"delta":{"on":true}}}"#;
        assert_eq!(of("x/shadow/get/accepted", document), Some(delta));
        assert_eq!(
            of("x/shadow/get/accepted", r#"{"version":7,"state":{"desired":{}}}"#),
            None,
            "nothing is left to do"
        );
        assert_eq!(of("x/shadow/update/delta", "x"), None);
    }

    #[test]
    fn nobody_reports_to_run_a_firmware_because_it_is_desired() {
        let delta = r#"{"version":7,"state":{"on":true,"firmware":{"version":"2.0.0"}}}"#;
        let delta = understood(&message("x/shadow/update/delta", delta)).unwrap();
        assert!(delta.state.contains_key("on") && !delta.state.contains_key("firmware"));
    }
}
