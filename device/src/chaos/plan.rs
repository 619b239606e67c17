//! What will happen, in which order. Pure.

/// How far, in messages, a message may slip behind its place.
const SLIP: f64 = 4.0;
/// One in so many messages goes out twice.
const DUPLICATE_ONE_IN: usize = 4;
/// One in so many messages is followed by a lost connection.
const FLAP_ONE_IN: usize = 8;
/// One in so many messages is followed by a take-over.
const TAKE_OVER_ONE_IN: usize = 16;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Publish the message with this index in the list.
    Publish(usize),
    /// Lose the connection without a goodbye, and come back.
    Flap,
    /// A second connection with the same client id takes over and leaves; the first comes back.
    TakeOver,
}

/// What happens to `messages` messages; the same seed gives the same plan.
///
/// Each message is published at least once. With two messages or more there is at least one duplicate, one message out
/// of order, one lost connection and one take-over.
#[must_use]
pub fn plan(seed: u64, messages: usize) -> Vec<Step> {
    if messages == 0 {
        return Vec::new();
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut steps: Vec<_> =
        out_of_order(with_duplicates(messages, &mut random), &mut random).into_iter().map(Step::Publish).collect();
    for (disturbance, one_in) in [(Step::Flap, FLAP_ONE_IN), (Step::TakeOver, TAKE_OVER_ONE_IN)] {
        for _ in 0..messages.div_ceil(one_in) {
            steps.insert(random.usize(0..=steps.len()), disturbance);
        }
    }
    steps
}

/// Every one of `messages` messages once and in order, each followed by the same `disturbance`.
#[must_use]
pub fn again_and_again(disturbance: Step, messages: usize) -> Vec<Step> {
    (0..messages).flat_map(|index| [Step::Publish(index), disturbance]).collect()
}

fn with_duplicates(messages: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    let mut indices: Vec<_> = (0..messages).collect();
    indices.extend((0..messages.div_ceil(DUPLICATE_ONE_IN)).map(|_| random.usize(0..messages)));
    indices
}

fn out_of_order(indices: Vec<usize>, random: &mut fastrand::Rng) -> Vec<usize> {
    let slip = |index: &usize| {
        let place = u32::try_from(*index).unwrap_or(u32::MAX);
        f64::from(place) + SLIP * random.f64()
    };
    let places: Vec<_> = indices.iter().map(slip).collect();
    let mut placed: Vec<_> = places.into_iter().zip(indices).collect();
    placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut order: Vec<_> = placed.into_iter().map(|(_, index)| index).collect();
    if order.is_sorted() {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn published(steps: &[Step]) -> Vec<usize> {
        let index = |step: &Step| if let Step::Publish(index) = step { Some(*index) } else { None };
        steps.iter().filter_map(index).collect()
    }

    #[test]
    fn nothing_to_publish_is_nothing_to_do() {
        assert!(plan(1, 0).is_empty());
    }

    #[test]
    fn again_and_again_the_connection_flaps_after_each_message() {
        let steps = again_and_again(Step::Flap, 2);
        assert_eq!(steps, [Step::Publish(0), Step::Flap, Step::Publish(1), Step::Flap]);
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
        assert_eq!(plan(1, 30), plan(1, 30));
        assert_ne!(plan(1, 30), plan(2, 30));
    }

    proptest! {
        #[test]
        fn every_message_is_published_and_no_other(seed: u64, messages in 1_usize..60) {
            let mut indices = published(&plan(seed, messages));
            indices.sort_unstable();
            indices.dedup();
            prop_assert_eq!(indices, (0..messages).collect::<Vec<_>>());
        }

        #[test]
        fn from_two_messages_on_every_kind_of_disturbance_happens(seed: u64, messages in 2_usize..60) {
            let steps = plan(seed, messages);
            let indices = published(&steps);
            prop_assert!(indices.len() > messages, "no duplicate in {:?}", steps);
            prop_assert!(!indices.is_sorted(), "nothing out of order in {:?}", steps);
            prop_assert!(steps.contains(&Step::Flap) && steps.contains(&Step::TakeOver), "{:?}", steps);
        }
    }
}
