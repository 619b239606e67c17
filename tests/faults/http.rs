//! http: a POST with an Idempotency-Key, and the making of the cursors' key.

use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::to_bytes;
use axum::routing::post;
use axum::{Json, Router};
use loam_domain::Timestamp;
use loam_http::{Call, Caller, Creation, Cursors, Idempotency, Problem, Scope};
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, api_event, now, twin_of_table, unique_thing};
use serde_json::{Value, json};

use crate::{survives_crashes, survives_strain};

/// Longer than any call, so that a run that was stopped is past when the next one begins.
const LEASE_MILLIS: i64 = 30_000;

/// A POST that creates one row, given an id that a repeat has too.
struct Create;

struct World {
    router: Router,
    rows: Rows,
    key: String,
    began: Timestamp,
    deliveries: AtomicI64,
}

/// What the work writes: one row, under an id that a repeat has too.
#[derive(Clone)]
struct Rows {
    client: Client,
    table: String,
    id: String,
}

impl Rows {
    fn key(&self) -> AttributeValue {
        AttributeValue::S(format!("test#{}", self.id))
    }

    async fn create(&self) -> Result<Json<Value>, Problem> {
        let put = self.client.put_item().table_name(&self.table).item("key", self.key());
        match put.send().await {
            Ok(_) => Ok(Json(json!({"created": true}))),
            Err(_) => Err(Problem::bad_request("not-created", "the row was not written")),
        }
    }

    async fn exist(&self) -> bool {
        let get = self.client.get_item().table_name(&self.table).key("key", self.key()).consistent_read(true);
        get.send().await.unwrap().item.is_some()
    }
}

impl World {
    /// One request, by a run of its own.
    async fn send(&self) -> Result<String, String> {
        let delivery = self.deliveries.fetch_add(1, Ordering::SeqCst);
        let now = self.began.plus_millis(delivery * LEASE_MILLIS);
        let call =
            Call { request_id: format!("{}.{delivery}", self.key), now, deadline: now.plus_millis(LEASE_MILLIS) };
        let mut event = api_event("POST /v1/orders", "/v1/orders", "ann", &[], Some(&json!({"a": 1})));
        let headers = json!({"content-type": "application/json", "idempotency-key": self.key});
        event.as_object_mut().unwrap().insert("headers".to_owned(), headers);
        let event = serde_json::from_value(event).unwrap();
        let answer = Box::pin(loam_http::answer(self.router.clone(), event, call)).await;
        let status = answer.status();
        let body = String::from_utf8(to_bytes(answer.into_body(), 10_000).await.unwrap().to_vec()).unwrap();
        if status.is_success() { Ok(body) } else { Err(body) }
    }
}

impl Scenario for Create {
    type World = World;
    type State = (String, bool);
    type Error = String;

    fn name(&self) -> &'static str {
        "a POST with an Idempotency-Key"
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stack = Stack::deployed();
        let sdk = stack.admin_through(endpoint).await;
        let table = stack.resources.get("HttpTable").unwrap().clone();
        let store = Idempotency::new(&sdk, &table);
        let key = unique_thing("fault").to_string();
        let rows = Rows { client: Client::new(&sdk), table, id: key.clone() };
        let work = rows.clone();
        let create = move |call: Call, Creation { repeat, .. }: Creation<Value>| async move {
            store.once(&call, repeat.as_ref(), work.create()).await
        };
        let router = Router::new().route("/v1/orders", post(create));
        Ok(World { router, rows, key, began: now(), deliveries: AtomicI64::new(0) })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        world.send().await.map(drop)
    }

    async fn state(&self, world: &World) -> Result<(String, bool), String> {
        Ok((world.send().await?, Box::pin(world.rows.exist()).await))
    }
}

/// The first page of the first list of a stack.
struct FirstCursor;

struct Pages {
    cursors: Cursors,
    cursor: tokio::sync::Mutex<Option<String>>,
}

fn scope() -> Scope {
    Scope::new(&Caller { sub: "ann".to_owned(), groups: vec![] }, "GET", "/v1/things", "")
}

impl Scenario for FirstCursor {
    type World = Pages;
    type State = Option<u32>;
    type Error = String;

    fn name(&self) -> &'static str {
        "the first cursor makes the key"
    }

    async fn world(&self, endpoint: &str) -> Result<Pages, String> {
        let stack = Stack::deployed();
        let table = twin_of_table(&stack.admin().await, stack.resources.get("HttpTable").unwrap()).await;
        let cursors = Cursors::new(&stack.admin_through(endpoint).await, table);
        Ok(Pages { cursors, cursor: tokio::sync::Mutex::default() })
    }

    async fn deliver(&self, world: &Pages) -> Result<(), String> {
        let cursor = world.cursors.write(&scope(), &7_u32).await.map_err(|problem| problem.code().to_owned())?;
        *world.cursor.lock().await = Some(cursor);
        Ok(())
    }

    async fn state(&self, world: &Pages) -> Result<Option<u32>, String> {
        let cursor = world.cursor.lock().await.clone();
        world.cursors.read(&scope(), cursor.as_deref()).await.map_err(|problem| problem.code().to_owned())
    }
}

#[tokio::test]
async fn a_crash_at_any_call_of_a_post_leaves_one_creation_and_one_answer() {
    survives_crashes(&Create).await;
}

#[tokio::test]
async fn throttling_at_any_call_of_a_post_never_makes_a_wrong_success() {
    survives_strain(&Create).await;
}

#[tokio::test]
async fn a_crash_while_the_cursors_key_is_made_leaves_one_key() {
    survives_crashes(&FirstCursor).await;
    survives_strain(&FirstCursor).await;
}
