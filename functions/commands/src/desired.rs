//! Desired state: what may be desired, and whether a device reports it.

use serde_json::{Map, Number, Value};

/// The largest change that can be desired at once, in bytes of its JSON text. A shadow holds 8 KB, metadata aside.
pub const MOST_PATCH_BYTES: usize = 8_192;

/// The deepest nesting of a desired state. Source: AWS IoT Core quotas, "Maximum depth of JSON device state documents".
pub const MOST_LEVELS: usize = 8;

/// Properties of the first level that people do not write: a rollout does.
pub const RESERVED: [&str; 1] = ["firmware"];

/// The most places that an answer names.
pub const MOST_PLACES: usize = 20;

/// A change of desired state: a merge patch, in which `null` takes a property away.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch(Map<String, Value>);

/// Why something cannot be desired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPatch {
    /// It changes nothing.
    #[error("`desired` is an object with one property at least")]
    Empty,
    /// Too large.
    #[error("`desired` has {bytes} bytes, expected at most {MOST_PATCH_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Too deep.
    #[error("`desired` is nested deeper than {MOST_LEVELS} levels")]
    TooDeep,
    /// Not for people.
    #[error("`{property}` is written by rollouts only")]
    Reserved {
        /// Which property.
        property: &'static str,
    },
}

impl BadPatch {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty-desired-state",
            Self::TooLarge { .. } => "desired-state-too-large",
            Self::TooDeep => "desired-state-too-deep",
            Self::Reserved { .. } => "reserved-property",
        }
    }
}

impl Patch {
    /// A change within its bounds.
    ///
    /// # Errors
    /// [`BadPatch`].
    pub fn new(desired: Map<String, Value>) -> Result<Self, BadPatch> {
        if desired.is_empty() {
            return Err(BadPatch::Empty);
        }
        if let Some(property) = RESERVED.into_iter().find(|property| desired.contains_key(*property)) {
            return Err(BadPatch::Reserved { property });
        }
        // The whole is one level, as each object in it.
        if 1 + desired.values().map(levels).max().unwrap_or(0) > MOST_LEVELS {
            return Err(BadPatch::TooDeep);
        }
        let bytes = serde_json::to_string(&desired).map_or(usize::MAX, |text| text.len());
        if bytes > MOST_PATCH_BYTES { Err(BadPatch::TooLarge { bytes }) } else { Ok(Self(desired)) }
    }

    /// The change as the shadow's `desired`.
    #[must_use]
    pub const fn desired(&self) -> &Map<String, Value> {
        &self.0
    }

    /// What of it the device does not report, as JSON pointers, [`MOST_PLACES`] at most. What is taken away asks nothing of
    /// the device.
    #[must_use]
    pub fn unreported(&self, reported: &Value) -> Vec<String> {
        differences(&self.0, reported, false)
    }

    /// What of it is not desired any more, as JSON pointers: somebody else wanted otherwise since.
    #[must_use]
    pub fn undone(&self, desired: &Value) -> Vec<String> {
        differences(&self.0, desired, true)
    }
}

