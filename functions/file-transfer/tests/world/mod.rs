//! One test's world: a paired thing of its own, its owner, and its device.

use std::sync::Arc;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use file_transfer::{Api, ApiConfig, Config, Handler, routes};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use loam_domain::{ThingName, Timestamp};
use loam_kit::{
    Answer, Stack, api_event, ask_at, begin_retirement, end_tenure, eventually, now, register_paired, seed_membership,
    unique_thing,
};
use loam_runtime::{BatchItem, Invocation};
use loam_sealed::{
    DataKey, EncryptedDataKey, EncryptionContext, Header, Opener, Sealer, UnverifiedHeader, WrappingKey,
};
use loam_things::{ThingRecord, Things};
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) stack: Arc<Stack>,
    pub(crate) thing: ThingName,
    pub(crate) owner: String,
    pub(crate) handler: Handler,
    pub(crate) things: Things,
    pub(crate) config: Config,
    pub(crate) s3: aws_sdk_s3::Client,
    router: Router,
}

/// Status and code of a problem.
pub(crate) fn problem(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

impl World {
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let admin = stack.admin().await;
        let [queue, api] = ["FileTransfer", "FileTransferApi"].map(|name| stack.function(name));
        let config = Config::from_lookup(&|name| queue.variable(name)).unwrap();
        let api_config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
        let world = Self {
            thing: unique_thing(purpose),
            owner: unique_thing("user").to_string(),
            handler: Handler::new(&stack.role_of(queue, &stack.endpoint).await, config.clone()),
            router: routes().with_state(Api::new(&stack.role_of(api, &stack.endpoint).await, api_config)).into(),
            things: Things::new(&admin, config.places.things_table.clone()),
            s3: aws_sdk_s3::Client::new(&admin),
            config,
            stack: Arc::new(stack),
        };
        world.pair().await;
        world
    }

    async fn pair(&self) {
        register_paired(&self.things, &self.thing).await;
        seed_membership(&self.stack, &self.owner, &self.thing, "owner", self.record().await.epoch).await;
    }

    pub(crate) async fn record(&self) -> ThingRecord {
        self.things.get(&self.thing).await.unwrap().unwrap()
    }

    /// Ends the owner's time, for this capability alone.
    pub(crate) async fn unpair(&self) {
        end_tenure(&self.things, &self.thing, &["file-transfer"], now()).await;
    }

    pub(crate) async fn begin_retirement(&self) {
        begin_retirement(&self.things, &self.thing, &["file-transfer", "others"], now()).await;
    }

    /// Delivers a message; it must be done with.
    pub(crate) async fn deliver_at(&self, body: String, at: Timestamp) {
        let batch = vec![BatchItem { message_id: "m".to_owned(), body }];
        let invocation = Invocation { request_id: unique_thing("run").to_string(), now: at };
        assert_eq!(self.handler.handle(batch, &invocation).await.unwrap(), [""; 0]);
    }

    pub(crate) async fn deliver(&self, body: String) {
        self.deliver_at(body, now()).await;
    }

    /// One run of the work on a transfer.
    pub(crate) async fn work(&self, id: &str) {
        self.deliver(json!({"work": id, "of": self.thing}).to_string()).await;
    }

    /// What the rule makes of a device's message.
    pub(crate) async fn say(&self, kind: &str, payload: &Value) {
        let topic = format!("loam/{}/files/{kind}", self.thing);
        let payload = STANDARD.encode(payload.to_string());
        let message = json!({"payload": payload, "topic": topic, "clientId": self.thing, "receivedAt": now()});
        self.deliver(message.to_string()).await;
    }

    pub(crate) fn event(&self, kind: &str) -> String {
        let id = format!("{}.9", self.thing);
        json!({"id": id, "type": kind, "thing": self.thing, "at": now(), "epoch": 1, "data": {}}).to_string()
    }

    pub(crate) async fn ask(&self, sub: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let event = api_event(&format!("{method} /v1/test"), path, sub, &[], body);
        ask_at(self.router.clone(), event, unique_thing("request").as_str(), now()).await
    }

    pub(crate) async fn own(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask(&self.owner, method, path, body).await
    }

    pub(crate) async fn create(&self, body: &Value) -> Value {
        let answer = self.own("POST", &format!("/v1/things/{}/files", self.thing), Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()
    }

    pub(crate) async fn show(&self, id: &str) -> Value {
        let answer = self.own("GET", &format!("/v1/files/{id}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub(crate) async fn complete(&self, id: &str, body: &Value) -> Answer {
        self.own("POST", &format!("/v1/files/{id}/complete"), Some(body)).await
    }

    pub(crate) async fn refresh(&self, id: &str) -> Answer {
        self.own("POST", &format!("/v1/files/{id}/refresh"), None).await
    }

    /// The same as [`seal`] for a grant without a key, by KMS, whose answer to a device is the same as to an administrator.
    pub(crate) async fn seal_by_kms(&self, grant: &Value, file: &[u8]) -> Vec<u8> {
        let (header, context) = (header_of(grant), context_of(grant, &self.thing));
        let keys = header.encrypted_data_keys();
        let key = keys.iter().find(|key| key.provider_id() == EncryptedDataKey::AWS_KMS).unwrap();
        let mut request = aws_sdk_kms::Client::new(&self.stack.admin().await).decrypt();
        for (name, value) in context.iter() {
            request = request.encryption_context(name, value);
        }
        let arn = String::from_utf8(key.provider_info().to_vec()).unwrap();
        let answer = request.key_id(arn).ciphertext_blob(key.ciphertext().to_vec().into()).send().await.unwrap();
        let data_key = DataKey::new(answer.plaintext.unwrap().into_inner().try_into().unwrap());
        let opener = header.open(&data_key, &context).unwrap();
        body_of(&data_key, opener.header(), file)
    }

    /// Waits until the transfer is in this state.
    pub(crate) async fn becomes(&self, id: &str, state: &str) -> Value {
        eventually(&format!("the transfer is {state}"), async || {
            let transfer = self.show(id).await;
            (transfer["state"] == state).then_some(transfer)
        })
        .await
    }

    /// Creates a download of these bytes, brings them, and has them sealed.
    pub(crate) async fn sealed(&self, bytes: &[u8]) -> String {
        let created = self.create(&json!({"direction": "download", "name": "f", "size": bytes.len()})).await;
        let id = created["transfer"]["transferId"].as_str().unwrap().to_owned();
        assert_eq!(put(created["source"]["url"].as_str().unwrap(), bytes).await, 200);
        assert_eq!(self.complete(&id, &json!({})).await.status, 200);
        self.work(&id).await;
        self.becomes(&id, "ready").await;
        id
    }

    /// How many objects of a transfer are left: heads and bodies; versions of its source.
    pub(crate) async fn left(&self, id: &str) -> (usize, usize, usize) {
        let places = &self.config.places;
        let mut counts = [0, 0];
        for (count, kind) in counts.iter_mut().zip(["heads", "bodies"]) {
            let list = self.s3.list_objects_v2().bucket(&places.files_bucket).prefix(format!("{kind}/{id}/"));
            *count = list.send().await.unwrap().contents().len();
        }
        let versions = self.s3.list_object_versions().bucket(&places.sources_bucket).prefix(format!("sources/{id}"));
        let versions = versions.send().await.unwrap();
        (counts[0], counts[1], versions.versions().len() + versions.delete_markers().len())
    }
}

async fn send(method: &str, url: &str, body: &[u8], range: Option<&str>) -> (u16, Vec<u8>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let mut request = hyper::Request::builder().method(method).uri(url);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    if method == "PUT" {
        request = request.header("content-length", body.len());
    }
    let body = bytes::Bytes::copy_from_slice(body);
    let answer = client.request(request.body(Full::new(body)).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}

/// A PUT; its status.
pub(crate) async fn put(url: &str, body: &[u8]) -> u16 {
    send("PUT", url, body, None).await.0
}

/// A GET; status and body.
pub(crate) async fn get(url: &str) -> (u16, Vec<u8>) {
    send("GET", url, &[], None).await
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// What opens a grant's file: its data key is taken from the header by the key in the grant.
fn opener(grant: &Value, thing: &ThingName) -> (DataKey, Opener) {
    let (key, bytes) = (&grant["key"], decoded(&grant["key"]["value"]));
    let [namespace, name] = ["namespace", "name"].map(|field| key[field].as_str().unwrap());
    let wrapping = WrappingKey::new(namespace, name, bytes.as_slice().try_into().unwrap()).unwrap();
    let header = header_of(grant);
    let data_key = header.unwrap_key(&wrapping).unwrap();
    let opener = header.open(&data_key, &context_of(grant, thing)).unwrap();
    (data_key, opener)
}

fn header_of(grant: &Value) -> UnverifiedHeader {
    UnverifiedHeader::parse(&decoded(&grant["header"])).unwrap().0
}

fn context_of(grant: &Value, thing: &ThingName) -> EncryptionContext {
    let pairs = ["direction", "transferId"].map(|field| (field, grant[field].as_str().unwrap()));
    EncryptionContext::new(pairs.into_iter().chain([("thing", thing.as_str())])).unwrap()
}

/// The file of a receiver's grant.
pub(crate) async fn receive(grant: &Value, thing: &ThingName) -> Vec<u8> {
    let (status, body) = get(grant["body"].as_str().unwrap()).await;
    assert_eq!((status, body.len() as u64), (200, grant["file"]["bodyBytes"].as_u64().unwrap()));
    let (_, mut opener) = opener(grant, thing);
    let (mut file, mut rest) = (vec![], body.as_slice());
    while let Some(plaintext) = opener.open(&mut rest).unwrap() {
        file.extend_from_slice(plaintext);
    }
    opener.finish().unwrap();
    file
}

/// The whole body that a sender's grant makes of a file.
pub(crate) fn seal(grant: &Value, thing: &ThingName, file: &[u8]) -> Vec<u8> {
    let (data_key, opener) = opener(grant, thing);
    body_of(&data_key, opener.header(), file)
}

fn body_of(data_key: &DataKey, header: &Header, file: &[u8]) -> Vec<u8> {
    let (mut body, mut sealer) = (vec![], Sealer::new(data_key, header).unwrap());
    sealer.update(file, &mut body).unwrap();
    sealer.finish(&mut body).unwrap();
    body
}

/// The message as official clients read it: header and body, and what opens it.
pub(crate) async fn message(grant: &Value) -> Vec<u8> {
    [decoded(&grant["header"]), get(grant["body"].as_str().unwrap()).await.1].concat()
}
