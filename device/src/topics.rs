//! The topics of one thing, and the broker's rules for topics. Pure.

/// The longest topic that AWS IoT Core takes, in bytes.
pub const LONGEST_TOPIC: usize = 256;
/// The most slashes that AWS IoT Core takes in a topic.
pub const MOST_SLASHES: usize = 7;

/// Where a thing publishes its soil readings.
#[must_use]
pub fn device_payload(thing: &str) -> String {
    format!("device/{thing}/devicePayload")
}

/// Where a thing says what it is.
#[must_use]
pub fn describe(thing: &str) -> String {
    format!("loam/{thing}/describe")
}

/// Where AWS tells a thing what is desired of it and not yet so.
#[must_use]
pub fn shadow_delta(thing: &str) -> String {
    format!("$aws/things/{thing}/shadow/update/delta")
}

/// Where the broker publishes a thing's last will.
#[must_use]
pub fn last_will(thing: &str) -> String {
    format!("lwt/{thing}")
}

/// Where a thing updates its classic shadow.
#[must_use]
pub fn shadow_update(thing: &str) -> String {
    format!("$aws/things/{thing}/shadow/update")
}

/// Where the thing asks for its shadow.
#[must_use]
pub fn shadow_get(thing: &str) -> String {
    format!("$aws/things/{thing}/shadow/get")
}

/// Where the thing says that its button was pressed.
#[must_use]
pub fn pairing_window(thing: &str) -> String {
    format!("loam/{thing}/pairing/window")
}

/// Where the thing says that it was reset.
#[must_use]
pub fn pairing_reset(thing: &str) -> String {
    format!("loam/{thing}/pairing/reset")
}

/// Where the thing speaks of the command `id`; `word` is `accepted`, `progress`, `succeeded`, `failed` or `rejected`.
#[must_use]
pub fn command(thing: &str, id: &str, word: &str) -> String {
    format!("loam/{thing}/commands/{id}/{word}")
}

/// Where the thing hears of its transfers, whichever: a filter.
#[must_use]
pub fn files(thing: &str) -> String {
    format!("loam/{thing}/files/+/+")
}

/// Where the thing speaks of its transfers; `word` is `request` or `complete`.
#[must_use]
pub fn file(thing: &str, word: &str) -> String {
    format!("loam/{thing}/files/{word}")
}

/// Where AWS tells what became of the shadow with each change of it.
#[must_use]
pub fn shadow_documents(thing: &str) -> String {
    format!("$aws/things/{thing}/shadow/update/documents")
}

/// Where the thing speaks of a rollout's firmware; `word` is `progress` or `request`. It hears on `grant`.
#[must_use]
pub fn firmware(thing: &str, rollout: &str, word: &str) -> String {
    format!("loam/{thing}/firmware/{rollout}/{word}")
}

/// Where the thing asks for jobs and speaks of them; AWS answers below it.
#[must_use]
pub fn jobs(thing: &str, what: &str) -> String {
    format!("$aws/things/{thing}/jobs/{what}")
}

/// Says why `topic` cannot be published to, or nothing if it can.
#[must_use]
pub fn flaw(topic: &str) -> Option<&'static str> {
    if topic.is_empty() {
        Some("it is empty")
    } else if topic.len() > LONGEST_TOPIC {
        Some("it is longer than 256 bytes")
    } else if topic.matches('/').count() > MOST_SLASHES {
        Some("it has more than 7 slashes")
    } else if topic.contains(['+', '#', '\0']) {
        Some("it contains a wildcard or a null character")
    } else {
        None
    }
}

/// Whether a message on `topic` is one that `filter` asks for.
///
/// Topics that start with `$` match only filters that spell out that first level. (rumqttc's own `matches` lets them
/// match no filter at all, which would lose every shadow message.)
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        let Some(level) = levels.next() else { return false };
        if wanted != "+" && wanted != level {
            return false;
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_s_topics_carry_its_name_in_the_second_level() {
        assert_eq!(device_payload("soilSensor1"), "device/soilSensor1/devicePayload");
        assert_eq!(last_will("soilSensor1"), "lwt/soilSensor1");
        assert_eq!(describe("soilSensor1"), "loam/soilSensor1/describe");
        assert_eq!(shadow_update("soilSensor1"), "$aws/things/soilSensor1/shadow/update");
        assert_eq!(shadow_delta("soilSensor1"), "$aws/things/soilSensor1/shadow/update/delta");
    }

    #[test]
    fn a_topic_of_exactly_256_bytes_is_taken_and_one_byte_more_is_not() {
        assert_eq!(flaw(&"t".repeat(256)), None);
        assert!(flaw(&"t".repeat(257)).is_some());
    }

    #[test]
    fn a_topic_with_seven_slashes_is_taken_and_with_eight_is_not() {
        assert_eq!(flaw("1/2/3/4/5/6/7/8"), None);
        assert!(flaw("1/2/3/4/5/6/7/8/9").is_some());
    }

    #[test]
    fn nobody_publishes_to_a_wildcard_or_to_nothing() {
        assert!(flaw("device/+/devicePayload").is_some());
        assert!(flaw("device/#").is_some());
        assert!(flaw("").is_some());
    }

    #[test]
    fn a_filter_matches_level_by_level() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
            ("a/+/c", "a/b/c", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a/b/c", true),
            ("a/#", "a", true),
            ("#", "a", true),
            ("#", "$aws/things/x/shadow/get", false),
            ("+/things/#", "$aws/things/x/shadow/get", false),
            ("$aws/things/x/shadow/#", "$aws/things/x/shadow/get/accepted", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} against {topic}");
        }
    }

    #[test]
    fn a_topic_whose_first_letter_takes_two_bytes_is_compared_like_any_other() {
        assert!(matches("é/+", "é/a"));
    }
}
