//! The numbers in a sensor's message: every numeric leaf of its object, by its path.

use std::collections::BTreeMap;

use loam_domain::{Measure, Refusal, RefusalCode, Timestamp};
use serde_json::value::RawValue;

use crate::clock;
use crate::error::Refused;
use crate::event::{MAX_DEPTH, Metrics};
use crate::point::{Metric, Sample};

/// Reads a payload of `device/{thing}/sensor/{sensor}/v1` into `metrics`: any JSON object.
///
/// A number at `air.temperature` becomes the metric `{sensor}.air.temperature`, the first of a list `air` is
/// `{sensor}.air.0`. Texts, booleans and `null` are no numbers; the archive keeps them.
///
/// # Errors
/// What makes the whole message unreadable; a bad number alone is refused in `metrics`.
pub(crate) fn read(sensor: &str, payload: &[u8], received_at: Timestamp, metrics: &mut Metrics) -> Result<(), Refused> {
    let text = std::str::from_utf8(payload)
        .map_err(|_| Refusal::new(RefusalCode::NotUtf8, "the payload is not UTF-8, expected a JSON object"))?;
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|_| Refusal::new(RefusalCode::NotJson, "the payload is not JSON, expected an object"))?;
    let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get())
        .map_err(|_| Refusal::new(RefusalCode::NotAnObject, "the payload is JSON but no object, expected one"))?;
    let (measured_at, _) = clock::measured_at(&fields, received_at)?;
    for field in clock::TIME_FIELDS {
        fields.remove(field);
    }
    let mut leaves = Leaves::default();
    leaves.of_object(sensor, fields, 1);
    for reason in leaves.refused {
        metrics.refuse(0, reason);
    }
    for (metric, number) in leaves.numbers {
        metrics.add(0, metric, number, |value| Sample { measured_at, value, received_at });
    }
    Ok(())
}

/// The numbers found so far, and what was refused on the way.
#[derive(Default)]
struct Leaves {
    numbers: Vec<(Metric, f64)>,
    refused: Vec<Refused>,
}

impl Leaves {
    fn of_object(&mut self, path: &str, fields: BTreeMap<String, &RawValue>, depth: usize) {
        for (field, raw) in fields {
            self.of_value(&format!("{path}.{field}"), raw, depth);
        }
    }

    fn of_value(&mut self, path: &str, raw: &RawValue, depth: usize) {
        match raw.get().bytes().next() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => self.refused.push(Refused::TooDeep),
            Some(b'{') => match serde_json::from_str(raw.get()) {
                Ok(fields) => self.of_object(path, fields, depth + 1),
                Err(_) => self.refused.push(unreadable()),
            },
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
                for (at, raw) in items.into_iter().enumerate() {
                    self.of_value(&format!("{path}.{at}"), raw, depth + 1);
                }
            }
            Some(b'-' | b'0'..=b'9') => match number(path, raw) {
                Ok(number) => self.numbers.push(number),
                Err(refused) => self.refused.push(refused),
            },
            _ => {}
        }
    }
}

/// The path is checked first: what is said of the number quotes it.
fn number(path: &str, raw: &RawValue) -> Result<(Metric, f64), Refused> {
    let metric = Metric::parse(path)?;
    let measure = Measure::from_json(path, raw)?;
    Ok((metric, measure.value()))
}

/// An object whose names are no text, such as half of a surrogate pair.
fn unreadable() -> Refused {
    Refusal::new(RefusalCode::NotJson, "an object of the payload has a name that is no Unicode text").into()
}
