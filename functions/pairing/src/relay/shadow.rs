//! What of a shadow a member may see: values, not older than the owner's time.

use loam_domain::Timestamp;
use serde_json::{Map, Value};

/// What of `state` was set in the second of `since` or later, by the shadow's own `metadata`; a value without a time is left
/// out. Times of a shadow are whole seconds. Whoever had the thing before lost it at least 35 seconds earlier, so all that
/// the second of a pairing can hold of the time before is what the device itself said in it.
///
/// Source: AWS IoT Core developer guide, "Device Shadow service documents": `metadata` mirrors `state`, each value, and each
/// element of a list, with the `timestamp` of its last change.
pub(super) fn since(since: Timestamp, state: &Map<String, Value>, metadata: Option<&Value>) -> Map<String, Value> {
    let mut own = Map::new();
    for (name, value) in state {
        let times = metadata.and_then(|metadata| metadata.get(name));
        match value {
            Value::Object(inner) => {
                let kept = self::since(since, inner, times);
                if !kept.is_empty() {
                    own.insert(name.clone(), Value::Object(kept));
                }
            }
            _ if times.and_then(newest).is_some_and(|seconds| seconds >= since.as_secs()) => {
                own.insert(name.clone(), value.clone());
            }
            _ => {}
        }
    }
    own
}

/// When a value, or the newest element of a list, was set: seconds since the epoch.
fn newest(times: &Value) -> Option<i64> {
    match times {
        Value::Array(elements) => elements.iter().filter_map(newest).max(),
        Value::Object(fields) => match fields.get("timestamp") {
            Some(Value::Number(seconds)) => seconds.as_i64(),
            _ => fields.values().filter_map(newest).max(),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(state: Value, metadata: Value) -> Value {
        let Value::Object(state) = state else { panic!("no object") };
        Value::Object(since(Timestamp::from_millis(10_500), &state, Some(&metadata)))
    }

    #[test]
    fn a_value_of_the_second_before_the_pairing_is_left_out_and_one_of_its_second_told() {
        let state = json!({"old": 1, "new": 2, "later": 3});
        let times = json!({"old": {"timestamp": 9}, "new": {"timestamp": 10}, "later": {"timestamp": 11}});
        assert_eq!(kept(state, times), json!({"new": 2, "later": 3}));
    }

    #[test]
    fn inside_an_object_each_value_has_its_own_time() {
        let state = json!({"lamp": {"on": true, "colour": "red"}, "fan": {"speed": 1}});
        let times =
            json!({"lamp": {"on": {"timestamp": 12}, "colour": {"timestamp": 3}}, "fan": {"speed": {"timestamp": 3}}});
        assert_eq!(kept(state, times), json!({"lamp": {"on": true}}));
    }

    #[test]
    fn a_list_is_as_new_as_its_newest_element() {
        let times = json!({"a": [{"timestamp": 3}, {"timestamp": 12}], "b": [{"timestamp": 3}], "c": [{"x": {"timestamp": 12}}]});
        assert_eq!(kept(json!({"a": [1, 2], "b": [1], "c": [{"x": 1}]}), times), json!({"a": [1, 2], "c": [{"x": 1}]}));
    }

    #[test]
    fn a_value_called_timestamp_is_a_value() {
        let times = json!({"timestamp": {"timestamp": 12}, "t": {"timestamp": {"timestamp": 3}}});
        assert_eq!(kept(json!({"timestamp": 5, "t": {"timestamp": 7}}), times), json!({"timestamp": 5}));
    }

    #[test]
    fn a_value_without_a_time_is_nobodys() {
        assert_eq!(kept(json!({"a": 1, "b": {"c": 1}, "d": []}), json!({"d": [], "b": 5})), json!({}));
        let Value::Object(state) = json!({"a": 1}) else { panic!("no object") };
        assert!(since(Timestamp::from_millis(0), &state, None).is_empty());
    }
}
