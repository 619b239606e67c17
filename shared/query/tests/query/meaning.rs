use loam_query::Filter;
use serde_json::{Value, json};

fn thing() -> Value {
    json!({
        "deviceId": "soil-1",
        "groups": ["east", "greenhouse"],
        "tags": {
            "floor": 3, "room": "Hall", "nothing": null, "list": [1, "a", null, [2]], "object": {"x": 1}, "yes": true,
            "room name": "hall", "Floor": 4,
        },
        "properties": {"desired": {"interval": 60}, "reported": {"interval": 60.0, "humidity": 35}},
        "connectivity": {"connected": true},
        "firmware": {"version": "1.2.0"},
    })
}

fn matches(text: &str) -> bool {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).matches(&thing())
}

fn assert_matches(texts: &[&str]) {
    for text in texts {
        assert!(matches(text), "{text}");
        assert!(!matches(&format!("NOT ({text})")), "NOT ({text})");
    }
}

fn assert_false(texts: &[&str]) {
    for text in texts {
        assert!(!matches(text), "{text}");
        assert!(matches(&format!("NOT ({text})")), "NOT ({text})");
    }
}

/// Neither the condition nor its negation selects the thing.
fn assert_undefined(texts: &[&str]) {
    for text in texts {
        assert!(!matches(text), "{text}");
        assert!(!matches(&format!("NOT ({text})")), "NOT ({text})");
    }
}

#[test]
fn every_root_can_be_asked() {
    assert_matches(&[
        "deviceId = 'soil-1'",
        "groups CONTAINS 'east'",
        "tags.floor = 3",
        "properties.desired.interval = 60",
        "properties.reported.humidity = 35",
        "connectivity.connected = true",
        "firmware.version = '1.2.0'",
        "tags['room name'] = 'hall'",
        "tags.object.x = 1",
        "tags.Floor = 4",
    ]);
}

#[test]
fn a_humidity_of_exactly_35_is_not_below_35() {
    assert_false(&["properties.reported.humidity < 35", "properties.reported.humidity > 35"]);
    assert_matches(&["properties.reported.humidity <= 35", "properties.reported.humidity >= 35.0"]);
}

#[test]
fn an_integer_and_a_float_of_the_same_value_are_equal() {
    assert_matches(&["properties.desired.interval = properties.reported.interval", "tags.floor IN [3.0]"]);
}

#[test]
fn strings_are_ordered_by_code_point_and_compared_with_their_case() {
    assert_matches(&["tags.room < 'hall'", "deviceId < 'soil-10'", "deviceId > 'soil'"]);
    assert_false(&["tags.room = 'hall'", "tags.room STARTSWITH 'h'", "tags.room CONTAINS 'H '"]);
}

#[test]
fn a_missing_field_makes_every_comparison_undefined() {
    assert_undefined(&[
        "tags.missing = 1",
        "tags.missing != 1",
        "tags.missing = null",
        "tags.missing < 1",
        "tags.missing IN [1, null]",
        "tags.missing NIN [1]",
        "tags.missing CONTAINS 'a'",
        "tags.missing = tags.missing",
        "tags.floor = tags.missing",
        "tags.floor.deeper = 3",
        "tags.list['0'] = 1",
        "firmware.missing.deeper = 1",
    ]);
}

#[test]
fn only_is_defined_can_say_that_a_field_is_missing() {
    assert_false(&["IS_DEFINED(tags.missing)", "IS_DEFINED(tags.floor.deeper)"]);
    assert_matches(&["IS_DEFINED(tags.floor)", "IS_DEFINED(tags.nothing)", "IS_DEFINED(groups)"]);
}

#[test]
fn null_is_a_value_like_others() {
    assert_matches(&["tags.nothing = null", "tags.floor != null", "tags.nothing IN [null]", "tags.nothing != 1"]);
    assert_false(&["tags.floor = null", "tags.nothing = false"]);
}

#[test]
fn values_of_different_types_are_unequal_and_have_no_order() {
    assert_false(&["tags.floor = '3'", "tags.yes = 'true'", "tags.list = 'a'", "tags.floor IN ['3', true]"]);
    assert_matches(&["tags.floor != '3'", "tags.floor NIN ['3', true]", "tags.object != 1"]);
    assert_undefined(&["tags.floor < '4'", "tags.room > 1", "tags.yes < 2", "tags.nothing < 1", "tags.list < 'z'"]);
}

#[test]
fn objects_and_arrays_are_not_compared_with_each_other() {
    assert_undefined(&["tags.list = tags.list", "tags.object != tags.object", "tags.list = tags.object"]);
}

#[test]
fn contains_looks_into_strings_and_arrays_and_nothing_else() {
    assert_matches(&[
        "tags.list CONTAINS 1",
        "tags.list CONTAINS 'a'",
        "tags.list CONTAINS null",
        "tags.room CONTAINS 'al'",
    ]);
    assert_matches(&["tags.room CONTAINS ''"]);
    assert_false(&["tags.list CONTAINS 2", "tags.list CONTAINS '1'", "groups CONTAINS 'green'"]);
    assert_undefined(&["tags.floor CONTAINS '3'", "tags.room CONTAINS 1", "tags.object CONTAINS 'x'"]);
}

#[test]
fn starts_and_ends_ask_only_strings() {
    assert_matches(&["deviceId STARTSWITH 'soil-'", "deviceId ENDSWITH '1'", "deviceId STARTSWITH 'soil-1'"]);
    assert_false(&["deviceId STARTSWITH 'soil-12'", "deviceId ENDSWITH 'Soil-1'"]);
    assert_undefined(&["tags.floor STARTSWITH '3'", "tags.list ENDSWITH 'a'"]);
}

#[test]
fn undefined_gives_way_to_a_false_in_and_and_to_a_true_in_or() {
    assert_false(&["tags.missing = 1 AND tags.floor = 4", "tags.floor = 4 AND tags.missing = 1"]);
    assert_matches(&["tags.missing = 1 OR tags.floor = 3", "tags.floor = 3 OR tags.missing = 1"]);
    assert_undefined(&["tags.missing = 1 AND tags.floor = 3", "tags.missing = 1 OR tags.floor = 4"]);
}

#[test]
fn nothing_matches_a_document_that_is_no_object() {
    let filter = Filter::parse("tags.a = 1 OR tags.a != 1").unwrap();
    for document in [json!(null), json!([]), json!("tags"), json!({"tags": 7})] {
        assert!(!filter.matches(&document), "{document}");
    }
}
