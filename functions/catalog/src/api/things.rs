//! One thing: how it is, and what people write on it.

use axum::Json;
use axum::extract::State;
use loam_access::{Controller, Grant, Viewer};
use loam_http::{Body, ETag, IfMatch, Mistake, NoParams, Params, Problem, ThingPath};
use loam_things::twins::{Notes, RecordView, Twin};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::answers::{Thing, seen};
use crate::decide::young;
use crate::store::{Saved, wait_after};
use crate::tags::patched;

/// The longest name that people give a thing, in characters.
const MAX_NAME: usize = 256;

/// What is to change on a thing. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ThingChange {
    /// Merged into the tags: objects are merged, `null` removes, all else replaces. At most 50 names on 5 levels, and 8 KiB
    /// in all; a name is 1 to 64 of `[A-Za-z0-9_-]`, the first a letter or `_`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    tags: Option<Map<String, Value>>,
    /// What people call it, 1 to 256 characters; `null`: what it calls itself.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    friendly_name: Option<Option<String>>,
}

/// Tells `null` from absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A thing as the catalog knows it. The `ETag` is that of what people write on it: tags and name.
#[utoipa::path(get, path = "/v1/things/{thing}", params(ThingPath),
    responses((status = 200, description = "The thing.", body = Thing), Problem))]
pub(super) async fn show(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    Params(NoParams {}): Params<NoParams>,
) -> Result<(ETag, Json<Value>), Problem> {
    let twin = api.twin(&grant).await?;
    Ok(answer(twin, &grant))
}

/// Changes tags and name of a thing; takes the role controller.
#[utoipa::path(patch, path = "/v1/things/{thing}", request_body = ThingChange, params(ThingPath,
        ("If-Match" = Option<String>, Header, description = "The version that was seen, as its ETag: \"7\".")),
    responses((status = 200, description = "The thing after it.", body = Thing), Problem))]
pub(super) async fn change(
    State(api): State<Api>,
    Controller(grant): Controller,
    Params(NoParams {}): Params<NoParams>,
    if_match: IfMatch,
    Body(change): Body<ThingChange>,
) -> Result<(ETag, Json<Value>), Problem> {
    let (mut tries, mut sent) = (0, None);
    loop {
        let mut twin = api.twin(&grant).await?;
        if sent.as_ref() == Some(&twin.notes) {
            // This very change is there: the answer to its write was lost on the way.
            return Ok(answer(twin, &grant));
        }
        if_match.check(Some(twin.notes.version))?;
        let Some(notes) = change.applied(&twin.notes)? else { return Ok(answer(twin, &grant)) };
        twin.notes = notes;
        twin.version += 1;
        match api.store.put(&twin).await? {
            Saved::Yes => return Ok(answer(twin, &grant)),
            Saved::Ended => return Err(retires()),
            Saved::Lost | Saved::NoGroup => tries = wait_after(tries).await?,
        }
        sent = Some(twin.notes);
    }
}

/// What a write on a thing is answered whose row was erased already.
pub(super) fn retires() -> Problem {
    Problem::conflict("thing-retires", "the thing is being retired; nothing can be written on it any more")
}

impl Api {
    /// What is known of a thing that exists; before the projection has come as far, no more than its record.
    pub(super) async fn twin(&self, grant: &Grant) -> Result<Twin, Problem> {
        let twin = self.twins.get(grant.thing()).await?;
        Ok(twin.unwrap_or_else(|| young(grant.thing(), RecordView::from(grant.record.as_ref()))))
    }
}

impl ThingChange {
    /// The notes after it; `None` if it changes nothing.
    fn applied(&self, notes: &Notes) -> Result<Option<Notes>, Problem> {
        let mut after = notes.clone();
        if let Some(patch) = &self.tags {
            after.tags = patched(&notes.tags, patch).map_err(|mistakes| wrong("invalid-tags", mistakes))?;
        }
        if let Some(name) = &self.friendly_name {
            after.friendly_name = name.as_deref().map(named).transpose()?;
        }
        if after == *notes {
            return Ok(None);
        }
        after.version += 1;
        Ok(Some(after))
    }
}

fn named(name: &str) -> Result<String, Problem> {
    let length = name.chars().count();
    if (1..=MAX_NAME).contains(&length) && !name.trim().is_empty() && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    let expected =
        format!("it has {length} characters, expected 1 to {MAX_NAME}, none a control character, not all blank");
    Err(wrong("invalid-name", vec![Mistake::at("/friendlyName", expected)]))
}

fn wrong(code: &'static str, mistakes: Vec<Mistake>) -> Problem {
    Problem::bad_request(code, "the change breaks a limit; nothing was changed").with_mistakes(mistakes)
}

fn answer(twin: Twin, grant: &Grant) -> (ETag, Json<Value>) {
    let etag = ETag::of(twin.notes.version);
    (etag, Json(seen(twin, grant.role()).document))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn applied(change: Value, notes: &Notes) -> Result<Option<Notes>, Problem> {
        serde_json::from_value::<ThingChange>(change).unwrap().applied(notes)
    }

    #[test]
    fn what_is_absent_stays_and_null_removes() {
        let notes = applied(json!({"tags": {"a": 1}, "friendlyName": "Roof"}), &Notes::default()).unwrap().unwrap();
        assert_eq!((notes.version, notes.friendly_name.as_deref()), (1, Some("Roof")));
        let next = applied(json!({"tags": {"b": 2}}), &notes).unwrap().unwrap();
        assert_eq!((next.version, json!(next.tags)), (2, json!({"a": 1, "b": 2})));
        let last = applied(json!({"friendlyName": null}), &next).unwrap().unwrap();
        assert_eq!(last.friendly_name, None);
    }

    #[test]
    fn a_change_that_changes_nothing_makes_no_version() {
        let notes = applied(json!({"tags": {"a": 1}}), &Notes::default()).unwrap().unwrap();
        assert_eq!(applied(json!({"tags": {"a": 1, "never": null}}), &notes).unwrap(), None);
        assert_eq!(applied(json!({}), &notes).unwrap(), None);
    }

    #[test]
    fn a_name_of_256_characters_is_kept_and_an_empty_or_longer_one_is_refused() {
        let change = |name: &str| applied(json!({"friendlyName": name}), &Notes::default());
        assert!(change(&"ü".repeat(256)).is_ok());
        for name in ["", " ", "a\nb", &"ü".repeat(257)] {
            assert_eq!(change(name).unwrap_err().code(), "invalid-name");
        }
    }

    #[test]
    fn what_nobody_may_write_is_an_unknown_field() {
        for field in ["owner", "firmware", "groups", "properties", "state", "deviceId"] {
            assert!(serde_json::from_value::<ThingChange>(json!({field: {}})).is_err(), "{field}");
        }
    }
}
