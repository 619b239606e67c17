use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use futures_util::future::try_join_all;
use loam_domain::ThingName;
use loam_query::Filter;

use super::rows::name_of;
use super::store::readable;
use super::{Seen, Twins, TwinsFailure};
use crate::rows::Item;

/// How many readers go through the fleet side by side.
const SEGMENTS: i32 = 8;

/// The most things of one answer: about the megabyte that DynamoDB gives anyway, so that no store makes it more.
const PAGE: i32 = 1_000;

/// A stretch of the fleet, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where it begins: after this name; `None`: at the first (the last, if descending).
    pub after: Option<ThingName>,
    /// From the last name to the first.
    pub descending: bool,
    /// How many things it holds at most.
    pub limit: usize,
    /// Whether to count all that match, in front of the stretch and behind it too.
    pub count: bool,
}

/// What reading took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Read {
    /// Rows that were read, whether they matched or not.
    pub things: u64,
    /// DynamoDB's read units.
    pub units: f64,
}

impl Read {
    pub(super) fn add(&mut self, other: Self) {
        self.things += other.things;
        self.units += other.units;
    }
}

/// The chosen things of a stretch, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The things.
    pub found: Vec<Seen>,
    /// Whether more follow.
    pub more: bool,
    /// How many things of the whole fleet match, if that was asked.
    pub matched: Option<u64>,
    /// What reading took: always the whole fleet.
    pub read: Read,
}

/// What one or several readers have chosen: the first `limit + 1` of the stretch, so that it shows whether more follow.
#[derive(Debug, Default)]
struct Chosen {
    found: BTreeMap<ThingName, Seen>,
    matched: u64,
    read: Read,
}

impl Twins {
    /// The things of which `filter` is true, one stretch of them by name.
    ///
    /// Every call reads the whole fleet, in [`SEGMENTS`] parallel scans. Calls whose stretches follow each other (`after`
    /// is the last name of the one before) neither skip nor repeat a thing that matched all the time.
    ///
    /// # Errors
    /// [`TwinsFailure::NotScanned`].
    pub async fn select(&self, filter: &Filter, span: &Span) -> Result<Selection, TwinsFailure> {
        self.scan(|seen| filter.matches(&seen.document), span).await
    }

    /// As [`Twins::select`], by any condition.
    ///
    /// # Errors
    /// [`TwinsFailure::NotScanned`].
    pub async fn scan(&self, wanted: impl Fn(&Seen) -> bool, span: &Span) -> Result<Selection, TwinsFailure> {
        let parts = try_join_all((0..SEGMENTS).map(|segment| self.segment(segment, &wanted, span))).await?;
        let mut all = Chosen::default();
        for part in parts {
            all.matched += part.matched;
            all.read.add(part.read);
            all.found.extend(part.found);
            all.trim(span);
        }
        Ok(all.into_selection(span))
    }

    /// The names of all things of which `filter` is true, and what reading took. Nothing else of them is kept: so the whole
    /// of a large fleet fits a small function.
    ///
    /// # Errors
    /// [`TwinsFailure::NotScanned`].
    pub async fn names(&self, filter: &Filter) -> Result<(BTreeSet<ThingName>, Read), TwinsFailure> {
        let parts = try_join_all((0..SEGMENTS).map(|segment| self.names_in(segment, filter))).await?;
        let mut all = (BTreeSet::new(), Read::default());
        for (names, read) in parts {
            all.0.extend(names);
            all.1.add(read);
        }
        Ok(all)
    }

    async fn names_in(&self, segment: i32, filter: &Filter) -> Result<(BTreeSet<ThingName>, Read), TwinsFailure> {
        let mut names = BTreeSet::new();
        let read = self.each_row(segment, |item| names.extend(matching(item, filter))).await?;
        Ok((names, read))
    }

    async fn segment(
        &self,
        segment: i32,
        wanted: &impl Fn(&Seen) -> bool,
        span: &Span,
    ) -> Result<Chosen, TwinsFailure> {
        let mut chosen = Chosen::default();
        let read = self.each_row(segment, |item| chosen.take(item, wanted, span)).await?;
        chosen.read.add(read);
        Ok(chosen)
    }

    /// Goes through the rows of a segment, one after the other.
    async fn each_row(&self, segment: i32, mut see: impl FnMut(&Item)) -> Result<Read, TwinsFailure> {
        let request = self.client.scan().table_name(&self.table).segment(segment).total_segments(SEGMENTS).limit(PAGE);
        let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let (mut read, mut start) = (Read::default(), None);
        loop {
            let answer = request.clone().set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| TwinsFailure::NotScanned(Box::new(error)))?;
            let units = answer.consumed_capacity.and_then(|capacity| capacity.capacity_units).unwrap_or_default();
            read.add(Read { things: answer.scanned_count.unsigned_abs().into(), units });
            answer.items.iter().flatten().for_each(&mut see);
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(read);
            }
        }
    }
}

