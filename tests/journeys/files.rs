//! Files over real HTTP, real MQTT and the program that people run: to a device that was away, from a device that was asked;
//! with the key in the grant, and with one that the device has from KMS.

use std::path::{Path, PathBuf};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use loam_device::files::{Addresses, Cut, Grant, Http, Kms, Notice};
use loam_device::{Files, Identity, topics};
use loam_domain::ThingName;
use loam_kit::{Made, Stack, eventually_within, now, patience};
use serde_json::{Value, json};

use crate::newcomers::{Member, Newcomers, in_time};
use crate::on_the_spot::OnTheSpot;

/// More than one part, and no whole number of frames.
const BYTES: usize = 8 * 1024 * 1024 + 77;

struct World {
    newcomers: Newcomers,
    device: OnTheSpot,
    directory: PathBuf,
}

impl World {
    async fn new(purpose: &str) -> Self {
        let newcomers = Box::pin(Newcomers::new(&json!({"enabled": true}))).await;
        let mut device = Box::pin(OnTheSpot::onboarded(&newcomers, purpose)).await;
        device.power_off(&newcomers).await;
        let directory = device.made.credentials.key.with_file_name(format!("files-{}", device.thing));
        std::fs::create_dir_all(directory.join("outbox")).unwrap();
        Self { newcomers, device, directory }
    }

    fn switch_on(&mut self) {
        let directory = self.directory.to_str().unwrap().to_owned();
        self.device.switch_on_in("files", &["--files", &directory]);
    }

    /// The same with a way to KMS.
    fn switch_on_with_kms(&mut self) {
        let Addresses { credentials, role_alias, kms } = addresses(&self.newcomers.stack);
        let (directory, kms) = (self.directory.to_str().unwrap().to_owned(), kms.unwrap());
        let flags = ["--files", &directory, "--credentials", &credentials, "--role_alias", &role_alias, "--kms", &kms];
        self.device.switch_on_in("files", &flags);
    }

    /// Creates a transfer; what was answered.
    async fn create(&self, order: &Value) -> Value {
        create(&self.newcomers, &self.device.thing, order).await
    }

    /// Waits until a transfer is `state`: longer than the device's back-off.
    async fn becomes(&self, id: &str, state: &str) -> Value {
        eventually_within(patience() * 3, &format!("the transfer is {state}"), async || {
            let transfer = self.newcomers.operator.get(&format!("/v1/files/{id}")).await.json();
            (transfer["state"] == state).then_some(transfer)
        })
        .await
    }

