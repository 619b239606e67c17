use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Refusal, RefusalCode};

/// Topic levels of Loam's own: a thing of this name would read or write what belongs to everybody.
const RESERVED: [&str; 3] = ["device", "lwt", "loam"];

/// The name of a thing in the registry, which is also its MQTT client id.
///
/// 1 to 128 characters of `[A-Za-z0-9:_-]` (the registry's own rule) and none of Loam's reserved names. The characters
/// `/ + # $ * ?` are thereby refused: a name becomes a topic level and a policy variable's value.
/// Source: AWS IoT API reference, `CreateThing`, `thingName`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ThingName(String);

impl ThingName {
    /// The longest name that the registry takes, in characters (each is one byte).
    pub const MAX_LENGTH: usize = 128;

    /// A name that keeps the rules of this type.
    ///
    /// # Errors
    /// [`RefusalCode::InvalidThingName`] for any other text.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let problem = if text.is_empty() || text.len() > Self::MAX_LENGTH {
            format!("it has {} bytes, expected 1 to {}", text.len(), Self::MAX_LENGTH)
        } else if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte)) {
            "it holds a character outside [A-Za-z0-9:_-]".to_owned()
        } else if RESERVED.contains(&text) {
            "it is one of the reserved names device, lwt, loam".to_owned()
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Refusal::new(RefusalCode::InvalidThingName, format!("no valid thing name: {problem}")))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ThingName {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<ThingName> for String {
    fn from(name: ThingName) -> Self {
        name.0
    }
}

impl fmt::Display for ThingName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_the_registry_takes_is_valid() {
        let name = "ABCXYZabcxyz0189:_-";
        assert_eq!(ThingName::parse(name).unwrap().as_str(), name);
    }

    #[test]
    fn a_name_of_128_characters_is_valid_and_one_of_129_is_not() {
        assert!(ThingName::parse(&"a".repeat(128)).is_ok());
        assert!(ThingName::parse(&"a".repeat(129)).is_err());
        assert!(ThingName::parse("").is_err());
    }

    #[test]
    fn a_character_that_could_widen_a_topic_or_a_policy_is_refused() {
        for text in ["a/b", "a+", "#", "$aws", "a*", "a?", "a b", "ä", "a\0", "a\n"] {
            assert_eq!(ThingName::parse(text).unwrap_err().code, RefusalCode::InvalidThingName, "{text:?}");
        }
    }

    #[test]
    fn a_name_in_json_keeps_the_rules_of_a_name() {
        assert_eq!(serde_json::from_str::<ThingName>("\"t1\"").unwrap().as_str(), "t1");
        assert_eq!(serde_json::to_string(&ThingName::parse("t1").unwrap()).unwrap(), "\"t1\"");
        assert!(serde_json::from_str::<ThingName>("\"a/b\"").is_err());
    }

    #[test]
    fn a_reserved_topic_root_is_no_thing() {
        for text in ["device", "lwt", "loam"] {
            assert!(ThingName::parse(text).is_err(), "{text}");
        }
        assert!(ThingName::parse("loam2").is_ok());
    }
}
