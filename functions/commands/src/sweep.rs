//! Each minute: who expired is told so.

use std::time::Duration;

use aws_config::SdkConfig;
use futures_util::StreamExt as _;
use loam_runtime::{Invocation, must_come_again};
use serde_json::Value;
use tokio::time::Instant;

use crate::SweepConfig;
use crate::command::{EXPIRY_TOLD_AFTER_MILLIS, Intent};
use crate::error::CommandsFailure;
use crate::items::SHARDS;
use crate::keeper::Kept;
use crate::store::Store;

/// How many commands are read at a time.
const PAGE: i32 = 100;
/// How many are written at once.
const AT_ONCE: usize = 8;
/// So long after its beginning a sweep reads no further page; the next one goes on.
const READS_FOR: Duration = Duration::from_secs(15);

/// The schedule's handler.
#[derive(Debug, Clone)]
pub struct Sweep {
    store: Store,
}

impl Sweep {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: SweepConfig) -> Self {
        Self { store: Store::new(sdk, config.commands_table) }
    }

    /// Tells the expiry of every command whose time is over, each once; what the schedule's event says does not matter.
    ///
    /// # Errors
    /// [`CommandsFailure::Swept`], after all others were looked after; [`CommandsFailure::NotListed`].
    pub async fn handle(&self, _event: Value, invocation: &Invocation) -> Result<(), CommandsFailure> {
        let began = Instant::now();
        let (mut told, mut failed) = (0, 0);
        for shard in 0..SHARDS {
            loop {
                let (new_told, new_failed, more) = self.page(shard, invocation).await?;
                (told, failed) = (told + new_told, failed + new_failed);
                if !more || new_failed > 0 || began.elapsed() > READS_FOR {
                    break;
                }
            }
        }
        metrics::counter!("Expired").increment(told as u64);
        tracing::info!(told, failed, "swept");
        if failed > 0 { Err(CommandsFailure::Swept { failed }) } else { Ok(()) }
    }

    /// One page of a shard: how many were told, how many were not, whether more may follow.
    async fn page(&self, shard: u8, invocation: &Invocation) -> Result<(usize, usize, bool), CommandsFailure> {
        let ended = invocation.now.plus_millis(-EXPIRY_TOLD_AFTER_MILLIS);
        let due = self.store.due(shard, ended, PAGE).await?;
        let more = i32::try_from(due.len()).unwrap_or(PAGE) >= PAGE;
        let each = due
            .into_iter()
            .map(|(thing, id)| async move { self.store.apply(&thing, &id, &Intent::TellExpiry, invocation.now).await });
        let outcomes: Vec<_> = futures_util::stream::iter(each).buffer_unordered(AT_ONCE).collect().await;
        let (mut told, mut failed) = (0, 0);
        for outcome in outcomes {
            match outcome {
                Ok(Kept::Done(_)) => told += 1,
                Ok(Kept::Nothing(..) | Kept::Missing) => {}
                Err(failure) => {
                    must_come_again(&failure);
                    failed += 1;
                }
            }
        }
        Ok((told, failed, more && told > 0))
    }
}