/// What of a whole desired state the device does not report, as JSON pointers, [`MOST_PLACES`] at most; none: converged.
#[must_use]
pub fn unreported(desired: &Map<String, Value>, reported: &Value) -> Vec<String> {
    differences(desired, reported, false)
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn differences(wanted: &Map<String, Value>, found: &Value, absences_count: bool) -> Vec<String> {
    let mut places = vec![];
    compare(wanted, found, absences_count, "", &mut places);
    places.truncate(MOST_PLACES);
    places
}

/// Objects are compared by the properties that are wanted; everything else as a whole, as shadows do.
fn compare(wanted: &Map<String, Value>, found: &Value, absences_count: bool, at: &str, places: &mut Vec<String>) {
    for (name, wanted) in wanted {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let found = found.get(name).unwrap_or(&Value::Null);
        match wanted {
            Value::Null if absences_count && !found.is_null() => places.push(place),
            Value::Null => {}
            Value::Object(wanted) if found.is_object() || found.is_null() => {
                compare(wanted, found, absences_count, &place, places);
            }
            Value::Object(_) => places.push(place),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) if !same(wanted, found) => {
                places.push(place);
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
    }
}

/// Whether two values are equal, numbers by their value: 1 and 1.0 are one number, 1 and "1" are not.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

fn same_number(one: &Number, other: &Number) -> bool {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one == other,
        _ => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => one.partial_cmp(&other) == Some(std::cmp::Ordering::Equal),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value}") };
        map
    }

    fn patch(value: Value) -> Result<Patch, BadPatch> {
        Patch::new(map(value))
    }

    fn left(wanted: Value, reported: &Value) -> Vec<String> {
        patch(wanted).unwrap().unreported(reported)
    }

    #[test]
    fn a_device_that_reports_all_that_is_desired_has_converged_whatever_else_it_reports() {
        let reported = json!({"lamp": {"on": true, "level": 5, "hot": false}, "wifi": "x"});
        assert_eq!(left(json!({"lamp": {"on": true}}), &reported), [""; 0]);
        assert_eq!(left(json!({"lamp": {"on": false, "level": 5}}), &reported), ["/lamp/on"]);
        assert_eq!(left(json!({"lamp": {"mode": "a"}, "fan": 1}), &reported), ["/fan", "/lamp/mode"]);
    }

    #[test]
    fn a_number_is_its_value_and_no_text() {
        assert_eq!(left(json!({"a": 1}), &json!({"a": 1.0})), [""; 0]);
        assert_eq!(left(json!({"a": 20}), &json!({"a": "20"})), ["/a"]);
        assert_eq!(left(json!({"a": 9_007_199_254_740_993_u64}), &json!({"a": 9_007_199_254_740_992_u64})), ["/a"]);
        assert_eq!(left(json!({"a": u64::MAX}), &json!({"a": -1})), ["/a"]);
    }

    #[test]
    fn a_list_is_one_value() {
        assert_eq!(left(json!({"a": [1, {"b": 2}]}), &json!({"a": [1.0, {"b": 2}]})), [""; 0]);
        for reported in [json!({"a": [1]}), json!({"a": [{"b": 2}, 1]}), json!({"a": [1, {"b": 2, "c": 3}]})] {
            assert_eq!(left(json!({"a": [1, {"b": 2}]}), &reported), ["/a"]);
        }
    }

    #[test]
    fn what_is_taken_away_asks_nothing_of_the_device_and_is_undone_if_it_is_desired_again() {
        let removal = patch(json!({"a": null, "b": {"c": null}})).unwrap();
        assert_eq!(removal.unreported(&json!({"a": 1, "b": {"c": 1}})), [""; 0]);
        assert_eq!(removal.undone(&json!({})), [""; 0]);
        assert_eq!(removal.undone(&json!({"a": 1, "b": {"c": 2}})), ["/a", "/b/c"]);
    }

    #[test]
    fn an_object_is_not_a_value_of_another_kind_and_an_empty_one_is_nothing() {
        assert_eq!(left(json!({"a": {"b": 1}}), &json!({"a": 1})), ["/a"]);
        assert_eq!(left(json!({"a": {"b": 1}}), &json!({})), ["/a/b"]);
        assert_eq!(left(json!({"a": {}}), &json!({})), [""; 0]);
        assert_eq!(left(json!({"a": 1}), &Value::Null), ["/a"]);
    }

    #[test]
    fn places_are_json_pointers_and_twenty_at_most() {
        assert_eq!(left(json!({"a/b": {"~": 1}}), &json!({})), ["/a~1b/~0"]);
        let many = (0..30).map(|number| (format!("p{number:02}"), json!(1))).collect();
        assert_eq!(unreported(&many, &json!({})).len(), MOST_PLACES);
    }

    #[test]
    fn eight_levels_and_8192_bytes_are_taken_and_no_more() {
        let nested = |levels: usize| (1..levels).fold(json!({"a": 1}), |inner, _| json!({"a": inner}));
        assert!(patch(nested(8)).is_ok());
        assert_eq!(patch(nested(9)), Err(BadPatch::TooDeep));
        let sized = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
        assert!(patch(sized(8_192)).is_ok());
        assert_eq!(patch(sized(8_193)), Err(BadPatch::TooLarge { bytes: 8_193 }));
        assert_eq!(patch(json!({})), Err(BadPatch::Empty));
    }

    #[test]
    fn nobody_desires_a_firmware_by_hand() {
        let refused = patch(json!({"firmware": null})).unwrap_err();
        assert_eq!((refused.code(), refused), ("reserved-property", BadPatch::Reserved { property: "firmware" }));
        assert!(patch(json!({"lamp": {"firmware": 1}})).is_ok());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map("[a-c]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn who_reports_exactly_what_is_desired_has_converged(desired in btree_map("[a-c]", values(), 0..4)) {
            let desired: Map<String, Value> = desired.into_iter().collect();
            prop_assert!(unreported(&desired, &Value::Object(desired.clone())).is_empty());
        }

        #[test]
        fn each_place_that_is_named_is_one_that_is_wanted(desired in btree_map("[a-c]", values(), 0..4), reported in values()) {
            let desired: Map<String, Value> = desired.into_iter().collect();
            let wanted = Value::Object(desired.clone());
            for place in unreported(&desired, &reported) {
                prop_assert!(wanted.pointer(&place).is_some(), "{}", place);
            }
        }
    }
}
