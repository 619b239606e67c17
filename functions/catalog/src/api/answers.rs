//! What answers look like.

use loam_access::Role;
use loam_things::twins::{Read, Seen, Twin};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A thing. With `fields` only those are there; what is not known is not there either.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the description of what `seen` makes, for openapi.json")]
pub(super) struct Thing {
    /// Its name.
    device_id: String,
    /// What people call it, else what it calls itself.
    friendly_name: Option<String>,
    /// `registered`, `active`, `onboarded`, `paired` or `suspended`.
    state: Option<String>,
    /// The caller's role on it; absent for operators.
    role: Option<String>,
    /// When its name was won, in milliseconds since 1970-01-01T00:00:00Z.
    registered_at: Option<i64>,
    /// Its type in the registry.
    thing_type: Option<String>,
    /// The groups that its CA profile and operators put it in.
    groups: Option<Vec<String>>,
    /// What people wrote on it.
    #[schema(value_type = Option<Object>)]
    tags: Option<Map<String, Value>>,
    /// `desired` and `reported`: the state in its shadow.
    #[schema(value_type = Option<Object>)]
    properties: Option<Map<String, Value>>,
    /// `connected`, `since` and, of its last end, `reason` and `clean`.
    #[schema(value_type = Option<Object>)]
    connectivity: Option<Map<String, Value>>,
    /// What it said of its firmware; a text is the field `version`.
    #[schema(value_type = Option<Object>)]
    firmware: Option<Map<String, Value>>,
    /// The registry's attributes that its CA profile gave it.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Map<String, Value>>,
    /// What it said of itself.
    #[schema(value_type = Option<Object>)]
    description: Option<Map<String, Value>>,
    /// What it can do, in its own words.
    capabilities: Option<Vec<String>>,
}

/// One page of things.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Things {
    /// The things, in order.
    #[schema(value_type = Vec<Thing>)]
    pub(super) items: Vec<Value>,
    /// What to send as `cursor`, with otherwise the same query, for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(super) cursor: Option<String>,
    /// How many things match, on all pages; with `count=true` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(super) count: Option<u64>,
    /// What reading took.
    pub(super) read: ReadCost,
}

/// What reading took.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct ReadCost {
    /// How many things were read.
    pub(super) things: u64,
    /// `DynamoDB`'s read units for them.
    pub(super) units: f64,
}

impl From<Read> for ReadCost {
    fn from(read: Read) -> Self {
        Self { things: read.things, units: read.units }
    }
}

/// A twin as the caller sees it: its document says the role, so that it can be sorted by and shown alone, too.
pub(super) fn seen(twin: Twin, role: Option<Role>) -> Seen {
    let mut seen = Seen::from(twin);
    if let (Value::Object(fields), Some(role)) = (&mut seen.document, role) {
        fields.insert("role".to_owned(), role.as_str().into());
    }
    seen
}
