use std::fmt;

use loam_domain::ThingName;

/// For whom the rules of a row hold. One syntax, in paths and in the table: `thing:{name}`, `group:{name}`, `type:{name}` or
/// `default`; every character of it may stand in a path as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One thing.
    Thing(ThingName),
    /// The things of a static group, or of one that CA profiles name.
    Group(ScopeName),
    /// The things of a type.
    Type(ScopeName),
    /// Every thing.
    Default,
}

/// The name of a group or a type: 1 to 128 characters of `[A-Za-z0-9:_-]`, as AWS IoT's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScopeName(String);

/// What is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no scope of alert rules: expected thing:{{name}}, group:{{name}}, type:{{name}} or default")]
pub struct InvalidScope;

impl ScopeName {
    /// A name that keeps the rules of this type.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
        ((1..=128).contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scope {
    /// The scope of this text. The first colon ends the kind; names may hold more of them.
    ///
    /// # Errors
    /// [`InvalidScope`].
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text == "default" {
            return Ok(Self::Default);
        }
        match text.split_once(':').ok_or(InvalidScope)? {
            ("thing", name) => ThingName::parse(name).map(Self::Thing).map_err(|_| InvalidScope),
            ("group", name) => ScopeName::parse(name).map(Self::Group).ok_or(InvalidScope),
            ("type", name) => ScopeName::parse(name).map(Self::Type).ok_or(InvalidScope),
            _ => Err(InvalidScope),
        }
    }

    /// The scope of a group; `None` for what no group can be called.
    #[must_use]
    pub fn group(name: &str) -> Option<Self> {
        ScopeName::parse(name).map(Self::Group)
    }

    /// The scope of a type; `None` for what no type can be called.
    #[must_use]
    pub fn of_type(name: &str) -> Option<Self> {
        ScopeName::parse(name).map(Self::Type)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thing(name) => write!(formatter, "thing:{name}"),
            Self::Group(name) => write!(formatter, "group:{}", name.as_str()),
            Self::Type(name) => write!(formatter, "type:{}", name.as_str()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_survives_the_way_through_a_path_and_the_table() {
        for text in
            ["default", "thing:soilSensor4", "thing:a:b", "group:building-4:roof_B", "type:default", "group:thing:x"]
        {
            assert_eq!(Scope::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn only_the_first_colon_divides_kind_and_name() {
        assert_eq!(Scope::parse("thing:group:x").unwrap(), Scope::Thing(ThingName::parse("group:x").unwrap()));
        assert_eq!(Scope::parse("type:a:b").unwrap(), Scope::of_type("a:b").unwrap());
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        let long = format!("group:{}", "g".repeat(129));
        for text in [
            "",
            "Default",
            "default:",
            "thing",
            "thing:",
            "thing:device",
            "thing/a",
            "things:a",
            "group:a b",
            "type:ä",
            &long,
        ] {
            assert_eq!(Scope::parse(text), Err(InvalidScope), "{text}");
        }
        assert!(Scope::parse(&format!("group:{}", "g".repeat(128))).is_ok());
    }
}
