use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{Measure, Refusal, RefusalCode, Timestamp};

/// How far ahead of AWS a device's clock may be and still be believed: AWS's own life-cycle events promise no better.
const MAX_AHEAD_MILLIS: i64 = 5 * 60 * 1000;

/// How far back a device's time may lie and still be believed: a week of readings kept while offline.
const MAX_BEHIND_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How deep numbers are looked for in a reading's other fields, in levels; a shadow's document goes no deeper either.
const MAX_DEPTH: usize = 8;

/// Whose time a reading carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceClock {
    /// The device's `timeStampEpoch`.
    Believed,
    /// The device sent no time: the time at which AWS IoT took the message stands for it.
    Missing,
    /// The device's time is more than 5 minutes ahead, or more than 7 days back: the time at which AWS IoT took the
    /// message stands for it.
    Absurd,
}

/// One soil reading, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The name that the device gives itself; what the classic notice prints. Who the device *is* says the topic.
    pub name: String,
    /// Relative soil humidity as the device measures it, usually in percent.
    pub humidity: Measure,
    /// When it was measured, by the device's clock where that may be believed.
    pub measured_at: Timestamp,
    /// Whose clock `measured_at` is.
    pub clock: DeviceClock,
    /// Every other number, by its field's name, in nested objects by dotted path (`soil.temperature`), 8 levels deep at
    /// most; strings and lists do not count here.
    pub others: BTreeMap<String, f64>,
}

/// A reading of a batch that was refused, with its place in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedReading {
    /// The place in the batch, from 0; 0 for a message that is one reading.
    pub index: usize,
    /// Why.
    pub refusal: Refusal,
}

/// What one message of a device holds: a reading, or a batch of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Readings {
    /// The good ones, with their places in the batch.
    pub accepted: Vec<(usize, Reading)>,
    /// The bad ones: they never take the good ones with them.
    pub refused: Vec<RefusedReading>,
}

impl Readings {
    /// The most readings in one batch; 128 KB, the largest message, hold about 1,200 of the classic ones.
    pub const MAX_BATCH: usize = 2_000;

    /// Reads a payload of `device/{thing}/devicePayload`: a JSON object, or an array of them.
    ///
    /// # Errors
    /// [`RefusalCode::NotUtf8`], [`RefusalCode::NotJson`], [`RefusalCode::NotAnObject`], [`RefusalCode::EmptyBatch`] or
    /// [`RefusalCode::BatchTooLarge`] when there is nothing in it that can be told apart.
    pub fn parse(payload: &[u8], received_at: Timestamp) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(payload)
            .map_err(|_| Refusal::new(RefusalCode::NotUtf8, "the payload is not UTF-8, expected JSON text"))?;
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| {
            Refusal::new(RefusalCode::NotJson, "the payload is not JSON, expected an object or an array")
        })?;
        let items = if raw.get().starts_with('[') { batch(raw)? } else { vec![raw] };
        let mut readings = Self::default();
        for (index, item) in items.into_iter().enumerate() {
            match Reading::from_json(item, received_at) {
                Ok(reading) => readings.accepted.push((index, reading)),
                Err(refusal) => readings.refused.push(RefusedReading { index, refusal }),
            }
        }
        Ok(readings)
    }
}

fn batch(raw: &RawValue) -> Result<Vec<&RawValue>, Refusal> {
    let items: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_| Refusal::new(RefusalCode::NotJson, "the payload is not a JSON array, expected one of readings"))?;
    if items.is_empty() {
        return Err(Refusal::new(RefusalCode::EmptyBatch, "the batch holds no reading, expected at least one"));
    }
    if items.len() > Readings::MAX_BATCH {
        let detail = format!("the batch holds {} readings, expected at most {}", items.len(), Readings::MAX_BATCH);
        return Err(Refusal::new(RefusalCode::BatchTooLarge, detail));
    }
    Ok(items)
}

impl Reading {
    /// The longest name that a reading may carry, in characters.
    pub const MAX_NAME: usize = 128;

    fn from_json(raw: &RawValue, received_at: Timestamp) -> Result<Self, Refusal> {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get())
            .map_err(|_| Refusal::new(RefusalCode::NotAnObject, "a reading must be a JSON object"))?;
        let (measured_at, clock) = device_time(fields.get("timeStampEpoch").copied(), received_at)?;
        Ok(Self {
            name: name(required(&fields, "name")?)?,
            humidity: Measure::from_json("humidity", required(&fields, "humidity")?)?,
            measured_at,
            clock,
            others: other_numbers(&fields),
        })
    }
}

fn required<'a>(fields: &BTreeMap<String, &'a RawValue>, field: &str) -> Result<&'a RawValue, Refusal> {
    fields
        .get(field)
        .copied()
        .filter(|raw| raw.get() != "null")
        .ok_or_else(|| Refusal::new(RefusalCode::MissingField, format!("the field `{field}` is missing")))
}

