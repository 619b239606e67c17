//! A claim: somebody's try to pair a thing, from the challenge to the device's signature.

use loam_domain::{ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::challenge::Challenge;
use crate::claim_code::ClaimCode;
use crate::code_hash::CodeHash;
use crate::people::UserId;
use crate::window::Window;

/// How long a challenge can be answered, in milliseconds: 5 minutes.
pub const CHALLENGE_MILLIS: i64 = 300_000;

/// What lets somebody ask for a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The device's window stands open and asks for no code.
    Window,
    /// The code is the one that the device shows in its open window.
    ShownCode,
    /// The code is the one that is printed on the device.
    PrintedCode,
}

/// What lets a caller who gave `code` ask for a challenge of `thing` at `now`; `None`: nothing, answered as if there were
/// no such thing.
///
/// An unknown thing has neither window nor code: the caller passes `None` for both, so that asking costs the same. The
/// comparison is the expensive part, so it is done exactly once where a code was given, and never without one.
#[must_use]
pub fn admitted(
    thing: &ThingName,
    epoch: u64,
    window: Option<&Window>,
    printed: Option<&CodeHash>,
    code: Option<&ClaimCode>,
    now: Timestamp,
) -> Option<Admission> {
    let open = window.filter(|window| window.is_open(now, epoch));
    let shown = open.and_then(|window| window.code.as_ref());
    let Some(code) = code else {
        return (open.is_some() && shown.is_none()).then_some(Admission::Window);
    };
    // While the device shows a code of its own, that one counts: who holds the device goes before who knows its label.
    let (expected, admission) = match (shown, printed) {
        (Some(shown), _) => (shown.clone(), Admission::ShownCode),
        (None, Some(printed)) => (printed.clone(), Admission::PrintedCode),
        (None, None) => (CodeHash::decoy(), Admission::PrintedCode),
    };
    expected.matches(thing, code).then_some(admission)
}

/// A claim, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Whose thing it would be.
    pub thing: ThingName,
    /// Who claims.
    pub user: UserId,
    /// The thing's epoch when the challenge was given; in another one the claim is void.
    pub epoch: u64,
    /// What the device has to sign.
    pub challenge: Challenge,
    /// From then on it is too late.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: ClaimState,
}

/// Where a claim stands. It goes from open to one of the others, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimState {
    /// The challenge can be answered.
    Open,
    /// It was answered rightly, and the thing paired in the same write.
    Confirmed,
    /// It was answered wrongly: the challenge is burnt.
    Burnt,
}

/// What the device's answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A key of the thing signed this challenge's text.
    Good,
    /// None of them did. Never said where a key could not be read: that burns nothing.
    Bad,
}

/// What comes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The claim may be confirmed, in the write that pairs the thing.
    Confirm,
    /// It was before: the same answer again.
    Already,
    /// The challenge is to be burnt, and the answer is 403 `not-signed-by-the-device`.
    Burn,
    /// It is too late: 409 `challenge-expired`.
    Expired,
    /// It was answered wrongly before: 409 `challenge-burnt`. Not even a right answer helps now.
    Burnt,
    /// Somebody else's claim, answered as if there were none: 404 `no-such-pairing`.
    NotYours,
}

impl Claim {
    /// A claim that begins at `now`.
    #[must_use]
    pub fn begun(thing: ThingName, user: UserId, epoch: u64, challenge: Challenge, now: Timestamp) -> Self {
        let expires_at = now.plus_millis(CHALLENGE_MILLIS);
        Self { thing, user, epoch, challenge, expires_at, state: ClaimState::Open }
    }

    /// Whether an answer of `user` at `now` is worth verifying; if not, why.
    ///
    /// # Errors
    /// What [`Claim::answered`] says of it.
    pub fn may_be_answered(&self, user: &UserId, now: Timestamp) -> Result<(), Answered> {
        match self.state {
            _ if *user != self.user => Err(Answered::NotYours),
            ClaimState::Confirmed => Err(Answered::Already),
            ClaimState::Burnt => Err(Answered::Burnt),
            ClaimState::Open if now >= self.expires_at => Err(Answered::Expired),
            ClaimState::Open => Ok(()),
        }
    }

