//! What a rollout is to do. Whatever makes no sense is refused here, when it is created.

use std::collections::BTreeSet;

use loam_domain::{ThingName, Timestamp};
use loam_query::Filter;
use loam_releases::names::Id;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::sense::NoSense;
use super::window::Window;
use crate::execution::Timers;

/// The longest definition, in bytes.
pub const MOST_BYTES: usize = 262_144;
/// The most waves.
pub const MOST_WAVES: usize = 50;
/// The most things that a wave names.
pub const MOST_NAMED: usize = 1_000;
/// The most things a minute.
pub const MOST_PER_MINUTE: u32 = 6_000;
/// The most things a minute by jobs, of which each is a call of `CreateJob`: ten a second, as a cautious reading of the account's
/// quota "`CreateJob` throttle limit", which Service Quotas shows. What is throttled all the same is asked later.
/// Source: <https://docs.aws.amazon.com/general/latest/gr/iot_device_management.html>.
pub const MOST_PER_MINUTE_BY_JOB: u32 = 600;
/// The longest soak, in minutes: two weeks.
pub const LONGEST_SOAK_MINUTES: u32 = 20_160;
/// The longest timer for things that are offline, in minutes: 90 days.
pub const LONGEST_OFFLINE_MINUTES: u32 = 129_600;
/// The same for orders by jobs, in minutes: ten days. A job holds its manifest, which has a third of its 30 days left at least.
pub const LONGEST_OFFLINE_BY_JOB_MINUTES: u32 = 14_400;
/// The longest timer for things that began, in minutes: seven days, as AWS IoT's jobs have.
pub const LONGEST_PROGRESS_MINUTES: u32 = 10_080;

/// How long others may join, in days.
pub const LONGEST_JOINING_DAYS: i64 = 366;

/// What a rollout is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RolloutDefinition)]
pub struct Definition {
    /// What to run.
    #[schema(value_type = String, pattern = "^[0-9a-f]{32}$")]
    pub release: Id,
    /// Which things.
    pub targets: Targets,
    /// In which order.
    #[schema(min_items = 1, max_items = 50)]
    pub waves: Vec<Wave>,
    /// How many things are notified a minute: 1 to 6,000; by jobs no more than 600, whatever it says.
    #[serde(default = "per_minute")]
    #[schema(minimum = 1, maximum = 6000, default = 1000)]
    pub per_minute: u32,
    /// How long Loam waits for the first word of a thing, in minutes; by jobs 14,400 at most.
    #[serde(default = "offline_minutes")]
    #[schema(minimum = 1, maximum = 129_600, default = 10_080)]
    pub offline_minutes: u32,
    /// How long it waits for a thing that began, and once more when it installs, in minutes. With a window, a thing that began
    /// has as long as its first word had, if that is longer.
    #[serde(default = "progress_minutes")]
    #[schema(minimum = 1, maximum = 10_080, default = 60)]
    pub progress_minutes: u32,
    /// When things may be asked, by each thing's own clock: `days` (`mon` to `sun`) on which it begins, `fromMinute` after
    /// midnight (0 to 1,439) and `minutes` that it lasts (15 to 1,440).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub window: Option<Window>,
    /// Things that come to be targets until then, in milliseconds since the epoch, join; the rollout is not complete before. At
    /// most 366 days after the order.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub join_until: Option<Timestamp>,
    /// How the order reaches a device.
    #[serde(default)]
    pub delivery: Delivery,
    /// Whether a rollout that stops itself is rolled back.
    #[serde(default)]
    pub roll_back: bool,
}

const fn per_minute() -> u32 {
    1_000
}

const fn offline_minutes() -> u32 {
    7 * 24 * 60
}

const fn progress_minutes() -> u32 {
    60
}

/// Which things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RolloutTargets)]
pub enum Targets {
    /// All of which this filter is true.
    Filter(String),
    /// All of this group.
    Group(String),
    /// All of that rollout that left this version: a roll back. Only `POST rollouts/{id}/rollback` makes one; an order with it is
    /// refused.
    #[serde(rename_all = "camelCase")]
    Left {
        /// The rollout.
        #[schema(value_type = String)]
        rollout: Id,
        /// The version that ran before.
        version: String,
    },
}

/// A wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RolloutWave)]
pub struct Wave {
    /// Who is in it.
    pub size: Size,
    /// The next wave opens when at least so many percent of this one run it: 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub success_percent: u8,
    /// The rollout stops when more than this speak against it.
    pub errors: ErrorLimit,
    /// How long success must last before the next wave opens, in minutes.
    #[serde(default)]
    #[schema(maximum = 20_160)]
    pub soak_minutes: u32,
}