fn name(raw: &RawValue) -> Result<String, Refusal> {
    let name: String = serde_json::from_str(raw.get())
        .map_err(|_| Refusal::new(RefusalCode::WrongType, "the field `name` must be a string"))?;
    let refused = |character: char| "/+#$*?".contains(character) || character.is_control();
    if name.is_empty() || name.chars().count() > Reading::MAX_NAME || name.contains(refused) {
        let detail = "the field `name` must have 1 to 128 characters and none of / + # $ * ? or control characters";
        return Err(Refusal::new(RefusalCode::InvalidName, detail));
    }
    Ok(name)
}

fn device_time(raw: Option<&RawValue>, received_at: Timestamp) -> Result<(Timestamp, DeviceClock), Refusal> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok((received_at, DeviceClock::Missing));
    };
    Ok(DeviceClock::judge(Measure::from_json("timeStampEpoch", raw)?.value(), received_at))
}

impl DeviceClock {
    /// The time that counts for a device's claim of `millis` since the epoch, and whose it is.
    #[must_use]
    pub fn judge(millis: f64, received_at: Timestamp) -> (Timestamp, Self) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float beyond the range of i64 saturates, and is absurd then"
        )]
        let measured_at = Timestamp::from_millis(millis as i64);
        let ahead = measured_at.millis_since(received_at);
        if (-MAX_BEHIND_MILLIS..=MAX_AHEAD_MILLIS).contains(&ahead) {
            (measured_at, Self::Believed)
        } else {
            (received_at, Self::Absurd)
        }
    }
}

fn other_numbers(fields: &BTreeMap<String, &RawValue>) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    for (field, raw) in fields {
        if !matches!(field.as_str(), "name" | "humidity" | "timeStampEpoch") {
            collect_numbers(field, raw, MAX_DEPTH, &mut numbers);
        }
    }
    numbers
}

/// Adds the number at `path`, or those in the object at `path`, `levels` deep at most.
fn collect_numbers(path: &str, raw: &RawValue, levels: usize, into: &mut BTreeMap<String, f64>) {
    if is_number(raw) {
        into.extend(Measure::from_json(path, raw).map(|measure| (path.to_owned(), measure.value())));
    } else if levels > 1
        && raw.get().starts_with('{')
        && let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get())
    {
        for (field, raw) in fields {
            collect_numbers(&format!("{path}.{field}"), raw, levels - 1, into);
        }
    }
}

