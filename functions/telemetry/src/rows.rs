use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};

use crate::aggregate::Aggregate;
use crate::decide::{HourKey, HourRow};
use crate::exact_sum::ExactSum;
use crate::expiry::{ExpiresAt, Retention};
use crate::point::{Metric, Sample, Value};

/// A row's attributes by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A row that this function cannot have written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the attribute `{attribute}` is missing or no such value")]
pub struct BadRow {
    /// Which attribute.
    pub attribute: &'static str,
}

/// The partition of a series. A thing's name holds no `#`, so that this is unambiguous, and never a thing's own partition.
pub(crate) fn series_pk(thing: &ThingName, metric: &Metric) -> String {
    format!("{thing}#{metric}")
}

/// Where samples of `time` begin; 20 digits, so that text sorts as time does.
pub(crate) fn sample_sk_from(time: Timestamp) -> String {
    format!("raw#{:020}", time.as_millis())
}

/// The sort key of an hour.
pub(crate) fn hour_sk(hour: Timestamp) -> String {
    format!("hour#{:020}", hour.as_millis())
}

/// What the sort keys of latest values begin with.
pub(crate) const LATEST_PREFIX: &str = "latest#";

/// What sorts behind all sort keys of latest values.
pub(crate) const AFTER_LATEST: &str = "latest$";

/// The key of the row of an hour.
pub(crate) fn hour_key(key: &HourKey) -> Item {
    Item::from([
        ("pk".to_owned(), text(series_pk(&key.thing, &key.metric))),
        ("sk".to_owned(), text(hour_sk(key.hour))),
    ])
}

/// The row of a sample.
pub(crate) fn sample_item(key: &HourKey, sample: &Sample, retention: Retention) -> Item {
    let sk = format!("{}#{}", sample_sk_from(sample.measured_at), sample.digest());
    let mut item = measured(sample);
    item.insert("pk".to_owned(), text(series_pk(&key.thing, &key.metric)));
    item.insert("sk".to_owned(), text(sk));
    item.insert("expiresAt".to_owned(), whole(retention.of_sample(sample.measured_at).as_secs()));
    item
}

/// The row of the latest value of a series; it does not expire.
pub(crate) fn latest_item(key: &HourKey, sample: &Sample) -> Item {
    let mut item = measured(sample);
    item.insert("pk".to_owned(), text(key.thing.to_string()));
    item.insert("sk".to_owned(), text(format!("{LATEST_PREFIX}{}", key.metric)));
    item
}

/// The row of an hour.
///
/// `sum` is the sum to the nearest float, for people and queries; `sumRest` what it leaves over of the exact sum.
pub(crate) fn hour_item(key: &HourKey, row: &HourRow, retention: Retention) -> Item {
    let aggregate = &row.aggregate;
    let rest: Vec<_> = aggregate.sum.parts().iter().skip(1).map(|part| number(*part)).collect();
    let mut item = hour_key(key);
    item.extend([
        ("count".to_owned(), count(aggregate.count)),
        ("sum".to_owned(), number(aggregate.sum.rounded())),
        ("min".to_owned(), number(aggregate.min.get())),
        ("max".to_owned(), number(aggregate.max.get())),
        ("lastValue".to_owned(), number(aggregate.last.get())),
        ("lastAt".to_owned(), whole(aggregate.last_at.as_millis())),
        ("version".to_owned(), count(row.version)),
        ("expiresAt".to_owned(), whole(retention.of_hour(key.hour).as_secs())),
    ]);
    if !rest.is_empty() {
        item.insert("sumRest".to_owned(), AttributeValue::L(rest));
    }
    item
}

/// The hour in a row.
pub(crate) fn hour_of(item: &Item) -> Result<HourRow, BadRow> {
    let rest = match item.get("sumRest") {
        None => vec![],
        Some(AttributeValue::L(rest)) => rest.iter().map(|part| float_in(part, "sumRest")).collect::<Result<_, _>>()?,
        Some(_) => return Err(BadRow { attribute: "sumRest" }),
    };
    let aggregate = Aggregate {
        count: parsed(item, "count")?,
        sum: ExactSum::of(rest.into_iter().chain([parsed(item, "sum")?])),
        min: value(item, "min")?,
        max: value(item, "max")?,
        last: value(item, "lastValue")?,
        last_at: time(item, "lastAt")?,
    };
    Ok(HourRow { aggregate, version: parsed(item, "version")? })
}

/// The start of the hour of a row.
pub(crate) fn hour_start(item: &Item) -> Result<Timestamp, BadRow> {
    let millis = sk(item).strip_prefix("hour#").and_then(|digits| digits.parse().ok());
    millis.map(Timestamp::from_millis).ok_or(BadRow { attribute: "sk" })
}

/// The sample in a row of it, or of a latest value.
pub(crate) fn sample_of(item: &Item) -> Result<Sample, BadRow> {
    Ok(Sample {
        measured_at: time(item, "measuredAt")?,
        value: value(item, "value")?,
        received_at: time(item, "receivedAt")?,
    })
}

/// The series of a latest value's row.
pub(crate) fn latest_metric(item: &Item) -> Result<Metric, BadRow> {
    let name = sk(item).strip_prefix(LATEST_PREFIX).unwrap_or_default();
    Metric::parse(name).map_err(|_| BadRow { attribute: "sk" })
}

/// Whether a row's time is over at `now`; a row without expiry stays.
pub(crate) fn is_expired(item: &Item, now: Timestamp) -> bool {
    parsed(item, "expiresAt").is_ok_and(|seconds| ExpiresAt::from_secs(seconds).has_passed(now))
}

