use loam_device::{Device, Files, Identity, Options};
use loam_domain::ThingName;
use loam_kit::{Archive, Credentials, DeadLetterQueue, Inbox, Stack, join, unique_thing};

/// A journey's world: one new thing with its certificate, and the places where its traces appear.
pub(crate) struct World {
    pub(crate) thing: ThingName,
    pub(crate) credentials: Credentials,
    pub(crate) inbox: Inbox,
    pub(crate) archive: Archive,
    pub(crate) alert_dead_letters: DeadLetterQueue,
    mqtt_port: u16,
}

impl World {
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let thing = unique_thing(purpose);
        let admin = stack.admin().await;
        Self {
            credentials: join(&stack, &[thing.as_str()]).await.remove(0),
            inbox: Inbox::open(&admin, stack.output("AlertsTopic"), thing.as_str()).await,
            archive: Archive::new(&admin, stack.output("ArchiveBucket")),
            alert_dead_letters: DeadLetterQueue::new(&admin, stack.output("SoilAlertsDeadLetters")),
            mqtt_port: stack.mqtt_port,
            thing,
        }
    }

    pub(crate) async fn device(&self) -> Device {
        let files = Files {
            root_ca: self.credentials.root_ca.clone(),
            certificate: self.credentials.cert.clone(),
            private_key: self.credentials.key.clone(),
        };
        let identity = Identity::load(self.thing.as_str(), "localhost", self.mqtt_port, &files).unwrap();
        let device = Device::connect(&identity, Options::default()).unwrap();
        device.connected().await.unwrap();
        device
    }

    pub(crate) fn topic(&self) -> String {
        format!("device/{}/devicePayload", self.thing)
    }
}
