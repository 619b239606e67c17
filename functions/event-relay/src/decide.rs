//! In which calls a batch is told.

use crate::Refused;
use crate::event::Told;

/// The most messages that SNS takes in one `PublishBatch`. Source: SNS API reference.
pub const MOST_PER_CALL: usize = 10;

/// The most bytes that SNS takes in one `PublishBatch`, and in one message of it. Source: SNS API reference.
pub const MOST_BYTES: usize = 262_144;

/// One step through a batch; records are named by their places in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// These, in one call.
    Publish(Vec<(usize, Told)>),
    /// This can never be told.
    Keep(usize, Refused),
}

impl Step {
    /// The place of its first record.
    #[must_use]
    pub fn first(&self) -> usize {
        match self {
            Self::Publish(events) => events.first().map_or(0, |(at, _)| *at),
            Self::Keep(at, _) => *at,
        }
    }
}

/// The steps through a batch, in its order: when one fails, all before it is done and it and all behind it come again.
///
/// Leaves out what is no event.
#[must_use]
pub fn plan(batch: impl IntoIterator<Item = Result<Option<Told>, Refused>>) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut call, mut bytes) = (Vec::new(), 0);
    for (at, record) in batch.into_iter().enumerate() {
        match record.map(|told| told.map(sized)) {
            Ok(None) => {}
            Ok(Some(Ok((size, told)))) => {
                if call.len() == MOST_PER_CALL || bytes + size > MOST_BYTES {
                    steps.push(Step::Publish(std::mem::take(&mut call)));
                    bytes = 0;
                }
                bytes += size;
                call.push((at, told));
            }
            Ok(Some(Err(refused))) | Err(refused) => {
                if !call.is_empty() {
                    steps.push(Step::Publish(std::mem::take(&mut call)));
                    bytes = 0;
                }
                steps.push(Step::Keep(at, refused));
            }
        }
    }
    if !call.is_empty() {
        steps.push(Step::Publish(call));
    }
    steps
}

fn sized(told: Told) -> Result<(usize, Told), Refused> {
    match told.bytes() {
        bytes if bytes > MOST_BYTES => Err(Refused::TooLarge { bytes }),
        bytes => Ok((bytes, told)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::tests::record;

    /// An event that takes exactly this much of a batch.
    fn of_size(bytes: usize) -> Told {
        let empty = Told::of(&record("t1", 7, "")).unwrap().unwrap().bytes();
        Told::of(&record("t1", 7, &"x".repeat(bytes - empty))).unwrap().unwrap()
    }

    fn small() -> Result<Option<Told>, Refused> {
        Told::of(&record("t1", 7, "x"))
    }

    fn shape(steps: &[Step]) -> Vec<Vec<usize>> {
        let places = |step: &Step| match step {
            Step::Publish(events) => events.iter().map(|(at, _)| *at).collect(),
            Step::Keep(at, _) => vec![*at],
        };
        steps.iter().map(places).collect()
    }

    #[test]
    fn ten_events_are_one_call_and_eleven_are_two() {
        assert_eq!(shape(&plan((0..10).map(|_| small()))), [(0..10).collect::<Vec<_>>()]);
        assert_eq!(shape(&plan((0..11).map(|_| small()))), [(0..10).collect(), vec![10]]);
        assert_eq!(plan([]), []);
    }

    #[test]
    fn a_call_holds_exactly_262144_bytes_and_an_event_of_one_more_is_refused() {
        let half = || Ok(Some(of_size(MOST_BYTES / 2)));
        assert_eq!(shape(&plan([half(), half()])), [[0, 1]]);
        assert_eq!(shape(&plan([half(), Ok(Some(of_size(MOST_BYTES / 2 + 1)))])), [[0], [1]]);
        assert_eq!(shape(&plan([Ok(Some(of_size(MOST_BYTES)))])), [[0]]);
        let steps = plan([Ok(Some(of_size(MOST_BYTES + 1)))]);
        assert_eq!(steps, [Step::Keep(0, Refused::TooLarge { bytes: MOST_BYTES + 1 })]);
    }

    #[test]
    fn what_can_never_be_told_is_kept_in_its_turn() {
        let steps = plan([small(), Err(Refused::NotAnEvent), Ok(None), small()]);
        assert_eq!(shape(&steps), [[0], [1], [3]]);
        assert_eq!(steps.iter().map(Step::first).collect::<Vec<_>>(), [0, 1, 3]);
    }

    proptest! {
        #[test]
        fn every_record_but_the_left_out_has_one_place_in_the_batchs_order(kinds in prop::collection::vec(0..3, 0..60)) {
            let batch = kinds.iter().map(|kind| match kind {
                0 => small(),
                1 => Err(Refused::NotAnEvent),
                _ => Ok(None),
            });
            let steps = plan(batch);
            let places: Vec<_> = shape(&steps).into_iter().flatten().collect();
            let expected: Vec<_> = kinds.iter().enumerate().filter(|(_, kind)| **kind != 2).map(|(at, _)| at).collect();
            prop_assert_eq!(places, expected);
            prop_assert!(shape(&steps).iter().all(|call| (1..=MOST_PER_CALL).contains(&call.len())));
        }
    }
}
