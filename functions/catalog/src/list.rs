//! One page of a member's list: which things, in which order, from where on. Pure.

use std::cmp::Ordering;

use loam_query::Filter;
use loam_things::twins::Seen;

use crate::order::{Order, Place};
use crate::search::Search;

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
    /// Where the last one stands, if more follow.
    pub next: Option<Place>,
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
    let next = places.last().filter(|_| more).map(|(place, _)| place.clone());
    Found { things: places.into_iter().map(|(_, seen)| seen).collect(), next, matched }
}
