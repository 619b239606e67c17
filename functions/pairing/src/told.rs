//! The events of PairingsTable: what happens to people and invitations. What happens to the thing itself (`thing.paired`,
//! `thing.unpaired`, `thing.erased`) its record tells.

use loam_domain::{Event, EventType, ThingName};
use serde_json::{Map, Value, json};

use crate::people::{Guest, Role};
use crate::tenancy::{Change, Told};

/// The event of a change; `None` for what the record tells, and for what concerns nobody else.
pub(crate) fn event(thing: &ThingName, change: &Change) -> Option<Event> {
    let (kind, data) = match &change.told {
        Told::Invited { id, guest } => {
            (EventType::MemberInvited, json!({"invitation": id.as_str(), "role": Role::from(*guest).as_str()}))
        }
        Told::InvitationRevoked { id } => (EventType::InvitationRevoked, json!({"invitation": id.as_str()})),
        Told::Joined { user, role } => (EventType::MemberJoined, json!({"user": user, "role": role.as_str()})),
        Told::Left { user } => (EventType::MemberLeft, json!({ "user": user })),
        Told::Offered { id } => (EventType::OwnershipOffered, json!({"offer": id.as_str()})),
        Told::Withdrawn { id } => (EventType::OwnershipWithdrawn, json!({"offer": id.as_str()})),
        Told::Paired { .. }
        | Told::Unpaired { .. }
        | Told::HeirGone
        | Told::Vacant
        | Told::Mail { .. }
        | Told::Gone => return None,
    };
    let tenancy = &change.tenancy;
    Some(Event {
        id: format!("{thing}.tenancy.{}", tenancy.version),
        kind,
        thing: Some(thing.clone()),
        at: tenancy.updated_at,
        epoch: tenancy.epoch,
        data: fields(data),
    })
}

fn fields(data: Value) -> Map<String, Value> {
    match data {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

impl Role {
    /// Its word in rows and answers, for example `viewer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Controller => "controller",
            Self::Owner => "owner",
        }
    }
}

impl Guest {
    /// The guest of this word; `None` for any other text, `owner` among them.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Controller].into_iter().find(|guest| Role::from(*guest).as_str() == word)
    }
}
