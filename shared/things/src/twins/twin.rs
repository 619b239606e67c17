use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::{LifeCycle, ThingRecord};

/// What the catalog knows of a thing: one part by source, each with the order of that source, and what people say.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// Its name.
    pub thing: ThingName,
    /// From 1, one more with each change of the row; what its next write is conditional on.
    pub version: u64,
    /// From its record.
    pub record: RecordView,
    /// From its shadow; `None` before the first.
    pub shadow: Option<ShadowView>,
    /// From its connections; `None` before the first.
    pub presence: Option<PresenceView>,
    /// From people.
    pub notes: Notes,
}

/// What the catalog shows of a thing's record; ordered by `version`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordView {
    /// The record's version.
    pub version: u64,
    /// Which owner's time it is.
    pub epoch: u64,
    /// Where in its life it stands.
    #[serde(serialize_with = "word", deserialize_with = "state")]
    pub state: LifeCycle,
    /// Its type in the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thing_type: Option<String>,
    /// The groups that its CA profile gave it.
    pub groups: BTreeSet<String>,
    /// The attributes that its CA profile gave it.
    pub attributes: BTreeMap<String, String>,
    /// When its name was won.
    pub registered_at: Timestamp,
    /// What it says of itself, by the names of the catalog's nine fields.
    pub told: BTreeMap<String, String>,
    /// What it can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<BTreeSet<String>>,
    /// What it said of its firmware: a text or an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Value>,
}

/// The shadow's state; ordered by `version` within one life of the shadow, by `at` between two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowView {
    /// AWS IoT's version of the document.
    pub version: u64,
    /// When AWS IoT made it.
    pub at: Timestamp,
    /// Whether this is the shadow's end; then both states are empty.
    #[serde(default)]
    pub deleted: bool,
    /// The desired state.
    pub desired: Map<String, Value>,
    /// The reported state.
    pub reported: Map<String, Value>,
}

/// What is known of the connection; ordered by `version`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenceView {
    /// The version of the presence row that told it.
    pub version: u64,
    /// What filters read as `connectivity`.
    pub connectivity: Map<String, Value>,
}

/// What people say of a thing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notes {
    /// From 0, one more with each change of tags or name: the `ETag`.
    pub version: u64,
    /// Tags, by name.
    pub tags: Map<String, Value>,
    /// What people call it, in place of what it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// The static groups that people put it in.
    pub groups: BTreeSet<String>,
}

impl Twin {
    /// What people call the thing, else what it calls itself; `None` if neither is known.
    #[must_use]
    pub fn friendly_name(&self) -> Option<&str> {
        let told = || self.record.told.get("friendlyName").map(String::as_str).filter(|name| !name.is_empty());
        self.notes.friendly_name.as_deref().or_else(told)
    }

    /// The thing as filters read it and answers show it: `deviceId`, `groups`, `tags`, `properties`, `connectivity` and
    /// `firmware` are the filter language's fields; the others are for people.
    #[must_use]
    pub fn document(&self) -> Value {
        let record = &self.record;
        let groups: BTreeSet<&String> = record.groups.union(&self.notes.groups).collect();
        let mut document = json!({
            "deviceId": self.thing,
            "state": record.state.as_str(),
            "registeredAt": record.registered_at,
            "groups": groups,
            "tags": self.notes.tags,
            "properties": {
                "desired": self.shadow.as_ref().map(|shadow| &shadow.desired).unwrap_or(&Map::new()),
                "reported": self.shadow.as_ref().map(|shadow| &shadow.reported).unwrap_or(&Map::new()),
            },
            "connectivity": self.presence.as_ref().map(|presence| &presence.connectivity).unwrap_or(&Map::new()),
            "firmware": firmware(record.firmware.as_ref()),
            "attributes": record.attributes,
            "description": record.told,
        });
        if let Value::Object(fields) = &mut document {
            let words = record.capabilities.as_ref().map(|words| json!(words));
            let optional = [
                ("friendlyName", self.friendly_name().map(Value::from)),
                ("thingType", record.thing_type.clone().map(Value::from)),
                ("capabilities", words),
            ];
            fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        document
    }
}

/// An object, so that there are fields to ask for: a text is its `version`.
fn firmware(said: Option<&Value>) -> Value {
    match said {
        Some(Value::Object(fields)) => Value::Object(fields.clone()),
        Some(Value::Null) | None => json!({}),
        Some(text) => json!({ "version": text }),
    }
}

impl From<&ThingRecord> for RecordView {
    fn from(record: &ThingRecord) -> Self {
        Self {
            version: record.version,
            epoch: record.epoch,
            state: record.state,
            thing_type: record.thing_type.clone(),
            groups: record.groups.clone(),
            attributes: record.attributes.clone(),
            registered_at: record.registered_at,
            told: record.told.clone(),
            capabilities: record.capabilities.clone(),
            firmware: record.firmware.clone(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn word<S: Serializer>(state: &LifeCycle, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LifeCycle, D::Error> {
    let word = String::deserialize(deserializer)?;
    LifeCycle::parse(&word).ok_or_else(|| serde::de::Error::custom("no such state of life"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn twin(name: &str) -> Twin {
        Twin {
            thing: ThingName::parse(name).unwrap(),
            version: 3,
            record: RecordView {
                version: 7,
                epoch: 2,
                state: LifeCycle::Onboarded,
                thing_type: Some("pot".to_owned()),
                groups: BTreeSet::from(["east".to_owned()]),
                attributes: BTreeMap::new(),
                registered_at: Timestamp::from_millis(1),
                told: BTreeMap::from([("friendlyName".to_owned(), "Balcony".to_owned())]),
                capabilities: None,
                firmware: Some(json!("1.2")),
            },
            shadow: Some(ShadowView {
                version: 4,
                at: Timestamp::from_millis(5),
                deleted: false,
                desired: Map::new(),
                reported: Map::from_iter([("humidity".to_owned(), json!(20.5))]),
            }),
            presence: Some(PresenceView {
                version: 9,
                connectivity: Map::from_iter([("connected".to_owned(), json!(true))]),
            }),
            notes: Notes { groups: BTreeSet::from(["roof".to_owned()]), ..Notes::default() },
        }
    }

    #[test]
    fn a_twin_survives_its_row() {
        let whole = twin("t1");
        assert_eq!(Twin::of(&whole.item().unwrap()).unwrap(), whole);
        let young = Twin { shadow: None, presence: None, ..whole };
        assert_eq!(Twin::of(&young.item().unwrap()).unwrap(), young);
    }

    #[test]
    fn every_field_of_the_filter_language_finds_its_part() {
        let document = twin("t1").document();
        for filter in [
            "deviceId = 't1'",
            "groups CONTAINS 'east' AND groups CONTAINS 'roof'",
            "properties.reported.humidity < 21",
            "connectivity.connected = true",
            "firmware.version = '1.2'",
            "NOT IS_DEFINED(tags.room)",
        ] {
            assert!(loam_query::Filter::parse(filter).unwrap().matches(&document), "{filter}");
        }
    }

    #[test]
    fn what_people_call_a_thing_goes_before_what_it_calls_itself() {
        let mut named = twin("t1");
        assert_eq!(named.friendly_name(), Some("Balcony"));
        named.notes.friendly_name = Some("Roof".to_owned());
        assert_eq!(named.document()["friendlyName"], "Roof");
        named.notes.friendly_name = None;
        named.record.told.insert("friendlyName".to_owned(), String::new());
        assert_eq!(named.document().get("friendlyName"), None);
    }
}
