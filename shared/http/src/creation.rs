use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{Caller, Problem, body};

/// The header by which a caller says that a request is a repeat.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest key, in characters.
const MAX_LENGTH: usize = 255;

/// The body of a POST that creates, and what makes a repeat of it recognisable: see [`crate::Idempotency`].
///
/// Refuses what [`crate::Body`] refuses, and 400 `invalid-idempotency-key` for a key that is empty, longer than 255
/// characters, given twice or not printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation<T> {
    /// What is to be created.
    pub body: T,
    /// What `Idempotency-Key` makes of it; none without the header.
    pub repeat: Option<Repeat>,
}

/// By what a repeat is recognised: never the key or the body themselves, only digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// Digest of caller and key.
    pub(crate) id: String,
    /// Digest of method, path, query and body.
    pub(crate) digest: String,
}

impl Repeat {
    /// The same request has the same id and digest. White space and order of names in the JSON body do not count.
    pub(crate) fn new(caller: &Caller, key: &str, target: &str, body: &Value) -> Self {
        Self { id: digest(&[&caller.sub, key]), digest: digest(&[target, &body.to_string()]) }
    }

    /// A text that a repeat has too, and no other request: for the ids of what the work does. 64 hexadecimal digits.
    #[must_use]
    pub fn mark(&self) -> String {
        digest(&[&self.id, &self.digest])
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Creation<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, rest) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let key = key(&parts.headers)?;
        let target = target(&parts);
        let bytes = body::bytes(Request::from_parts(parts, rest)).await?;
        let body = body::parse(&bytes)?;
        let repeat = match key {
            Some(key) => Some(Repeat::new(&caller, &key, &target, &body::parse(&bytes)?)),
            None => None,
        };
        Ok(Self { body, repeat })
    }
}

fn target(parts: &Parts) -> String {
    format!("{} {}?{}", parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default())
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let detail = format!("Idempotency-Key must be given once, with 1 to {MAX_LENGTH} characters of printable ASCII");
    let invalid = || Problem::bad_request("invalid-idempotency-key", detail);
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) if (1..=MAX_LENGTH).contains(&text.len()) => Ok(Some(text.to_owned())),
            _ => Err(invalid()),
        },
        (Some(_), Some(_)) => Err(invalid()),
    }
}

/// SHA-256 in hexadecimal over the parts, each with its length before it, so that no two lists of parts are alike.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn repeat(sub: &str, key: &str, target: &str, body: &str) -> Repeat {
        let caller = Caller { sub: sub.to_owned(), groups: vec![] };
        Repeat::new(&caller, key, target, &serde_json::from_str(body).unwrap())
    }

    #[test]
    fn the_same_request_written_differently_is_a_repeat() {
        let first = repeat("1", "k", "POST /x?", r#"{"a": 1, "b": [true]}"#);
        assert_eq!(first, repeat("1", "k", "POST /x?", r#"{"b":[true],"a":1}"#));
    }

    #[test]
    fn another_caller_s_key_is_another_key() {
        assert_ne!(repeat("1", "k", "POST /x?", "1").id, repeat("2", "k", "POST /x?", "1").id);
        assert_ne!(repeat("1", "2k", "POST /x?", "1").id, repeat("12", "k", "POST /x?", "1").id);
    }

    #[test]
    fn another_body_path_or_query_is_another_request_under_the_same_key() {
        let first = repeat("1", "k", "POST /x?", "1");
        for other in
            [repeat("1", "k", "POST /x?", "2"), repeat("1", "k", "POST /y?", "1"), repeat("1", "k", "POST /x?a=1", "1")]
        {
            assert_eq!(first.id, other.id);
            assert_ne!(first.digest, other.digest);
        }
    }

    #[test]
    fn a_repeat_has_the_mark_of_the_first_request_and_nothing_else_has_it() {
        let first = repeat("1", "k", "POST /x?", "1").mark();
        assert_eq!(first, repeat("1", "k", "POST /x?", "1").mark());
        for other in
            [repeat("2", "k", "POST /x?", "1"), repeat("1", "l", "POST /x?", "1"), repeat("1", "k", "POST /x?", "2")]
        {
            assert_ne!(first, other.mark());
        }
    }

    #[test]
    fn a_key_of_255_characters_is_taken_and_one_of_256_is_not() {
        let header = |text: String| {
            HeaderMap::from_iter([(IDEMPOTENCY_KEY.parse().unwrap(), HeaderValue::from_str(&text).unwrap())])
        };
        assert_eq!(key(&header("k".repeat(255))).unwrap().unwrap().len(), 255);
        assert!(key(&header("k".repeat(256))).is_err());
        assert!(key(&header(String::new())).is_err());
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn what_is_stored_is_no_key_and_no_body() {
        let repeat = repeat("1", "my-key", "POST /x?", json!({"secret": "word"}).to_string().as_str());
        assert_eq!((repeat.id.len(), repeat.digest.len()), (64, 64));
    }
}
