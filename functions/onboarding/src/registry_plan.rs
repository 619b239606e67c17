//! What the registry is to show of a description. Pure.

use std::collections::{BTreeMap, HashMap};

use crate::description::Shown;

/// The longest attribute value, in characters. Source: AWS IoT API reference, `AttributePayload`.
const LONGEST_VALUE: usize = 800;

/// The most attributes of a thing without and with a thing type. Source: AWS IoT Core quotas, "Thing attributes".
const MOST_WITHOUT_TYPE: usize = 3;
const MOST_WITH_TYPE: usize = 50;

/// What is in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registered {
    /// The thing's attributes.
    pub attributes: HashMap<String, String>,
    /// Whether the thing has a type.
    pub has_type: bool,
}

/// What to do with the registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryPlan {
    /// The attributes to merge; an empty value removes the attribute. Nothing to do where this is empty.
    pub attributes: BTreeMap<&'static str, String>,
    /// Attributes for which the thing has no room left.
    pub left_out: Vec<&'static str>,
}

/// What is to be merged so that the registry shows `shown`.
///
/// A thing without a type holds three attributes only: what is there from others stays, and what finds no room is left
/// out, in the order manufacturer, model, version.
#[must_use]
pub fn plan(found: &Registered, shown: Shown<'_>) -> RegistryPlan {
    let most = if found.has_type { MOST_WITH_TYPE } else { MOST_WITHOUT_TYPE };
    let is_ours = |name: &String| shown.iter().any(|(ours, _)| ours == name);
    let mut used = found.attributes.keys().filter(|name| !is_ours(name)).count();
    let mut plan = RegistryPlan::default();
    for (name, value) in shown {
        let wanted = attribute_value(value);
        let has = found.attributes.get(name).map_or("", String::as_str);
        if !wanted.is_empty() {
            used += 1;
        }
        if !wanted.is_empty() && used > most {
            plan.left_out.push(name);
        } else if has != wanted {
            plan.attributes.insert(name, wanted);
        }
    }
    plan
}

/// `text` as the registry takes it: every run of characters outside `[a-zA-Z0-9_.,@/:#=\[\]-]` becomes one `_`, none at
/// either end, and what is longer than 800 characters is cut. Nothing is left of a text without any of these characters;
/// an empty value means: no such attribute.
///
/// Source: AWS IoT API reference, `AttributePayload`, value pattern.
#[must_use]
pub fn attribute_value(text: &str) -> String {
    let taken = |character: char| character.is_ascii_alphanumeric() || "_.,@/:#=[]-".contains(character);
    let words: Vec<&str> = text.split(|character| !taken(character)).filter(|word| !word.is_empty()).collect();
    let mut value = words.join("_");
    value.truncate(LONGEST_VALUE);
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn shown<'a>(manufacturer: &'a str, model: &'a str, version: &'a str) -> Shown<'a> {
        [("manufacturerName", manufacturer), ("modelName", model), ("version", version)]
    }

    fn registered(attributes: &[(&str, &str)], has_type: bool) -> Registered {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Registered { attributes, has_type }
    }

    #[test]
    fn what_the_registry_refuses_becomes_one_underscore_between_words() {
        assert_eq!(attribute_value("Acme Gardens, Inc."), "Acme_Gardens,_Inc.");
        assert_eq!(attribute_value("Gärtner  & Söhne"), "G_rtner_S_hne");
        assert_eq!(attribute_value(" v1.0 (beta)\n"), "v1.0_beta");
        assert_eq!(attribute_value("a_b.,@/:#=[]-9"), "a_b.,@/:#=[]-9");
    }

    #[test]
    fn of_a_text_without_any_taken_character_nothing_is_left() {
        assert_eq!(attribute_value("日本 製"), "");
        assert_eq!(attribute_value(""), "");
    }

    #[test]
    fn a_value_of_800_characters_is_whole_and_one_more_is_cut() {
        assert_eq!(attribute_value(&"a".repeat(800)).len(), 800);
        assert_eq!(attribute_value(&"a".repeat(801)).len(), 800);
    }

    #[test]
    fn a_registry_that_shows_the_description_is_left_alone() {
        let found = registered(&[("manufacturerName", "Acme"), ("modelName", "Moist_2"), ("version", "1")], false);
        assert_eq!(plan(&found, shown("Acme", "Moist 2", "1")), RegistryPlan::default());
    }

    #[test]
    fn only_what_differs_is_written_and_what_is_empty_is_removed() {
        let found = registered(&[("manufacturerName", "Acme"), ("modelName", "Moist"), ("version", "1")], false);
        let plan = plan(&found, shown("Acme", "", "2"));
        assert_eq!(plan.attributes, BTreeMap::from([("modelName", String::new()), ("version", "2".to_owned())]));
    }

    #[test]
    fn a_thing_without_a_type_has_room_for_three_attributes_in_all() {
        let others = [("site", "x"), ("line", "y")];
        let plan_for = |has_type| plan(&registered(&others, has_type), shown("Acme", "M", "1"));
        assert_eq!(plan_for(false).attributes.keys().copied().collect::<Vec<_>>(), ["manufacturerName"]);
        assert_eq!(plan_for(false).left_out, ["modelName", "version"]);
        assert_eq!(plan_for(true).attributes.len(), 3);
    }

    proptest! {
        #[test]
        fn every_value_keeps_the_registrys_pattern_and_is_settled(text in any::<String>()) {
            let value = attribute_value(&text);
            prop_assert!(value.len() <= 800);
            prop_assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.,@/:#=[]-".contains(&byte)));
            prop_assert_eq!(attribute_value(&value), value);
        }

        #[test]
        fn applying_the_plan_leaves_nothing_to_do(
            found in prop::collection::hash_map("[a-z]{1,3}|version|modelName", "[a-z]{1,4}", 0..5),
            has_type: bool,
            (manufacturer, model, version) in ("[ a-zé]{0,4}", "[ a-zé]{0,4}", "[ a-zé]{0,4}"),
        ) {
            let mut found = Registered { attributes: found, has_type };
            let wanted = shown(&manufacturer, &model, &version);
            let first = plan(&found, wanted);
            for (name, value) in first.attributes {
                if value.is_empty() { found.attributes.remove(name); } else { found.attributes.insert(name.to_owned(), value); }
            }
            prop_assert!(plan(&found, wanted).attributes.is_empty());
        }
    }
}
