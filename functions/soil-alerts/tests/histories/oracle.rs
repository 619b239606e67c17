//! The status, told as simply as possible from the readings alone: no window, no bits, no state.

use loam_domain::Timestamp;
use soil_alerts::smart::{AlertRule, Direction, Sample};

use super::History;

/// Whether the alarm holds after the distinct readings of `history` behind `barrier`, in the order of their times.
pub(crate) fn alarm_after(history: &History, barrier: Option<Timestamp>) -> bool {
    let mut samples: Vec<&Sample> =
        history.events.iter().flat_map(|event| &event.observations).map(|observation| &observation.sample).collect();
    samples.retain(|sample| barrier.is_none_or(|barrier| sample.at() > barrier));
    samples.sort_by(|left, right| left.at().cmp(&right.at()).then(healthier_last(&history.rule, left, right)));
    samples.dedup_by_key(|sample| (sample.at(), sample.value().to_bits()));
    alarm(&history.rule, &samples)
}

fn healthier_last(rule: &AlertRule, left: &Sample, right: &Sample) -> std::cmp::Ordering {
    let ascending = left.value().total_cmp(&right.value());
    if rule.spec().direction == Direction::Below { ascending } else { ascending.reverse() }
}

fn alarm(rule: &AlertRule, samples: &[&Sample]) -> bool {
    let spec = rule.spec();
    let clear = spec.clear.unwrap_or(spec.threshold);
    let sign = if spec.direction == Direction::Below { 1.0 } else { -1.0 };
    let breaches = |sample: &&&Sample| sign * sample.value() < sign * spec.threshold;
    let clears = |sample: &&Sample| sign * sample.value() >= sign * clear;
    let mut rest = samples;
    loop {
        // The first place where N of the last M breach, of which it is one itself.
        let opening = (0..rest.len()).find(|last| {
            let first = (last + 1).saturating_sub(usize::from(spec.of));
            let count = rest[first..=*last].iter().filter(breaches).count();
            breaches(&&rest[*last]) && count >= usize::from(spec.breaches)
        });
        let Some(opening) = opening else { return false };
        let following = &rest[opening + 1..];
        let run = usize::from(spec.clears);
        let Some(closing) = following.windows(run).position(|window| window.iter().all(clears)) else { return true };
        rest = &following[closing + run..];
    }
}
