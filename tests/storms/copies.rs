//! Messages that a queue delivers more than once, in any order, to several runs at a time.

use loam_kit::Chance;
use loam_runtime::BatchItem;
use tokio::task::JoinSet;

/// So often a message is delivered, at most.
const MOST_COPIES: usize = 4;
/// Messages of a batch (template).
const BATCH: usize = 10;
/// Runs at a time.
const AT_ONCE: usize = 4;
/// So often a message comes again before it counts as stuck.
const DELIVERIES: usize = 5;

/// A function behind a queue.
pub(crate) trait Run: Clone + Send + Sync + 'static {
    /// Delivers a batch once; gives the ids of the messages that must come again.
    fn run(&self, batch: Vec<BatchItem>) -> impl Future<Output = Vec<String>> + Send;
}

/// Copies of the messages, at least one of each, in batches of any order.
pub(crate) fn batches(messages: &[String], chance: &mut Chance) -> Vec<Vec<BatchItem>> {
    let mut all = Vec::new();
    for message in messages {
        all.extend((0..chance.number(1, MOST_COPIES)).map(|_| message.clone()));
    }
    for at in (1..all.len()).rev() {
        all.swap(at, chance.number(0, at));
    }
    let item = |(at, body): (usize, &String)| BatchItem { message_id: at.to_string(), body: body.clone() };
    all.chunks(BATCH).map(|batch| batch.iter().enumerate().map(item).collect()).collect()
}

/// Delivers all batches, some at once, until nothing of them must come again.
pub(crate) async fn deliver(target: &impl Run, batches: Vec<Vec<BatchItem>>) {
    let mut running = JoinSet::new();
    for batch in batches {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        let target = target.clone();
        running.spawn(async move { until_done(&target, batch).await });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

async fn until_done(target: &impl Run, mut batch: Vec<BatchItem>) {
    for _ in 0..DELIVERIES {
        let again = target.run(batch.clone()).await;
        batch.retain(|item| again.contains(&item.message_id));
        if batch.is_empty() {
            return;
        }
    }
    assert!(batch.is_empty(), "{} messages still come again after {DELIVERIES} deliveries", batch.len());
}
