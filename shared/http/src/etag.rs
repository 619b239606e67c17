use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderValue, IF_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponseParts, ResponseParts};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::Problem;

/// The version of what a response shows, as a strong entity tag; a part of the response: `(ETag::of(7), Json(...))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of a record's version.
    #[must_use]
    pub fn of(version: u64) -> Self {
        Self(format!("\"{version}\""))
    }

    /// The tag as it stands in the header, with its quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IntoResponseParts for ETag {
    type Error = Problem;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Problem> {
        let value = HeaderValue::try_from(self.0).map_err(|_| Problem::internal())?;
        parts.headers_mut().insert(ETAG, value);
        Ok(parts)
    }
}

/// What the caller demands of the current version, by the header `If-Match`; 400 `invalid-if-match` where it is none.
/// Source: RFC 9110, section 13.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// No header: nothing is demanded.
    Absent,
    /// `*`: there must be a current version.
    Any,
    /// One of these must be the current version. A weak tag never is.
    OneOf(Vec<ETag>),
}

/// For `params(...)` of a route.
impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r#"^(\*|"[!#-~]*")$"#));
        let header =
            ParameterBuilder::new().name("If-Match").parameter_in(ParameterIn::Header).required(Required::False);
        let header = header.description(Some("The version that was seen, as its ETag: \"7\"; * is any version."));
        vec![header.schema(Some(schema.build())).build()]
    }
}

impl IfMatch {
    /// Whether a write may go on when `current` is the record's version (none: there is no record).
    ///
    /// The answer holds for `current` alone: write on the condition that the record still has this version.
    ///
    /// # Errors
    /// 412 `stale`.
    pub fn check(&self, current: Option<u64>) -> Result<(), Problem> {
        let holds = match (self, current) {
            (Self::Absent, _) | (Self::Any, Some(_)) => true,
            (Self::Any | Self::OneOf(_), None) => false,
            (Self::OneOf(tags), Some(version)) => tags.contains(&ETag::of(version)),
        };
        if holds { Ok(()) } else { Err(Problem::stale()) }
    }

    /// For writes that must name a version.
    ///
    /// # Errors
    /// 428 `if-match-required` without the header.
    pub fn required(self) -> Result<Self, Problem> {
        let detail = "read it first and send its ETag as If-Match";
        match self {
            Self::Absent => Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match-required", detail)),
            Self::Any | Self::OneOf(_) => Ok(self),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let lines: Result<Vec<_>, _> = parts.headers.get_all(IF_MATCH).iter().map(HeaderValue::to_str).collect();
        let lines = lines.map_err(|_| invalid())?;
        if lines.is_empty() { Ok(Self::Absent) } else { parse(&lines.join(",")) }
    }
}

fn parse(text: &str) -> Result<IfMatch, Problem> {
    if text.trim() == "*" {
        return Ok(IfMatch::Any);
    }
    let tag = |text: &str| {
        let strong = text.strip_prefix("W/").unwrap_or(text);
        let opaque = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(invalid)?;
        if opaque.contains('"') { Err(invalid()) } else { Ok(ETag(text.to_owned())) }
    };
    text.split(',').map(|part| tag(part.trim())).collect::<Result<_, _>>().map(IfMatch::OneOf)
}

fn invalid() -> Problem {
    Problem::bad_request(
        "invalid-if-match",
        "If-Match is no entity tag, expected what ETag said, with its quotes: \"7\"",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stale(header: &str, current: Option<u64>) -> bool {
        parse(header).unwrap().check(current).is_err()
    }

    #[test]
    fn the_current_version_passes_and_its_neighbours_do_not() {
        assert!(!stale("\"7\"", Some(7)));
        assert!(stale("\"6\"", Some(7)) && stale("\"8\"", Some(7)) && stale("\"07\"", Some(7)));
        assert!(!stale("\"6\", \"7\"", Some(7)));
    }

    #[test]
    fn a_weak_tag_is_never_the_current_version() {
        assert!(stale("W/\"7\"", Some(7)));
    }

    #[test]
    fn a_star_asks_for_any_version_but_for_one() {
        assert!(!stale("*", Some(1)));
        assert!(stale("*", None) && stale("\"1\"", None));
    }

    #[test]
    fn without_a_header_all_passes_unless_it_is_required() {
        assert!(IfMatch::Absent.check(None).is_ok());
        assert_eq!(IfMatch::Absent.required().unwrap_err().status().as_u16(), 428);
        assert!(IfMatch::Any.required().is_ok());
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for text in ["7", "", "\"7", "7\"", "\"7\" \"8\"", "\"7\",", "*,\"7\"", "\""] {
            assert_eq!(parse(text).unwrap_err().code(), "invalid-if-match", "{text}");
        }
    }
}
