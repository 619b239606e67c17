//! Challenges, and the exact bytes that a device signs.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};

use crate::{ThingName, UserId};

/// The length of a challenge in bytes.
pub const CHALLENGE_BYTES: usize = 32;

/// The first line of what a device signs. Another meaning, or another form, gets another first line: a signature of one
/// kind is never one of another.
pub const DOMAIN: &str = "loam-pairing-v1";

/// Random bytes that a device has never seen. No secret: who knows them still needs the device's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Challenge([u8; CHALLENGE_BYTES]);

/// No challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no challenge: expected {CHALLENGE_BYTES} bytes in base64url without padding")]
pub struct NoChallenge;

impl Challenge {
    /// The challenge of these random bytes.
    #[must_use]
    pub const fn new(random: [u8; CHALLENGE_BYTES]) -> Self {
        Self(random)
    }

    /// Its 43 characters of base64url.
    #[must_use]
    pub fn to_text(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the device signs, byte for byte: five lines of ASCII, each with its line feed, the last too.
    ///
    /// ```text
    /// loam-pairing-v1
    /// thing=soilSensor1
    /// challenge=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE
    /// user=6f1c7f2e-38ab-4d6a-9c53-0d6f2b1f0a11
    /// epoch=3
    /// ```
    ///
    /// The device puts its own name there, whatever the app says, so that it never signs for another; the user makes the
    /// signature useless to whoever overhears it; the epoch to whoever kept it from an earlier owner's time. No field can
    /// hold a line feed or an equals sign, so that no two sets of fields give the same bytes.
    #[must_use]
    pub fn signed_text(self, thing: &ThingName, user: &UserId, epoch: u64) -> String {
        format!("{DOMAIN}\nthing={thing}\nchallenge={}\nuser={user}\nepoch={epoch}\n", self.to_text())
    }
}

impl TryFrom<String> for Challenge {
    type Error = NoChallenge;

    fn try_from(text: String) -> Result<Self, NoChallenge> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NoChallenge)?;
        bytes.try_into().map(Self).map_err(|_| NoChallenge)
    }
}

impl From<Challenge> for String {
    fn from(challenge: Challenge) -> Self {
        challenge.to_text()
    }
}

/// What a device is asked to sign, as it reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The device's own name.
    pub thing: ThingName,
    /// What it has never seen.
    pub challenge: Challenge,
    /// Who wants to own it.
    pub user: UserId,
    /// The owner's time that would begin.
    pub epoch: u64,
}

/// A text that no device signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the five lines of {DOMAIN}: thing, challenge, user and epoch, each with a line feed")]
pub struct NoStatement;

impl Statement {
    /// The bytes to sign: see [`Challenge::signed_text`].
    #[must_use]
    pub fn signed_text(&self) -> String {
        self.challenge.signed_text(&self.thing, &self.user, self.epoch)
    }

    /// The statement that exactly these bytes make; nothing else is ever signed.
    ///
    /// # Errors
    /// [`NoStatement`] for a text that [`Statement::signed_text`] would not write.
    pub fn parse(text: &str) -> Result<Self, NoStatement> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [DOMAIN, thing, challenge, user, epoch, ""] = lines.as_slice() else { return Err(NoStatement) };
        let field = |line: &str, name: &str| line.strip_prefix(name).map(str::to_owned).ok_or(NoStatement);
        let statement = Self {
            thing: ThingName::parse(&field(thing, "thing=")?).map_err(|_| NoStatement)?,
            challenge: Challenge::try_from(field(challenge, "challenge=")?).map_err(|_| NoStatement)?,
            user: UserId::parse(&field(user, "user=")?).map_err(|_| NoStatement)?,
            epoch: field(epoch, "epoch=")?.parse().map_err(|_| NoStatement)?,
        };
        if statement.signed_text() == text { Ok(statement) } else { Err(NoStatement) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(random: u8, thing: &str, user: &str, epoch: u64) -> String {
        let (thing, user) = (ThingName::parse(thing).unwrap(), UserId::parse(user).unwrap());
        Challenge::new([random; CHALLENGE_BYTES]).signed_text(&thing, &user, epoch)
    }

    #[test]
    fn the_bytes_are_these_and_no_others() {
        let expected = "loam-pairing-v1\nthing=t1\nchallenge=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n\
                        user=u1\nepoch=3\n";
        assert_eq!(text(1, "t1", "u1", 3), expected);
    }

    #[test]
    fn each_field_changes_the_bytes() {
        let first = text(1, "t1", "u1", 3);
        for other in [text(2, "t1", "u1", 3), text(1, "t2", "u1", 3), text(1, "t1", "u2", 3), text(1, "t1", "u1", 4)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_challenge_in_a_row_has_32_bytes() {
        let challenge = Challenge::new([7; CHALLENGE_BYTES]);
        let row = serde_json::to_string(&challenge).unwrap();
        assert_eq!(serde_json::from_str::<Challenge>(&row).unwrap(), challenge);
        assert!(serde_json::from_str::<Challenge>("\"AAAA\"").is_err());
        assert!(serde_json::from_str::<Challenge>("\"!\"").is_err());
    }

    #[test]
    fn a_statement_reads_as_itself_and_no_other_spelling_of_it_is_one() {
        let right = text(1, "t1", "u1", 3);
        assert_eq!(Statement::parse(&right).unwrap().signed_text(), right);
        let wrong = [
            right.trim_end().to_owned(),
            format!("{right}\n"),
            right.replace("epoch=3", "epoch=03"),
            right.replace("epoch=3", "epoch=+3"),
            right.replace("-v1", "-v2"),
            right.replace('\n', "\r\n"),
            right.replace("user=u1\n", ""),
            right.replace("user=", "thing="),
        ];
        for text in wrong {
            assert_eq!(Statement::parse(&text), Err(NoStatement), "{text:?}");
        }
    }
}
