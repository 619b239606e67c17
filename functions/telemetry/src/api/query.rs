//! What a series is asked for: the query parameters, read into types, each mistake told with its parameter.

use loam_domain::Timestamp;
use loam_http::{Limit, Mistake, Problem};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::point::Metric;
use crate::range::{BadRange, Resolution, Span};

/// The last millisecond of the year 9999, which every calendar knows.
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// The parameters of a series.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SeriesParams {
    /// The sensor of the topic `device/{thing}/sensor/{sensor}/v1`; without it `path` is of a soil reading, or has a
    /// sensor's name and a dot before it.
    #[param(min_length = 1, max_length = 128)]
    sensor: Option<String>,
    /// The number within the message: `humidity`, `air.temperature`, `air.0`.
    #[param(min_length = 1, max_length = 128)]
    path: String,
    /// The first millisecond, since 1970-01-01T00:00:00Z. Without it: one day before the end, with `hour` 7, with `day` 30.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 253_402_300_799_999_i64)]
    from: Option<Moment>,
    /// The millisecond after the last; without it all that is there. At most 31 days after `from`, with `hour` 366, with
    /// `day` 3,660.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 253_402_300_799_999_i64)]
    to: Option<Moment>,
    /// Every number, or one summary an hour, or one a day (UTC): of those that begin within `from` and `to`.
    #[serde(default)]
    #[param(inline)]
    pub(super) resolution: Resolution,
    /// Whether the oldest or the newest comes first.
    #[serde(default)]
    #[param(inline)]
    pub(super) order: Order,
    /// How many items a page holds at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 500, default = 50)]
    pub(super) limit: Limit,
    /// What the page before gave; absent for the first page.
    pub(super) cursor: Option<String>,
}

/// The order of a list by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// The oldest first.
    #[default]
    Asc,
    /// The newest first.
    Desc,
}

/// A time in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Moment(Timestamp);

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(millis @ 0..=LAST_MILLIS) => Ok(Self(Timestamp::from_millis(millis))),
            _ => {
                Err(format!("expected milliseconds since 1970-01-01T00:00:00Z, a whole number from 0 to {LAST_MILLIS}"))
            }
        }
    }
}

impl SeriesParams {
    /// Which series.
    pub(super) fn metric(&self) -> Result<Metric, Problem> {
        if self.path.is_empty() {
            return Err(wrong("path", "expected the path of a number, for example humidity"));
        }
        let name = match self.sensor.as_deref() {
            None => self.path.clone(),
            Some("") => return Err(wrong("sensor", "expected the name of a sensor, or leave it out")),
            Some(sensor) => format!("{sensor}.{}", self.path),
        };
        Metric::parse(&name).map_err(|refused| wrong("path", refused.detail()))
    }

    /// Of which time.
    pub(super) fn span(&self, now: Timestamp) -> Result<Span, Problem> {
        let [from, to] = [self.from, self.to].map(|time| time.map(|Moment(time)| time));
        let bad = |error| match error {
            BadRange::Reversed => bad_range("range-reversed", "to", "expected a time that is not before `from`"),
            BadRange::TooWide => {
                let days = self.resolution.most_days();
                let expected =
                    format!("expected at most {days} days before `to`; ask in parts, or for a coarser resolution");
                bad_range("range-too-wide", "from", expected)
            }
        };
        self.resolution.span(from, to, now).map_err(bad)
    }
}

fn wrong(parameter: &str, expected: impl Into<String>) -> Problem {
    let mistake = Mistake::of_parameter(parameter, expected);
    Problem::bad_request("invalid-query", "a query parameter is not as expected").with_mistakes([mistake])
}

fn bad_range(code: &'static str, parameter: &str, expected: impl Into<String>) -> Problem {
    let mistake = Mistake::of_parameter(parameter, expected);
    Problem::bad_request(code, "`from` and `to` are no range of this resolution").with_mistakes([mistake])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn params() -> SeriesParams {
        let path = "humidity".to_owned();
        let (resolution, order, limit) = (Resolution::Raw, Order::Asc, Limit::default());
        SeriesParams { sensor: None, path, from: None, to: None, resolution, order, limit, cursor: None }
    }

    /// The code, and the parameter that is blamed.
    fn blamed(problem: &Problem) -> (&'static str, Option<String>) {
        (problem.code(), problem.mistakes()[0].parameter.clone())
    }

    fn named(code: &'static str, parameter: &str) -> (&'static str, Option<String>) {
        (code, Some(parameter.to_owned()))
    }

    #[test]
    fn a_sensors_series_has_its_name_before_the_path() {
        assert_eq!(params().metric().unwrap().as_str(), "humidity");
        let sensor = |sensor: &str, path: &str| SeriesParams {
            sensor: Some(sensor.to_owned()),
            path: path.to_owned(),
            ..params()
        };
        assert_eq!(sensor("air", "t.0").metric().unwrap().as_str(), "air.t.0");
        assert_eq!(blamed(&sensor("", "t").metric().unwrap_err()), named("invalid-query", "sensor"));
        for (name, path) in [("air", ""), ("air", "a\nb"), ("air", &"p".repeat(125))] {
            assert_eq!(blamed(&sensor(name, path).metric().unwrap_err()), named("invalid-query", "path"), "{path:?}");
        }
        assert!(sensor("air", &"p".repeat(124)).metric().is_ok());
    }

    #[test]
    fn a_time_is_a_whole_number_of_milliseconds_up_to_the_year_9999() {
        let moment = |text: &str| Moment::try_from(text.to_owned());
        assert_eq!(moment("0"), Ok(Moment(Timestamp::from_millis(0))));
        assert!(moment("253402300799999").is_ok() && moment("253402300800000").is_err());
        for text in ["-1", "1.5", "", "2026-11-21T10:00:00Z", "99999999999999999999"] {
            assert!(moment(text).unwrap_err().starts_with("expected milliseconds"), "{text}");
        }
    }

    #[test]
    fn a_bad_range_has_a_code_of_its_own_and_blames_one_of_its_ends() {
        let at = |millis| Some(Moment(Timestamp::from_millis(millis)));
        let span = |from, to| SeriesParams { from, to, ..params() }.span(NOW);
        assert!(span(at(5), at(5)).is_ok());
        assert_eq!(blamed(&span(at(5), at(4)).unwrap_err()), named("range-reversed", "to"));
        assert_eq!(blamed(&span(at(0), None).unwrap_err()), named("range-too-wide", "from"));
    }
}