fn is_number(raw: &RawValue) -> bool {
    raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECEIVED: Timestamp = Timestamp::from_millis(1_598_536_072_700);

    fn one(payload: &str) -> Result<Reading, RefusalCode> {
        let mut readings = Readings::parse(payload.as_bytes(), RECEIVED).map_err(|refusal| refusal.code)?;
        match readings.accepted.pop() {
            Some((_, reading)) => Ok(reading),
            None => Err(readings.refused.remove(0).refusal.code),
        }
    }

    #[test]
    fn the_classic_reading_is_understood() {
        let reading = one(
            r#"{"name":"soilSensor3","humidity":29,"timeStampEpoch":1598536072677,"timeStampIso":"2020-08-27T13:47:52.677721"}"#,
        )
        .unwrap();
        assert_eq!(reading.name, "soilSensor3");
        assert_eq!(reading.humidity.to_string(), "29");
        assert_eq!(reading.measured_at, Timestamp::from_millis(1_598_536_072_677));
        assert_eq!(reading.clock, DeviceClock::Believed);
    }

    #[test]
    fn fields_that_loam_does_not_know_are_left_alone_and_numbers_among_them_kept() {
        let reading = one(r#"{"name":"a","humidity":"20","battery":3.3,"note":"5","nested":{"x":[1]}}"#).unwrap();
        assert_eq!(reading.others, BTreeMap::from([("battery".to_owned(), 3.3)]));
    }

    #[test]
    fn a_number_in_a_nested_object_has_a_dotted_path_down_to_the_eighth_level() {
        let reading = one(r#"{"name":"a","humidity":20,"soil":{"temperature":7.5,"ph":{"value":6}}}"#).unwrap();
        let paths: Vec<_> = reading.others.iter().map(|(path, value)| (path.as_str(), *value)).collect();
        assert_eq!(paths, [("soil.ph.value", 6.0), ("soil.temperature", 7.5)]);
        let nested = |levels: usize| format!("{}1{}", r#"{"x":"#.repeat(levels), "}".repeat(levels));
        let found =
            |levels| one(&format!(r#"{{"name":"a","humidity":20,"x":{}}}"#, nested(levels))).unwrap().others.len();
        assert_eq!((found(7), found(8)), (1, 0));
    }

    #[test]
    fn a_missing_or_null_field_is_named() {
        assert_eq!(one(r#"{"humidity":20}"#).unwrap_err(), RefusalCode::MissingField);
        assert_eq!(one(r#"{"name":"a"}"#).unwrap_err(), RefusalCode::MissingField);
        assert_eq!(one(r#"{"name":"a","humidity":null}"#).unwrap_err(), RefusalCode::MissingField);
    }

    #[test]
    fn a_name_with_a_character_that_is_refused_everywhere_is_invalid() {
        for name in ["", "a/b", "+", "#", "$a", "*", "?", "a\\u0000", &"n".repeat(129)] {
            let payload = format!(r#"{{"name":"{name}","humidity":20}}"#);
            assert_eq!(one(&payload).unwrap_err(), RefusalCode::InvalidName, "{name:?}");
        }
        assert!(one(r#"{"name":"Gießkanne 3","humidity":20}"#).is_ok());
    }

    #[test]
    fn without_a_device_time_the_time_of_arrival_counts() {
        let reading = one(r#"{"name":"a","humidity":20}"#).unwrap();
        assert_eq!((reading.measured_at, reading.clock), (RECEIVED, DeviceClock::Missing));
    }

    #[test]
    fn a_clock_five_minutes_ahead_is_believed_and_one_millisecond_more_is_absurd() {
        let at = |ahead: i64| {
            let time = RECEIVED.plus_millis(ahead).as_millis();
            one(&format!(r#"{{"name":"a","humidity":20,"timeStampEpoch":{time}}}"#)).unwrap().clock
        };
        assert_eq!(at(MAX_AHEAD_MILLIS), DeviceClock::Believed);
        assert_eq!(at(MAX_AHEAD_MILLIS + 1), DeviceClock::Absurd);
        assert_eq!(at(-MAX_BEHIND_MILLIS), DeviceClock::Believed);
        assert_eq!(at(-MAX_BEHIND_MILLIS - 1), DeviceClock::Absurd);
    }

    #[test]
    fn a_clock_that_starts_at_the_epoch_or_overflows_is_absurd() {
        for time in ["0", "-1", "1e300", "-1e300"] {
            let reading = one(&format!(r#"{{"name":"a","humidity":20,"timeStampEpoch":{time}}}"#)).unwrap();
            assert_eq!((reading.measured_at, reading.clock), (RECEIVED, DeviceClock::Absurd), "{time}");
        }
    }

    #[test]
    fn a_bad_reading_does_not_take_the_good_ones_with_it() {
        let payload =
            br#"[{"name":"a","humidity":1},{"name":"b"},7,{"name":"c","humidity":1e400},{"name":"d","humidity":4}]"#;
        let readings = Readings::parse(payload, RECEIVED).unwrap();
        let names: Vec<_> = readings.accepted.iter().map(|(index, reading)| (*index, reading.name.as_str())).collect();
        assert_eq!(names, [(0, "a"), (4, "d")]);
        let codes: Vec<_> = readings.refused.iter().map(|refused| (refused.index, refused.refusal.code)).collect();
        assert_eq!(
            codes,
            [(1, RefusalCode::MissingField), (2, RefusalCode::NotAnObject), (3, RefusalCode::NotANumber)]
        );
    }

    #[test]
    fn bytes_that_are_no_text_and_text_that_is_no_json_are_told_apart() {
        let parse = |payload: &[u8]| Readings::parse(payload, RECEIVED).unwrap_err().code;
        assert_eq!(parse(b"\xff\xfe"), RefusalCode::NotUtf8);
        assert_eq!(parse(b"humidity=20"), RefusalCode::NotJson);
        assert_eq!(parse(br#"{"name":"a","humidity":NaN}"#), RefusalCode::NotJson);
        assert_eq!(parse(b""), RefusalCode::NotJson);
        assert_eq!(parse(b"[]"), RefusalCode::EmptyBatch);
        assert_eq!(one("20").unwrap_err(), RefusalCode::NotAnObject);
    }

    #[test]
    fn a_payload_a_thousand_levels_deep_is_refused_and_not_a_stack_overflow() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(one(&deep).unwrap_err(), RefusalCode::NotAnObject);
        let deep = format!(r#"{{"name":"a","humidity":{}1{}}}"#, "[".repeat(1000), "]".repeat(1000));
        assert_eq!(one(&deep).unwrap_err(), RefusalCode::WrongType);
    }

    #[test]
    fn a_batch_of_2000_readings_is_taken_and_one_of_2001_is_not() {
        let batch = |count: usize| format!("[{}]", vec![r#"{"name":"a","humidity":1}"#; count].join(","));
        assert_eq!(Readings::parse(batch(2000).as_bytes(), RECEIVED).unwrap().accepted.len(), 2000);
        let refusal = Readings::parse(batch(2001).as_bytes(), RECEIVED).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::BatchTooLarge);
    }

    proptest! {
        #[test]
        fn accepted_and_refused_add_up_to_what_was_sent(kinds in proptest::collection::vec(0..3_u8, 1..50)) {
            let items: Vec<_> = kinds
                .iter()
                .map(|kind| match kind {
                    0 => r#"{"name":"a","humidity":20}"#,
                    1 => r#"{"name":"a","humidity":"abc"}"#,
                    _ => "false",
                })
                .collect();
            let readings = Readings::parse(format!("[{}]", items.join(",")).as_bytes(), RECEIVED).unwrap();
            prop_assert_eq!(readings.accepted.len() + readings.refused.len(), kinds.len());
        }

        #[test]
        fn no_bytes_make_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Readings::parse(&payload, RECEIVED);
        }
    }
}
