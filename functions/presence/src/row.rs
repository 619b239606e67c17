//! What is known of a thing's presence.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::How;
use crate::mark::{Mark, Stage};

/// How long a connection's beginning counts towards the flaps, in milliseconds.
pub const FLAP_WINDOW_MILLIS: i64 = 10 * 60 * 1000;

/// So many beginnings within [`FLAP_WINDOW_MILLIS`] are flapping.
pub const FLAPPING_FROM: usize = 5;

/// The most beginnings that are remembered; more flaps than that are not counted.
pub const MOST_STARTS: usize = 32;

/// What is known of a thing's presence: the truth, of which the shadow's `connected` is a projection.
///
/// Each part is the greatest of what was said, under one total order, or a set of it: so it does not matter in which
/// order events come, nor how often. Only [`Row::asked_at`] and the stages `Missed` and `Found` tell of questions to AWS
/// IoT; what it tells by itself later replaces them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// How often it was written; 0: never. It stands beside the JSON, for the condition.
    #[serde(skip)]
    pub version: u64,
    /// The thing's epoch, which its events carry.
    pub epoch: u64,
    /// Whether it is there; `None` before anybody said so.
    #[serde(default)]
    pub status: Option<Status>,
    /// The newest end of a connection, be it that another one is there by now.
    #[serde(default)]
    pub last_end: Option<LastEnd>,
    /// The newest beginnings, newest first: at most [`MOST_STARTS`], within [`FLAP_WINDOW_MILLIS`] of the newest.
    #[serde(default)]
    pub starts: Vec<Start>,
    /// The newest time of an event of AWS IoT.
    pub seen_at: Timestamp,
    /// When AWS IoT was asked and said that it is there.
    #[serde(default)]
    pub asked_at: Option<Timestamp>,
    /// When the last event was told; the next one is not told with an earlier time.
    pub told_at: Timestamp,
}

/// Whether a thing is there, by what, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What was said last.
    pub mark: Mark,
    /// Since when it is so: the beginning or the end of the connection, as AWS says.
    pub since: Timestamp,
    /// The certificate's id, or what else the client proved itself with.
    #[serde(default)]
    pub principal: Option<String>,
}

/// The end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastEnd {
    /// Which connection's.
    pub mark: Mark,
    /// How it ended.
    #[serde(flatten)]
    pub how: How,
}

/// The beginning of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// When, as AWS says.
    pub at: Timestamp,
    /// Its version number.
    pub version_number: i64,
}

impl Row {
    /// Of a thing in its `epoch` of which nothing was said yet.
    #[must_use]
    pub const fn unseen(epoch: u64) -> Self {
        let never = Timestamp::from_millis(0);
        Self {
            version: 0,
            epoch,
            status: None,
            last_end: None,
            starts: vec![],
            seen_at: never,
            asked_at: None,
            told_at: never,
        }
    }

    /// Whether the thing is there.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.mark.stage.is_connected())
    }

    /// When it was there for the last time, as far as anybody said.
    #[must_use]
    pub fn last_seen(&self) -> Timestamp {
        self.asked_at.map_or(self.seen_at, |asked_at| asked_at.max(self.seen_at))
    }

    /// How many connections began within [`FLAP_WINDOW_MILLIS`] before `now`.
    #[must_use]
    pub fn flap_count(&self, now: Timestamp) -> usize {
        self.starts.iter().filter(|start| now.millis_since(start.at) <= FLAP_WINDOW_MILLIS).count()
    }

    /// Whether it comes and goes, at `now`.
    #[must_use]
    pub fn is_flapping(&self, now: Timestamp) -> bool {
        self.flap_count(now) >= FLAPPING_FROM
    }

    /// Remembers that a connection began.
    pub(crate) fn note_start(&mut self, mark: &Mark) {
        let start = Start { at: mark.at, version_number: mark.version_number };
        if let Err(place) = self.starts.binary_search_by(|other| start.cmp(other)) {
            self.starts.insert(place, start);
        }
        let newest = self.starts.first().map_or(start.at, |newest| newest.at);
        self.starts.retain(|other| newest.millis_since(other.at) <= FLAP_WINDOW_MILLIS);
        self.starts.truncate(MOST_STARTS);
    }

    /// Remembers that a connection ended, unless a newer end is known.
    pub(crate) fn note_end(&mut self, mark: &Mark, how: &How) {
        if self.last_end.as_ref().is_none_or(|known| mark.newer_than(&known.mark)) {
            self.last_end = Some(LastEnd { mark: mark.clone(), how: how.clone() });
        }
    }

    /// Remembers that AWS spoke of the thing at `at`.
    pub(crate) fn note_seen(&mut self, at: Timestamp) {
        self.seen_at = self.seen_at.max(at);
    }

    /// The newest that was said of it, in the stage `stage`.
    pub(crate) fn mark_in(&self, stage: Stage) -> Mark {
        self.status.as_ref().map_or_else(|| Mark::before_all(stage), |status| Mark { stage, ..status.mark.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn mark(seconds: i64, version_number: i64) -> Mark {
        Mark { at: NOON.plus_millis(seconds * 1000), version_number, session: "s".to_owned(), stage: Stage::Began }
    }

    #[test]
    fn five_beginnings_in_ten_minutes_are_flapping_and_four_are_not() {
        let mut row = Row::unseen(1);
        for number in 0..4 {
            row.note_start(&mark(number * 100, number));
        }
        let end = NOON.plus_millis(FLAP_WINDOW_MILLIS);
        assert!(!row.is_flapping(end));
        row.note_start(&mark(500, 4));
        assert!(row.is_flapping(end));
        assert_eq!((row.flap_count(end), row.flap_count(end.plus_millis(1))), (5, 4));
    }

    #[test]
    fn a_beginning_counts_once_however_often_and_in_which_order_it_is_told() {
        let (mut one, mut other) = (Row::unseen(1), Row::unseen(1));
        for number in [0, 1, 2, 3, 700] {
            one.note_start(&mark(number, number));
        }
        for number in [3, 700, 1, 0, 3, 2, 700] {
            other.note_start(&mark(number, number));
        }
        assert_eq!(one.starts, other.starts);
        assert_eq!(one.starts.len(), 1, "700 s later the first ones count no more");
    }

    #[test]
    fn no_more_than_thirty_two_beginnings_are_remembered() {
        let mut row = Row::unseen(1);
        (0..100).for_each(|number| row.note_start(&mark(number, number)));
        assert_eq!((row.starts.len(), row.starts[0].version_number), (MOST_STARTS, 99));
        row.note_start(&mark(0, 0));
        assert_eq!(row.starts.len(), MOST_STARTS);
    }

    #[test]
    fn a_row_comes_back_from_its_json() {
        let mut row = Row::unseen(2);
        row.note_start(&mark(0, 1));
        row.note_end(&mark(9, 1), &How::new(Some("CONNECTION_LOST".to_owned()), false));
        row.status = Some(Status { mark: mark(0, 1), since: NOON, principal: Some("p".to_owned()) });
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }
}
