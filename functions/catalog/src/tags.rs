//! Tags: what people write on a thing. Pure.

use loam_http::Mistake;
use serde_json::{Map, Value};

/// The most names in a thing's tags, on all levels together.
pub const MAX_NAMES: usize = 50;
/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;
/// The deepest tag: `tags.a` is the first level; objects and lists count one each.
pub const MAX_DEPTH: usize = 5;
/// The largest tags, in bytes of their JSON.
pub const MAX_BYTES: usize = 8 * 1024;

/// `tags` with a merge patch applied: objects are merged, `null` removes, all else replaces. Source: RFC 7396.
///
/// # Errors
/// The mistakes, with JSON pointers into the request's body (`/tags/...`), where what comes of it would break a limit.
pub fn patched(tags: &Map<String, Value>, patch: &Map<String, Value>) -> Result<Map<String, Value>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    look_at_names(patch, "/tags", 1, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut merged = tags.clone();
    merge(&mut merged, patch);
    look_at_size(&merged, &mut mistakes);
    if mistakes.is_empty() { Ok(merged) } else { Err(mistakes) }
}

fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(inner) => {
                let entry = target.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !entry.is_object() {
                    *entry = Value::Object(Map::new());
                }
                if let Value::Object(entry) = entry {
                    merge(entry, inner);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}

/// A name must be one that a filter can write without quotes; only the first mistakes are told.
fn look_at_names(patch: &Map<String, Value>, pointer: &str, level: usize, mistakes: &mut Vec<Mistake>) {
    for (name, value) in patch {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        if mistakes.len() >= 10 {
            return;
        }
        if !is_name(name) {
            let expected = format!("expected 1 to {MAX_NAME} of [A-Za-z0-9_-], the first a letter or `_`");
            mistakes.push(Mistake::at(pointer.clone(), format!("no name of a tag: {expected}")));
        }
        look_at_value(value, &pointer, level, mistakes);
    }
}

fn look_at_value(value: &Value, pointer: &str, level: usize, mistakes: &mut Vec<Mistake>) {
    if level > MAX_DEPTH {
        mistakes.push(Mistake::at(pointer, format!("nested too deep, expected at most {MAX_DEPTH} levels")));
        return;
    }
    match value {
        Value::Object(inner) => look_at_names(inner, pointer, level + 1, mistakes),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                look_at_value(item, &format!("{pointer}/{index}"), level + 1, mistakes);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_name(name: &str) -> bool {
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins && name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn look_at_size(tags: &Map<String, Value>, mistakes: &mut Vec<Mistake>) {
    let names = names_in(tags);
    if names > MAX_NAMES {
        let detail = format!("the thing would have {names} names in its tags, expected at most {MAX_NAMES}");
        mistakes.push(Mistake::at("/tags", detail));
    }
    let bytes = serde_json::to_vec(tags).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_BYTES {
        let detail = format!("the thing's tags would have {bytes} bytes, expected at most {MAX_BYTES}");
        mistakes.push(Mistake::at("/tags", detail));
    }
}

fn names_in(tags: &Map<String, Value>) -> usize {
    tags.values().map(names_of).sum::<usize>() + tags.len()
}

fn names_of(value: &Value) -> usize {
    match value {
        Value::Object(inner) => names_in(inner),
        Value::Array(items) => items.iter().map(names_of).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn of(tags: Value, patch: Value) -> Value {
        Value::Object(patched(&map(tags), &map(patch)).unwrap())
    }

    fn blamed(patch: Value) -> Vec<String> {
        let mistakes = patched(&Map::new(), &map(patch)).unwrap_err();
        mistakes.into_iter().map(|mistake| mistake.pointer.unwrap()).collect()
    }

    #[test]
    fn a_patch_merges_replaces_and_removes() {
        let tags = json!({"room": "a", "floor": {"level": 3, "wing": "b"}, "old": 1});
        let patch = json!({"room": "c", "floor": {"level": null, "door": 4}, "old": null, "never": null});
        assert_eq!(of(tags, patch), json!({"room": "c", "floor": {"wing": "b", "door": 4}}));
        assert_eq!(of(json!({"a": 1}), json!({"a": {"b": {"c": null}}})), json!({"a": {"b": {}}}));
        assert_eq!(of(json!({"a": {"b": 1}}), json!({"a": [1, null]})), json!({"a": [1, null]}));
    }

    #[test]
    fn fifty_names_are_tags_and_fifty_one_or_five_hundred_are_not() {
        let tags = |count: usize| Value::Object((0..count).map(|at| (format!("t{at}"), json!(at))).collect());
        assert!(patched(&Map::new(), &map(tags(50))).is_ok());
        assert_eq!(blamed(tags(51)), ["/tags"]);
        assert_eq!(blamed(tags(500)), ["/tags"]);
        assert_eq!(blamed(json!({"deep": {"list": [tags(49)]}})), ["/tags"]);
    }

    #[test]
    fn tags_of_8_kib_are_kept_and_of_one_byte_more_are_not() {
        let text = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
        assert!(patched(&Map::new(), &map(text(8192))).is_ok());
        assert_eq!(blamed(text(8193)), ["/tags"]);
    }

    #[test]
    fn five_levels_are_kept_and_a_sixth_is_refused_where_it_stands() {
        assert!(patched(&Map::new(), &map(json!({"a": {"b": {"c": {"d": {"e": 1}}}}}))).is_ok());
        assert_eq!(blamed(json!({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}})), ["/tags/a/b/c/d/e/f"]);
        assert_eq!(blamed(json!({"a": [[[[[1]]]]]})), ["/tags/a/0/0/0/0/0"]);
    }

    #[test]
    fn a_name_that_a_filter_would_have_to_quote_is_refused_with_its_place() {
        for (name, pointer) in
            [("", "/tags/"), ("1a", "/tags/1a"), ("a b", "/tags/a b"), ("a/b", "/tags/a~1b"), ("ä", "/tags/ä")]
        {
            assert_eq!(blamed(json!({ name: 1 })), [pointer]);
        }
        assert!(patched(&Map::new(), &map(json!({"a".repeat(64): 1}))).is_ok());
        assert_eq!(blamed(json!({"a".repeat(65): 1})).len(), 1);
    }

    proptest! {
        #[test]
        fn a_patch_applied_twice_is_applied_once(one in tags(), two in tags()) {
            if let (Ok(base), two) = (patched(&Map::new(), &one), two)
                && let Ok(once) = patched(&base, &two) {
                prop_assert_eq!(patched(&once, &two).unwrap(), once);
            }
        }
    }

    fn tags() -> impl Strategy<Value = Map<String, Value>> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), "[a-c]{0,3}".prop_map(Value::from)];
        let value = leaf.prop_recursive(3, 12, 3, |inner| {
            prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect()))
        });
        prop::collection::btree_map("[a-c]", value, 0..4).prop_map(|map| map.into_iter().collect())
    }
}
