use axum::Json;
use axum::extract::State as Shared;
use loam_http::{Limit, Operator, Page, Params, Problem, Scope, Segments};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::answers::ThingView;
use super::order::IdPath;
use crate::aws::items;
use crate::aws::rollouts::Bucket;
use crate::execution::{Execution, State};
use crate::rollout::Rollout;

/// How many times one request asks the table: a page of a rare state may hold fewer things than it could.
const MOST_READS: u32 = 20;

/// How many rows one of these looks at when things of one state are wanted.
const ROWS: i32 = 500;

/// Which things of a rollout.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ThingsQuery {
    /// Only those that stand there.
    #[param(inline)]
    state: Option<Word>,
    /// Only those of this wave, from 1.
    #[param(minimum = 1, maximum = 50)]
    wave: Option<u8>,
    /// How many items a page holds at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// What the page before gave; absent for the first page.
    cursor: Option<String>,
}

/// Where a thing stands, as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    Queued,
    Notified,
    Downloading,
    Verifying,
    Installing,
    Succeeded,
    Failed,
    Rejected,
    TimedOut,
    AlreadyInstalled,
    Incompatible,
    Removed,
}

/// A place among the things: in which part of them, and after which sort key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    part: usize,
    after: Option<String>,
}

/// A part of a rollout's things that is read in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    wave: usize,
    shard: u32,
    bucket: Bucket,
}

/// The things of a rollout: wave by wave, and in each those that wait, those at work, the others. A page may hold fewer than
/// asked for, and none, as long as it has a cursor. A thing that moves between two pages may be on both, or on neither: the
/// counts of the rollout are exact, this list is for looking.
#[utoipa::path(get, path = "/v1/rollouts/{id}/things", tag = "firmware", params(IdPath, ThingsQuery),
    responses((status = 200, description = "The things.", body = Page<ThingView>), Problem))]
pub(super) async fn list(
    Shared(api): Shared<Api>,
    Operator(_): Operator,
    Segments(path): Segments<IdPath>,
    Params(query): Params<ThingsQuery>,
    scope: Scope,
) -> Result<Json<Page<ThingView>>, Problem> {
    let rollout = api.rollout(&path.parse()?).await?;
    let begin: Option<Place> = api.cursors.read(&scope, query.cursor.as_deref()).await?;
    let (found, next) = api.things(&rollout, &query, begin.unwrap_or_default()).await?;
    let mut upgrades = api.upgrades(rollout, &found).await?;
    let view = |execution: Execution| {
        let way = upgrades.of(&execution);
        ThingView::of(execution, way)
    };
    let items = found.into_iter().map(view).collect();
    let cursor = match next {
        Some(next) => Some(api.cursors.write(&scope, &next).await?),
        None => None,
    };
    Ok(Json(Page { items, cursor }))
}

impl Api {
    async fn things(
        &self,
        rollout: &Rollout,
        query: &ThingsQuery,
        mut place: Place,
    ) -> Result<(Vec<Execution>, Option<Place>), Problem> {
        let (parts, limit) = (parts(rollout, query), usize::from(query.limit.get()));
        let (mut found, mut reads) = (Vec::<Execution>::new(), 0);
        while let Some(part) = parts.get(place.part) {
            let left = i32::try_from(limit - found.len()).unwrap_or(i32::MAX);
            if left == 0 || reads == MOST_READS {
                return Ok((found, Some(place)));
            }
            reads += 1;
            let rows = if query.state.is_some() { ROWS } else { left };
            let (wave, after) = ((part.wave, part.shard), place.after.as_deref());
            let page = self.rollouts.things_page(&rollout.id, wave, part.bucket, after, rows).await?;
            let wanted = |state: State| query.state.is_none_or(|word| word.is(state));
            let mut last = page.last;
            for execution in page.executions.into_iter().filter(|execution| wanted(execution.state())) {
                if found.len() == limit {
                    // The rest of what was read is for the next page.
                    last = found.last().map(|last| part.sort_key(last));
                    break;
                }
                found.push(execution);
            }
            place = match last {
                Some(after) => Place { part: place.part, after: Some(after) },
                None => Place { part: place.part + 1, after: None },
            };
        }
        Ok((found, None))
    }
}

