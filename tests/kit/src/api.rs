use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

use crate::Stack;
use crate::second_stack::stack_verb;

/// A person with a token of the stack's user pool. Without `Debug`: a token belongs in no message.
#[derive(Clone, Deserialize)]
pub struct Person {
    /// The access token; it names the person's groups.
    pub token: String,
    /// The id token, which the API takes as well.
    #[serde(rename = "idToken")]
    pub id_token: String,
}

impl Person {
    /// The person `name` (letters, digits, hyphens) in these groups, made when first asked for.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn of(stack: &Stack, name: &str, groups: &[&str]) -> Self {
        let state = stack.folder.join("state");
        let state = state.to_str().expect("the state directory's name is UTF-8");
        let groups = groups.iter().flat_map(|group| ["--group", group]);
        let arguments: Vec<_> = ["--name", name, "--state", state].into_iter().chain(groups).collect();
        let output = stack_verb(stack, "user", &stack.stack, &arguments).await;
        assert!(output.status.success(), "the person {name} was not made: see the message above");
        serde_json::from_slice(&output.stdout).expect("the answer is JSON")
    }

    /// Somebody responsible for the fleet.
    pub async fn operator(stack: &Stack) -> Self {
        Self::of(stack, "operator", &["operators"]).await
    }

    /// Somebody without any group.
    pub async fn user(stack: &Stack) -> Self {
        Self::of(stack, "user", &[]).await
    }
}

/// The stack's HTTP API, as one caller sees it.
#[derive(Clone)]
pub struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Where the local AWS listens: resolvers do not know `*.localhost` everywhere.
    address: String,
    pub(crate) host: String,
    token: Option<String>,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The body of a success as JSON.
    ///
    /// # Errors
    /// Any other status, with its body.
    pub fn succeeded(&self) -> Result<Value, String> {
        if (200..300).contains(&self.status) { Ok(self.json()) } else { Err(format!("{}: {}", self.status, self.body)) }
    }

    /// A problem's code; empty if it has none.
    #[must_use]
    pub fn code(&self) -> String {
        self.json().get("code").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A header as text; empty if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Api {
    /// The API for whoever brings `token`; none: without a token.
    ///
    /// # Panics
    /// When the output `ApiUrl` is no URL.
    #[must_use]
    pub fn new(stack: &Stack, token: Option<&str>) -> Self {
        let url: Uri = stack.output("ApiUrl").parse().expect("ApiUrl is a URL");
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            address: stack.endpoint.clone(),
            host: url.authority().expect("ApiUrl names a host").to_string(),
            token: token.map(ToOwned::to_owned),
        }
    }

    /// The API for an operator.
    pub async fn operator(stack: &Stack) -> Self {
        Self::new(stack, Some(&Person::operator(stack).await.token))
    }

    /// The API for somebody without any group.
    pub async fn user(stack: &Stack) -> Self {
        Self::new(stack, Some(&Person::user(stack).await.token))
    }

    /// The host name that requests are for; what SigV4 signs.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `GET` of a path, with its query.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body)).await
    }

    /// Any request: method, path with its query (beginning with `/v1` or `/Prod/v1`), further headers, a JSON body.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let kind = body.map(|_| (CONTENT_TYPE.as_str(), "application/json"));
        let headers: Vec<_> = kind.into_iter().chain(headers.iter().copied()).collect();
        self.ask(method, path, &headers, body.map(Value::to_string).unwrap_or_default()).await
    }

    /// A request with a body that need not be JSON, of any media type; empty: of none.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn send_text(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let headers = [(CONTENT_TYPE.as_str(), kind)];
        self.ask(method, path, if kind.is_empty() { &[] } else { &headers }, body.to_owned()).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.address)).header(HOST, &self.host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let body = Full::from(body);
        let response = self.client.request(request.body(body).expect("a request")).await.expect("the API answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}