    async fn post(&self, id: &str, verb: &str) -> Value {
        let answer = self.newcomers.operator.post(&format!("/v1/files/{id}/{verb}"), &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }
}

async fn create(newcomers: &Newcomers, thing: &ThingName, order: &Value) -> Value {
    let answer = newcomers.operator.post(&format!("/v1/things/{thing}/files"), order).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

/// Where a device of the stack gets credentials, and where KMS is.
fn addresses(stack: &Stack) -> Addresses {
    Addresses {
        credentials: format!("https://localhost:{}", stack.credentials_port),
        role_alias: stack.output("FilesRoleAlias").to_owned(),
        kms: Some(stack.endpoint.clone()),
    }
}

/// The way to KMS of who says to be `thing` and has the certificate of `made`.
fn way(stack: &Stack, thing: &ThingName, made: &Made) -> Kms {
    let credentials = made.credentials.clone();
    let files = Files { root_ca: credentials.root_ca, certificate: credentials.cert, private_key: credentials.key };
    let identity = Identity::load(thing.as_str(), "localhost", stack.mqtt_port, &files).unwrap();
    Kms::new(&identity, Some(&std::fs::read(&files.root_ca).unwrap()), &addresses(stack)).unwrap()
}

/// The grant of a download whose key is for KMS, as its device hears it.
async fn grant_without_key(newcomers: &Newcomers, member: &Member) -> Grant {
    let mut mail = member.device.subscribe(&topics::files(member.thing.as_str())).await.unwrap();
    let order = json!({"direction": "download", "name": "secret", "size": 6, "key": "kms"});
    let created = create(newcomers, &member.thing, &order).await;
    assert_eq!(put(created["source"]["url"].as_str().unwrap(), b"secret".to_vec()).await, 200);
    let completed = newcomers.operator.post(&format!("/v1/files/{}/complete", id_of(&created)), &json!({})).await;
    assert_eq!(completed.status, 200, "{}", completed.body);
    let message = in_time("the grant comes", mail.recv()).await.unwrap();
    assert!(!String::from_utf8_lossy(&message.payload).contains("\"key\":"), "it brings a key");
    match Notice::parse(member.thing.as_str(), &message) {
        Ok(Notice::Grant(grant)) => *grant,
        other => panic!("{other:?}"),
    }
}

fn id_of(answer: &Value) -> String {
    answer["transfer"]["transferId"].as_str().unwrap().to_owned()
}

fn bytes() -> Vec<u8> {
    (0..BYTES).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

/// A PUT, as `curl --upload-file` makes it.
async fn put(url: &str, body: Vec<u8>) -> u16 {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::put(url).body(Full::new(Bytes::from(body))).unwrap();
    client.request(request).await.unwrap().status().as_u16()
}

/// Fetches what is behind a URL into a file.
async fn fetch(url: &str, to: &Path) -> Result<(), Cut> {
    let mut fetched = Vec::new();
    let http = Http::new(None).unwrap();
    http.get(url, 0, |piece| {
        fetched.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    std::fs::write(to, fetched).unwrap();
    Ok(())
}

#[tokio::test]
async fn a_device_that_was_away_gets_its_file_when_it_comes_back_whole_and_once() {
    let mut world = World::new("file").await;
    let file = bytes();
    let created = world.create(&json!({"direction": "download", "name": "setup.bin", "size": BYTES})).await;
    let id = id_of(&created);
    assert_eq!(put(created["source"]["url"].as_str().unwrap(), file.clone()).await, 200);
    world.post(&id, "complete").await;
    world.becomes(&id, "ready").await;
    world.switch_on();
    world.becomes(&id, "completed").await;
    let inbox = world.directory.join("inbox");
    assert!(std::fs::read(inbox.join(format!("{id}-setup.bin"))).unwrap() == file);
    // It comes back once more: there is nothing to do, and nothing is left half-done.
    world.device.power_off(&world.newcomers).await;
    world.switch_on();
    let second = world.create(&json!({"direction": "download", "name": "b", "size": 1})).await;
    assert_eq!(put(second["source"]["url"].as_str().unwrap(), vec![7]).await, 200);
    world.post(&id_of(&second), "complete").await;
    world.becomes(&id_of(&second), "completed").await;
    assert_eq!(std::fs::read_dir(inbox).unwrap().count(), 2);
}

#[tokio::test]
async fn what_is_wanted_of_a_device_comes_sealed_opens_for_people_and_is_erased_when_they_have_it() {
    let mut world = World::new("log").await;
    let file = bytes();
    std::fs::write(world.directory.join("outbox/log"), &file).unwrap();
    world.switch_on();
    let id = id_of(&world.create(&json!({"direction": "upload", "name": "log"})).await);
    let ready = world.becomes(&id, "ready").await;
    assert_eq!(ready["size"], BYTES);
    let answer = world.post(&id, "refresh").await;
    let url = answer["grant"]["body"].as_str().unwrap();
    let [key, sealed, opened] = ["grant.json", "sealed", "opened"].map(|name| world.directory.join(name));
    std::fs::write(&key, answer.to_string()).unwrap();
    fetch(url, &sealed).await.unwrap();
    assert!(!std::fs::read(&sealed).unwrap().windows(64).any(|piece| file.starts_with(piece)), "it is readable");
    world.device.open(&key, &opened, &sealed).await.unwrap();
    assert!(std::fs::read(&opened).unwrap() == file);
    world.post(&id, "complete").await;
    eventually_within(patience(), "it is erased", async || {
        let transfer = world.newcomers.operator.get(&format!("/v1/files/{id}")).await.json();
        (transfer["erased"] == true).then_some(())
    })
    .await;
    assert!(matches!(fetch(url, &opened).await, Err(Cut::UrlOver(status)) if status == 404));
}

#[tokio::test]
async fn a_device_that_asks_kms_itself_receives_and_sends_files_whose_grants_bring_no_key() {
    let mut world = World::new("kms").await;
    let file = bytes();
    let order = json!({"direction": "download", "name": "setup.bin", "size": BYTES, "key": "kms"});
    let created = world.create(&order).await;
    assert_eq!(created["transfer"]["key"], "kms");
    assert_eq!(put(created["source"]["url"].as_str().unwrap(), file.clone()).await, 200);
    world.post(&id_of(&created), "complete").await;
    world.becomes(&id_of(&created), "ready").await;
    std::fs::write(world.directory.join("outbox/log"), &file).unwrap();
    world.switch_on_with_kms();
    world.becomes(&id_of(&created), "completed").await;
    let inbox = world.directory.join("inbox");
    assert!(std::fs::read(inbox.join(format!("{}-setup.bin", id_of(&created)))).unwrap() == file);
    let id = id_of(&world.create(&json!({"direction": "upload", "name": "log", "key": "kms"})).await);
    world.becomes(&id, "ready").await;
    // A person has no way of their own: their grant brings the key.
    let answer = world.post(&id, "refresh").await;
    let [key, sealed, opened] = ["grant.json", "sealed", "opened"].map(|name| world.directory.join(name));
    std::fs::write(&key, answer.to_string()).unwrap();
    fetch(answer["grant"]["body"].as_str().unwrap(), &sealed).await.unwrap();
    world.device.open(&key, &opened, &sealed).await.unwrap();
    assert!(std::fs::read(&opened).unwrap() == file);
}

#[tokio::test]
async fn a_device_without_a_way_to_kms_refuses_such_a_file_and_says_why() {
    let mut world = World::new("nokms").await;
    world.switch_on();
    let created = world.create(&json!({"direction": "download", "name": "f", "size": 1, "key": "kms"})).await;
    assert_eq!(put(created["source"]["url"].as_str().unwrap(), vec![7]).await, 200);
    world.post(&id_of(&created), "complete").await;
    assert_eq!(world.becomes(&id_of(&created), "failed").await["reason"], "kms-not-set-up");
}

#[tokio::test]
async fn a_stolen_grant_is_opened_by_the_credentials_of_its_own_thing_alone() {
    let newcomers = Newcomers::new(&json!({"enabled": true})).await;
    let (owner, thief) = (newcomers.onboarded("kms").await, newcomers.onboarded("thief").await);
    let grant = grant_without_key(&newcomers, &owner).await;
    let stack = &newcomers.stack;
    let open = async |thing: &ThingName, way: &Kms| grant.open_by(thing, Some(way), now().as_millis()).await.map(drop);
    let refused = async |thing: &ThingName, way: &Kms| open(thing, way).await.unwrap_err().code();
    open(&owner.thing, &way(stack, &owner.thing, &owner.made)).await.unwrap();
    let stolen = way(stack, &thief.thing, &thief.made);
    assert_eq!(refused(&owner.thing, &stolen).await, "kms-access-denied");
    assert_eq!(refused(&thief.thing, &stolen).await, "context-mismatch");
    assert_eq!(refused(&owner.thing, &way(stack, &owner.thing, &thief.made)).await, "credentials-refused");
    // Nor does the owner get credentials once it is revoked.
    let revoked =
        newcomers.operator.post(&format!("/v1/things/{}/revoke", owner.thing), &json!({"reason": "stolen"})).await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    assert_eq!(refused(&owner.thing, &way(stack, &owner.thing, &owner.made)).await, "credentials-refused");
}
