use loam_domain::{Event, EventType, ThingName};
use serde_json::{Map, Value, json};

use crate::tenancy::{Change, Told};

/// The event that tells of a change, `{thing}.tenancy.{version}`; `None` for what concerns nobody, or what the thing's record
/// tells in the same transaction. It names people by their ids, and holds neither token nor code.
pub(super) fn event(thing: &ThingName, change: &Change) -> Option<Event> {
    let (kind, data) = match &change.told {
        Told::Invited { id, guest } => (EventType::MemberInvited, json!({"invitation": id, "role": guest})),
        Told::InvitationRevoked { id } => (EventType::InvitationRevoked, json!({"invitation": id})),
        Told::Joined { user, role } => (EventType::MemberJoined, json!({"user": user, "role": role})),
        Told::Left { user } => (EventType::MemberLeft, json!({"user": user})),
        Told::Offered { id } => (EventType::OwnershipOffered, json!({"offer": id})),
        Told::Withdrawn { id } => (EventType::OwnershipWithdrawn, json!({"offer": id})),
        Told::Paired { .. }
        | Told::Unpaired { .. }
        | Told::HeirGone
        | Told::Vacant
        | Told::Mail { .. }
        | Told::Gone => {
            return None;
        }
    };
    let data = if let Value::Object(data) = data { data } else { Map::new() };
    let tenancy = &change.tenancy;
    let id = format!("{thing}.tenancy.{}", tenancy.version);
    Some(Event { id, kind, thing: Some(thing.clone()), at: tenancy.updated_at, epoch: tenancy.epoch, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Guest;
    use crate::tenancy::tests::{Home, accept, invite, pair, unpair};

    #[test]
    fn who_is_invited_and_joins_is_told_with_the_version_and_what_the_record_tells_is_not() {
        let thing = ThingName::parse("t1").unwrap();
        let mut home = Home::after([]);
        assert_eq!(event(&thing, &home.change(&pair("ann", 1)).0), None);
        let told = event(&thing, &home.change(&invite("ann", "i", Guest::Viewer)).0).unwrap();
        assert_eq!((told.id.as_str(), told.kind), ("t1.tenancy.2", EventType::MemberInvited));
        let told = event(&thing, &home.change(&accept("bob", "i", 1)).0).unwrap();
        assert_eq!(
            (told.kind, Value::from(told.data)),
            (EventType::MemberJoined, json!({"user": "bob", "role": "viewer"}))
        );
        assert_eq!(event(&thing, &home.change(&unpair("ann")).0), None);
    }
}
