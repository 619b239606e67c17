//! Names of a thing's fields, for sorting and for choosing what an answer shows.

use serde_json::{Map, Value};

/// The fields of a thing, as answers show it.
const ROOTS: [&str; 14] = [
    "deviceId",
    "state",
    "registeredAt",
    "groups",
    "tags",
    "properties",
    "connectivity",
    "firmware",
    "attributes",
    "description",
    "friendlyName",
    "thingType",
    "capabilities",
    "role",
];

/// The deepest field.
const MAX_PARTS: usize = 10;

/// A field: its names from the outside in, with dots between: `properties.reported.humidity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// Reads a field's name.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let root = parts.first().map(String::as_str).unwrap_or_default();
        if !ROOTS.contains(&root) {
            return Err(format!("no field of a thing, expected one of {}", ROOTS.join(", ")));
        }
        if parts.len() > MAX_PARTS || parts.iter().any(String::is_empty) {
            return Err(format!("expected 1 to {MAX_PARTS} names with dots between, for example tags.room"));
        }
        Ok(Self(parts))
    }

    /// Whether this is the field of that name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0 == [name]
    }

    /// The value; `None` if the thing has no such field.
    #[must_use]
    pub fn value<'d>(&self, document: &'d Value) -> Option<&'d Value> {
        self.0.iter().try_fold(document, |value, part| value.as_object()?.get(part.as_str()))
    }
}

/// Of `document` only these fields, each where it was, and `deviceId`.
#[must_use]
pub fn only(document: &Value, fields: &[Path]) -> Value {
    let mut shown = Map::new();
    if let Some(id) = document.get("deviceId") {
        shown.insert("deviceId".to_owned(), id.clone());
    }
    for field in fields {
        if let Some(value) = field.value(document) {
            put(&mut shown, &field.0, value);
        }
    }
    Value::Object(shown)
}

fn put(shown: &mut Map<String, Value>, parts: &[String], value: &Value) {
    match parts {
        [] => {}
        [last] => {
            shown.insert(last.clone(), value.clone());
        }
        [first, rest @ ..] => {
            if let Value::Object(inner) = shown.entry(first.clone()).or_insert_with(|| Value::Object(Map::new())) {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(fields: &[&str]) -> Value {
        let tags = json!({"room": "a", "floor": {"level": 3, "wing": "b"}});
        let document = json!({"deviceId": "t1", "tags": tags, "groups": ["g"]});
        only(&document, &fields.iter().map(|field| Path::parse(field).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn an_answer_shows_what_was_asked_for_and_the_name() {
        assert_eq!(shown(&["tags.room", "groups"]), json!({"deviceId": "t1", "tags": {"room": "a"}, "groups": ["g"]}));
        let level = json!({"deviceId": "t1", "tags": {"floor": {"level": 3}}});
        assert_eq!(shown(&["tags.floor.level", "tags.missing"]), level);
    }

    #[test]
    fn a_field_within_another_changes_nothing_in_either_order() {
        let whole = json!({"deviceId": "t1", "tags": {"room": "a", "floor": {"level": 3, "wing": "b"}}});
        assert_eq!(shown(&["tags", "tags.room"]), whole);
        assert_eq!(shown(&["tags.room", "tags"]), whole);
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for text in ["", "humidity", "tags.", ".tags", "tags..a", "tags.a.b.c.d.e.f.g.h.i.j", "Tags.a"] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        assert!(Path::parse("tags.a.b.c.d.e.f.g.h.i").is_ok());
    }
}
