//! What a device signs, and what it has signed.

use super::key::{PairingKey, Signature};
use crate::state::{State, StateError};
use loam_domain::ThingName;
use loam_domain::UserId;
use loam_domain::pairing::challenge::{Challenge, Statement};
use serde::{Deserialize, Serialize};

const FILE: &str = "signed.json";
/// How many challenges of the present epoch are remembered. A person who asks more often than this without ever pairing
/// gets the oldest signed a second time, which is worth as little as the first time: it is over after five minutes.
const PLACES: usize = 256;

/// Why a device does not sign. Each has a stable [code](Self::code).
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// What was handed over is nothing that devices sign.
    #[error("nothing to sign: expected the answer of POST /v1/pairings (JSON), or its field `signedText`")]
    NoStatement,
    /// The challenge is for another device.
    #[error("the challenge is for the thing {asked}, this is {own}: ask the other device")]
    OtherThing {
        /// For whom it is.
        asked: ThingName,
        /// Who this is.
        own: ThingName,
    },
    /// The owner's time that it would begin is over: somebody kept an old challenge.
    #[error("the challenge is of the epoch {asked}, this device signed one of {last} already: begin a new pairing")]
    EpochOver {
        /// The challenge's.
        asked: u64,
        /// The latest that was signed.
        last: u64,
    },
    /// It signed this one before.
    #[error("this challenge was signed before: begin a new pairing")]
    Again,
    /// Its key cannot.
    #[error("the private key signs nothing that pairing knows: expected RSA, P-256 or P-384")]
    Key,
    /// Its memory cannot be used, and without it nothing is signed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl NotSigned {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoStatement => "nothing-to-sign",
            Self::OtherThing { .. } => "challenge-for-another-thing",
            Self::EpochOver { .. } => "challenge-of-an-earlier-epoch",
            Self::Again => "challenge-signed-before",
            Self::Key => "key-cannot-sign",
            Self::State(error) => error.code(),
        }
    }
}

/// What the device has signed so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Signing {
    /// The latest epoch that it signed; 0: none.
    epoch: u64,
    /// The challenges of that epoch, the oldest first.
    challenges: Vec<Challenge>,
}

/// The answer of `POST /v1/pairings`, as an app hands it on.
#[derive(Deserialize)]
struct Answer {
    thing: ThingName,
    challenge: Challenge,
    user: UserId,
    epoch: u64,
}

/// What `text` asks to sign: the answer of `POST /v1/pairings`, or its `signedText` alone.
///
/// # Errors
/// [`NotSigned::NoStatement`].
pub fn asked_to_sign(text: &str) -> Result<Statement, NotSigned> {
    if let Ok(Answer { thing, challenge, user, epoch }) = serde_json::from_str(text) {
        return Ok(Statement { thing, challenge, user, epoch });
    }
    // A shell's `$(...)` takes the last line feed away.
    Statement::parse(&format!("{}\n", text.trim_end_matches('\n'))).map_err(|_| NotSigned::NoStatement)
}

