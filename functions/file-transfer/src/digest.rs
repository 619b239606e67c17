//! The SHA-256 of a file that is read part by part, by one run after the other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256};

use crate::order::Sha256Hex;

/// A digest under way, as a row keeps it: between two parts the state, which holds no byte of the file, as parts are whole blocks
/// of SHA-256; after the last part the digest itself. A state would hold the file's last bytes as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept(String);

/// A kept digest is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the digest that was kept with the last part is none: the row was not written by this function")]
pub struct NoDigest;

impl Kept {
    /// The digest of the whole file, once its last part was read.
    ///
    /// # Errors
    /// [`NoDigest`], before.
    pub fn whole(&self) -> Result<Sha256Hex, NoDigest> {
        Sha256Hex::parse(&self.0).map_err(|_| NoDigest)
    }
}

/// The digest of a file up to some byte.
#[derive(Debug, Clone, Default)]
pub struct FileDigest(Sha256);

impl FileDigest {
    /// The digest that was kept, or that of no byte.
    ///
    /// # Errors
    /// [`NoDigest`].
    pub fn go_on(kept: Option<&Kept>) -> Result<Self, NoDigest> {
        let Some(Kept(text)) = kept else { return Ok(Self::default()) };
        let bytes = STANDARD.decode(text).map_err(|_| NoDigest)?;
        let state = SerializedState::<Sha256>::try_from(bytes.as_slice()).map_err(|_| NoDigest)?;
        Sha256::deserialize(&state).map(Self).map_err(|_| NoDigest)
    }

    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// What to keep after a part.
    #[must_use]
    pub fn keep(self, is_last: bool) -> Kept {
        Kept(if is_last { self.finish().as_str().to_owned() } else { STANDARD.encode(self.0.serialize()) })
    }

    /// The digest of all that was read.
    #[must_use]
    pub fn finish(self) -> Sha256Hex {
        Sha256Hex::of(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_byte_has_the_digest_that_is_known_for_it() {
        let known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(FileDigest::default().finish().as_str(), known);
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "AAAA", "?", &STANDARD.encode([255; 105])] {
            assert_eq!(FileDigest::go_on(Some(&Kept(text.to_owned()))).unwrap_err(), NoDigest, "{text}");
        }
    }

    #[test]
    fn what_is_kept_holds_no_byte_of_the_file() {
        let secret = b"the password of the wireless network";
        let mut block = FileDigest::default();
        block.update(&[7; 64]);
        let between = STANDARD.decode(block.clone().keep(false).0).unwrap();
        assert!(!between.windows(4).any(|window| window == [7; 4]), "{between:?}");
        block.update(secret);
        let whole = block.clone().finish();
        let kept = block.keep(true);
        assert_eq!((kept.0.as_str(), kept.whole().unwrap()), (whole.as_str(), whole.clone()));
        assert!(FileDigest::default().keep(false).whole().is_err());
    }

    proptest! {
        #[test]
        fn a_digest_that_was_kept_and_taken_up_is_that_of_one_pass(bytes: Vec<u8>, cut: prop::sample::Index) {
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut digest = FileDigest::default();
            digest.update(first);
            let mut digest = FileDigest::go_on(Some(&digest.keep(false))).unwrap();
            digest.update(second);
            let whole: [u8; 32] = Sha256::digest(&bytes).into();
            prop_assert_eq!(digest.finish(), Sha256Hex::of(whole));
        }
    }
}
