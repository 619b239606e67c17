//! Devices that keep their firmware as the cloud wants it, each with slots of its own, and the two operators who roll it out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use loam_device::description::Firmware;
use loam_device::http::Http;
use loam_device::ota::{self, Machine, Settings};
use loam_device::{Description, Device, Options, description};
use loam_domain::ThingName;
use loam_kit::{Answer, Api, Made, Person, eventually_within, patience, unique_thing};
use loam_releases::names::Hardware;
use loam_releases::signature::{Keyring, PublicKey};
use loam_releases::version::Version;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use crate::newcomers::{Newcomers, in_time};

/// What every device runs when it is new. Nobody published it.
pub(crate) const FACTORY: &str = "1.0.0";
/// So many devices join at a time.
const AT_ONCE: usize = 6;

pub(crate) struct Fleet {
    pub(crate) newcomers: Arc<Newcomers>,
    /// The operator who approves what the other one creates.
    pub(crate) second: Api,
    /// A kind of hardware, and a channel of releases, that only this fleet has.
    pub(crate) hardware: String,
    pub(crate) keys: Keyring,
    pub(crate) nodes: Vec<Node>,
}

/// A device of the fleet.
pub(crate) struct Node {
    pub(crate) thing: ThingName,
    made: Made,
    running: Option<JoinHandle<()>>,
}

impl Node {
    /// Makes a device that joins by itself and says what it is.
    async fn join(newcomers: Arc<Newcomers>, hardware: String) -> (Self, Device) {
        let thing = unique_thing("node");
        let made = newcomers.factory.certificate(thing.as_str(), &[]).await;
        let device = newcomers.switched_on(&made, Options::default());
        in_time("the device joins", device.connected()).await.unwrap();
        let firmware = Firmware { version: FACTORY.to_owned(), hardware: Some(hardware) };
        let said = Description { firmware, ..Description::soil_sensor(thing.as_str(), "localhost") };
        description::tell(&device, &said).await.unwrap();
        (Self { thing, made, running: None }, device)
    }

    /// Runs the device until it is switched off. Its slots and its journal lie beside its key, and outlive that.
    fn run(&mut self, device: Device, settings: Settings) {
        let credentials = &self.made.credentials;
        let slots: PathBuf = credentials.key.with_file_name(format!("slots-{}", self.thing));
        let root_ca = std::fs::read(&credentials.root_ca).unwrap();
        self.running = Some(tokio::spawn(async move {
            let mut machine = Machine::start(settings, &slots, Http::new(Some(&root_ca)).unwrap()).unwrap();
            ota::serve(&device, &mut machine).await.unwrap();
        }));
    }

    /// Cuts its power.
    pub(crate) async fn switch_off(&mut self) {
        let running = self.running.take().unwrap();
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled(), "{} had ended by itself", self.thing);
    }
}

impl Fleet {
    /// So many devices that joined, described themselves, are known to the catalog, and are on.
    pub(crate) async fn new(devices: usize) -> Self {
        let newcomers = Arc::new(Newcomers::new(&json!({"enabled": true})).await);
        let hardware = unique_thing("board").to_string();
        let (mut joining, mut joined) = (JoinSet::new(), vec![]);
        for _ in 0..devices {
            if joining.len() == AT_ONCE {
                joined.push(joining.join_next().await.unwrap().unwrap());
            }
            joining.spawn(Node::join(newcomers.clone(), hardware.clone()));
        }
        joined.extend(joining.join_all().await);
        let name = unique_thing("second");
        let second = Person::of(&newcomers.stack, name.as_str(), &["operators"]).await;
        let (keys, second) = (keys(&newcomers).await, Api::new(&newcomers.stack, Some(&second.token)));
        let mut fleet = Self { newcomers, second, hardware, keys, nodes: vec![] };
        for (mut node, device) in joined {
            node.run(device, fleet.settings(&node.thing));
            fleet.nodes.push(node);
        }
        let hardware = fleet.hardware.clone();
        fleet.are_listed(devices, &format!("firmware.hardware = '{hardware}'")).await;
        fleet.report(FACTORY, devices).await;
        fleet
    }

    /// One more device that joins, describes itself, and is on.
    pub(crate) async fn grow(&mut self) -> ThingName {
        let (mut node, device) = Node::join(self.newcomers.clone(), self.hardware.clone()).await;
        node.run(device, self.settings(&node.thing));
        let thing = node.thing.clone();
        self.nodes.push(node);
        thing
    }

