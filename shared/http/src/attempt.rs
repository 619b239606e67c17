//! What a row of HttpTable means to somebody who sends the same key: pure.

use loam_domain::Timestamp;

use crate::{Problem, Repeat};

/// How long an answer is given again, in milliseconds.
pub(crate) const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The row of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) digest: String,
    /// The run that holds the row.
    pub(crate) owner: String,
    /// A running one: when it is surely dead. A finished one: until when its answer is given again.
    pub(crate) until: Timestamp,
    /// None while the run goes on.
    pub(crate) answer: Option<Answer>,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What to do for a request whose key has a row already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The row is ours: an attempt of the SDK whose answer got lost had written it.
    Run,
    /// The row is past its time: take it over.
    TakeOver,
    /// Give the stored answer again.
    Again(Answer),
    /// Refuse.
    Refuse(Problem),
}

/// A row whose `until` is reached counts for nothing, whatever it says: DynamoDB deletes it hours later.
pub(crate) fn decide(row: Row, repeat: &Repeat, owner: &str, now: Timestamp) -> Decision {
    if row.owner == owner {
        Decision::Run
    } else if row.until <= now {
        Decision::TakeOver
    } else if row.digest != repeat.digest {
        let detail = "this Idempotency-Key was used for another request in the last 24 hours; use a fresh one";
        Decision::Refuse(Problem::conflict("idempotency-key-reused", detail))
    } else {
        let detail = "the first request with this Idempotency-Key is still being answered; try again in a moment";
        row.answer.map_or_else(|| Decision::Refuse(Problem::conflict("in-progress", detail)), Decision::Again)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repeat(digest: &str) -> Repeat {
        Repeat { id: "id".to_owned(), digest: digest.to_owned() }
    }

    fn row(until: i64, answer: Option<Answer>) -> Row {
        Row { digest: "same".to_owned(), owner: "first".to_owned(), until: Timestamp::from_millis(until), answer }
    }

    fn answer() -> Answer {
        Answer { status: 201, headers: vec![], body: b"{}".to_vec() }
    }

    fn code(row: Row, digest: &str, now: i64) -> &'static str {
        match decide(row, &repeat(digest), "second", Timestamp::from_millis(now)) {
            Decision::Run => "run",
            Decision::TakeOver => "take-over",
            Decision::Again(_) => "again",
            Decision::Refuse(problem) => problem.code(),
        }
    }

    #[test]
    fn a_run_is_in_progress_one_millisecond_before_its_end_and_taken_over_at_it() {
        assert_eq!(code(row(1000, None), "same", 999), "in-progress");
        assert_eq!(code(row(1000, None), "same", 1000), "take-over");
    }

    #[test]
    fn an_answer_is_given_again_until_its_day_is_over() {
        assert_eq!(code(row(KEPT_MILLIS, Some(answer())), "same", KEPT_MILLIS - 1), "again");
        assert_eq!(code(row(KEPT_MILLIS, Some(answer())), "same", KEPT_MILLIS), "take-over");
    }

    #[test]
    fn another_request_under_the_key_is_refused_running_or_done_and_runs_once_the_row_is_past() {
        assert_eq!(code(row(1000, None), "other", 999), "idempotency-key-reused");
        assert_eq!(code(row(1000, Some(answer())), "other", 999), "idempotency-key-reused");
        assert_eq!(code(row(1000, Some(answer())), "other", 1000), "take-over");
    }

    #[test]
    fn a_row_of_our_own_run_lets_us_go_on() {
        assert_eq!(decide(row(1000, None), &repeat("same"), "first", Timestamp::from_millis(0)), Decision::Run);
    }

    proptest! {
        #[test]
        fn a_dead_run_blocks_nobody_for_ever(until in any::<i64>(), now in any::<i64>()) {
            // Whatever time was left when it began, none included: `until` alone decides, in milliseconds.
            let expected = if until <= now { "take-over" } else { "in-progress" };
            prop_assert_eq!(code(row(until, None), "same", now), expected);
        }
    }
}
