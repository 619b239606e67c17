//! How a call ends: pure. What happens comes in, whether the call goes on or how it ends goes out.

use loam_direct_messages::Delivery;

use crate::{Answer, Verdict};

/// How a call ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The device answered.
    Answered(Answer),
    /// The device is not connected; it did not get the request.
    NotConnected,
    /// The device, or our own role, may not: a policy is wrong.
    DevicePolicy,
    /// AWS refused the request because too many come, to this device or altogether.
    Throttled,
    /// The request is too large once it is wrapped.
    TooLarge,
    /// The device answered something that is no answer.
    Malformed,
    /// Time ran out, and no acknowledgement of the request came: whether the device has it is not known.
    NoDelivery,
    /// Time ran out; the device acknowledged the request and did not answer.
    NoAnswer,
    /// The request could not be sent: AWS or our session is out of reach. The device did not get it.
    Unavailable,
}

/// A call under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Whether an answer that is none ends the call; if not, it is as if nothing had come.
    ends_on_malformed: bool,
    confirmed: bool,
}

impl Progress {
    /// A call whose request is about to be sent.
    #[must_use]
    pub const fn new(ends_on_malformed: bool) -> Self {
        Self { ends_on_malformed, confirmed: false }
    }

    /// The request came to an end, one way or the other. Without one of ours, the answer may still come.
    pub fn delivered(&mut self, delivery: Delivery) -> Option<Outcome> {
        match delivery {
            Delivery::Confirmed => {
                self.confirmed = true;
                None
            }
            Delivery::Unknown => None,
            Delivery::NotConnected => Some(Outcome::NotConnected),
            Delivery::Forbidden => Some(Outcome::DevicePolicy),
            Delivery::Throttled => Some(Outcome::Throttled),
            Delivery::TooLarge => Some(Outcome::TooLarge),
            Delivery::NotSent => Some(Outcome::Unavailable),
        }
    }

    /// A message came on the call's topic.
    #[must_use]
    pub fn heard(&self, verdict: Verdict) -> Option<Outcome> {
        match verdict {
            Verdict::Answer(answer) => Some(Outcome::Answered(answer)),
            Verdict::Malformed if self.ends_on_malformed => Some(Outcome::Malformed),
            Verdict::Malformed | Verdict::Foreign => None,
        }
    }

    /// Time is up.
    #[must_use]
    pub const fn at_the_end(&self) -> Outcome {
        if self.confirmed { Outcome::NoAnswer } else { Outcome::NoDelivery }
    }
}

impl Outcome {
    /// The outcome as it stands in logs and metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::NotConnected => "not-connected",
            Self::DevicePolicy => "device-policy",
            Self::Throttled => "throttled",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::NoDelivery => "no-delivery",
            Self::NoAnswer => "no-answer",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Verdict {
        Verdict::Answer(Answer { response: None, status: 200 })
    }

    fn word(outcome: Option<Outcome>) -> &'static str {
        outcome.map_or("goes on", |outcome| outcome.word())
    }

    #[test]
    fn an_answer_ends_the_call_whatever_became_of_the_request() {
        for delivery in [None, Some(Delivery::Confirmed), Some(Delivery::Unknown)] {
            let mut progress = Progress::new(true);
            assert!(delivery.is_none_or(|delivery| progress.delivered(delivery).is_none()));
            assert_eq!(word(progress.heard(answer())), "answered");
        }
    }

    #[test]
    fn without_an_acknowledgement_it_is_no_delivery_and_with_one_no_answer() {
        let mut progress = Progress::new(true);
        assert_eq!(progress.at_the_end().word(), "no-delivery");
        progress.delivered(Delivery::Unknown);
        assert_eq!(progress.at_the_end().word(), "no-delivery");
        progress.delivered(Delivery::Confirmed);
        assert_eq!(progress.at_the_end().word(), "no-answer");
    }

    #[test]
    fn a_request_that_surely_did_not_arrive_ends_the_call_at_once() {
        let ends = |delivery| word(Progress::new(true).delivered(delivery));
        assert_eq!(ends(Delivery::NotConnected), "not-connected");
        assert_eq!(ends(Delivery::Forbidden), "device-policy");
        assert_eq!(ends(Delivery::Throttled), "throttled");
        assert_eq!(ends(Delivery::TooLarge), "too-large");
        assert_eq!(ends(Delivery::NotSent), "unavailable");
    }

    #[test]
    fn an_answer_that_is_none_ends_a_call_only_where_it_shall() {
        assert_eq!(word(Progress::new(true).heard(Verdict::Malformed)), "malformed");
        assert_eq!(word(Progress::new(false).heard(Verdict::Malformed)), "goes on");
        assert_eq!(word(Progress::new(true).heard(Verdict::Foreign)), "goes on");
    }
}
