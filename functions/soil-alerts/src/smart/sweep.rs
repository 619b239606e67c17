use loam_domain::{ThingName, Timestamp};

use super::store::SHARDS;
use super::{Alerts, Decision, State, StoreError, decide_silence};
use crate::AlertFailure;

/// What a sweep found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// States that it looked at.
    pub looked_at: usize,
    /// Notices that it sent: readings that stay away, and notices that a dead run left behind.
    pub notices: usize,
    /// States that it could not deal with; the next sweep finds them again.
    pub failed: usize,
}

impl Alerts {
    /// Looks after all states whose time has come at `now`: readings that stay away, notices that were left behind.
    ///
    /// One state that fails does not stop the others.
    ///
    /// # Errors
    /// [`AlertFailure`]: the first failure, after everything else was done. The next sweep tries again.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, AlertFailure> {
        let mut swept = Swept::default();
        let mut first_failure = None;
        for shard in 0..SHARDS {
            for (thing, path) in self.states.silent(now, shard).await? {
                swept.looked_at += 1;
                match self.look_after(&thing, &path, now).await {
                    Ok(notices) => swept.notices += notices,
                    Err(failure) => {
                        tracing::warn!(thing.name = thing, rule.path = path, %failure, "not looked after");
                        swept.failed += 1;
                        first_failure.get_or_insert(failure);
                    }
                }
            }
        }
        first_failure.map_or(Ok(swept), Err)
    }

    async fn look_after(&self, thing: &str, path: &str, now: Timestamp) -> Result<usize, AlertFailure> {
        let thing = ThingName::parse(thing).map_err(|_| StoreError::MissingField("thing"))?;
        let rules = self.rules.of(&thing, self.threshold).await?;
        let rule = rules.iter().find(|rule| rule.path() == path);
        let state = self.states.load(&thing, path).await?;
        match decide_silence(&state, rule, now) {
            Decision::Unchanged(_) => self.send(&thing, state, |state| state.left_behind(now)).await,
            Decision::Save(next, _) => match self.states.save(&next).await {
                Ok(()) => self.send(&thing, *next, State::to_send).await,
                // A reading came in this moment: no silence.
                Err(StoreError::Conflict) => Ok(0),
                Err(error) => Err(error.into()),
            },
        }
    }
}