    /// What comes of an answer of `user` at `now` that proves `proof`.
    #[must_use]
    pub fn answered(&self, user: &UserId, proof: Proof, now: Timestamp) -> Answered {
        match (self.may_be_answered(user, now), proof) {
            (Err(why), _) => why,
            (Ok(()), Proof::Good) => Answered::Confirm,
            (Ok(()), Proof::Bad) => Answered::Burn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::CHALLENGE_BYTES;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    fn claim() -> Claim {
        Claim::begun(thing(), user("u1"), 3, Challenge::new([1; CHALLENGE_BYTES]), at(1_000))
    }

    fn code(random: u8) -> ClaimCode {
        ClaimCode::from_random([random; 7])
    }

    fn hash(random: u8) -> CodeHash {
        CodeHash::quick(&thing(), &code(random))
    }

    fn window(shown: Option<u8>) -> Window {
        Window { opened_at: at(0), until: at(1_000), epoch: 3, code: shown.map(hash) }
    }

    fn admission(window: Option<&Window>, printed: Option<u8>, given: Option<u8>, now: i64) -> Option<Admission> {
        let (printed, given) = (printed.map(hash), given.map(code));
        admitted(&thing(), 3, window, printed.as_ref(), given.as_ref(), at(now))
    }

    #[test]
    fn a_challenge_is_answered_within_five_minutes_to_the_millisecond() {
        assert_eq!(claim().answered(&user("u1"), Proof::Good, at(300_999)), Answered::Confirm);
        assert_eq!(claim().answered(&user("u1"), Proof::Good, at(301_000)), Answered::Expired);
        assert_eq!(claim().answered(&user("u1"), Proof::Bad, at(301_000)), Answered::Expired);
    }

    #[test]
    fn a_wrong_answer_burns_the_challenge_and_a_right_one_after_it_is_too_late() {
        assert_eq!(claim().answered(&user("u1"), Proof::Bad, at(2_000)), Answered::Burn);
        let burnt = Claim { state: ClaimState::Burnt, ..claim() };
        assert_eq!(burnt.answered(&user("u1"), Proof::Good, at(2_000)), Answered::Burnt);
    }

    #[test]
    fn a_confirmed_claim_says_so_again_also_when_its_time_is_over() {
        let confirmed = Claim { state: ClaimState::Confirmed, ..claim() };
        for now in [2_000, 900_000] {
            assert_eq!(confirmed.answered(&user("u1"), Proof::Good, at(now)), Answered::Already);
        }
    }

    #[test]
    fn nobody_else_answers_or_burns_a_claim() {
        for proof in [Proof::Good, Proof::Bad] {
            assert_eq!(claim().answered(&user("u2"), proof, at(2_000)), Answered::NotYours);
        }
    }

    #[test]
    fn an_open_window_admits_without_a_code_unless_the_device_shows_one() {
        assert_eq!(admission(Some(&window(None)), None, None, 999), Some(Admission::Window));
        assert_eq!(admission(Some(&window(None)), None, None, 1_000), None);
        assert_eq!(admission(Some(&window(Some(5))), None, None, 999), None);
        assert_eq!(admission(Some(&window(Some(5))), None, Some(5), 999), Some(Admission::ShownCode));
        assert_eq!(admission(None, None, None, 0), None);
    }

    #[test]
    fn the_printed_code_admits_except_while_the_device_shows_another() {
        assert_eq!(admission(None, Some(4), Some(4), 0), Some(Admission::PrintedCode));
        assert_eq!(admission(Some(&window(None)), Some(4), Some(4), 0), Some(Admission::PrintedCode));
        assert_eq!(admission(Some(&window(Some(5))), Some(4), Some(4), 0), None);
        assert_eq!(admission(Some(&window(Some(5))), Some(4), Some(4), 1_000), Some(Admission::PrintedCode));
    }

    #[test]
    fn a_wrong_code_opens_not_even_an_open_window() {
        assert_eq!(admission(Some(&window(None)), Some(4), Some(6), 0), None);
        assert_eq!(admission(None, None, Some(4), 0), None);
    }
}