impl Signing {
    /// The latest epoch that the device signed.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        (self.epoch > 0).then_some(self.epoch)
    }

    /// What the device with this memory has signed.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn remembered(state: &State) -> Result<Self, StateError> {
        Ok(state.read(FILE)?.unwrap_or_default())
    }

    /// Signs for the thing `own`, once: the memory is written before anybody gets the signature, so that not even a power
    /// cut lets a challenge be signed twice.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn sign(state: &State, own: &ThingName, key: &PairingKey, asked: &Statement) -> Result<Signature, NotSigned> {
        let _alone = state.lock()?;
        let after = Self::remembered(state)?.after(own, asked)?;
        let signature = key.sign(&asked.signed_text()).ok_or(NotSigned::Key)?;
        state.write(FILE, &after)?;
        Ok(signature)
    }

    fn after(mut self, own: &ThingName, asked: &Statement) -> Result<Self, NotSigned> {
        if asked.thing != *own {
            return Err(NotSigned::OtherThing { asked: asked.thing.clone(), own: own.clone() });
        }
        if asked.epoch < self.epoch {
            return Err(NotSigned::EpochOver { asked: asked.epoch, last: self.epoch });
        }
        if asked.epoch > self.epoch {
            self = Self { epoch: asked.epoch, challenges: Vec::new() };
        }
        if self.challenges.contains(&asked.challenge) {
            return Err(NotSigned::Again);
        }
        if self.challenges.len() >= PLACES {
            self.challenges.remove(0);
        }
        self.challenges.push(asked.challenge);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::Place;
    use loam_domain::pairing::challenge::CHALLENGE_BYTES;

    fn thing(name: &str) -> ThingName {
        ThingName::parse(name).unwrap()
    }

    fn statement(name: &str, random: u8, epoch: u64) -> Statement {
        let challenge = Challenge::new([random; CHALLENGE_BYTES]);
        Statement { thing: thing(name), challenge, user: UserId::parse("u1").unwrap(), epoch }
    }

    fn key() -> PairingKey {
        PairingKey::from_pem(rcgen::KeyPair::generate().unwrap().serialize_pem().as_bytes()).unwrap()
    }

    fn outcome(state: &State, asked: &Statement) -> &'static str {
        Signing::sign(state, &thing("t1"), &key(), asked).map_or_else(|refused| refused.code(), |_| "signed")
    }

    #[test]
    fn a_challenge_is_signed_once_and_an_earlier_epoch_never_again() {
        let place = Place::new("once");
        let state = place.state();
        assert_eq!(Signing::remembered(&state).unwrap().epoch(), None);
        for (asked, expected) in [
            (statement("t2", 1, 3), "challenge-for-another-thing"),
            (statement("t1", 1, 3), "signed"),
            (statement("t1", 1, 3), "challenge-signed-before"),
            (statement("t1", 2, 3), "signed"),
            (statement("t1", 1, 3), "challenge-signed-before"),
            (statement("t1", 3, 2), "challenge-of-an-earlier-epoch"),
            (statement("t1", 4, 4), "signed"),
            (statement("t1", 5, 3), "challenge-of-an-earlier-epoch"),
        ] {
            assert_eq!(outcome(&state, &asked), expected, "{asked:?}");
        }
        assert_eq!(Signing::remembered(&state).unwrap().epoch(), Some(4));
    }

    #[test]
    fn a_device_that_cannot_remember_signs_nothing() {
        let place = Place::new("unwritable");
        let state = place.state();
        std::fs::write(place.0.join(FILE), "no memory").unwrap();
        assert_eq!(outcome(&state, &statement("t1", 1, 1)), "state-foreign");
    }

    #[test]
    fn the_257th_challenge_of_an_epoch_is_signed_and_the_memory_stays_as_large() {
        let mut signing = Signing::default();
        for number in 0..300_u16 {
            let mut random = [0; CHALLENGE_BYTES];
            random[..2].copy_from_slice(&number.to_be_bytes());
            let asked = Statement { challenge: Challenge::new(random), ..statement("t1", 0, 1) };
            signing = signing.after(&thing("t1"), &asked).unwrap();
        }
        assert_eq!(signing.challenges.len(), PLACES);
    }

    #[test]
    fn the_answer_of_the_cloud_and_its_text_ask_the_same_and_nothing_else_asks() {
        let asked = statement("t1", 1, 3);
        let answer = serde_json::json!({
            "id": "x", "thing": "t1", "challenge": asked.challenge, "user": "u1", "epoch": 3, "signedText": "of no account",
        });
        assert_eq!(asked_to_sign(&answer.to_string()).unwrap(), asked);
        assert_eq!(asked_to_sign(&asked.signed_text()).unwrap(), asked);
        assert_eq!(asked_to_sign(asked.signed_text().trim_end()).unwrap(), asked);
        for text in ["", "{}", "x", r#"{"thing":"t1"}"#, "\n\n"] {
            assert_eq!(asked_to_sign(text).unwrap_err().code(), "nothing-to-sign", "{text:?}");
        }
    }
}
