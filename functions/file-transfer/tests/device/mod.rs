//! What the thing's device gets.

use std::time::Duration;

use loam_device::{Device, Files, Identity, Options, Subscription};
use loam_kit::{join, patience};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::world::World;

/// A connected device's mail about files.
pub(crate) struct Mail {
    _device: Device,
    grants: Mutex<Subscription>,
}

impl Mail {
    pub(crate) async fn open(world: &World) -> Self {
        let joined = join(&world.stack, &[world.thing.as_str()]).await.remove(0);
        let files = Files { root_ca: joined.root_ca, certificate: joined.cert, private_key: joined.key };
        let identity = Identity::load(world.thing.as_str(), "localhost", world.stack.mqtt_port, &files).unwrap();
        let device = Device::connect(&identity, Options::default()).unwrap();
        device.connected().await.unwrap();
        let grants = Mutex::new(device.subscribe(&format!("loam/{}/files/+/+", world.thing)).await.unwrap());
        Self { _device: device, grants }
    }

    /// The next message of a kind.
    pub(crate) async fn any(&self, kind: &str) -> Value {
        self.find(kind, |_| true).await
    }

    /// The next message of a kind that has a field.
    pub(crate) async fn any_with(&self, kind: &str, field: &str) -> Value {
        self.find(kind, |message| !message[field].is_null()).await
    }

    /// The next message of a kind about a transfer.
    pub(crate) async fn next(&self, id: &str, kind: &str) -> Value {
        self.find(kind, |message| message["transferId"] == id).await
    }

    /// The next one that has a field.
    pub(crate) async fn next_with(&self, id: &str, kind: &str, field: &str) -> Value {
        self.find(kind, |message| message["transferId"] == id && !message[field].is_null()).await
    }

    async fn find(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut grants = self.grants.lock().await;
        let look = async {
            loop {
                let message = grants.recv().await.unwrap();
                let payload: Value = serde_json::from_slice(&message.payload).unwrap();
                if message.topic.ends_with(kind) && wanted(&payload) {
                    return payload;
                }
            }
        };
        tokio::time::timeout(patience() + Duration::from_secs(1), look).await.unwrap()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