fn measured(sample: &Sample) -> Item {
    Item::from([
        ("value".to_owned(), number(sample.value.get())),
        ("measuredAt".to_owned(), whole(sample.measured_at.as_millis())),
        ("receivedAt".to_owned(), whole(sample.received_at.as_millis())),
    ])
}

pub(crate) const fn text(text: String) -> AttributeValue {
    AttributeValue::S(text)
}

pub(crate) fn whole(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn count(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The shortest digits that read back as the same float; never hundreds of zeros, of which DynamoDB takes 38 digits.
pub(crate) fn number(number: f64) -> AttributeValue {
    let is_plain = number == 0.0 || (1e-6..1e16).contains(&number.abs());
    AttributeValue::N(if is_plain { number.to_string() } else { format!("{number:e}") })
}

/// A row's sort key; empty where it has none.
pub(crate) fn sk(item: &Item) -> &str {
    item.get("sk").and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

fn parsed<T: std::str::FromStr>(item: &Item, attribute: &'static str) -> Result<T, BadRow> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or(BadRow { attribute })
}

fn value(item: &Item, attribute: &'static str) -> Result<Value, BadRow> {
    Value::new(parsed(item, attribute)?).ok_or(BadRow { attribute })
}

fn time(item: &Item, attribute: &'static str) -> Result<Timestamp, BadRow> {
    parsed(item, attribute).map(Timestamp::from_millis)
}

fn float_in(part: &AttributeValue, attribute: &'static str) -> Result<f64, BadRow> {
    part.as_n().ok().and_then(|digits| digits.parse().ok()).ok_or(BadRow { attribute })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decide::plan;

    fn key() -> HourKey {
        HourKey {
            thing: ThingName::parse("t1").unwrap(),
            metric: Metric::parse("air.t#1").unwrap(),
            hour: Timestamp::from_millis(1_598_533_200_000),
        }
    }

    fn sample(value: f64) -> Sample {
        Sample {
            measured_at: Timestamp::from_millis(1_598_536_072_677),
            value: Value::new(value).unwrap(),
            received_at: Timestamp::from_millis(1_598_536_072_700),
        }
    }

    fn retention() -> Retention {
        Retention::new(30, 400).unwrap()
    }

    #[test]
    fn the_row_of_a_sample_is_what_it_was_in_every_release() {
        let item = sample_item(&key(), &sample(29.5), retention());
        let number = |digits: &str| AttributeValue::N(digits.to_owned());
        let expected = Item::from([
            ("pk".to_owned(), text("t1#air.t#1".to_owned())),
            ("sk".to_owned(), text("raw#00000001598536072677#3b08bb0b9bde7007".to_owned())),
            ("value".to_owned(), number("29.5")),
            ("measuredAt".to_owned(), number("1598536072677")),
            ("receivedAt".to_owned(), number("1598536072700")),
            ("expiresAt".to_owned(), number("1601128072")),
        ]);
        assert_eq!(item, expected);
    }

    #[test]
    fn an_hour_whose_exact_sum_is_a_float_has_no_rest() {
        let row = plan(&[sample(1.0), sample(2.5)], None).unwrap().row;
        let item = hour_item(&key(), &row, retention());
        assert_eq!(item.get("sk"), Some(&text("hour#00000001598533200000".to_owned())));
        assert_eq!(item.get("sum"), Some(&AttributeValue::N("3.5".to_owned())));
        assert!(!item.contains_key("sumRest"));
        assert_eq!(hour_start(&item).unwrap(), key().hour);
    }

    #[test]
    fn a_sample_of_an_earlier_time_sorts_first() {
        let at = |millis: i64| sample_sk_from(Timestamp::from_millis(millis));
        assert!(at(9) < at(10) && at(999) < at(1_598_536_072_677));
    }

    #[test]
    fn a_row_of_somebody_else_is_told_by_its_attribute() {
        assert_eq!(hour_of(&Item::new()).unwrap_err(), BadRow { attribute: "count" });
        assert_eq!(sample_of(&Item::new()).unwrap_err(), BadRow { attribute: "measuredAt" });
        assert_eq!(latest_metric(&Item::new()).unwrap_err(), BadRow { attribute: "sk" });
    }

    #[test]
    fn a_latest_value_never_expires() {
        let item = latest_item(&key(), &sample(1.0));
        assert!(!is_expired(&item, Timestamp::from_millis(i64::MAX)));
        assert_eq!(latest_metric(&item).unwrap(), key().metric);
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![-100.0..100.0_f64, -1e100..1e100_f64, -1e-90..1e-90_f64, Just(0.0), Just(0.1)]
    }

    proptest! {
        #[test]
        fn an_hour_survives_the_way_through_its_row(values in proptest::collection::vec(any_value(), 1..50)) {
            let samples: Vec<_> = values.into_iter().map(sample).collect();
            let row = plan(&samples, None).unwrap().row;
            prop_assert_eq!(hour_of(&hour_item(&key(), &row, retention())).unwrap(), row);
        }

        #[test]
        fn a_sample_survives_the_way_through_its_row(value in any_value()) {
            let sample = sample(value);
            prop_assert_eq!(sample_of(&sample_item(&key(), &sample, retention())).unwrap(), sample);
            prop_assert_eq!(sample_of(&latest_item(&key(), &sample)).unwrap(), sample);
        }

        #[test]
        fn no_number_has_more_digits_than_dynamodb_takes(value in any_value()) {
            let AttributeValue::N(digits) = number(value) else { panic!("a number") };
            prop_assert!(digits.bytes().filter(u8::is_ascii_digit).count() <= 25, "{digits}");
        }
    }
}
