//! In which order a list stands, and where in it a cursor points.

use std::cmp::Ordering;

use loam_domain::ThingName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::paths::Path;
use crate::search::fold;

/// The most fields that a list is sorted by.
const MAX_KEYS: usize = 3;

/// How much of a text counts, in characters: a cursor holds it.
const MAX_TEXT: usize = 128;

/// The order of a list: by these fields, then by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    keys: Vec<(Path, bool)>,
}

/// A value as far as it is compared. Different types stand in this order; what is missing, and what has no order, is last
/// in any case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// `false` before `true`.
    Bool(bool),
    /// By value.
    Number(f64),
    /// By code points; of friendly names without case and accents.
    Text(String),
    /// Missing.
    Missing,
}

/// Where a thing stands in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its values, by the order's fields.
    pub keys: Vec<Key>,
    /// Its name.
    pub thing: ThingName,
}

impl Order {
    /// Reads an order: fields with commas between, each with `-` before it where it goes down.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = |text: &str| {
            let (name, down) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
            Ok((Path::parse(name)?, down))
        };
        let keys = text.split(',').map(key).collect::<Result<Vec<_>, String>>()?;
        if keys.len() > MAX_KEYS { Err(format!("expected at most {MAX_KEYS} fields")) } else { Ok(Self { keys }) }
    }

    /// By name, upwards.
    #[must_use]
    pub const fn by_name() -> Self {
        Self { keys: Vec::new() }
    }

    /// Whether this is by name alone; and if so, whether downwards.
    #[must_use]
    pub fn name_only(&self) -> Option<bool> {
        match self.keys.as_slice() {
            [] => Some(false),
            [(path, down)] if path.is("deviceId") => Some(*down),
            _ => None,
        }
    }

    /// Where a thing stands.
    #[must_use]
    pub fn place(&self, thing: &ThingName, document: &Value) -> Place {
        let key = |(path, _): &(Path, bool)| key_of(path, path.value(document));
        Place { keys: self.keys.iter().map(key).collect(), thing: thing.clone() }
    }

    /// Which of two places comes first.
    #[must_use]
    pub fn compare(&self, one: &Place, other: &Place) -> Ordering {
        let keys = self.keys.iter().zip(one.keys.iter().zip(&other.keys));
        let by_keys = keys.map(|((_, down), (one, other))| compare(one, other, *down));
        by_keys.fold(Ordering::Equal, Ordering::then).then_with(|| one.thing.cmp(&other.thing))
    }
}

fn key_of(path: &Path, value: Option<&Value>) -> Key {
    match value {
        Some(Value::Bool(flag)) => Key::Bool(*flag),
        Some(Value::Number(number)) => number.as_f64().map_or(Key::Missing, Key::Number),
        Some(Value::String(text)) if path.is("friendlyName") => Key::Text(fold(text).chars().take(MAX_TEXT).collect()),
        Some(Value::String(text)) => Key::Text(text.chars().take(MAX_TEXT).collect()),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => Key::Missing,
    }
}

fn compare(one: &Key, other: &Key, down: bool) -> Ordering {
    match (one, other) {
        (Key::Missing, _) | (_, Key::Missing) => rank(one).cmp(&rank(other)),
        _ if down => ascending(other, one),
        _ => ascending(one, other),
    }
}

fn ascending(one: &Key, other: &Key) -> Ordering {
    match (one, other) {
        (Key::Bool(one), Key::Bool(other)) => one.cmp(other),
        (Key::Number(one), Key::Number(other)) => one.total_cmp(other),
        (Key::Text(one), Key::Text(other)) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)),
    }
}

const fn rank(key: &Key) -> u8 {
    match key {
        Key::Bool(_) => 0,
        Key::Number(_) => 1,
        Key::Text(_) => 2,
        Key::Missing => 3,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(order: &Order, name: &str, value: &Value) -> Place {
        order.place(&ThingName::parse(name).unwrap(), &json!({"friendlyName": value, "tags": {"x": value}}))
    }

    fn sorted(order: &str, values: &[Value]) -> Vec<Value> {
        let order = Order::parse(order).unwrap();
        let named = values.iter().zip('a'..);
        let mut all: Vec<_> =
            named.map(|(value, name)| (place(&order, &name.to_string(), value), value.clone())).collect();
        all.sort_by(|(one, _), (other, _)| order.compare(one, other));
        all.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn types_stand_in_their_order_and_what_has_none_is_last_both_ways() {
        let values = [json!("a"), json!({}), json!(10), json!(true), json!(9.5), json!(null), json!(false)];
        let up = [json!(false), json!(true), json!(9.5), json!(10), json!("a"), json!({}), json!(null)];
        assert_eq!(sorted("tags.x", &values), up);
        let down = [json!("a"), json!(10), json!(9.5), json!(true), json!(false), json!({}), json!(null)];
        assert_eq!(sorted("-tags.x", &values), down);
    }

    #[test]
    fn friendly_names_sort_without_case_and_accents_and_others_by_code_point() {
        let values = [json!("b"), json!("Äa"), json!("ac")];
        assert_eq!(sorted("friendlyName", &values), [json!("Äa"), json!("ac"), json!("b")]);
        assert_eq!(sorted("tags.x", &values), [json!("ac"), json!("b"), json!("Äa")]);
    }

    #[test]
    fn equal_values_stand_by_name_also_downwards() {
        let order = Order::parse("-tags.x").unwrap();
        assert_eq!(order.compare(&place(&order, "a", &json!(1)), &place(&order, "b", &json!(1))), Ordering::Less);
    }

    #[test]
    fn a_place_survives_its_cursor() {
        let order = Order::parse("tags.x").unwrap();
        for value in [json!(0.1), json!(12), json!(true), json!("é"), json!(null)] {
            let place = place(&order, "a", &value);
            let text = serde_json::to_string(&place).unwrap();
            assert_eq!(order.compare(&serde_json::from_str(&text).unwrap(), &place), Ordering::Equal, "{text}");
        }
    }

    #[test]
    fn three_fields_are_an_order_and_four_or_none_are_not() {
        assert!(Order::parse("state,-tags.a,deviceId").is_ok());
        for text in ["state,tags.a,tags.b,deviceId", "", "state,", "--state", "humidity", "+state"] {
            assert!(Order::parse(text).is_err(), "{text}");
        }
        assert_eq!(Order::parse("-deviceId").unwrap().name_only(), Some(true));
        assert_eq!(Order::parse("state").unwrap().name_only(), None);
    }
}
