//! What AWS's registry takes of a profile. Source: AWS IoT API reference, `CreateThing`, `AttributePayload`,
//! `AddThingToThingGroup`; AWS IoT Core quotas, registry.

use crate::profile::{Mistake, ProfileDocument};

/// The most groups that a thing can be in directly.
const MAX_GROUPS: usize = 10;

/// The most attributes of a thing with a type, without the three that onboarding fills.
const MAX_ATTRIBUTES: usize = 47;

/// The three that onboarding fills from the thing's own description.
const DESCRIBED: [&str; 3] = ["manufacturerName", "modelName", "version"];

/// The longest name of a type, a group or an attribute.
const MAX_NAME: usize = 128;

/// The longest value of an attribute.
const MAX_VALUE: usize = 800;

/// The most bytes of the initial desired state: half of what a shadow holds.
const MAX_DESIRED: usize = 4_096;

/// The deepest level of the initial desired state: a shadow takes 8, and `state` and `desired` are two of them.
const MAX_DEPTH: usize = 6;

/// Every rule that the document breaks, the pattern's excepted.
pub(crate) fn mistakes(document: &ProfileDocument) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut expect = |keeps: bool, pointer: String, expected: &str| {
        if !keeps {
            mistakes.push(Mistake { pointer, expected: format!("expected {expected}") });
        }
    };
    let is_name = |text: &str| is_made_of(text, 1..=MAX_NAME, b":_-");
    expect(document.thing_type.as_deref().is_none_or(is_name), "/thingType".to_owned(), NAME);
    expect(document.groups.len() <= MAX_GROUPS, "/groups".to_owned(), "at most 10 groups");
    for (at, group) in document.groups.iter().enumerate() {
        expect(is_name(group), format!("/groups/{at}"), NAME);
    }
    let typed = document.thing_type.is_some() || document.attributes.is_empty();
    expect(typed, "/attributes".to_owned(), "a thingType beside attributes");
    expect(document.attributes.len() <= MAX_ATTRIBUTES, "/attributes".to_owned(), "at most 47 attributes");
    for (name, value) in &document.attributes {
        let pointer = || format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
        expect(is_made_of(name, 1..=MAX_NAME, b"_.,@/:#-"), pointer(), "a name of [a-zA-Z0-9_.,@/:#-]");
        expect(is_made_of(value, 0..=MAX_VALUE, b"_.,@/:#=[]-"), pointer(), "a value of [a-zA-Z0-9_.,@/:#=[]-]");
        expect(!DESCRIBED.contains(&name.as_str()), pointer(), "a name that the thing's description does not fill");
    }
    expect(document.max_devices != Some(0), "/maxDevices".to_owned(), "1 or more, or no limit");
    if let Some(desired) = &document.initial_desired {
        let bytes = serde_json::to_vec(desired).map_or(usize::MAX, |text| text.len());
        expect(bytes <= MAX_DESIRED, "/initialDesired".to_owned(), "at most 4,096 bytes");
        let flat = desired.values().all(|value| depth(value) < MAX_DEPTH);
        expect(flat, "/initialDesired".to_owned(), "at most 6 levels");
    }
    mistakes
}

const NAME: &str = "1 to 128 characters of [a-zA-Z0-9:_-]";

fn is_made_of(text: &str, bytes: std::ops::RangeInclusive<usize>, others: &[u8]) -> bool {
    bytes.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// Levels of a value below its field; serde_json reads at most 128.
fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pointers(document: Value) -> Vec<String> {
        let mut document = document;
        document["enabled"] = json!(true);
        mistakes(&serde_json::from_value(document).unwrap()).into_iter().map(|mistake| mistake.pointer).collect()
    }

    #[test]
    fn every_mistake_is_named_at_once_by_its_place() {
        let document = json!({
            "thingType": "a b", "groups": ["ok", "ä"], "attributes": {"site/a": "two words", "version": "1"},
            "maxDevices": 0, "initialDesired": {"a": "x".repeat(4_090)},
        });
        let expected =
            ["/thingType", "/groups/1", "/attributes/site~1a", "/attributes/version", "/maxDevices", "/initialDesired"];
        assert_eq!(pointers(document), expected);
    }

    #[test]
    fn ten_groups_are_taken_and_eleven_are_not() {
        let groups = |count: usize| json!({"groups": (0..count).map(|at| format!("g{at}")).collect::<Vec<_>>()});
        assert!(pointers(groups(10)).is_empty());
        assert_eq!(pointers(groups(11)), ["/groups"]);
    }

    #[test]
    fn attributes_need_a_type() {
        assert_eq!(pointers(json!({"attributes": {"site": "north"}})), ["/attributes"]);
        assert!(pointers(json!({"attributes": {"site": "north"}, "thingType": "soil"})).is_empty());
    }

    #[test]
    fn six_levels_of_desired_state_are_taken_and_seven_are_not() {
        let desired = |levels: usize| {
            let inner = (1..levels).fold(json!(1), |value, _| json!({"a": value}));
            json!({"initialDesired": {"a": inner}})
        };
        assert!(pointers(desired(6)).is_empty());
        assert_eq!(pointers(desired(7)), ["/initialDesired"]);
    }
}
