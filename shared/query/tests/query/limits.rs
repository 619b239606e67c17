use std::time::{Duration, Instant};

use loam_query::{Filter, MAX_DEPTH, MAX_LIST, MAX_TERMS, MAX_TEXT_BYTES, QueryErrorCode};

fn code(text: &str) -> Option<QueryErrorCode> {
    Filter::parse(text).err().map(|error| error.code)
}

fn terms(count: usize) -> String {
    vec!["tags.a = 1"; count].join(" OR ")
}

fn nested(depth: usize, open: &str, close: &str) -> String {
    format!("{}tags.a = 1{}", open.repeat(depth), close.repeat(depth))
}

fn list(length: usize) -> String {
    format!("tags.a IN [{}]", vec!["1"; length].join(", "))
}

#[test]
fn a_text_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
    let exactly = |bytes: usize| format!("tags.a = '{}'", "x".repeat(bytes - "tags.a = ''".len()));
    assert_eq!(code(&exactly(MAX_TEXT_BYTES)), None);
    assert_eq!(code(&exactly(MAX_TEXT_BYTES + 1)), Some(QueryErrorCode::TextTooLong));
}

#[test]
fn a_text_whose_canonical_text_is_too_long_is_refused_too() {
    // 1e15 has 4 characters, and 16 in its canonical form.
    let list = format!("tags.a IN [{}]", vec!["1e15"; MAX_LIST].join(","));
    assert!(list.len() < MAX_TEXT_BYTES);
    assert_eq!(code(&list), Some(QueryErrorCode::TextTooLong));
}

#[test]
fn a_hundred_conditions_are_read_and_one_more_is_refused_where_it_stands() {
    assert_eq!(code(&terms(MAX_TERMS)), None);
    let error = Filter::parse(&terms(MAX_TERMS + 1)).unwrap_err();
    assert_eq!((error.code, error.position), (QueryErrorCode::TooManyTerms, MAX_TERMS * "tags.a = 1 OR ".len()));
}

#[test]
fn the_deepest_nesting_is_read_and_one_level_more_is_refused_where_it_opens() {
    for (open, close) in [("(", ")"), ("NOT ", "")] {
        assert_eq!(code(&nested(MAX_DEPTH, open, close)), None);
        let error = Filter::parse(&nested(MAX_DEPTH + 1, open, close)).unwrap_err();
        assert_eq!((error.code, error.position), (QueryErrorCode::TooDeep, MAX_DEPTH * open.len()));
    }
}

#[test]
fn parentheses_one_after_another_are_not_deep() {
    assert_eq!(code(&vec!["(tags.a = 1)"; MAX_DEPTH + 1].join(" AND ")), None);
}

#[test]
fn the_longest_list_is_read_and_one_value_more_is_refused() {
    assert_eq!(code(&list(MAX_LIST)), None);
    assert_eq!(code(&list(MAX_LIST + 1)), Some(QueryErrorCode::ListTooLong));
}

#[test]
fn ten_thousand_conditions_and_a_million_parentheses_are_refused_at_once() {
    let started = Instant::now();
    assert_eq!(code(&terms(10_000)), Some(QueryErrorCode::TextTooLong));
    assert_eq!(code(&nested(1_000_000, "(", ")")), Some(QueryErrorCode::TextTooLong));
    assert_eq!(code(&"(".repeat(MAX_TEXT_BYTES)), Some(QueryErrorCode::TooDeep));
    assert!(started.elapsed() < Duration::from_secs(1));
}
