//! What a certificate authority may register: parsed and checked when it is put, trusted from then on.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::profile_rules as rules;

/// A profile as an operator writes and reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileDocument {
    /// Whether certificates are looked at. While it is false, nothing is registered and nothing refused: certificates stay
    /// PENDING_ACTIVATION, and their devices try again.
    pub enabled: bool,
    /// The registry's type of the things; it must exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thing_type: Option<String>,
    /// The registry's static groups that the things join, at most 10; they must exist.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// The field of the certificate's subject that names the thing.
    #[serde(default)]
    pub name_from: NameFrom,
    /// A pattern that a name must match as a whole, in the syntax of Rust's regex crate, ASCII, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_pattern: Option<String>,
    /// The registry's attributes of the things. They need a `thingType`: without one AWS keeps three attributes, and
    /// onboarding fills these.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Who may join.
    #[serde(default)]
    pub mode: Mode,
    /// How many things it may have at a time; none: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_devices: Option<u64>,
    /// What becomes of a second certificate of a thing that has a live one.
    #[serde(default)]
    pub second_certificate: SecondCertificate,
    /// The desired state of a thing's first shadow, at most 4 KB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub initial_desired: Option<Map<String, Value>>,
}

/// The field of the subject that names a thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NameFrom {
    /// The common name, 2.5.4.3.
    #[default]
    Cn,
    /// The subject's serial number, 2.5.4.5: not the certificate's own number.
    Serial,
}

/// Who may join.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Whoever is not on the deny list.
    #[default]
    Open,
    /// Only who is on the allow list, and not on the deny list.
    Listed,
}

/// What becomes of a second certificate of a thing that has a live one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecondCertificate {
    /// It is refused.
    #[default]
    Refuse,
    /// Both connect until the device has connected with the new one; then the old one is retired.
    Rotate,
    /// The old one is retired at once.
    Replace,
}

/// One mistake in a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: a JSON pointer into the document.
    pub pointer: String,
    /// What was expected.
    pub expected: String,
}

/// A profile that keeps all rules.
#[derive(Debug, Clone)]
pub struct Profile {
    document: ProfileDocument,
    pattern: Option<Regex>,
}

impl Profile {
    /// Checks a document.
    ///
    /// # Errors
    /// Every mistake in it, at once.
    pub fn check(document: ProfileDocument) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = rules::mistakes(&document);
        let pattern = match document.name_pattern.as_deref().map(compile).transpose() {
            Ok(pattern) => pattern,
            Err(expected) => {
                mistakes.push(Mistake { pointer: "/namePattern".to_owned(), expected });
                None
            }
        };
        if mistakes.is_empty() { Ok(Self { document, pattern }) } else { Err(mistakes) }
    }

    /// The document that was checked.
    #[must_use]
    pub const fn document(&self) -> &ProfileDocument {
        &self.document
    }

    /// Whether the pattern matches the whole name; without one, any name does.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(name.as_bytes()))
    }
}

/// The longest pattern, in characters.
const MAX_PATTERN: usize = 256;

/// The most memory that a compiled pattern may take, in bytes: `(a{1000}){1000}` is refused and does no harm.
const MAX_PATTERN_BYTES: usize = 65_536;

/// Anchored at both ends, whatever it holds. The engine is linear in the name, so no pattern is slow on any name.
fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.is_empty() || pattern.chars().count() > MAX_PATTERN {
        return Err(format!("expected 1 to {MAX_PATTERN} characters"));
    }
    let build = |text: &str| RegexBuilder::new(text).unicode(false).size_limit(MAX_PATTERN_BYTES).build();
    // On its own first: `a)|(b` would close the group that anchors it.
    let whole = build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z")));
    whole.map_err(|_| "expected a regular expression for ASCII text that needs little memory".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(document: Value) -> Result<Profile, Vec<String>> {
        let document = serde_json::from_value(document).unwrap();
        Profile::check(document).map_err(|mistakes| mistakes.into_iter().map(|mistake| mistake.pointer).collect())
    }

    #[test]
    fn the_smallest_profile_is_open_takes_the_common_name_and_refuses_a_second_certificate() {
        let profile = check(json!({"enabled": true})).unwrap();
        let document = profile.document();
        assert_eq!((document.mode, document.name_from), (Mode::Open, NameFrom::Cn));
        assert_eq!(document.second_certificate, SecondCertificate::Refuse);
        assert!(profile.names("anything"));
    }

    #[test]
    fn a_pattern_holds_for_the_whole_name() {
        let profile = check(json!({"enabled": true, "namePattern": r"soil\d+|air"})).unwrap();
        for (name, named) in
            [("soil1", true), ("air", true), ("soil", false), ("xsoil1", false), ("soil1\n", false), ("airs", false)]
        {
            assert_eq!(profile.names(name), named, "{name:?}");
        }
    }

    #[test]
    fn a_pattern_of_256_characters_is_taken_and_one_of_257_is_not() {
        let pattern = |length: usize| json!({"enabled": true, "namePattern": "a".repeat(length)});
        assert!(check(pattern(256)).is_ok());
        assert_eq!(check(pattern(257)).unwrap_err(), ["/namePattern"]);
    }

    #[test]
    fn a_pattern_that_breaks_out_of_its_group_or_needs_much_memory_is_refused() {
        for pattern in ["", "(", "a)|(?:.*", "(a{1000}){1000}", r"\p{L}+", "(?=a)", r"(a)\1"] {
            assert_eq!(
                check(json!({"enabled": true, "namePattern": pattern})).unwrap_err(),
                ["/namePattern"],
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_that_is_slow_elsewhere_is_quick_here() {
        let profile = check(json!({"enabled": true, "namePattern": "(a+)+b"})).unwrap();
        assert!(!profile.names(&"a".repeat(128)));
    }

    #[test]
    fn a_field_that_no_profile_has_is_refused() {
        assert!(serde_json::from_value::<ProfileDocument>(json!({"enabled": true, "enabeld": false})).is_err());
        assert!(serde_json::from_value::<ProfileDocument>(json!({})).is_err(), "enabled must be said");
    }

    #[test]
    fn what_was_put_is_what_is_read() {
        let text = json!({
            "enabled": false, "thingType": "soil", "groups": ["a", "b"], "nameFrom": "serial", "namePattern": "s.*",
            "attributes": {"site": "north"}, "mode": "listed", "maxDevices": 5, "secondCertificate": "rotate",
            "initialDesired": {"wait": 5},
        });
        let profile = check(text.clone()).unwrap();
        assert_eq!(serde_json::to_value(profile.document()).unwrap(), text);
    }
}