/// Who is in a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WaveSize)]
pub enum Size {
    /// These, as far as they are targets.
    #[schema(value_type = Vec<String>)]
    List(BTreeSet<ThingName>),
    /// So many.
    Count(u32),
    /// So many percent of all targets, rounded up: 1 to 100.
    Percent(u8),
    /// All that are in no wave before.
    Rest,
}

/// What stops a rollout: strictly more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ErrorLimit {
    /// Percent of the things of the wave that count: 0 to 99.
    Percent(u8),
    /// Things of the wave: fewer than a list of it names, or its count says.
    Count(u32),
}

/// How the order reaches a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RolloutDelivery)]
pub enum Delivery {
    /// By `desired.firmware` of its shadow.
    #[default]
    Shadow,
    /// By an AWS IoT job.
    Job,
}

impl Targets {
    /// What is true of them; `None` for those of a way back, which are written down with the rollout that they leave.
    ///
    /// # Errors
    /// [`NoSense::Targets`]: no filter.
    pub fn filter(&self) -> Result<Option<Filter>, NoSense> {
        let filter = match self {
            Self::Filter(text) => Filter::parse(text),
            Self::Group(group) => Filter::parse(&format!("groups CONTAINS '{group}'")),
            Self::Left { .. } => return Ok(None),
        };
        filter.map(Some).map_err(|error| NoSense::Targets(error.to_string()))
    }
}

