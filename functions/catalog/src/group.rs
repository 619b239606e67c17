//! Groups of things: their names and what they are.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_query::Filter;
use serde::Serialize;

use crate::CatalogFailure;

/// A row's attributes by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The sort key of what a group is; its things' begin with [`MEMBER`].
pub(crate) const GROUP: &str = "group";

/// What the sort keys of a static group's things begin with.
pub(crate) const MEMBER: &str = "thing#";

/// The name of a group: 1 to 128 characters of `[A-Za-z0-9:_-]`, as AWS IoT's own groups have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupName(String);

impl GroupName {
    /// A name that keeps the rules of this type.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=128).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte)) {
            return Ok(Self(text.to_owned()));
        }
        Err("no name of a group: expected 1 to 128 characters of [A-Za-z0-9:_-]".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a group is.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// From 1, one more with each change of what stands here; an `ETag`. Things that come and go do not count.
    pub version: u64,
    /// Who is in it.
    pub kind: Kind,
    /// For people.
    pub description: String,
    /// How many things were put into it; 0 for a dynamic one.
    pub members: u64,
}

/// Who is in a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Whom operators put in.
    Static,
    /// Every thing of which this is true when somebody looks.
    Dynamic(Box<Filter>),
}

/// `static` or `dynamic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindWord {
    /// Operators put things in and take them out.
    Static,
    /// The things of which the filter is true.
    Dynamic,
}

impl Kind {
    /// Its word.
    #[must_use]
    pub const fn word(&self) -> KindWord {
        match self {
            Self::Static => KindWord::Static,
            Self::Dynamic(_) => KindWord::Dynamic,
        }
    }
}

/// The key of what stands under `item` in a group.
pub(crate) fn key(group: &str, item: &str) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    Item::from([("group".to_owned(), text(group)), ("item".to_owned(), text(item))])
}

impl Group {
    /// The row of what the group is.
    pub(crate) fn item(&self, name: &GroupName) -> Item {
        let mut item = key(name.as_str(), GROUP);
        item.insert("version".to_owned(), AttributeValue::N(self.version.to_string()));
        item.insert("members".to_owned(), AttributeValue::N(self.members.to_string()));
        item.insert("description".to_owned(), AttributeValue::S(self.description.clone()));
        if let Kind::Dynamic(filter) = &self.kind {
            item.insert("filter".to_owned(), AttributeValue::S(filter.to_string()));
        }
        item
    }

    /// The group in a row.
    pub(crate) fn of(item: &Item) -> Result<Self, CatalogFailure> {
        let number = |name: &'static str| {
            let digits = item.get(name).and_then(|value| value.as_n().ok());
            digits.and_then(|digits| digits.parse().ok()).ok_or(bad(name))
        };
        let text = |name: &'static str| item.get(name).and_then(|value| value.as_s().ok());
        let kind = match text("filter") {
            None => Kind::Static,
            Some(filter) => Kind::Dynamic(Box::new(Filter::parse(filter).map_err(|_| bad("filter"))?)),
        };
        let description = text("description").cloned().unwrap_or_default();
        Ok(Self { version: number("version")?, kind, description, members: number("members")? })
    }
}

const fn bad(attribute: &'static str) -> CatalogFailure {
    CatalogFailure::BadGroupRow { attribute }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_128_plain_characters() {
        assert!(GroupName::parse("building-4:roof_B").is_ok() && GroupName::parse(&"g".repeat(128)).is_ok());
        for bad in ["", "two words", "a/b", "ä", "a#b", &"g".repeat(129)] {
            assert!(GroupName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_group_survives_its_row() {
        let name = GroupName::parse("g").unwrap();
        let filter = Filter::parse("tags.a = 1 and groups contains 'x'").unwrap();
        for kind in [Kind::Static, Kind::Dynamic(Box::new(filter))] {
            let group = Group { version: 2, kind, description: "d".to_owned(), members: 7 };
            assert_eq!(Group::of(&group.item(&name)).unwrap(), group);
        }
    }
}
