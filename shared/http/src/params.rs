use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use utoipa::{IntoParams, ToSchema};

use crate::{Mistake, Problem};

/// The query parameters, read strictly into `T`; write `#[serde(deny_unknown_fields)]` on `T`, and no `flatten`.
///
/// 400 `invalid-query`, naming the parameter that is unknown, given twice, missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params<T>(pub T);

/// The parameters of a route that takes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// The parameters of a list without filters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many items a page holds at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 500, default = 50)]
    pub limit: Limit,
    /// What the page before gave; absent for the first page.
    pub cursor: Option<String>,
}

/// How many items a page holds at most: 1 to 500, 50 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "u64")]
#[schema(value_type = u16, minimum = 1, maximum = 500, default = 50)]
pub struct Limit(u16);

impl Limit {
    /// The most that a page holds.
    pub const MAX: u16 = 500;

    /// The number of items; never 0.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u64> for Limit {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match u16::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(format!("expected a whole number from 1 to {}", Self::MAX)),
        }
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    if let Some(name) = repeated(query) {
        return Err(invalid(name, "given more than once, expected once"));
    }
    let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let detail = error.inner().to_string();
        let name = error.path().iter().find_map(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
        });
        invalid(name.unwrap_or_default(), detail)
    })
}

fn repeated(query: &str) -> Option<String> {
    let names: Vec<_> = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    names
        .iter()
        .enumerate()
        .find_map(|(place, name)| names.iter().take(place).any(|seen| seen == name).then(|| name.clone()))
}

fn invalid(name: impl Into<String>, detail: impl Into<String>) -> Problem {
    let mistake = Mistake::of_parameter(name, detail);
    Problem::bad_request("invalid-query", "a query parameter is not as expected").with_mistakes([mistake])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        #[serde(default)]
        limit: Limit,
        #[serde(default)]
        live: bool,
        list: Option<String>,
    }

    fn blamed(query: &str) -> String {
        let problem = read::<Query>(query).unwrap_err();
        assert_eq!(problem.code(), "invalid-query");
        problem.mistakes()[0].parameter.clone().unwrap()
    }

    #[test]
    fn a_limit_goes_from_1_to_500_and_is_50_unless_told() {
        assert_eq!(read::<Query>("").unwrap().limit.get(), 50);
        assert_eq!(read::<Query>("limit=1").unwrap().limit.get(), 1);
        assert_eq!(read::<Query>("limit=500").unwrap().limit.get(), 500);
        for query in
            ["limit=0", "limit=501", "limit=-1", "limit=1.5", "limit=", "limit=x", "limit=99999999999999999999"]
        {
            assert_eq!(blamed(query), "limit", "{query}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        assert_eq!(blamed("limits=5"), "limits");
        assert_eq!(blamed("limit=5&x%20y=1"), "x y");
        let problem = read::<NoParams>("a=1").unwrap_err();
        assert_eq!(problem.mistakes()[0].parameter.as_deref(), Some("a"));
    }

    #[test]
    fn a_parameter_that_is_given_twice_is_refused_even_with_the_same_value() {
        assert_eq!(blamed("live=true&live=true"), "live");
        assert_eq!(blamed("live=true&l%69ve=true"), "live");
        assert_eq!(blamed("x=1&x=2"), "x");
    }

    #[test]
    fn a_malformed_value_is_refused_by_name() {
        assert_eq!(blamed("live=yes"), "live");
        assert_eq!(blamed("live"), "live");
    }

    #[test]
    fn values_are_decoded() {
        assert_eq!(read::<Query>("list=a%2Bb+c").unwrap().list.as_deref(), Some("a+b c"));
    }
}