impl Definition {
    /// Reads a definition and checks all of it.
    ///
    /// # Errors
    /// The first [`NoSense`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoSense> {
        if bytes.len() > MOST_BYTES {
            return Err(NoSense::Form("it is longer than 262,144 bytes".to_owned()));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| NoSense::Form(error.to_string()))?;
        read.check()?;
        Ok(read)
    }

    /// How many things are notified a minute: as many as it says, and as AWS IoT takes.
    #[must_use]
    pub fn pace(&self) -> u32 {
        match self.delivery {
            Delivery::Shadow => self.per_minute,
            Delivery::Job => self.per_minute.min(MOST_PER_MINUTE_BY_JOB),
        }
    }

    /// How long Loam waits for a thing. A device keeps what it fetched until its window; a job knows of none, so that nobody
    /// waits with it.
    #[must_use]
    pub fn timers(&self) -> Timers {
        let millis = |minutes: u32| i64::from(minutes) * 60_000;
        let waits = self.window.is_some() && self.delivery == Delivery::Shadow;
        let (offline_millis, progress_millis) = (millis(self.offline_minutes), millis(self.progress_minutes));
        let waiting_millis = if waits { progress_millis.max(offline_millis) } else { progress_millis };
        Timers { offline_millis, waiting_millis, progress_millis }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn wave(size: &Value) -> Value {
        json!({"size": size, "successPercent": 90, "errors": {"percent": 10}, "soakMinutes": 1})
    }

    pub(crate) fn with_waves(waves: &[Value]) -> Value {
        json!({"release": "0".repeat(32), "targets": {"filter": "tags.a = 1"}, "waves": waves})
    }

    const NEVER: &str = "thresholds-contradict";

    fn code(text: &Value) -> &'static str {
        Definition::parse(text.to_string().as_bytes()).map_or_else(|no| no.code(), |_| "good")
    }

    #[test]
    fn waves_that_hold_every_target_are_good_and_others_are_not() {
        let sizes = |sizes: &[Value]| code(&with_waves(&sizes.iter().map(wave).collect::<Vec<_>>()));
        let percent = |percent: u8| json!({ "percent": percent });
        assert_eq!(sizes(&[json!({"list": ["t1"]}), json!({"count": 5}), percent(10), json!("rest")]), "good");
        assert_eq!(sizes(&[percent(10), percent(30), percent(60)]), "good");
        assert_eq!(sizes(&[json!("rest")]), "good");
        assert_eq!(sizes(&[percent(10), percent(30), percent(59)]), "invalid-waves");
        assert_eq!(sizes(&[percent(60), percent(41), json!("rest")]), "invalid-waves");
        assert_eq!(sizes(&[json!({"count": 5}), percent(100)]), "invalid-waves");
        assert_eq!(sizes(&[json!("rest"), json!("rest")]), "invalid-waves");
        assert_eq!(sizes(&[]), "invalid-waves");
        assert_eq!(sizes(&[json!({"list": []}), json!("rest")]), "invalid-waves");
        assert_eq!(sizes(&[json!({"list": ["a/b"]}), json!("rest")]), "invalid-rollout");
        assert_eq!(sizes(&vec![json!({"count": 1}); 50]), "invalid-waves");
        let mut fifty = vec![json!({"count": 1}); 49];
        fifty.push(json!("rest"));
        assert_eq!(sizes(&fifty), "good");
        assert_eq!(sizes(&[vec![json!({"count": 1}); 50], vec![json!("rest")]].concat()), "invalid-waves");
        assert_eq!(sizes(&[percent(0), json!("rest")]), "out-of-range");
    }

    #[test]
    fn thresholds_that_make_no_sense_are_refused() {
        let thresholds = |success: u32, errors: Value| {
            let mut wave = wave(&json!("rest"));
            wave["successPercent"] = json!(success);
            wave["errors"] = errors;
            code(&with_waves(&[wave]))
        };
        assert_eq!(thresholds(90, json!({"percent": 10})), "good");
        assert_eq!(thresholds(91, json!({"percent": 10})), "thresholds-contradict");
        assert_eq!(thresholds(100, json!({"percent": 0})), "good");
        assert_eq!(thresholds(1, json!({"percent": 99})), "good");
        assert_eq!(thresholds(1, json!({"percent": 100})), "out-of-range");
        assert_eq!(thresholds(0, json!({"percent": 0})), "out-of-range");
        assert_eq!(thresholds(101, json!({"percent": 0})), "out-of-range");
        assert_eq!(thresholds(100, json!({"count": 3})), "good");
        assert_eq!(thresholds(256, json!({"count": 3})), "invalid-rollout");
        assert_eq!(thresholds(100, json!({"percent": "10"})), "invalid-rollout");
        assert_eq!(thresholds(100, json!({"percent": 0, "count": 0})), "invalid-rollout");
    }

    #[test]
    fn a_count_of_errors_that_a_wave_can_never_exceed_is_refused() {
        let limit = |size: Value, errors: u32| {
            let mut first = wave(&size);
            first["errors"] = json!({ "count": errors });
            let waves = if size == "rest" { vec![first] } else { vec![first, wave(&json!("rest"))] };
            code(&with_waves(&waves))
        };
        assert_eq!([4, 5, 6].map(|errors| limit(json!({"count": 5}), errors)), ["good", NEVER, NEVER]);
        assert_eq!([1, 2].map(|errors| limit(json!({"list": ["t1", "t2"]}), errors)), ["good", NEVER]);
        assert_eq!([limit(json!("rest"), 1_000), limit(json!({"percent": 1}), 1_000)], ["good", "good"]);
    }

    #[test]
    fn who_has_a_window_is_waited_for_as_long_as_who_is_offline_and_nobody_else() {
        let waiting = |more: &Value| {
            let mut text = with_waves(&[wave(&json!("rest"))]);
            text.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Definition::parse(text.to_string().as_bytes()).unwrap().timers().waiting_millis / 60_000
        };
        let window = json!({"days": ["mon"], "fromMinute": 120, "minutes": 120});
        assert_eq!(waiting(&json!({"offlineMinutes": 1_440})), 60);
        assert_eq!(waiting(&json!({"offlineMinutes": 1_440, "window": window})), 1_440);
        assert_eq!(waiting(&json!({"offlineMinutes": 10, "window": window})), 60);
        assert_eq!(waiting(&json!({"offlineMinutes": 1_440, "window": window, "delivery": "job"})), 60);
    }

    #[test]
    fn nobody_waits_for_a_job_longer_than_its_manifest_is_good() {
        let with = |delivery: &str, minutes: u32| {
            let mut text = with_waves(&[wave(&json!("rest"))]);
            (text["delivery"], text["offlineMinutes"]) = (json!(delivery), json!(minutes));
            code(&text)
        };
        assert_eq!([with("job", 14_400), with("job", 14_401)], ["good", "out-of-range"]);
        assert_eq!([with("shadow", 14_401), with("shadow", 129_600)], ["good", "good"]);
    }

    #[test]
    fn every_other_field_has_its_bounds() {
        for (field, bad, expected) in [
            ("perMinute", json!(0), "out-of-range"),
            ("perMinute", json!(6_001), "out-of-range"),
            ("offlineMinutes", json!(0), "out-of-range"),
            ("offlineMinutes", json!(129_601), "out-of-range"),
            ("progressMinutes", json!(10_081), "out-of-range"),
            ("targets", json!({"filter": "tags.a ="}), "invalid-targets"),
            ("targets", json!({"group": "a b"}), "invalid-targets"),
            ("targets", json!({}), "invalid-rollout"),
            ("release", json!("x"), "invalid-rollout"),
            ("window", json!({"days": [], "fromMinute": 0, "minutes": 60}), "invalid-window"),
            ("window", json!({"days": ["mon"], "fromMinute": 1_440, "minutes": 60}), "invalid-window"),
            ("window", json!({"days": ["mon"], "fromMinute": 0, "minutes": 14}), "invalid-window"),
            ("surprise", json!(1), "invalid-rollout"),
        ] {
            let mut text = with_waves(&[wave(&json!("rest"))]);
            text[field] = bad;
            assert_eq!(code(&text), expected, "{field}");
        }
    }
}
