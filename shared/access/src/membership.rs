use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};

use crate::AccessFailure;

/// What a person is to a thing. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees state, presence, numbers and alerts.
    Viewer,
    /// And acts: desired state, commands, methods, files, tags.
    Controller,
    /// And decides who else may.
    Owner,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Controller, Self::Owner];

    /// Its word in the table and in answers, for example `viewer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Controller => "controller",
            Self::Owner => "owner",
        }
    }

    /// The role of this word; `None` for any other text.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A person's role on a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Which thing.
    pub thing: ThingName,
    /// What the person is to it.
    pub role: Role,
    /// From when on the thing's data is theirs to see.
    pub since: Timestamp,
    /// The owner's time that it belongs to. It counts only while the thing's record has no later one.
    pub epoch: u64,
}

/// The key of a membership.
pub(crate) fn key(user: &str, thing: &ThingName) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([("user".to_owned(), text(user)), ("thing".to_owned(), text(thing.as_str()))])
}

/// The membership in a row.
pub(crate) fn of(row: &HashMap<String, AttributeValue>) -> Result<Membership, AccessFailure> {
    let text = |name: &'static str| row.get(name).and_then(|value| value.as_s().ok()).ok_or(bad(name));
    let number = |name: &'static str| row.get(name).and_then(|value| value.as_n().ok()).ok_or(bad(name));
    Ok(Membership {
        thing: ThingName::parse(text("thing")?).map_err(|_| bad("thing"))?,
        role: Role::parse(text("role")?).ok_or(bad("role"))?,
        since: Timestamp::from_millis(number("since")?.parse().map_err(|_| bad("since"))?),
        epoch: number("epoch")?.parse().map_err(|_| bad("epoch"))?,
    })
}

const fn bad(attribute: &'static str) -> AccessFailure {
    AccessFailure::BadRow { attribute }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> HashMap<String, AttributeValue> {
        let mut row = key("u1", &ThingName::parse("t1").unwrap());
        row.insert("role".to_owned(), AttributeValue::S("controller".to_owned()));
        row.insert("since".to_owned(), AttributeValue::N("1598536072677".to_owned()));
        row.insert("epoch".to_owned(), AttributeValue::N("2".to_owned()));
        row
    }

    #[test]
    fn an_owner_may_what_a_controller_may_and_a_controller_what_a_viewer_may() {
        assert!(Role::Owner > Role::Controller && Role::Controller > Role::Viewer);
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.as_str()) == Some(role)));
        assert_eq!(Role::parse("Owner"), None);
    }

    #[test]
    fn a_row_is_read_and_every_attribute_is_needed() {
        let membership = of(&row()).unwrap();
        assert_eq!((membership.role, membership.epoch), (Role::Controller, 2));
        for name in ["thing", "role", "since", "epoch"] {
            let mut broken = row();
            broken.remove(name);
            assert!(matches!(of(&broken), Err(AccessFailure::BadRow { attribute }) if attribute == name), "{name}");
        }
    }

    #[test]
    fn a_role_that_nobody_knows_opens_nothing() {
        let mut broken = row();
        broken.insert("role".to_owned(), AttributeValue::S("admin".to_owned()));
        assert!(of(&broken).is_err());
    }
}
