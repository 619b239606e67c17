//! What the first description puts into the thing's shadow. Pure.

use serde_json::{Map, Value, json};

use crate::description::Shown;

/// The shadow as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shadow {
    /// `state.desired`.
    pub desired: Map<String, Value>,
    /// `state.reported`.
    pub reported: Map<String, Value>,
    /// The shadow's version: what a write is conditional on.
    pub version: i64,
}

/// The update that makes the initial shadow of what is there, or `None` where nothing is missing.
///
/// Only what is missing is written: presence may have made the shadow before, and what a person or the device itself has
/// said by now must not be overwritten. The update is conditional on the version of what was read; a shadow that did not
/// exist has none, and an update of it merges, so that nothing else of it is lost.
#[must_use]
pub fn plan(found: Option<&Shadow>, initial: &Map<String, Value>, shown: Shown<'_>) -> Option<Value> {
    let nothing = Map::new();
    let (desired, reported) = found.map_or((&nothing, &nothing), |shadow| (&shadow.desired, &shadow.reported));
    let shown = shown.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
    let desired = missing(initial.clone().into_iter(), desired);
    let reported = missing(shown, reported);
    if desired.is_empty() && reported.is_empty() {
        return None;
    }
    let mut update = json!({"state": {"desired": desired, "reported": reported}});
    if let (Some(shadow), Some(update)) = (found, update.as_object_mut()) {
        update.insert("version".to_owned(), shadow.version.into());
    }
    Some(update)
}

fn missing(wanted: impl Iterator<Item = (String, Value)>, found: &Map<String, Value>) -> Map<String, Value> {
    wanted.filter(|(name, _)| !found.contains_key(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: Shown<'_> = [("manufacturerName", "Acme"), ("modelName", "Moist 2"), ("version", "1")];

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_shadow_that_does_not_exist_gets_everything_and_no_version() {
        let initial = object(&json!({"interval": 30}));
        let update = plan(None, &initial, SHOWN).unwrap();
        let reported = json!({"manufacturerName": "Acme", "modelName": "Moist 2", "version": "1"});
        assert_eq!(update, json!({"state": {"desired": {"interval": 30}, "reported": reported}}));
    }

    #[test]
    fn what_somebody_said_before_stays() {
        let found = Shadow {
            desired: object(&json!({"interval": 60})),
            reported: object(&json!({"connected": true, "version": "9"})),
            version: 4,
        };
        let update = plan(Some(&found), &object(&json!({"interval": 30, "mode": "eco"})), SHOWN).unwrap();
        let reported = json!({"manufacturerName": "Acme", "modelName": "Moist 2"});
        assert_eq!(update, json!({"state": {"desired": {"mode": "eco"}, "reported": reported}, "version": 4}));
    }

    #[test]
    fn a_shadow_that_has_all_of_it_is_left_alone() {
        let reported = SHOWN.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let found = Shadow { desired: Map::new(), reported, version: 1 };
        assert_eq!(plan(Some(&found), &Map::new(), SHOWN), None);
    }
}