/// The name of the thing in a row, if `filter` is true of it; a row that cannot be read is told in the log.
fn matching(item: &Item, filter: &Filter) -> Option<ThingName> {
    let seen = Seen::from(readable(item)?);
    filter.matches(&seen.document).then_some(seen.twin.thing)
}

impl Chosen {
    /// Looks at a row. One that cannot be read is left out of the list and told in the log, so that it hides no other.
    fn take(&mut self, item: &Item, wanted: &impl Fn(&Seen) -> bool, span: &Span) {
        let Ok(name) = name_of(item) else {
            // The same words, of a row that has not even a name.
            let _no_twin = readable(item);
            return;
        };
        let fits = span.holds(&name) && self.has_place(&name, span);
        if !fits && !span.count {
            return;
        }
        let Some(twin) = readable(item) else { return };
        let seen = Seen::from(twin);
        if wanted(&seen) {
            self.matched += 1;
            if fits {
                self.found.insert(name, seen);
                self.trim(span);
            }
        }
    }

    /// Whether a name can still be among the first of the stretch.
    fn has_place(&self, name: &ThingName, span: &Span) -> bool {
        let last = if span.descending { self.found.keys().next() } else { self.found.keys().next_back() };
        self.found.len() <= span.limit || last.is_none_or(|last| span.is_before(name, last))
    }

    fn trim(&mut self, span: &Span) {
        while self.found.len() > span.limit.saturating_add(1) {
            if span.descending {
                self.found.pop_first()
            } else {
                self.found.pop_last()
            };
        }
    }

    fn into_selection(self, span: &Span) -> Selection {
        let more = self.found.len() > span.limit;
        let mut found: Vec<Seen> = self.found.into_values().collect();
        if span.descending {
            found.reverse();
        }
        found.truncate(span.limit);
        Selection { found, more, matched: span.count.then_some(self.matched), read: self.read }
    }
}

impl Span {
    fn is_before(&self, one: &ThingName, other: &ThingName) -> bool {
        if self.descending { one > other } else { one < other }
    }

    fn holds(&self, name: &ThingName) -> bool {
        self.after.as_ref().is_none_or(|after| self.is_before(after, name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::twins::twin::tests::twin;

    /// What the stretch `span` of the things `names` holds, scanned in `segments` parts.
    fn stretch(names: &[&str], segments: usize, span: &Span) -> (Vec<String>, bool, Option<u64>) {
        let mut all = Chosen::default();
        for part in names.chunks(names.len().div_ceil(segments).max(1)) {
            let mut chosen = Chosen::default();
            for name in part {
                chosen.take(&twin(name).item().unwrap(), &|seen: &Seen| !seen.twin.thing.as_str().contains('x'), span);
            }
            all.matched += chosen.matched;
            all.found.extend(chosen.found);
            all.trim(span);
        }
        let selection = all.into_selection(span);
        let names = selection.found.iter().map(|seen| seen.twin.thing.to_string()).collect();
        (names, selection.more, selection.matched)
    }

    proptest! {
        #[test]
        fn stretches_that_follow_each_other_hold_each_matching_name_once_in_order(
            names in prop::collection::btree_set("[a-cx]{1,3}", 0..40).prop_map(|set| set.into_iter().collect::<Vec<String>>()).prop_shuffle(),
            limit in 1_usize..7, segments in 1_usize..5, descending: bool, count: bool,
        ) {
            let mut due: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.contains('x')).collect();
            due.sort_unstable();
            if descending { due.reverse(); }
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let span = Span { after, descending, limit, count };
                let (page, more, matched) = stretch(&all, segments, &span);
                prop_assert!(page.len() <= limit && (!more || page.len() == limit));
                prop_assert_eq!(matched, count.then_some(due.len() as u64));
                after = page.last().map(|last| ThingName::parse(last).unwrap());
                found.extend(page);
                if !more { break; }
            }
            prop_assert_eq!(found, due);
        }
    }

    #[test]
    fn only_the_names_of_things_that_match_are_kept() {
        let mut broken = twin("b").item().unwrap();
        broken.remove("record");
        let rows = [twin("a").item().unwrap(), broken, twin("c").item().unwrap()];
        let named = |filter: &str| {
            let filter = Filter::parse(filter).unwrap();
            rows.iter().filter_map(|item| matching(item, &filter)).map(|name| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(named("groups CONTAINS 'roof'"), ["a", "c"]);
        assert_eq!(named("deviceId = 'c'"), ["c"]);
        assert!(named("deviceId = 'b'").is_empty());
    }

    #[test]
    fn a_row_that_cannot_be_read_hides_no_other() {
        let mut broken = twin("b").item().unwrap();
        broken.remove("record");
        let span = Span { after: None, descending: false, limit: 5, count: true };
        let mut chosen = Chosen::default();
        for item in [broken, twin("a").item().unwrap()] {
            chosen.take(&item, &|_: &Seen| true, &span);
        }
        assert_eq!(chosen.matched, 1);
    }
}
