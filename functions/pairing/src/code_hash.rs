//! How a claim code is kept: only as a salted hash, slow to try.
//!
//! PBKDF2 with HMAC-SHA-256 from `ring`, 100,000 rounds. A code has 50 random bits, so who steals the table needs some
//! 2^49 times 100,000 hashes to find one code, and the salt makes that the price of each. A memory-hard function would cost
//! a function of 128 MB its memory for no further need; the attempts over HTTP are limited by [`crate::attempts`].

use std::num::NonZeroU32;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use loam_domain::ThingName;
use ring::pbkdf2;
use serde::{Deserialize, Serialize};

use crate::claim_code::ClaimCode;

static ALGORITHM: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
const NAME: &str = "pbkdf2-sha256";
const HASH_BYTES: usize = 32;

/// The salt's length in bytes.
pub const SALT_BYTES: usize = 16;

/// Rounds of a hash that is made today.
pub const ROUNDS: u32 = 100_000;

/// Fewer or more rounds are not computed, whatever a row says: too few protect nothing, more would cost a function its time.
const BOUNDS: std::ops::RangeInclusive<u32> = 10_000..=1_000_000;

/// A claim code's hash. It belongs to its thing: in another thing's row it matches no code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeHash {
    rounds: NonZeroU32,
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
}

/// A text that is no hash of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no hash of a claim code: expected {NAME}$rounds$salt$hash, rounds from 10,000 to 1,000,000")]
pub struct NoHash;

impl CodeHash {
    /// The hash of `thing`'s code under a salt of random bytes.
    #[must_use]
    pub fn new(thing: &ThingName, code: &ClaimCode, salt: [u8; SALT_BYTES]) -> Self {
        let mut made = Self { rounds: rounds(), salt, hash: [0; HASH_BYTES] };
        pbkdf2::derive(ALGORITHM, made.rounds, &made.salt_for(thing), code.spelled().as_bytes(), &mut made.hash);
        made
    }

    /// A hash of few rounds, for tests that make many.
    #[cfg(test)]
    pub(crate) fn quick(thing: &ThingName, code: &ClaimCode) -> Self {
        let mut made = Self { rounds: NonZeroU32::MIN, salt: [9; SALT_BYTES], hash: [0; HASH_BYTES] };
        pbkdf2::derive(ALGORITHM, made.rounds, &made.salt_for(thing), code.spelled().as_bytes(), &mut made.hash);
        made
    }

    /// A hash that no code matches: for a thing that is not there or has no code, so that asking takes the same time.
    #[must_use]
    pub fn decoy() -> Self {
        Self { rounds: rounds(), salt: [0; SALT_BYTES], hash: [0; HASH_BYTES] }
    }

    /// Whether `code` is the one of `thing`. Takes the same time for each code.
    #[must_use]
    pub fn matches(&self, thing: &ThingName, code: &ClaimCode) -> bool {
        pbkdf2::verify(ALGORITHM, self.rounds, &self.salt_for(thing), code.spelled().as_bytes(), &self.hash).is_ok()
    }

    /// The form in the table: `pbkdf2-sha256$100000$salt$hash`, in base64 without padding.
    #[must_use]
    pub fn to_text(&self) -> String {
        let [salt, hash] = [&self.salt[..], &self.hash[..]].map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
        format!("{NAME}${}${salt}${hash}", self.rounds)
    }

    /// The hash in a row.
    ///
    /// # Errors
    /// [`NoHash`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NoHash> {
        let parts: Vec<&str> = text.split('$').collect();
        let [NAME, rounds, salt, hash] = parts.as_slice() else { return Err(NoHash) };
        let rounds: NonZeroU32 = rounds.parse().map_err(|_| NoHash)?;
        if !BOUNDS.contains(&rounds.get()) {
            return Err(NoHash);
        }
        Ok(Self { rounds, salt: bytes(salt)?, hash: bytes(hash)? })
    }

    fn salt_for(&self, thing: &ThingName) -> Vec<u8> {
        [&self.salt[..], thing.as_str().as_bytes()].concat()
    }
}

impl TryFrom<String> for CodeHash {
    type Error = NoHash;

    fn try_from(text: String) -> Result<Self, NoHash> {
        Self::parse(&text)
    }
}

impl From<CodeHash> for String {
    fn from(hash: CodeHash) -> Self {
        hash.to_text()
    }
}

fn rounds() -> NonZeroU32 {
    NonZeroU32::new(ROUNDS).unwrap_or(NonZeroU32::MIN)
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], NoHash> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NoHash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(name: &str) -> ThingName {
        ThingName::parse(name).unwrap()
    }

    #[test]
    fn only_the_code_of_this_thing_matches() {
        let (code, other) = (ClaimCode::from_random([1; 7]), ClaimCode::from_random([2; 7]));
        let hash = CodeHash::new(&thing("t1"), &code, [9; SALT_BYTES]);
        assert!(hash.matches(&thing("t1"), &code));
        assert!(!hash.matches(&thing("t1"), &other));
        assert!(!hash.matches(&thing("t2"), &code), "a hash that was moved to another thing's row");
        assert!(!CodeHash::decoy().matches(&thing("t1"), &code));
    }

    #[test]
    fn the_row_says_how_it_was_hashed_and_holds_no_code() {
        let code = ClaimCode::from_random([3; 7]);
        let hash = CodeHash::new(&thing("t1"), &code, [9; SALT_BYTES]);
        let text = hash.to_text();
        assert!(text.starts_with("pbkdf2-sha256$100000$") && !text.contains(&code.spelled()));
        assert_eq!(CodeHash::parse(&text), Ok(hash));
    }

    #[test]
    fn a_row_cannot_make_a_function_compute_for_ever_or_for_nothing() {
        let hash = CodeHash::decoy().to_text();
        for rounds in ["0", "9999", "1000001", "4294967296", "-1", ""] {
            assert_eq!(CodeHash::parse(&hash.replace("100000", rounds)), Err(NoHash), "{rounds}");
        }
        for rounds in ["10000", "1000000"] {
            assert!(CodeHash::parse(&hash.replace("100000", rounds)).is_ok(), "{rounds}");
        }
        for text in ["", "scrypt$1$2$3", "pbkdf2-sha256$100000$AA$AA", &format!("{hash}$")] {
            assert_eq!(CodeHash::parse(text), Err(NoHash), "{text}");
        }
    }
}