    /// Waits until the catalog has so many things of which this is true.
    pub(crate) async fn are_listed(&self, things: usize, filter: &str) {
        let filter = filter.replace(' ', "%20").replace('=', "%3D");
        let path = format!("/v1/things?filter={filter}&count=true&limit=1");
        eventually_within(long(), &format!("{things} things with {filter}"), async || {
            let listed = self.operator().get(&path).await.json();
            (listed["count"] == things).then_some(())
        })
        .await;
    }

    /// Waits until the catalog has heard so many of this fleet's devices report this version.
    pub(crate) async fn report(&self, version: &str, devices: usize) {
        let ours = format!("firmware.hardware = '{}'", self.hardware);
        self.are_listed(devices, &format!("{ours} AND properties.reported.firmware.version = '{version}'")).await;
    }

    pub(crate) fn operator(&self) -> &Api {
        &self.newcomers.operator
    }

    /// What a device is, with nothing wrong with it.
    pub(crate) fn settings(&self, thing: &ThingName) -> Settings {
        Settings {
            thing: thing.to_string(),
            hardware: Hardware::parse(&self.hardware).unwrap(),
            version: Version::parse(FACTORY).unwrap(),
            keys: self.keys.clone(),
            fault: None,
            power_cut: None,
            trial: Duration::from_secs(120),
            utc_offset_minutes: Some(0),
        }
    }

    /// Switches a device on, changed by `change`; before, off if it was on.
    pub(crate) async fn switch_on(&mut self, at: usize, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings(&self.nodes[at].thing);
        change(&mut settings);
        let node = &mut self.nodes[at];
        if node.running.is_some() {
            node.switch_off().await;
        }
        node.run(self.newcomers.switched_on(&node.made, Options::default()), settings);
    }

    /// Uploads an image and its descriptor and publishes what becomes of them; the release's id. `fault` is what will be wrong
    /// with each device that starts it.
    pub(crate) async fn published(&self, version: &str, fault: Option<&str>) -> String {
        self.release(version, fault, false).await
    }

    /// The same, of a good image that is sealed.
    pub(crate) async fn published_sealed(&self, version: &str) -> String {
        self.release(version, None, true).await
    }

    async fn release(&self, version: &str, fault: Option<&str>, sealed: bool) -> String {
        let fault = fault.map(|fault| format!("loam-fault={fault}\n")).unwrap_or_default();
        let folder = format!("incoming/{}-{version}", self.hardware);
        self.put(&format!("{folder}/app.bin"), self.image(&fault, version)).await;
        let descriptor = json!({"image": "app.bin", "version": version, "hardware": [self.hardware],
            "channel": self.hardware, "sealed": sealed});
        self.put(&format!("{folder}/release.json"), descriptor.to_string().into_bytes()).await;
        let path = format!("/v1/releases?state=draft&channel={}", self.hardware);
        let draft = eventually_within(long(), "the upload is a draft", async || {
            let listed = self.operator().get(&path).await.json();
            listed["items"].as_array()?.iter().find(|release| release["version"] == version).cloned()
        })
        .await;
        let id = draft["releaseId"].as_str().unwrap().to_owned();
        let path = format!("/v1/releases/{id}/publish");
        let answer = self.operator().send("POST", &path, &[("if-match", "\"1\"")], None).await;
        assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("published")), "{}", answer.body);
        id
    }

    /// An image of no other fleet, longer than one piece of a download.
    fn image(&self, fault: &str, version: &str) -> Vec<u8> {
        let head = format!("{fault}{} {version}\n", self.hardware);
        head.into_bytes().into_iter().chain((0..100_000_u32).map(|index| index.to_le_bytes()[0])).collect()
    }

    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) {
        let put = aws_sdk_s3::Client::new(&self.newcomers.admin).put_object();
        let put = put.bucket(self.newcomers.stack.output("FirmwareBucket")).key(key);
        put.body(ByteStream::from(bytes)).send().await.unwrap();
    }

    /// What lies in the bucket under this key; `None` if nothing does.
    pub(crate) async fn object(&self, key: &str) -> Option<Vec<u8>> {
        let get = aws_sdk_s3::Client::new(&self.newcomers.admin).get_object();
        let get = get.bucket(self.newcomers.stack.output("FirmwareBucket")).key(key);
        Some(get.send().await.ok()?.body.collect().await.unwrap().to_vec())
    }

    /// A rollout to the whole fleet.
    pub(crate) fn definition(&self, release: &str, waves: &Value) -> Value {
        let filter = format!("firmware.hardware = '{}'", self.hardware);
        json!({"release": release, "targets": {"filter": filter}, "waves": waves})
    }

    /// Creates a rollout and waits until its targets are written down; its id.
    pub(crate) async fn created(&self, definition: &Value) -> String {
        let answer = self.operator().post("/v1/rollouts", definition).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let id = answer.json()["rolloutId"].as_str().unwrap().to_owned();
        let ready = self.becomes(&id, "ready").await;
        assert_eq!(ready["things"], self.nodes.len(), "{ready}");
        id
    }

    /// Approves it as the second operator, and starts it.
    pub(crate) async fn start(&self, id: &str) {
        act(&self.second, id, "approve").await;
        act(self.operator(), id, "start").await;
    }

    /// Waits until a rollout is there; whenever it is looked at, its counts add up, and no wave has opened too early.
    pub(crate) async fn becomes(&self, id: &str, status: &str) -> Value {
        self.shows(id, status, |rollout| rollout["status"] == status).await
    }

    /// The same, for whatever it is to show.
    pub(crate) async fn shows(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually_within(long(), &format!("the rollout is {what}"), async || {
            let rollout = self.operator().get(&format!("/v1/rollouts/{id}")).await.json();
            is_in_order(&rollout);
            wanted(&rollout).then_some(rollout)
        })
        .await
    }

    /// All things of a rollout that this query finds.
    pub(crate) async fn things(&self, id: &str, query: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (vec![], String::new());
        loop {
            let path = format!("/v1/rollouts/{id}/things?limit=100{query}{cursor}");
            let page = self.operator().get(&path).await.json();
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["cursor"].as_str() else { return all };
            cursor = format!("&cursor={next}");
        }
    }

    /// How many devices of the fleet report to run which version.
    pub(crate) async fn versions(&self) -> BTreeMap<String, usize> {
        let mut versions = BTreeMap::new();
        for node in &self.nodes {
            let shadow = self.newcomers.shadow(&node.thing).await;
            let version = shadow["state"]["reported"]["firmware"]["version"].as_str().unwrap().to_owned();
            *versions.entry(version).or_default() += 1;
        }
        versions
    }

    /// Whether an order of this rollout stands in the thing's shadow.
    pub(crate) async fn is_ordered(&self, id: &str, thing: &str) -> bool {
        let shadow = self.newcomers.shadow(&ThingName::parse(thing).unwrap()).await;
        shadow["state"]["desired"]["firmware"]["rollout"] == id
    }
}

