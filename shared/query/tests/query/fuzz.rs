//! No text panics, and what is read has a canonical text that is read as the same filter. A soak in release:
//! `LOAM_FUZZ_RUNS=1000000 cargo nextest run --release -p loam-query fuzz`; the same variable lengthens the oracle's.

use loam_query::Filter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

/// Pieces that reach every branch of the parser far more often than random bytes do.
const PIECES: &[&str] = &[
    "tags.a",
    "deviceId",
    "groups",
    "properties.reported.x",
    "tags['a b']",
    "tags.",
    "[",
    "]",
    "(",
    ")",
    ",",
    ".",
    "=",
    "!=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "AND",
    "or",
    "NOT",
    "IN",
    "nin",
    "STARTSWITH",
    "ENDS_WITH",
    "CONTAINS",
    "IS_DEFINED(",
    "'a'",
    "''",
    "'",
    "1",
    "-1.5e3",
    "1e15",
    "1e999",
    "true",
    "null",
    "undefined",
    "é",
    "\"",
    "\0",
    "tags.a = 1",
    "groups CONTAINS 'a'",
    "IS_DEFINED(tags.a)",
    "tags.a IN [1, 'x']",
];

/// `usual` runs, or as many as `LOAM_FUZZ_RUNS` says.
#[expect(clippy::disallowed_methods, reason = "a test's own edge")]
pub(crate) fn runs(usual: u32) -> Config {
    let soak = std::env::var("LOAM_FUZZ_RUNS").ok().and_then(|text| text.parse().ok());
    Config { failure_persistence: None, ..Config::with_cases(soak.unwrap_or(usual)) }
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match Filter::parse(text) {
        Ok(filter) => {
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter.clone()));
            let _ = filter.matches(&json!({"tags": {"a": 1, "a b": [1]}, "groups": ["a"], "deviceId": "a"}));
        }
        Err(error) => prop_assert!(text.is_char_boundary(error.position), "{}", error),
    }
    Ok(())
}

#[test]
fn fuzz_of_arbitrary_bytes_never_panics() {
    let bytes = vec(any::<u8>(), 0..200);
    TestRunner::new(runs(3000)).run(&bytes, |bytes| check(&String::from_utf8_lossy(&bytes))).unwrap();
}

#[test]
fn fuzz_of_words_of_the_language_never_panics() {
    let words = vec((select(PIECES), select(&["", " "][..])), 0..24);
    let text = words.prop_map(|words| words.into_iter().flat_map(|(word, blank)| [word, blank]).collect::<String>());
    TestRunner::new(runs(3000)).run(&text, |text| check(&text)).unwrap();
}
