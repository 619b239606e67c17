//! One page of a member's list: which things, in which order, from where on. Pure.

use std::cmp::Ordering;

use loam_query::Filter;
use loam_things::twins::Seen;
use serde_json::Value;

use crate::order::{Order, Place};
use crate::paths::{Path, only};
use crate::search::Search;

/// The most bytes of a page's things, as they stand in the answer of a function, where the page is a text: its quotes and
/// backslashes count twice. A function's answer has at most 6 MB. Source: Lambda developer guide, "Lambda quotas".
pub const MAX_PAGE_BYTES: usize = 5 * 1024 * 1024;

/// What somebody looks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// Only things of which this is true.
    pub filter: Option<Filter>,
    /// Only things with such a friendly name.
    pub search: Option<Search>,
}

impl Wanted {
    /// Whether this thing is looked for.
    #[must_use]
    pub fn holds(&self, seen: &Seen) -> bool {
        let named = |search: &Search| seen.twin.friendly_name().is_some_and(|name| search.finds(name));
        self.filter.as_ref().is_none_or(|filter| filter.matches(&seen.document))
            && self.search.as_ref().is_none_or(named)
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its things, in order.
    pub things: Vec<Seen>,
    /// Whether more follow.
    pub more: bool,
    /// How many things match, on all pages.
    pub matched: u64,
}

/// The page of `all` that begins after the place `after`. As it is found by place and not by number, pages that follow each
/// other neither skip nor repeat a thing whose values stayed.
#[must_use]
pub fn page(all: Vec<Seen>, wanted: &Wanted, order: &Order, after: Option<&Place>, limit: usize) -> Found {
    let matching = all.into_iter().filter(|seen| wanted.holds(seen));
    let mut places: Vec<(Place, Seen)> =
        matching.map(|seen| (order.place(&seen.twin.thing, &seen.document), seen)).collect();
    let matched = places.len() as u64;
    places.retain(|(place, _)| after.is_none_or(|after| order.compare(after, place) == Ordering::Less));
    places.sort_by(|(one, _), (other, _)| order.compare(one, other));
    let more = places.len() > limit;
    places.truncate(limit);
    Found { things: places.into_iter().map(|(_, seen)| seen).collect(), more, matched }
}

/// The documents with these fields alone, as many from the first on as fit into an answer: a page of large things holds
/// fewer than were asked for, and the next one begins behind them. One always fits.
#[must_use]
pub fn shown<'d>(documents: impl IntoIterator<Item = &'d Value>, fields: Option<&[Path]>) -> Vec<Value> {
    let (mut shown, mut bytes) = (Vec::new(), 0_usize);
    for document in documents {
        let document = fields.map_or_else(|| document.clone(), |fields| only(document, fields));
        bytes = bytes.saturating_add(bytes_in_answer(&document));
        if bytes > MAX_PAGE_BYTES && !shown.is_empty() {
            break;
        }
        shown.push(document);
    }
    shown
}

fn bytes_in_answer(document: &Value) -> usize {
    let text = document.to_string();
    text.len() + text.bytes().filter(|byte| b"\"\\".contains(byte)).count() + 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A document of so many bytes in an answer.
    fn document(bytes: usize) -> Value {
        // The quotes count twice: two of the name, two of the text; braces, colon and comma once.
        json!({ "a": "x".repeat(bytes - 13) })
    }

    #[test]
    fn a_page_of_5_mib_is_whole_and_of_one_byte_more_is_cut_behind_a_thing() {
        let half = MAX_PAGE_BYTES / 2;
        assert_eq!(bytes_in_answer(&document(half)), half);
        let (fits, larger) = ([document(half), document(half)], [document(half), document(half + 1)]);
        assert_eq!(shown(&fits, None).len(), 2);
        assert_eq!(shown(&larger, None).len(), 1);
        assert_eq!(shown(&[document(2 * MAX_PAGE_BYTES), document(20)], None).len(), 1, "one always fits");
    }

    #[test]
    fn fields_that_are_not_shown_take_no_place() {
        let large = json!({"deviceId": "t1", "tags": {"a": "x".repeat(MAX_PAGE_BYTES)}});
        let fields = [Path::parse("deviceId").unwrap()];
        assert_eq!(shown([&large, &large, &large], Some(&fields)), vec![json!({"deviceId": "t1"}); 3]);
    }

    #[test]
    fn quotes_count_twice_because_the_page_is_a_text_in_the_answer() {
        let quotes = json!({ "a": "\"".repeat(MAX_PAGE_BYTES / 4) });
        // Each is a backslash and a quote, and each of those is two bytes.
        assert_eq!(shown([&quotes, &quotes], None).len(), 1);
    }
}
