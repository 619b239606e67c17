//! What a list is asked for: the query parameters, read into types, each mistake told with its parameter.

use loam_http::{Limit, Mistake, Problem};
use loam_query::{Filter, QueryError};
use loam_things::twins::Seen;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::list::{Wanted, shown};
use crate::order::Order;
use crate::paths::Path;
use crate::search::Search;

/// The most fields that an answer is limited to.
const MAX_FIELDS: usize = 50;

/// The parameters of a list of things.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Only things of which this is true, for example `properties.reported.humidity < 35 AND tags.room = 'kitchen'`. The
    /// language: shared/query/README.md.
    filter: Option<String>,
    /// Only things whose friendly name has all these words, or words of which they are a part; neither case nor accents
    /// count.
    search: Option<String>,
    /// Up to three fields with commas between, `-` before one that goes down, for example `tags.room,-connectivity.since`.
    /// By name without it; the fleet's list takes `deviceId` and `-deviceId` alone.
    sort: Option<String>,
    /// Only these fields, with commas between; `deviceId` is always there.
    fields: Option<String>,
    /// Whether to count what matches, on all pages.
    #[serde(default)]
    pub(super) count: bool,
    /// How many things a page holds at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 500, default = 50)]
    pub(super) limit: Limit,
    /// What the page before gave; absent for the first page.
    pub(super) cursor: Option<String>,
}

/// The parameters, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    pub(super) order: Order,
    pub(super) fields: Option<Vec<Path>>,
}

impl ListParams {
    /// Understands the parameters.
    pub(super) fn read(&self) -> Result<Asked, Problem> {
        let filter = self.filter.as_deref().map(|text| filter("filter", text)).transpose()?;
        let search = self.search.as_deref().map(Search::parse).transpose().map_err(|detail| wrong("search", detail))?;
        let order = self.sort.as_deref().map_or_else(|| Ok(Order::by_name()), Order::parse);
        let order = order.map_err(|detail| wrong("sort", detail))?;
        let fields = self.fields.as_deref().map(fields).transpose().map_err(|detail| wrong("fields", detail))?;
        Ok(Asked { wanted: Wanted { filter, search }, order, fields })
    }
}

impl Asked {
    /// What an answer shows of the things that were found.
    pub(super) fn shown(&self, found: &[Seen]) -> Vec<Value> {
        shown(found.iter().map(|seen| &seen.document), self.fields.as_deref())
    }
}

fn fields(text: &str) -> Result<Vec<Path>, String> {
    let fields = text.split(',').map(Path::parse).collect::<Result<Vec<_>, _>>()?;
    if fields.len() > MAX_FIELDS { Err(format!("expected at most {MAX_FIELDS} fields")) } else { Ok(fields) }
}

/// The filter in a parameter.
pub(super) fn filter(parameter: &str, text: &str) -> Result<Filter, Problem> {
    Filter::parse(text).map_err(|error| refused(&error, Mistake::of_parameter(parameter, said(&error))))
}

/// The filter in a body.
pub(super) fn filter_at(pointer: &str, text: &str) -> Result<Filter, Problem> {
    Filter::parse(text).map_err(|error| refused(&error, Mistake::at(pointer, said(&error))))
}

/// The language's own code, with position, what was expected, what to do and an example.
fn refused(error: &QueryError, mistake: Mistake) -> Problem {
    let mistake = Mistake {
        position: Some(error.position),
        found: Some(error.found.clone()),
        expected: Some(error.expected),
        hint: Some(error.hint),
        example: Some(error.example),
        ..mistake
    };
    Problem::bad_request(error.code.as_str(), format!("the filter cannot be read {error}")).with_mistakes([mistake])
}

fn said(error: &QueryError) -> String {
    format!("at byte {}: expected {}", error.position, error.expected)
}

fn wrong(parameter: &str, detail: String) -> Problem {
    let mistake = Mistake::of_parameter(parameter, detail);
    Problem::bad_request("invalid-query", "a query parameter is not as expected").with_mistakes([mistake])
}

/// The fleet's list has one order.
pub(super) fn unsupported_sort() -> Problem {
    wrong("sort", "the list of the whole fleet is sorted by name only: expected deviceId or -deviceId".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut ListParams)) -> Problem {
        let mut params = ListParams::default();
        change(&mut params);
        params.read().unwrap_err()
    }

    #[test]
    fn a_mistake_in_a_filter_is_told_with_its_place_and_an_example() {
        let problem = problem(|params| params.filter = Some("tags.a = \"x\"".to_owned()));
        assert_eq!((problem.status().as_u16(), problem.code()), (400, "unexpected-character"));
        let mistake = &problem.mistakes()[0];
        assert_eq!(mistake.parameter.as_deref(), Some("filter"));
        assert!(mistake.detail.starts_with("at byte 9: expected "), "{}", mistake.detail);
        assert_eq!((mistake.position, mistake.found.as_deref()), (Some(9), Some("`\"`")));
        assert!(mistake.expected.is_some() && mistake.hint.is_some());
        assert!(Filter::parse(mistake.example.unwrap()).is_ok());
    }

    #[test]
    fn a_filter_of_ten_thousand_terms_is_refused_by_its_length() {
        let terms = vec!["tags.a = 1"; 10_000].join(" OR ");
        assert_eq!(problem(|params| params.filter = Some(terms)).code(), "text-too-long");
        let terms = vec!["tags.a=1"; 101].join(" OR ");
        assert_eq!(problem(|params| params.filter = Some(terms)).code(), "too-many-terms");
    }

    #[test]
    fn every_other_parameter_is_blamed_by_its_name() {
        let blamed = |problem: Problem| problem.mistakes()[0].parameter.clone().unwrap();
        assert_eq!(blamed(problem(|params| params.search = Some("--".to_owned()))), "search");
        assert_eq!(blamed(problem(|params| params.sort = Some("humidity".to_owned()))), "sort");
        assert_eq!(blamed(problem(|params| params.fields = Some("tags,".to_owned()))), "fields");
        let many = vec!["tags"; 51].join(",");
        assert_eq!(blamed(problem(|params| params.fields = Some(many))), "fields");
    }
}