/// Acts on a rollout as somebody who has just looked at it, again if it went on meanwhile.
pub(crate) async fn act(by: &Api, id: &str, action: &str) -> Value {
    eventually_within(long(), &format!("the rollout takes {action}"), async || {
        let seen = by.get(&format!("/v1/rollouts/{id}")).await;
        let answer = try_to(by, id, action, seen.header("etag")).await;
        assert!(matches!(answer.status, 200 | 202 | 412), "{action}: {}", answer.body);
        (answer.status != 412).then(|| answer.json())
    })
    .await
}

/// What somebody is answered who acts on the version with this tag.
pub(crate) async fn try_to(by: &Api, id: &str, action: &str, etag: &str) -> Answer {
    by.send("POST", &format!("/v1/rollouts/{id}/{action}"), &[("if-match", etag)], None).await
}

/// How many things of a wave, from 0, stand there.
pub(crate) fn count(rollout: &Value, wave: usize, state: &str) -> u64 {
    rollout["waves"][wave]["counts"][state].as_u64().unwrap()
}

/// The counts of each wave add up to its things, those of all waves to the rollout's, and a wave is open only if the one before
/// has passed its gate.
fn is_in_order(rollout: &Value) {
    let waves = rollout["waves"].as_array().unwrap_or_else(|| panic!("no rollout: {rollout}"));
    let things = |wave: &Value| wave["things"].as_u64().unwrap();
    for wave in waves {
        let counts = wave["counts"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), things(wave), "{wave}");
    }
    assert_eq!(waves.iter().map(things).sum::<u64>(), rollout["things"].as_u64().unwrap(), "{rollout}");
    for pair in waves.windows(2) {
        assert!(pair[1]["openedAt"].is_null() || pair[0]["gateAt"].is_i64(), "{rollout}");
    }
}

/// Long enough for what a whole fleet does on a small machine, and for the round that each minute brings.
pub(crate) fn long() -> Duration {
    patience() * 12
}

/// The keys that the fleet trusts: the stack's.
async fn keys(newcomers: &Newcomers) -> Keyring {
    let kms = aws_sdk_kms::Client::new(&newcomers.admin);
    let answer = kms.get_public_key().key_id(newcomers.stack.output("FirmwareKey")).send().await.unwrap();
    let der = answer.public_key.unwrap().into_inner();
    Keyring::new(vec![PublicKey::from_spki(&der).unwrap()]).unwrap()
}
