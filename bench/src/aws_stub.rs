//! Stands where AWS would: answers each call at once with a fixed, valid answer and remembers nothing.
//!
//! So the functions' own CPU is what is measured. It is no AWS: every table is empty, every write succeeds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

/// The stub's two addresses, and how often it was called.
#[derive(Debug, Clone)]
pub(crate) struct AwsStub {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    calls: Arc<AtomicU64>,
}

impl AwsStub {
    /// Listens on two free ports of the loopback until the program ends.
    pub(crate) async fn start(tls: TlsAcceptor) -> Result<Self, Failure> {
        let calls = Arc::new(AtomicU64::new(0));
        let (plain, encrypted) = (listen().await?, listen().await?);
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|error| Failure::stand("the address of the stub", error))
        };
        let stub = Self { http: address(&plain)?, https: address(&encrypted)?, calls: Arc::clone(&calls) };
        tokio::spawn(accept(plain, None, Arc::clone(&calls)));
        tokio::spawn(accept(encrypted, Some(tls), calls));
        Ok(stub)
    }

    /// Calls since the start.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn listen() -> Result<TcpListener, Failure> {
    TcpListener::bind("127.0.0.1:0").await.map_err(|error| Failure::stand("listen on the loopback", error))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, calls: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, tls.clone(), Arc::clone(&calls)));
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, calls: Arc<AtomicU64>) {
    // Without it the kernel holds an answer back for up to 40 ms; where that fails, the figures show it.
    drop(stream.set_nodelay(true));
    match tls {
        None => serve(stream, calls).await,
        Some(tls) => {
            // A candidate that is ended in its handshake is no failure of the stub.
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, calls).await;
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, calls: Arc<AtomicU64>) {
    let service = service_fn(move |request| {
        calls.fetch_add(1, Ordering::Relaxed);
        handle(request)
    });
    // A candidate's end closes its connections in the middle.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let header = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let target = header.map(str::to_owned);
    let body = request.into_body().collect().await?.to_bytes();
    let answer = answer(target.as_deref(), &String::from_utf8_lossy(&body));
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = answer.status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(answer.content_type));
    Ok(response)
}

/// An answer on the wire.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: String,
}

/// The operation stands in a header (JSON services) or in the form's `Action` (SNS). Sources: the services' API
/// references.
fn answer(target: Option<&str>, body: &str) -> Answer {
    let json = |version, body: &str| (version, body.to_owned());
    let operation = target.and_then(|target| target.rsplit('.').next());
    let known = match operation {
        Some("SendMessage") => Some(json(JSON_1_0, SENT)),
        Some("GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems") => Some(json(JSON_1_0, "{}")),
        Some("BatchGetItem") => Some(json(JSON_1_0, r#"{"Responses":{},"UnprocessedKeys":{}}"#)),
        Some("Query") => Some(json(JSON_1_0, r#"{"Items":[],"Count":0,"ScannedCount":0}"#)),
        Some(_) => None,
        None => notification(body),
    };
    match known {
        Some((content_type, body)) => Answer { status: StatusCode::OK, content_type, body },
        None => Answer {
            status: StatusCode::NOT_IMPLEMENTED,
            content_type: JSON_1_0,
            body: r#"{"__type":"StubKnowsNoSuchOperation"}"#.to_owned(),
        },
    }
}

const JSON_1_0: &str = "application/x-amz-json-1.0";
const XML: &str = "text/xml";
const SENT: &str =
    r#"{"MessageId":"00000000-0000-4000-8000-000000000000","MD5OfMessageBody":"00000000000000000000000000000000"}"#;

fn notification(form: &str) -> Option<(&'static str, String)> {
    let operation = form.split('&').find_map(|field| field.strip_prefix("Action="))?;
    let id = "00000000-0000-4000-8000-000000000000";
    let result = match operation {
        "Publish" => format!("<MessageId>{id}</MessageId>"),
        "PublishBatch" => {
            let ids = form.split('&').filter(|field| field.starts_with("PublishBatchRequestEntries.member."));
            let ids = ids.filter_map(|field| field.split_once(".Id=")).map(|(_, id)| id);
            let member = |entry| format!("<member><Id>{entry}</Id><MessageId>{id}</MessageId></member>");
            format!("<Failed/><Successful>{}</Successful>", ids.map(member).collect::<String>())
        }
        _ => return None,
    };
    let namespace = "http://sns.amazonaws.com/doc/2010-03-31/";
    let metadata = format!("<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>");
    let body = format!(
        r#"<{operation}Response xmlns="{namespace}"><{operation}Result>{result}</{operation}Result>{metadata}</{operation}Response>"#
    );
    Some((XML, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_of_a_batch_is_answered_by_its_id() {
        let form = "Action=PublishBatch&PublishBatchRequestEntries.member.1.Id=0&\
                    PublishBatchRequestEntries.member.1.Message=x&PublishBatchRequestEntries.member.2.Id=1";
        let body = answer(None, form).body;
        assert_eq!((body.matches("<Id>").count(), body.contains("<Id>1</Id>")), (2, true));
    }

    #[test]
    fn an_empty_table_has_no_item() {
        assert_eq!(answer(Some("DynamoDB_20120810.GetItem"), "{}").body, "{}");
    }

    #[test]
    fn an_operation_that_the_stub_does_not_know_fails_and_is_not_measured_as_a_success() {
        assert_eq!(answer(Some("DynamoDB_20120810.Scan"), "{}").status, StatusCode::NOT_IMPLEMENTED);
        assert_eq!(answer(None, "Action=Subscribe").status, StatusCode::NOT_IMPLEMENTED);
        assert_eq!(answer(None, "").status, StatusCode::NOT_IMPLEMENTED);
    }
}