impl Part {
    fn sort_key(self, last: &Execution) -> String {
        let prefix = match self.bucket {
            Bucket::Queued => items::QUEUED,
            Bucket::AtWork => items::AT_WORK,
            Bucket::All | Bucket::Rest => items::REST,
        };
        format!("{prefix}{}", last.thing)
    }
}

/// The parts of a rollout's things that can hold what is wanted, in their order. As long as its shards are the same, so are
/// they: those are fixed before the first thing is written down.
fn parts(rollout: &Rollout, query: &ThingsQuery) -> Vec<Part> {
    let wanted = |wave: &usize| query.wave.is_none_or(|number| usize::from(number) == wave + 1);
    let buckets: &[Bucket] = match query.state {
        None => &[Bucket::Queued, Bucket::AtWork, Bucket::Rest],
        Some(Word::Queued) => &[Bucket::Queued],
        Some(Word::Notified | Word::Downloading | Word::Verifying | Word::Installing) => &[Bucket::AtWork],
        Some(Word::Succeeded | Word::Failed | Word::Rejected | Word::TimedOut) => &[Bucket::Rest],
        Some(Word::AlreadyInstalled | Word::Incompatible | Word::Removed) => &[Bucket::Rest],
    };
    let waves = rollout.waves.iter().enumerate().filter(|(wave, _)| wanted(wave));
    waves
        .flat_map(|(wave, standing)| buckets.iter().map(move |bucket| (wave, standing.shards, *bucket)))
        .flat_map(|(wave, shards, bucket)| (0..shards).map(move |shard| Part { wave, shard, bucket }))
        .collect()
}

impl Word {
    fn is(self, state: State) -> bool {
        match self {
            Self::Queued => state == State::Queued,
            Self::Notified => state == State::Notified,
            Self::Downloading => state == State::Downloading,
            Self::Verifying => state == State::Verifying,
            Self::Installing => state == State::Installing,
            Self::Succeeded => state == State::Succeeded,
            Self::Failed => state == State::Failed,
            Self::Rejected => state == State::Rejected,
            Self::TimedOut => matches!(state, State::TimedOut | State::Unreached),
            Self::AlreadyInstalled => state == State::AlreadyInstalled,
            Self::Incompatible => state == State::Incompatible,
            Self::Removed => state == State::Removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::tests::running;

    const WORDS: [Word; 12] = [
        Word::Queued,
        Word::Notified,
        Word::Downloading,
        Word::Verifying,
        Word::Installing,
        Word::Succeeded,
        Word::Failed,
        Word::Rejected,
        Word::TimedOut,
        Word::AlreadyInstalled,
        Word::Incompatible,
        Word::Removed,
    ];

    fn query(state: Option<Word>, wave: Option<u8>) -> ThingsQuery {
        ThingsQuery { state, wave, limit: Limit::default(), cursor: None }
    }

    #[test]
    fn every_state_has_one_word_and_every_word_is_read_as_it_is_shown() {
        for state in State::ALL {
            let words: Vec<_> = WORDS.into_iter().filter(|word| word.is(state)).collect();
            assert_eq!(words.len(), 1, "{state:?}");
            let read: Word = serde_json::from_value(state.as_str().into()).unwrap();
            assert_eq!(read, words[0]);
        }
    }

    #[test]
    fn each_part_is_read_once_and_only_where_it_can_hold_what_is_wanted() {
        let mut rollout = running();
        rollout.waves.iter_mut().zip([1, 2, 16]).for_each(|(wave, shards)| wave.shards = shards);
        assert_eq!(parts(&rollout, &query(None, None)).len(), 3 * 19);
        let second = parts(&rollout, &query(Some(Word::Failed), Some(2)));
        let part = |shard| Part { wave: 1, shard, bucket: Bucket::Rest };
        assert_eq!(second, [part(0), part(1)]);
        assert!(parts(&rollout, &query(None, Some(4))).is_empty());
    }
}
