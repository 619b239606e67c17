use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use loam_domain::Timestamp;
use loam_http::{Call, Creation, ETag, NoParams, Operator, Params, Problem};
use loam_releases::names::Id;

use super::Api;
use super::answers::RolloutView;
use crate::aws::table::Written;
use crate::queue::Work;
use crate::release::{self, Release};
use crate::rollout::Rollout;
use crate::rollout::definition::{Definition, Delivery, LONGEST_JOINING_DAYS, Targets};

/// Creates a rollout. Its targets are written down next; then somebody approves it, and somebody starts it.
#[utoipa::path(post, path = "/v1/rollouts", tag = "firmware", params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[ -~]+$", description = "The same key and request: the same answer, for 24 hours.")),
    request_body = Definition,
    responses((status = 202, description = "The rollout; its targets are being written down.", body = RolloutView,
        headers(("ETag" = String))), Problem))]
pub(super) async fn create(
    State(api): State<Api>,
    call: Call,
    Operator(caller): Operator,
    Params(NoParams {}): Params<NoParams>,
    creation: Creation<Definition>,
) -> Result<Response, Problem> {
    let Creation { body, repeat } = creation;
    check(&body)?;
    // A repeat that comes after a crash finds the rollout of the first request.
    let id = match &repeat {
        Some(repeat) => Id::of("rollout", &[&repeat.mark()]),
        None => Id::of("rollout", &[&caller.sub, &call.request_id]),
    };
    let work = api.put(id, body, caller.sub, call.now);
    api.idempotency.once(&call, repeat.as_ref(), Box::pin(work)).await
}

/// Whether a definition makes sense by itself, and for a request.
fn check(definition: &Definition) -> Result<(), Problem> {
    definition.check().map_err(|no| Problem::bad_request(no.code(), no.to_string()))?;
    if matches!(definition.targets, Targets::Left { .. }) {
        let detail =
            "targets: expected a filter or a group; what ran before is led back to by POST rollouts/{id}/rollback";
        return Err(Problem::bad_request("invalid-targets", detail));
    }
    Ok(())
}

/// Whether late joiners may still come, if any are expected, and no longer than anybody means: a time in microseconds would
/// never come, and the rollout never be complete. Of a repeat nobody asks it: what was ordered in time is ordered.
fn in_time(definition: &Definition, now: Timestamp) -> Result<(), Problem> {
    let Some(until) = definition.join_until else { return Ok(()) };
    if until <= now {
        let detail = "joinUntil: expected a time to come, in milliseconds since the epoch";
        return Err(Problem::bad_request("join-until-over", detail));
    }
    if until.millis_since(now) > LONGEST_JOINING_DAYS * 86_400_000 {
        let detail =
            format!("joinUntil: expected milliseconds since the epoch, at most {LONGEST_JOINING_DAYS} days from now");
        return Err(Problem::bad_request("out-of-range", detail));
    }
    Ok(())
}

/// Whether a release may be rolled out.
fn published(release: Option<Release>) -> Result<Release, Problem> {
    let Some(release) = release else {
        return Err(Problem::bad_request("no-such-release", "release: there is none of this id"));
    };
    match release.state {
        release::State::Published => Ok(release),
        release::State::Draft => Err(Problem::conflict("release-not-published", "publish the release first")),
        release::State::Deprecated => {
            Err(Problem::conflict("release-not-published", "the release is deprecated: take another one"))
        }
    }
}

/// Whether a release can reach devices in this way.
fn can_be_delivered(release: &Release, delivery: Delivery) -> Result<(), Problem> {
    match delivery {
        Delivery::Job if release.sealed => {
            let detail =
                "delivery: expected `shadow`: the release is sealed, and the document of a job cannot hold its key";
            Err(Problem::bad_request("sealed-by-job", detail))
        }
        Delivery::Job | Delivery::Shadow => Ok(()),
    }
}

impl Api {
    async fn put(
        &self,
        id: Id,
        mut definition: Definition,
        by: String,
        now: Timestamp,
    ) -> Result<(StatusCode, ETag, Json<RolloutView>), Problem> {
        if let Err(late) = in_time(&definition, now)
            && self.rollouts.get(&id).await?.is_none()
        {
            return Err(late);
        }
        let release = published(self.releases.get(&definition.release).await?)?;
        can_be_delivered(&release, definition.delivery)?;
        // A dynamic group is its filter, as it is now: who joins later is judged by the same one.
        if let Targets::Group(name) = &definition.targets
            && let Some(filter) = self.groups.filter_of(name).await?
        {
            definition.targets = Targets::Filter(filter);
        }
        let ordered = Rollout::ordered(id, definition, release.firmware, false, by, now);
        let ordered = Rollout { sealed: release.sealed, ..ordered };
        let rollout = match self.rollouts.put_new(&ordered, None).await? {
            Written::Yes => ordered,
            Written::Stale => self.rollout(&ordered.id).await?,
        };
        self.queue.send(&Work::Rollout(rollout.id.clone())).await?;
        Ok((StatusCode::ACCEPTED, ETag::of(rollout.version), Json(rollout.into())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::release::tests::draft;
    use crate::rollout::definition::tests::{wave, with_waves};

    fn code(field: &str, value: Value) -> &'static str {
        let mut text = with_waves(&[wave(&json!("rest"))]);
        text[field] = value;
        let definition: Definition = serde_json::from_value(text).unwrap();
        let good = check(&definition).and_then(|()| in_time(&definition, Timestamp::from_millis(1_000)));
        good.map_or_else(|problem| problem.code(), |()| "good")
    }

    #[test]
    fn late_joiners_come_until_a_time_to_come_and_nobody_orders_the_way_back_here() {
        assert_eq!((code("joinUntil", json!(1_000)), code("joinUntil", json!(1_001))), ("join-until-over", "good"));
        let left = json!({"left": {"rollout": "0".repeat(32), "version": "1.0.0"}});
        assert_eq!((code("targets", left), code("perMinute", json!(0))), ("invalid-targets", "out-of-range"));
    }

    #[test]
    fn others_may_join_for_a_year_at_most() {
        let longest = 1_000 + LONGEST_JOINING_DAYS * 86_400_000;
        assert_eq!(
            (code("joinUntil", json!(longest)), code("joinUntil", json!(longest + 1))),
            ("good", "out-of-range")
        );
        assert_eq!(code("joinUntil", json!(i64::MAX)), "out-of-range");
    }

    #[test]
    fn only_a_published_release_is_rolled_out() {
        let code = |release: Option<Release>| published(release).map_or_else(|problem| problem.code(), |_| "good");
        assert_eq!(code(None), "no-such-release");
        for (state, expected) in [
            (release::State::Draft, "release-not-published"),
            (release::State::Published, "good"),
            (release::State::Deprecated, "release-not-published"),
        ] {
            assert_eq!(code(Some(Release { state, ..draft("2.1.0") })), expected);
        }
    }

    #[test]
    fn a_sealed_release_is_not_delivered_by_jobs() {
        let code = |sealed, delivery| {
            let release = Release { sealed, ..draft("2.1.0") };
            can_be_delivered(&release, delivery).map_or_else(|problem| problem.code(), |()| "good")
        };
        assert_eq!((code(true, Delivery::Job), code(true, Delivery::Shadow)), ("sealed-by-job", "good"));
        assert_eq!((code(false, Delivery::Job), code(false, Delivery::Shadow)), ("good", "good"));
    }
}
