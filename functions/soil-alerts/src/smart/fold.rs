use serde::{Deserialize, Serialize};

use super::{AlertRule, Sample};

/// What samples, taken in their order, come to: a function of the samples alone, not of how they arrived.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Fold {
    /// The last M samples outside an alarm, the newest in the lowest bit; a breach is a 1.
    recent: u16,
    /// The alarm that holds after the last sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alarm: Option<Alarm>,
    /// What ended the last alarm that did not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<Closed>,
}

/// A stretch of samples between opening and closing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alarm {
    /// The sample that made it N of M.
    pub(crate) opened: Sample,
    /// The newest sample beyond the threshold.
    pub(crate) last_breach: Sample,
    /// The worst sample since `opened`.
    pub(crate) worst: Sample,
    /// Clear samples in a row up to now.
    clears: u8,
}

/// The end of an alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// The clear sample that ended it.
    pub(crate) by: Sample,
    /// The worst sample before.
    pub(crate) worst: Sample,
}

impl Fold {
    /// This fold, continued over `samples`, which must be in order and behind all that it has seen.
    pub(crate) fn over(mut self, samples: &[Sample], rule: &AlertRule) -> Self {
        for sample in samples {
            self.step(sample, rule);
        }
        self
    }

    pub(crate) fn step(&mut self, sample: &Sample, rule: &AlertRule) {
        match self.alarm.take() {
            None => self.watch(sample, rule),
            Some(alarm) => self.follow(alarm, sample, rule),
        }
    }

    fn watch(&mut self, sample: &Sample, rule: &AlertRule) {
        let breach = rule.breached_by(sample.value());
        let last_m = u16::MAX >> (16 - u32::from(rule.spec().of).min(16));
        self.recent = (self.recent << 1 | u16::from(breach)) & last_m;
        if breach && self.recent.count_ones() >= u32::from(rule.spec().breaches) {
            self.recent = 0;
            self.alarm =
                Some(Alarm { opened: sample.clone(), last_breach: sample.clone(), worst: sample.clone(), clears: 0 });
        }
    }

    fn follow(&mut self, mut alarm: Alarm, sample: &Sample, rule: &AlertRule) {
        alarm.worst = alarm.worst.worse(sample, rule);
        if rule.breached_by(sample.value()) {
            alarm.last_breach = sample.clone();
        }
        alarm.clears = if rule.cleared_by(sample.value()) { alarm.clears.saturating_add(1) } else { 0 };
        if alarm.clears >= rule.spec().clears {
            self.closed = Some(Closed { by: sample.clone(), worst: alarm.worst });
        } else {
            self.alarm = Some(alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_domain::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::smart::RuleSpec;

    fn rule(mut fields: Value) -> AlertRule {
        fields["path"] = json!("humidity");
        AlertRule::try_from(serde_json::from_value::<RuleSpec>(fields).unwrap()).unwrap()
    }

    /// For every value whether the alarm holds after it.
    fn alarms(rule: &AlertRule, values: &[f64]) -> Vec<bool> {
        let mut fold = Fold::default();
        let mut time = 0;
        values
            .iter()
            .map(|value| {
                time += 1;
                fold.step(&Sample::new(Timestamp::from_millis(time), *value), rule);
                fold.alarm.is_some()
            })
            .collect()
    }

    #[test]
    fn two_of_three_open_with_the_second_breach_and_not_when_it_is_the_fourth_reading() {
        let rule = rule(json!({"threshold": 35, "breaches": 2, "of": 3}));
        assert_eq!(alarms(&rule, &[20.0, 50.0, 20.0]), [false, false, true]);
        assert_eq!(alarms(&rule, &[20.0, 50.0, 50.0, 20.0, 20.0]), [false, false, false, false, true]);
    }

    #[test]
    fn sixteen_of_sixteen_open_with_the_sixteenth() {
        let rule = rule(json!({"threshold": 35, "breaches": 16, "of": 16}));
        let opened = alarms(&rule, &[20.0; 16]);
        assert_eq!(opened.iter().filter(|open| **open).count(), 1);
        assert!(opened[15]);
    }

    #[test]
    fn the_hysteresis_band_neither_opens_nor_closes() {
        let rule = rule(json!({"threshold": 35, "clear": 40}));
        assert_eq!(alarms(&rule, &[37.0, 20.0, 37.0, 40.0, 37.0]), [false, true, true, false, false]);
    }

    #[test]
    fn clears_must_come_in_a_row() {
        let rule = rule(json!({"threshold": 35, "clear": 40, "clears": 2}));
        assert_eq!(alarms(&rule, &[20.0, 41.0, 37.0, 41.0, 41.0]), [true, true, true, true, false]);
    }

    #[test]
    fn breaches_before_a_recovery_do_not_count_for_the_next_alarm() {
        let rule = rule(json!({"threshold": 35, "breaches": 2, "of": 4}));
        assert_eq!(alarms(&rule, &[20.0, 20.0, 50.0, 20.0, 20.0]), [false, true, false, false, true]);
    }

    #[test]
    fn the_worst_value_is_the_lowest_below_and_the_highest_above() {
        let worst = |rule: &AlertRule, values: [f64; 4]| {
            let samples: Vec<_> =
                values.iter().zip(0..).map(|(v, at)| Sample::new(Timestamp::from_millis(at), *v)).collect();
            Fold::default().over(&samples, rule).closed.unwrap().worst.to_string()
        };
        assert_eq!(worst(&rule(json!({"threshold": 35})), [20.0, 12.0, 30.0, 50.0]), "12");
        let above = rule(json!({"threshold": 35, "direction": "above"}));
        assert_eq!(worst(&above, [40.0, 60.0, 50.0, 20.0]), "60");
    }
}
