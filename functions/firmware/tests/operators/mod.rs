//! One test's world: operators before the routes, a bucket to upload to, and the rows.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use axum::Router;
use firmware::{Api, ApiConfig, Intake, IntakeConfig, routes};
use loam_kit::{Answer, DeadLetterQueue, Stack, api_event, ask_at, now, twin_of_table, unique_thing, with_headers};
use loam_releases::names::Id;
use loam_runtime::{BatchItem, Invocation};
use serde_json::{Value, json};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Whose tables and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    /// The stack's, under the functions' roles.
    Stack,
    /// New ones, under the administrator's key: nobody else writes there.
    Own,
}

pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) admin: SdkConfig,
    pub(crate) intake: IntakeConfig,
    pub(crate) api: ApiConfig,
    /// Unique to the test, and a channel.
    pub(crate) name: String,
    taking: Intake,
    router: Router,
}

/// Status and code of a problem.
pub(crate) fn problem(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

impl World {
    pub(crate) async fn new(places: Places) -> Self {
        let stack = Stack::deployed();
        let admin = stack.admin().await;
        let [intake, api] = ["FirmwareIntake", "FirmwareApi"].map(|name| stack.function(name));
        let mut taking = IntakeConfig::from_lookup(&|name| intake.variable(name)).unwrap();
        let mut config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
        let mut roles = [stack.role_of(intake, &stack.endpoint).await, stack.role_of(api, &stack.endpoint).await];
        if places == Places::Own {
            let table = twin_of_table(&admin, &config.firmware_table).await;
            (taking.firmware_table, config.firmware_table) = (table.clone(), table);
            config.queue_url = DeadLetterQueue::own(&admin).await.url().to_owned();
            roles = [admin.clone(), admin.clone()];
        }
        let name = Id::of("test", &[unique_thing("firmware").as_str()]).as_str()[..12].to_owned();
        let [of_intake, of_api] = &roles;
        Self {
            taking: Intake::new(of_intake, taking.clone()),
            router: routes().with_state(Api::new(of_api, config.clone())).into(),
            intake: taking,
            api: config,
            name,
            admin,
            stack,
        }
    }

    /// The same world with the routes as they are configured now.
    pub(crate) fn again(mut self) -> Self {
        self.router = routes().with_state(Api::new(&self.admin, self.api.clone())).into();
        self
    }

    /// What somebody with these groups is answered.
    pub(crate) async fn ask(
        &self,
        (sub, groups): (&str, &[&str]),
        (method, path): (&str, &str),
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let event = api_event(&format!("{method} /v1/test"), path, sub, groups, body);
        let request_id = unique_thing("request");
        ask_at(self.router.clone(), with_headers(event, headers), request_id.as_str(), now()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(("ann", &["operators"]), ("GET", path), None, &[]).await
    }

    /// A POST of this operator on the version with this tag.
    pub(crate) async fn post(&self, by: &str, path: &str, etag: &str) -> Answer {
        self.ask((by, &["operators"]), ("POST", path), None, &[("if-match", etag)]).await
    }

    /// The POST that creates a rollout.
    pub(crate) async fn order(&self, body: &Value, key: Option<&str>) -> Answer {
        let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        self.ask(("ann", &["operators"]), ("POST", "/v1/rollouts"), Some(body), &headers).await
    }

    /// Puts an object beneath this test's folder of uploads; its version.
    pub(crate) async fn put(&self, folder: &str, file: &str, bytes: &[u8]) -> String {
        let request = aws_sdk_s3::Client::new(&self.admin).put_object().bucket(&self.intake.firmware_bucket);
        let request = request.key(format!("incoming/{}-{folder}/{file}", self.name));
        let answer = request.body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
        answer.version_id.unwrap()
    }

    /// The key of a descriptor of this test, and what the bucket tells of this version of it.
    pub(crate) fn notice(&self, folder: &str, version: &str) -> (String, String) {
        let key = format!("incoming/{}-{folder}/release.json", self.name);
        let object = json!({"key": key, "versionId": version, "size": 1, "sequencer": "01"});
        let record = json!({"eventVersion": "2.1", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": self.intake.firmware_bucket}, "object": object}});
        (key, json!({"Records": [record]}).to_string())
    }

    /// Hands the intake a message; it must be done with.
    pub(crate) async fn hand(&self, body: String) {
        let batch = vec![BatchItem { message_id: "m".to_owned(), body }];
        let invocation = Invocation { request_id: unique_thing("run").to_string(), now: now() };
        assert_eq!(self.taking.handle(batch, &invocation).await.unwrap(), [""; 0]);
    }

    /// A descriptor of this test's channel.
    pub(crate) fn descriptor(&self, version: &str) -> Value {
        let hardware = format!("board-{}", self.name);
        json!({"image": "app.bin", "version": version, "hardware": [hardware], "channel": self.name})
    }

    /// Uploads an image and its descriptor, and has them taken in; the release's id.
    pub(crate) async fn upload(&self, folder: &str, descriptor: &Value, image: &[u8]) -> Id {
        self.put(folder, "app.bin", image).await;
        let version = self.put(folder, "release.json", descriptor.to_string().as_bytes()).await;
        let (key, notice) = self.notice(folder, &version);
        self.hand(notice).await;
        firmware::release::id(&key, &version)
    }

    /// A release that is published.
    pub(crate) async fn published(&self, version: &str) -> Id {
        self.published_with(version, &json!({})).await
    }

    /// The same, whose descriptor says more.
    pub(crate) async fn published_with(&self, version: &str, more: &Value) -> Id {
        let mut descriptor = self.descriptor(version);
        descriptor.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let id = self.upload(version, &descriptor, version.as_bytes()).await;
        let answer = self.post("ann", &format!("/v1/releases/{id}/publish"), "\"1\"").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        id
    }

    /// All releases of this test's channel, newest first.
    pub(crate) async fn releases(&self) -> Vec<Value> {
        let answer = self.get(&format!("/v1/releases?channel={}", self.name)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["items"].as_array().unwrap().clone()
    }

    pub(crate) async fn row(&self, partition: &str, item: &str) -> Option<Item> {
        let request = aws_sdk_dynamodb::Client::new(&self.admin).get_item().table_name(&self.api.firmware_table);
        let request = request.key("thing", text(partition)).key("item", text(item)).consistent_read(true);
        request.send().await.unwrap().item
    }

    pub(crate) async fn delete(&self, partition: &str, item: &str) {
        let request = aws_sdk_dynamodb::Client::new(&self.admin).delete_item().table_name(&self.api.firmware_table);
        request.key("thing", text(partition)).key("item", text(item)).send().await.unwrap();
    }

    pub(crate) async fn write(&self, partition: &str, item: &str, attributes: &[(&str, AttributeValue)]) {
        let request = aws_sdk_dynamodb::Client::new(&self.admin).put_item().table_name(&self.api.firmware_table);
        let mut request = request.item("thing", text(partition)).item("item", text(item));
        for (name, value) in attributes {
            request = request.item(*name, value.clone());
        }
        request.send().await.unwrap();
    }

    /// The codes under which messages about this text were kept.
    pub(crate) async fn kept(&self, about: &str) -> Vec<String> {
        let all = DeadLetterQueue::new(&self.stack.admin().await, &self.intake.dead_letters_url).texts().await;
        let codes = all.iter().filter(|letter| letter.contains(about));
        codes
            .map(|letter| serde_json::from_str::<Value>(letter).unwrap()["code"].as_str().unwrap().to_owned())
            .collect()
    }
}
