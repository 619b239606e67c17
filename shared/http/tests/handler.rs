//! The rows of HttpTable on the local AWS.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::to_bytes;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use loam_domain::Timestamp;
use loam_http::{Call, Caller, Creation, Cursors, ETag, Idempotency, Problem, Scope};
use loam_kit::{Stack, api_event, now, twin_of_table, unique_thing};
use serde_json::{Value, json};

/// One test's world: a key of its own, and a route that creates and counts.
#[derive(Clone)]
struct World {
    router: Router,
    key: String,
    created: Arc<AtomicU32>,
    began: Timestamp,
}

async fn create(
    store: Idempotency,
    created: Arc<AtomicU32>,
    call: Call,
    Creation { body, repeat }: Creation<Value>,
) -> Result<Response, Problem> {
    let work = async {
        let number = created.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::task::yield_now().await;
        if body == json!("refuse") && number == 1 {
            return Err(Problem::conflict("not-now", "try again"));
        }
        Ok((axum::http::StatusCode::CREATED, ETag::of(7), Json(json!({"number": number, "body": body}))))
    };
    store.once(&call, repeat.as_ref(), work).await
}

impl World {
    async fn new() -> Self {
        let stack = Stack::deployed();
        Self::through(&stack, &stack.endpoint).await
    }

    async fn through(stack: &Stack, endpoint: &str) -> Self {
        let table = stack.resources.get("HttpTable").unwrap();
        let store = Idempotency::new(&stack.admin_through(endpoint).await, table);
        let created = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&created);
        let route = move |call: Call, creation: Creation<Value>| create(store, counter, call, creation);
        let router = Router::new().route("/v1/orders", post(route));
        Self { router, key: unique_thing("key").to_string(), created, began: now() }
    }

    /// Sends the body with the world's key, `millis` after its begin, by a run that Lambda ends 1000 ms later.
    async fn send_at(&self, millis: i64, run: &str, body: Value) -> (u16, Value) {
        let mut event = api_event("POST /v1/orders", "/v1/orders", "ann", &[], Some(&body));
        *event.pointer_mut("/headers").unwrap() =
            json!({"content-type": "application/json", "idempotency-key": self.key});
        let now = self.began.plus_millis(millis);
        let call = Call { request_id: run.to_owned(), now, deadline: now.plus_millis(1000) };
        let response = loam_http::answer(self.router.clone(), serde_json::from_value(event).unwrap(), call).await;
        let status = response.status().as_u16();
        if status == 201 {
            assert_eq!(response.headers().get("etag").unwrap(), "\"7\"");
        }
        let bytes = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    fn created(&self) -> u32 {
        self.created.load(Ordering::SeqCst)
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1.get("code").and_then(Value::as_str).unwrap_or_default())
}

#[tokio::test]
async fn a_repeat_gets_the_same_answer_for_24_hours_and_creates_nothing() {
    let world = World::new().await;
    let first = world.send_at(0, "1", json!({"a": 1})).await;
    assert_eq!(first, (201, json!({"number": 1, "body": {"a": 1}})));
    let day = 24 * 60 * 60 * 1000;
    assert_eq!(world.send_at(1, "2", json!({"a": 1})).await, first);
    assert_eq!(world.send_at(day - 1, "3", json!({"a": 1})).await, first);
    assert_eq!(world.created(), 1);
    assert_eq!(world.send_at(day, "4", json!({"a": 1})).await.1["number"], 2);
}

#[tokio::test]
async fn another_body_under_the_key_is_refused() {
    let world = World::new().await;
    world.send_at(0, "1", json!(1)).await;
    assert_eq!(code(&world.send_at(1, "2", json!(2)).await), (409, "idempotency-key-reused"));
    assert_eq!(world.created(), 1);
}

#[tokio::test]
async fn of_eight_at_once_one_runs_and_the_others_are_told() {
    let world = World::new().await;
    let sends = (0..8).map(|run| {
        let world = world.clone();
        tokio::spawn(async move { world.send_at(0, &format!("run{run}"), json!(1)).await })
    });
    for send in sends.collect::<Vec<_>>() {
        let answer = send.await.unwrap();
        assert!(
            answer == (201, json!({"number": 1, "body": 1})) || code(&answer) == (409, "in-progress"),
            "{answer:?}"
        );
    }
    assert_eq!(world.created(), 1);
}

#[tokio::test]
async fn a_run_that_failed_may_run_again_at_once() {
    let world = World::new().await;
    assert_eq!(code(&world.send_at(0, "1", json!("refuse")).await), (409, "not-now"));
    assert_eq!(world.send_at(1, "2", json!("refuse")).await.0, 201);
}

#[tokio::test]
async fn a_dead_run_is_taken_over_when_its_time_is_past_and_not_a_millisecond_before() {
    let world = World::new().await;
    let (stack, stuck) = (Stack::deployed(), world.clone());
    let store = Idempotency::new(&stack.admin().await, stack.resources.get("HttpTable").unwrap());
    // Its work never ends: dropped in the middle, as an environment that is killed.
    let never = move |call: Call, creation: Creation<Value>| async move {
        store.once(&call, creation.repeat.as_ref(), std::future::pending::<Result<Json<Value>, Problem>>()).await
    };
    let stuck = World { router: Router::new().route("/v1/orders", post(never)), ..stuck };
    assert_eq!(code(&stuck.send_at(0, "dead", json!(1)).await), (503, "deadline"));
    assert_eq!(code(&world.send_at(999, "2", json!(1)).await), (409, "in-progress"));
    assert_eq!(world.send_at(1000, "3", json!(1)).await.0, 201);
    assert_eq!(world.created(), 1);
}

#[tokio::test]
async fn without_the_table_nothing_is_created() {
    let world = World::through(&Stack::deployed(), "http://127.0.0.1:9").await;
    let answer = world.send_at(0, "1", json!(1)).await;
    assert!(matches!(code(&answer), (503, "unavailable" | "deadline")), "{answer:?}");
    assert_eq!(world.created(), 0);
}

fn scope(sub: &str) -> Scope {
    Scope::new(&Caller { sub: sub.to_owned(), groups: vec![] }, "GET", "/v1/things", "limit=5")
}

#[tokio::test]
async fn of_eight_who_make_the_key_at_once_all_read_each_other_s_cursors() {
    let stack = Stack::deployed();
    let sdk = stack.admin().await;
    let table = twin_of_table(&sdk, stack.resources.get("HttpTable").unwrap()).await;
    let writers = (0..8_u32).map(|number| {
        let cursors = Cursors::new(&sdk, &table);
        tokio::spawn(async move { (cursors.write(&scope("ann"), &number).await.unwrap(), cursors) })
    });
    let mut written = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        written.push(writer.await.unwrap());
    }
    let reader = Cursors::new(&sdk, &table);
    for (number, (cursor, writer)) in (0_u32..).zip(&written) {
        assert_eq!(reader.read(&scope("ann"), Some(cursor)).await.unwrap(), Some(number));
        assert_eq!(writer.read::<u32>(&scope("bob"), Some(cursor)).await.unwrap_err().code(), "invalid-cursor");
    }
    assert_eq!(reader.read::<u32>(&scope("ann"), None).await.unwrap(), None);
}
