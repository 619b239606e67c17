//! Attempts with a code, counted before anything is compared.

use loam_domain::{ThingName, Timestamp, UserId};
use loam_http::Problem;

use super::Api;
use super::refusals::locked;
use crate::attempts::{Attempt, Attempts, Limit, PER_PERSON, PER_THING, count, given_back};
use crate::store::{Saved, StoreFailure, Tried, wait_after};

/// An attempt that was counted, and what stood there before.
#[derive(Debug, Clone)]
struct Counted {
    before: Option<Attempts>,
    counted: Attempts,
}

/// One person's attempt at one thing, counted for both.
#[derive(Debug, Clone)]
pub(super) struct Both {
    person: Counted,
    at_thing: Counted,
}

impl Api {
    /// Counts the attempt, of the person and at the thing, be it that there is none of this name: who tries a name learns
    /// nothing from what trying costs.
    pub(super) async fn counted(&self, user: &UserId, thing: &ThingName, now: Timestamp) -> Result<Both, Problem> {
        let person = self.count(Tried::By(user), &PER_PERSON, now).await?.map_err(|until| locked(until, now))?;
        // Told like a wrong code: that others tried this name is nobody's business.
        let at_thing = self.count(Tried::At(thing), &PER_THING, now).await?.map_err(|_| Problem::no_such_thing())?;
        Ok(Both { person, at_thing })
    }

    /// The attempt was right: it counts no more, unless others were counted after it.
    pub(super) async fn given_back(&self, user: &UserId, thing: &ThingName, both: &Both) -> Result<(), StoreFailure> {
        for (tried, Counted { before, counted }) in
            [(Tried::By(user), &both.person), (Tried::At(thing), &both.at_thing)]
        {
            let after = given_back(before.as_ref(), counted);
            self.store.put_attempts(tried, Some(counted), &after).await?;
        }
        Ok(())
    }

    /// One more attempt. The inner error is the end of the wait.
    async fn count(
        &self,
        tried: Tried<'_>,
        limit: &Limit,
        now: Timestamp,
    ) -> Result<Result<Counted, Timestamp>, StoreFailure> {
        let mut tries = 0;
        loop {
            let before = self.store.attempts(tried).await?;
            let counted = match count(before.as_ref(), limit, now) {
                Attempt::Locked { until } => return Ok(Err(until)),
                Attempt::Counted(counted) => counted,
            };
            if self.store.put_attempts(tried, before.as_ref(), &counted).await? == Saved::Yes {
                return Ok(Ok(Counted { before, counted }));
            }
            tries = wait_after(tries).await?;
        }
    }
}
