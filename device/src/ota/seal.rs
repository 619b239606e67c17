use super::source::NoPiece;
use crate::files::{Key, NoFile};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_releases::accept::Refuse;
use loam_releases::names::Id;
use loam_releases::sealed::{NAMESPACE, pairs};
use loam_sealed::{EncryptionContext, Error, Opener};

/// What opens a sealed image: it comes with the image's URL. Shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct Seal {
    header: Vec<u8>,
    /// The wrapping key in base64.
    key: String,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Seal").field("header", &self.header.len()).finish_non_exhaustive()
    }
}

impl Seal {
    /// Header and key, both in base64; `None` for a header that is not.
    pub(super) fn of(header: &str, key: String) -> Option<Self> {
        Some(Self { header: STANDARD.decode(header).ok()?, key })
    }

    /// What opens the body of the image of this release, and of no other.
    pub(super) fn open(&self, release: &Id) -> Result<Opener, NoPiece> {
        let key = Key { namespace: NAMESPACE.to_owned(), name: release.to_string(), value: self.key.clone() };
        let context = EncryptionContext::new(pairs(release))?;
        match key.open(&self.header, &context) {
            Ok((_, opener)) => Ok(opener),
            Err(NoFile::Sealed(why)) => Err(why.into()),
            Err(why @ NoFile::BadGrant(_)) => Err(NoPiece::Refused(Refuse::DataKeyNotAuthentic, why.code())),
            Err(why) => Err(NoPiece::Refused(Refuse::HeaderNotAuthentic, why.code())),
        }
    }
}

impl From<Error> for NoPiece {
    fn from(why: Error) -> Self {
        Self::Refused(refusal(&why), why.code())
    }
}

/// What is wrong, in the words that the cloud knows: the key, the header or the body.
const fn refusal(why: &Error) -> Refuse {
    if matches!(why, Error::NoMatchingDataKey | Error::DataKeyNotAuthentic | Error::CommitmentMismatch) {
        return Refuse::DataKeyNotAuthentic;
    }
    let body = matches!(
        why,
        Error::FrameOutOfOrder { .. }
            | Error::UnexpectedIv(_)
            | Error::FinalFrameTooLong(_)
            | Error::FrameNotAuthentic(_)
            | Error::TruncatedBody(_)
            | Error::TrailingData
    );
    if body { Refuse::FrameNotAuthentic } else { Refuse::HeaderNotAuthentic }
}

#[cfg(test)]
#[path = "seal_tests.rs"]
pub(super) mod tests;
