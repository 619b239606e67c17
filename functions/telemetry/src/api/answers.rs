//! What answers look like. Times are milliseconds since 1970-01-01T00:00:00Z, as everywhere.

use loam_domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::aggregate::Aggregate;
use crate::point::{Metric, Sample};
use crate::range::{Resolution, Span};

/// The latest value of a series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TelemetryLatest)]
pub(super) struct Latest {
    /// The series, as the parameter `path` takes it: `humidity`; of a sensor its name, a dot and the path.
    path: String,
    /// What was measured.
    value: f64,
    /// When it was measured: by the device's clock where that may be believed, else when it arrived.
    #[schema(value_type = i64)]
    measured_at: Timestamp,
    /// When it arrived.
    #[schema(value_type = i64)]
    received_at: Timestamp,
}

/// A part of a series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = TelemetrySeries)]
pub(super) struct Series {
    /// The series, as the parameter `path` takes it.
    pub(super) path: String,
    /// How finely it is shown.
    #[schema(inline)]
    pub(super) resolution: Resolution,
    /// The first millisecond that was asked for.
    #[schema(value_type = i64)]
    pub(super) from: Timestamp,
    /// The millisecond after the last.
    #[schema(value_type = i64)]
    pub(super) to: Timestamp,
    /// With `resolution=raw` points, else summaries; of a time in which nothing was measured there is nothing.
    pub(super) items: Vec<Item>,
    /// What to send as `cursor`, with otherwise the same query, for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(super) cursor: Option<String>,
}

/// A point, or the summary of an hour or day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = TelemetryItem)]
pub(super) enum Item {
    Point(Point),
    Summary(Summary),
}

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TelemetryPoint)]
pub(super) struct Point {
    /// When it was measured: by the device's clock where that may be believed, else when it arrived.
    #[schema(value_type = i64)]
    measured_at: Timestamp,
    /// What was measured.
    value: f64,
    /// When it arrived.
    #[schema(value_type = i64)]
    received_at: Timestamp,
}

/// What was measured within an hour or a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TelemetrySummary)]
pub(super) struct Summary {
    /// When the hour or day (UTC) begins.
    #[schema(value_type = i64)]
    start: Timestamp,
    /// How many numbers; at least 1.
    count: u64,
    /// Their sum, rounded once from the exact one.
    sum: f64,
    /// The least.
    min: f64,
    /// The greatest.
    max: f64,
    /// The arithmetic mean.
    mean: f64,
    /// The one that was measured last.
    last: f64,
    /// When that was.
    #[schema(value_type = i64)]
    last_at: Timestamp,
}

impl From<(Metric, Sample)> for Latest {
    fn from((metric, sample): (Metric, Sample)) -> Self {
        let Sample { measured_at, value, received_at } = sample;
        Self { path: metric.to_string(), value: value.get(), measured_at, received_at }
    }
}

impl From<Sample> for Item {
    fn from(Sample { measured_at, value, received_at }: Sample) -> Self {
        Self::Point(Point { measured_at, value: value.get(), received_at })
    }
}

impl From<(Timestamp, Aggregate)> for Item {
    fn from((start, all): (Timestamp, Aggregate)) -> Self {
        Self::Summary(Summary {
            start,
            count: all.count,
            sum: all.sum.rounded(),
            min: all.min.get(),
            max: all.max.get(),
            mean: all.mean(),
            last: all.last.get(),
            last_at: all.last_at,
        })
    }
}

impl Series {
    /// A page without anything on it yet.
    pub(super) fn of(metric: &Metric, resolution: Resolution, Span { from, to }: Span) -> Self {
        Self { path: metric.to_string(), resolution, from, to, items: vec![], cursor: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::point::Value;

    fn sample(millis: i64, value: f64) -> Sample {
        let at = Timestamp::from_millis;
        Sample { measured_at: at(millis), value: Value::new(value).unwrap(), received_at: at(millis + 1) }
    }

    #[test]
    fn a_point_and_a_summary_are_told_apart_by_their_fields() {
        let point = serde_json::to_value(Item::from(sample(5, 1.5))).unwrap();
        assert_eq!(point, json!({"measuredAt": 5, "value": 1.5, "receivedAt": 6}));
        let all = Aggregate::of(&sample(5, 0.1)).merge(&Aggregate::of(&sample(7, 0.2)));
        let summary = serde_json::to_value(Item::from((Timestamp::from_millis(0), all))).unwrap();
        let expected = json!({"start": 0, "count": 2, "sum": 0.1 + 0.2, "min": 0.1, "max": 0.2, "mean": (0.1 + 0.2) / 2.0,
            "last": 0.2, "lastAt": 7});
        assert_eq!(summary, expected);
    }
}
