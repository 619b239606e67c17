use std::collections::BTreeSet;
use std::future::Future;

use tokio::task::{JoinError, JoinSet};
use tracing::Instrument as _;

use crate::{BatchItem, Failure, diagnostic};

/// Deals with the messages of a queue's batch, at most `at_once` (at least 1) at a time, and answers the ids of those that
/// must come again, in the order in which they failed; the others are done.
///
/// # Errors
/// Work that panicked: the whole batch comes again.
pub async fn each_message<F, W>(
    batch: Vec<BatchItem>,
    at_once: usize,
    work: impl Fn(BatchItem) -> W,
) -> Result<Vec<String>, F>
where
    F: Failure + From<JoinError> + Send + 'static,
    W: Future<Output = Result<(), F>> + Send + 'static,
{
    let mut waiting = batch.into_iter();
    let (mut running, mut again) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < at_once.max(1)
            && let Some(item) = waiting.next()
        {
            let message_id = item.message_id.clone();
            let work = work(item);
            running.spawn(async move { (work.await, message_id) }.in_current_span());
        }
        let Some(done) = running.join_next().await else { return Ok(again) };
        if let (Err(failure), message_id) = done? {
            must_come_again(&failure);
            again.push(message_id);
        }
    }
}

/// Counts and logs what made a message fail. One that comes again does not fail the invocation, so that the edge hears
/// nothing of it: whoever answers its id says this, once.
pub fn must_come_again(failure: &impl Failure) {
    metrics::counter!("Failures").increment(1);
    let error = diagnostic(failure).error_message;
    tracing::error!(code = failure.code(), class = failure.class().as_str(), error, "a message must come again");
}

/// The ids of the messages at these places of a batch, for a function that deals with several messages as one.
#[must_use]
pub fn ids_at(batch: Vec<BatchItem>, places: &BTreeSet<usize>) -> Vec<String> {
    let at = batch.into_iter().enumerate().filter(|(place, _)| places.contains(place));
    at.map(|(_, item)| item.message_id).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Class;

    #[derive(Debug, thiserror::Error)]
    enum Broken {
        #[error("the message was not stored")]
        NotStored,
        #[error("the work on a message broke off")]
        BrokeOff(#[from] JoinError),
    }

    impl Failure for Broken {
        fn class(&self) -> Class {
            Class::Unavailable
        }
        fn code(&self) -> &'static str {
            "broken"
        }
    }

    fn batch(ids: &[&str]) -> Vec<BatchItem> {
        ids.iter().map(|id| BatchItem { message_id: (*id).to_owned(), body: (*id).to_owned() }).collect()
    }

    #[tokio::test]
    async fn only_the_messages_that_failed_come_again() {
        let work = async |item: BatchItem| if item.body == "b" { Err(Broken::NotStored) } else { Ok(()) };
        for at_once in [0, 1, 2, 9] {
            assert_eq!(each_message(batch(&["a", "b", "c"]), at_once, work).await.unwrap(), ["b"], "{at_once}");
        }
        assert!(each_message(vec![], 1, work).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn no_more_messages_than_allowed_are_worked_on_at_once_and_one_by_one_in_their_order() {
        for at_once in [1, 2] {
            let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let work = |_: BatchItem| {
                let (running, most) = (running.clone(), most.clone());
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Err(Broken::NotStored)
                }
            };
            let again = each_message(batch(&["a", "b", "c", "d"]), at_once, work).await.unwrap();
            assert_eq!(most.load(Ordering::SeqCst), at_once);
            assert!(at_once > 1 || again == ["a", "b", "c", "d"], "{again:?}");
        }
    }

    #[tokio::test]
    async fn when_the_work_on_one_panics_the_whole_batch_comes_again() {
        let work = async |item: BatchItem| if item.body == "a" { panic!("a mistake") } else { Ok(()) };
        let outcome: Result<_, Broken> = each_message(batch(&["a", "b"]), 1, work).await;
        assert!(matches!(outcome, Err(Broken::BrokeOff(_))));
    }

    #[test]
    fn places_become_ids_in_the_batchs_order() {
        assert_eq!(ids_at(batch(&["a", "b", "c"]), &[2, 0, 7].into()), ["a", "c"]);
    }
}
