//! What asking a filter costs. In a binary of its own, because it counts in the allocator.

use loam_query::Filter;
use serde_json::json;

const EVERY_OPERATOR: &str = "NOT (deviceId = 'x' OR tags['room name'] IN ['a', 'b', 3] OR tags.missing < 4 \
     OR properties.reported.humidity >= 35 OR groups CONTAINS 'west') AND tags.floor NIN [1, 2, null] \
     AND deviceId STARTSWITH 'soil-' AND deviceId ENDSWITH '1' AND IS_DEFINED(firmware.version) \
     AND properties.desired.interval = properties.reported.interval AND tags['room name'] CONTAINS 'al'";

#[test]
fn asking_a_filter_allocates_nothing() {
    let filter = Filter::parse(EVERY_OPERATOR).unwrap();
    let thing = json!({
        "deviceId": "soil-1", "groups": ["east"], "tags": {"room name": "hall", "floor": 3, "missing": 7},
        "properties": {"desired": {"interval": 60}, "reported": {"interval": 60, "humidity": 20}},
        "firmware": {"version": "1.2.0"},
    });
    let mut selected = false;
    let counted = allocation_counter::measure(|| selected = filter.matches(&thing));
    assert!(selected);
    assert_eq!(counted.count_total, 0);
}

#[test]
fn the_counter_counts() {
    let counted = allocation_counter::measure(|| drop(Filter::parse(EVERY_OPERATOR)));
    assert!(counted.count_total > 0);
}
