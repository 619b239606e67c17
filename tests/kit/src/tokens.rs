use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value};

use crate::Stack;

/// What a token of the stack's user pool claims.
///
/// # Panics
/// When `token` is no JWT.
#[must_use]
pub fn claims(token: &str) -> Map<String, Value> {
    let claims = token.split('.').nth(1).expect("a token has three parts");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("a token's claims are base64");
    serde_json::from_slice(&claims).expect("a token's claims are an object")
}

/// A token with these claims, signed with the key of the stack's user pool for such tokens, as `token_use` says: what only
/// Cognito can make of an AWS account's pool, and the local AWS makes of anything.
///
/// # Panics
/// When the local AWS refuses.
pub async fn signed_token(stack: &Stack, claims: &Map<String, Value>) -> String {
    let kind = claims.get("token_use").and_then(Value::as_str).expect("claims say what the token is for");
    let text = URL_SAFE_NO_PAD.encode(Value::Object(claims.clone()).to_string());
    let door = format!("{}/_loam/tokens/{}/{kind}/{text}", stack.endpoint, stack.output("UserPoolId"));
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(door.parse().expect("a URL")).await.expect("the local AWS answers");
    assert!(response.status().is_success(), "no token was signed: {}", response.status());
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    let answer: Value = serde_json::from_slice(&body).expect("the answer is JSON");
    answer.get("token").and_then(Value::as_str).expect("the answer has a token").to_owned()
}
