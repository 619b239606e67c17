//! Groups: sets of the fleet's things, for operators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loam_access::Grant;
use loam_domain::ThingName;
use loam_http::{Body, Caller, ETag, IfMatch, NoParams, Operator, Page, PageParams, Params, Problem, Scope, Segments};
use loam_things::twins::Span;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::answers::ReadCost;
use super::query::filter_at;
use super::things::retires;
use crate::group::{Group, GroupName, Kind, KindWord};
use crate::store::{Saved, wait_after};

/// In how many static groups a thing can be.
const MOST_GROUPS: usize = 20;

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 1024;

/// The group of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct GroupPath {
    /// The group's name.
    #[param(pattern = "^[A-Za-z0-9:_-]{1,128}$", max_length = 128)]
    group: String,
}

/// A group and a thing of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct PlacePath {
    /// The group's name.
    #[param(pattern = "^[A-Za-z0-9:_-]{1,128}$", max_length = 128)]
    group: String,
    /// The thing's name.
    #[param(pattern = "^[A-Za-z0-9:_-]{1,128}$", max_length = 128)]
    thing: String,
}

/// What a group is to be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupBody {
    /// With it the group is dynamic: the things of which this is true when somebody looks.
    #[serde(default)]
    filter: Option<String>,
    /// For people; at most 1,024 characters.
    #[serde(default)]
    #[schema(max_length = 1024)]
    description: String,
}

/// A group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct GroupView {
    /// Its name.
    group: String,
    /// Who is in it.
    kind: KindWord,
    /// A dynamic group's filter, in its canonical text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    filter: Option<String>,
    /// For people.
    description: String,
    /// One more with each change of filter or description; also the entity tag.
    version: u64,
    /// How many things are in a static group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    members: Option<u64>,
}

/// A group and one page of its things, by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct GroupPage {
    /// The group.
    #[serde(flatten)]
    group: GroupView,
    /// The names of its things.
    things: Page<String>,
    /// What looking for a dynamic group's things took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    read: Option<ReadCost>,
}

/// A group with one page of its things. A dynamic group is looked for in the whole fleet, each time.
#[utoipa::path(get, path = "/v1/groups/{group}", params(GroupPath, PageParams),
    responses((status = 200, description = "The group and some of its things.", body = GroupPage), Problem))]
pub(super) async fn show(
    State(api): State<Api>,
    Operator(_): Operator,
    Segments(path): Segments<GroupPath>,
    Params(params): Params<PageParams>,
    scope: Scope,
) -> Result<(ETag, Json<GroupPage>), Problem> {
    let name = name(&path.group)?;
    let after: Option<ThingName> = api.cursors.read(&scope, params.cursor.as_deref()).await?;
    let group = api.store.group(&name).await?.ok_or_else(no_such_group)?;
    let (things, more, read) = api.things_in(&name, &group, after, params.limit.get()).await?;
    let cursor = match things.last().filter(|_| more) {
        Some(last) => Some(api.cursors.write(&scope, last).await?),
        None => None,
    };
    let items = things.into_iter().map(String::from).collect();
    let etag = ETag::of(group.version);
    Ok((etag, Json(GroupPage { group: view(&name, &group), things: Page { items, cursor }, read })))
}

/// Makes a group, or changes what it is. A static group cannot become a dynamic one, nor the other way round.
#[utoipa::path(put, path = "/v1/groups/{group}", request_body = GroupBody, params(GroupPath,
        ("If-Match" = Option<String>, Header, description = "The version that was seen, as its ETag: \"7\".")),
    responses((status = 200, description = "The group is changed.", body = GroupView),
        (status = 201, description = "The group is made.", body = GroupView), Problem))]
pub(super) async fn put(
    State(api): State<Api>,
    Operator(_): Operator,
    Segments(path): Segments<GroupPath>,
    Params(NoParams {}): Params<NoParams>,
    if_match: IfMatch,
    Body(body): Body<GroupBody>,
) -> Result<(StatusCode, ETag, Json<GroupView>), Problem> {
    let (name, kind) = (name(&path.group)?, body.kind()?);
    let (mut tries, mut sent) = (0, None);
    loop {
        let before = api.store.group(&name).await?;
        if let Some((status, group)) = sent.take().filter(|(_, group)| before.as_ref() == Some(group)) {
            // This very change is there: the answer to its write was lost on the way.
            return Ok((status, ETag::of(group.version), Json(view(&name, &group))));
        }
        if_match.check(before.as_ref().map(|group| group.version))?;
        let group = changed(before.as_ref(), &kind, &body.description)?;
        let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        if before.as_ref() == Some(&group) || api.store.put_group(&name, &group).await? == Saved::Yes {
            return Ok((status, ETag::of(group.version), Json(view(&name, &group))));
        }
        sent = Some((status, group));
        tries = wait_after(tries).await?;
    }
}

/// Deletes a group in which no thing is; a dynamic one always.
#[utoipa::path(delete, path = "/v1/groups/{group}", params(GroupPath,
        ("If-Match" = Option<String>, Header, description = "The version that was seen, as its ETag: \"7\".")),
    responses((status = 204, description = "There is no such group any more."), Problem))]
pub(super) async fn delete(
    State(api): State<Api>,
    Operator(_): Operator,
    Segments(path): Segments<GroupPath>,
    Params(NoParams {}): Params<NoParams>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let name = name(&path.group)?;
    let mut tries = 0;
    loop {
        let Some(group) = api.store.group(&name).await? else {
            // Gone between two tries: by this very request, whose answer was lost, or by another's.
            return if tries > 0 { Ok(StatusCode::NO_CONTENT) } else { Err(no_such_group()) };
        };
        if_match.check(Some(group.version))?;
        if group.members > 0 {
            let detail = format!("{} things are in the group; take them out first", group.members);
            return Err(Problem::conflict("group-not-empty", detail));
        }
        if api.store.delete_group(&name, group.version).await? == Saved::Yes {
            return Ok(StatusCode::NO_CONTENT);
        }
        tries = wait_after(tries).await?;
    }
}

