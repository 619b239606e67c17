//! A stand-in for AWS that does just enough for a proxy's tests: items by id, notices, objects.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the stand-in holds.
#[derive(Default)]
pub(crate) struct Held {
    /// Items by table and id.
    pub(crate) items: BTreeMap<(String, String), Value>,
    /// Topic and message of each publication, in order.
    pub(crate) notices: Vec<(String, String)>,
    /// Bodies by path.
    pub(crate) objects: BTreeMap<String, Bytes>,
    /// Requests seen.
    pub(crate) requests: usize,
    /// Headers of the last request.
    pub(crate) headers: HeaderMap,
}

pub(crate) struct Upstream {
    pub(crate) held: Arc<Mutex<Held>>,
    pub(crate) address: String,
    _serving: JoinSet<()>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let held = Arc::new(Mutex::new(Held::default()));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&held)));
        Self { held, address, _serving: serving }
    }
}

async fn serve(listener: TcpListener, held: Arc<Mutex<Held>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let held = Arc::clone(&held);
        let service = service_fn(move |request| answer(Arc::clone(&held), request));
        connections.spawn(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(held: Arc<Mutex<Held>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let target = parts.headers.get("x-amz-target").map(|value| value.to_str().unwrap().to_owned());
    let mut held = held.lock().unwrap();
    held.requests += 1;
    held.headers = parts.headers.clone();
    let (status, answer) = match target.as_deref().and_then(|target| target.rsplit('.').next()) {
        Some("PutItem") => put(&mut held, &serde_json::from_slice(&body).unwrap()),
        Some("GetItem") => get(&held, &serde_json::from_slice(&body).unwrap()),
        Some(_) => (200, json!({ "MessageId": "1" }).to_string().into()),
        None if parts.uri.path() == "/" => publish(&mut held, &body),
        None => object(&mut held, &parts.method, parts.uri.path(), body),
    };
    Ok(Response::builder().status(status).body(Full::new(answer)).unwrap())
}

fn put(held: &mut Held, body: &Value) -> (u16, Bytes) {
    let id = (body["TableName"].to_string(), body["Item"]["id"]["S"].to_string());
    if body.get("ConditionExpression").is_some() && held.items.contains_key(&id) {
        let error = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException" });
        return (400, error.to_string().into());
    }
    held.items.insert(id, body["Item"].clone());
    (200, json!({ "ConsumedCapacity": { "CapacityUnits": 1.0 } }).to_string().into())
}

fn get(held: &Held, body: &Value) -> (u16, Bytes) {
    let id = (body["TableName"].to_string(), body["Key"]["id"]["S"].to_string());
    let answer = held.items.get(&id).map_or_else(|| json!({}), |item| json!({ "Item": item }));
    (200, answer.to_string().into())
}

fn publish(held: &mut Held, body: &[u8]) -> (u16, Bytes) {
    let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    held.notices.push((form["TopicArn"].clone(), form["Message"].clone()));
    let answer = "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>";
    (200, answer.into())
}

fn object(held: &mut Held, method: &hyper::Method, path: &str, body: Bytes) -> (u16, Bytes) {
    match method.as_str() {
        "PUT" => {
            held.objects.insert(path.to_owned(), body);
            (200, Bytes::new())
        }
        _ => held
            .objects
            .get(path)
            .map_or_else(|| (404, "<Error><Code>NoSuchKey</Code></Error>".into()), |object| (200, object.clone())),
    }
}
