use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::{Mistake, Problem};

/// The largest body that a route reads, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// A JSON body, read strictly into `T`; write `#[serde(deny_unknown_fields)]` on `T` and all that it holds.
///
/// 415 `not-json` for another content type, 413 `body-too-large` above [`MAX_BODY`], 400 `invalid-body` with a JSON
/// pointer to the first mistake for everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        object(&bytes(request).await?).map(Self)
    }
}

/// The bytes of a JSON body.
pub(crate) async fn bytes(request: Request) -> Result<Vec<u8>, Problem> {
    if !is_json(request.headers()) {
        let detail = "the body is no JSON by its Content-Type, expected application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
    }
    match to_bytes(request.into_body(), MAX_BODY).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => {
            let detail = format!("the body is too large, expected at most {MAX_BODY} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail))
        }
    }
}

/// `application/json` or `application/...+json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let media = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// Reads `bytes` as [`parse`] does, and takes no list: serde would read one as a structure's fields in their order, and an
/// empty one as a structure of which nothing is required.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let mistake = Mistake::at("", "a list, expected an object");
        return Err(Problem::bad_request("invalid-body", "the body is not as expected").with_mistakes([mistake]));
    }
    parse(bytes)
}

/// Reads `bytes` as one JSON value of type `T` and nothing after it.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| invalid(pointer(error.path()), &error.into_inner()))?;
    deserializer.end().map_err(|error| invalid(String::new(), &error))?;
    Ok(value)
}

fn invalid(pointer: String, error: &serde_json::Error) -> Problem {
    let detail = if error.is_data() { "the body is not as expected" } else { "the body is no JSON" };
    Problem::bad_request("invalid-body", detail).with_mistakes([Mistake::at(pointer, error.to_string())])
}

/// RFC 6901: `~` and `/` within a name are written `~0` and `~1`.
fn pointer(path: &Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(default)]
        lines: Vec<Line>,
        count: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[serde(rename = "a/b~c")]
        odd: bool,
    }

    #[test]
    fn a_list_is_no_object_whatever_it_holds() {
        for text in ["[]", "[[], 7]", " \n[{\"count\": 1}]", "["] {
            assert_eq!(pointer_of(text), "", "{text}");
        }
    }

    fn pointer_of(text: &str) -> String {
        let problem = object::<Order>(text.as_bytes()).unwrap_err();
        assert_eq!(problem.code(), "invalid-body");
        problem.mistakes()[0].pointer.clone().unwrap()
    }

    #[test]
    fn a_number_as_a_string_is_refused_where_it_stands() {
        assert_eq!(pointer_of(r#"{"count": "12"}"#), "/count");
        assert_eq!(pointer_of(r#"{"count": -1}"#), "/count");
        assert_eq!(pointer_of(r#"{"count": 4294967296}"#), "/count");
        assert_eq!(object::<Order>(br#"{"count": 4294967295}"#).unwrap().count, u32::MAX);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name_at_any_depth() {
        assert_eq!(pointer_of(r#"{"count": 1, "countt": 1}"#), "/countt");
        assert_eq!(pointer_of(r#"{"count": 1, "lines": [{"a/b~c": true}, {"a/b~c": true, "x": 1}]}"#), "/lines/1/x");
    }

    #[test]
    fn a_pointer_escapes_slash_and_tilde() {
        assert_eq!(pointer_of(r#"{"count": 1, "lines": [{"a/b~c": 1}]}"#), "/lines/0/a~1b~0c");
    }

    #[test]
    fn what_is_no_single_json_value_is_refused() {
        for text in
            ["", "{", "nul", r#"{"count": 1} {}"#, "\u{feff}{}", r#"{"count": NaN}"#, r#"{"count": 1, "count": 2}"#]
        {
            assert_eq!(object::<Order>(text.as_bytes()).unwrap_err().code(), "invalid-body", "{text:?}");
        }
        assert!(parse::<serde_json::Value>(&[b'['; 100_000]).is_err());
    }

    #[test]
    fn a_list_is_no_object_be_it_empty_or_of_the_fields_in_their_order() {
        for text in ["[]", " [[], 1]", "\n[1]"] {
            let problem = object::<Order>(text.as_bytes()).unwrap_err();
            assert_eq!(
                (problem.code(), problem.mistakes()[0].pointer.as_deref()),
                ("invalid-body", Some("")),
                "{text:?}"
            );
        }
        assert!(object::<Order>(br#" {"count": 1}"#).is_ok());
    }

    #[test]
    fn only_json_media_types_are_read() {
        let json =
            |text: &'static str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]));
        assert!(json("application/json") && json("Application/JSON; charset=utf-8") && json("application/x+json"));
        assert!(!json("text/json") && !json("application/jsonx") && !json("application/x-www-form-urlencoded"));
        assert!(!is_json(&HeaderMap::new()));
    }

    async fn read(size: usize) -> Result<Body<String>, Problem> {
        let text = format!("\"{}\"", "a".repeat(size - 2));
        let request = Request::builder().header(CONTENT_TYPE, "application/json").body(text.into()).unwrap();
        Body::from_request(request, &()).await
    }

    #[tokio::test]
    async fn a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
        assert!(read(MAX_BODY).await.is_ok());
        assert_eq!(read(MAX_BODY + 1).await.unwrap_err().code(), "body-too-large");
    }
}