/// Puts a thing into a static group.
#[utoipa::path(put, path = "/v1/groups/{group}/things/{thing}", params(PlacePath),
    responses((status = 204, description = "The thing is in the group."), Problem))]
pub(super) async fn put_in(
    State(api): State<Api>,
    Operator(caller): Operator,
    Segments(path): Segments<PlacePath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<StatusCode, Problem> {
    let (name, grant) = api.place(&caller, &path).await?;
    let group = api.store.group(&name).await?.ok_or_else(no_such_group)?;
    if group.kind != Kind::Static {
        return Err(Problem::conflict("group-is-dynamic", "its filter says which things are in it; change that"));
    }
    let mut tries = 0;
    loop {
        let mut twin = api.twin(&grant).await?;
        if !twin.notes.groups.insert(name.to_string()) {
            return Ok(StatusCode::NO_CONTENT);
        }
        if twin.notes.groups.len() > MOST_GROUPS {
            let detail = format!("the thing is in {MOST_GROUPS} groups already; take it out of one first");
            return Err(Problem::conflict("too-many-groups", detail));
        }
        twin.version += 1;
        match api.store.join(&twin, &name).await? {
            Saved::Yes => return Ok(StatusCode::NO_CONTENT),
            Saved::NoGroup => return Err(no_such_group()),
            Saved::Ended => return Err(retires()),
            Saved::Lost => tries = wait_after(tries).await?,
        }
    }
}

/// Takes a thing out of a static group.
#[utoipa::path(delete, path = "/v1/groups/{group}/things/{thing}", params(PlacePath),
    responses((status = 204, description = "The thing is not in the group."), Problem))]
pub(super) async fn take_out(
    State(api): State<Api>,
    Operator(caller): Operator,
    Segments(path): Segments<PlacePath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<StatusCode, Problem> {
    let (name, grant) = api.place(&caller, &path).await?;
    let mut tries = 0;
    loop {
        let mut twin = api.twin(&grant).await?;
        if !twin.notes.groups.remove(name.as_str()) {
            return Ok(StatusCode::NO_CONTENT);
        }
        twin.version += 1;
        match api.store.leave(&twin, &name).await? {
            Saved::Yes => return Ok(StatusCode::NO_CONTENT),
            Saved::NoGroup | Saved::Ended | Saved::Lost => tries = wait_after(tries).await?,
        }
    }
}

impl Api {
    async fn things_in(
        &self,
        name: &GroupName,
        group: &Group,
        after: Option<ThingName>,
        limit: u16,
    ) -> Result<(Vec<ThingName>, bool, Option<ReadCost>), Problem> {
        match &group.kind {
            Kind::Static => {
                let members = self.store.members(name, after.as_ref(), limit).await?;
                Ok((members.things, members.more, None))
            }
            Kind::Dynamic(filter) => {
                let span = Span { after, descending: false, limit: limit.into(), count: false };
                let selection = self.twins.select(filter, &span).await?;
                let things = selection.found.into_iter().map(|seen| seen.twin.thing).collect();
                Ok((things, selection.more, Some(selection.read.into())))
            }
        }
    }

    /// A group's name and a thing that exists.
    async fn place(&self, caller: &Caller, path: &PlacePath) -> Result<(GroupName, Grant), Problem> {
        let name = name(&path.group)?;
        let thing = ThingName::parse(&path.thing)
            .map_err(|refusal| Problem::bad_request("invalid-thing-name", refusal.detail))?;
        let grant = self.access.of(caller, &thing).await?.ok_or_else(Problem::no_such_thing)?;
        Ok((name, grant))
    }
}

impl GroupBody {
    fn kind(&self) -> Result<Kind, Problem> {
        if self.description.chars().count() > MAX_DESCRIPTION {
            let detail = format!("the description is too long, expected at most {MAX_DESCRIPTION} characters");
            return Err(Problem::bad_request("invalid-description", detail));
        }
        match &self.filter {
            None => Ok(Kind::Static),
            Some(text) => Ok(Kind::Dynamic(Box::new(filter_at("/filter", text)?))),
        }
    }
}

/// The group after a change; the same if nothing is new.
fn changed(before: Option<&Group>, kind: &Kind, description: &str) -> Result<Group, Problem> {
    let wanted = |version, members| Group { version, kind: kind.clone(), description: description.to_owned(), members };
    let Some(before) = before else { return Ok(wanted(1, 0)) };
    if before.kind.word() != kind.word() {
        let detail = "a group stays static or dynamic as it was made; make another one";
        return Err(Problem::conflict("group-kind-differs", detail));
    }
    let same = wanted(before.version, before.members);
    Ok(if same == *before { same } else { wanted(before.version + 1, before.members) })
}

fn view(name: &GroupName, group: &Group) -> GroupView {
    let (filter, members) = match &group.kind {
        Kind::Static => (None, Some(group.members)),
        Kind::Dynamic(filter) => (Some(filter.to_string()), None),
    };
    let (group_name, description) = (name.to_string(), group.description.clone());
    GroupView { group: group_name, kind: group.kind.word(), filter, description, version: group.version, members }
}

fn name(text: &str) -> Result<GroupName, Problem> {
    GroupName::parse(text).map_err(|detail| Problem::bad_request("invalid-group-name", detail))
}

fn no_such_group() -> Problem {
    Problem::not_found("no-such-group", "there is no such group")
}
