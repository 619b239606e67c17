//! What is wrong with an upload: told to operators, kept as a dead letter, never tried again.

use loam_domain::{Event, EventType, Timestamp};
use loam_releases::manifest::MOST_IMAGE_BYTES;
use loam_releases::names::Id;
use serde_json::{Map, json};

use super::notice::Upload;
use crate::release::NoDescriptor;

/// Why an upload is no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRelease {
    /// `bad-descriptor`: which field, and what was expected.
    #[error(transparent)]
    Descriptor(#[from] NoDescriptor),
    /// `image-missing`: the descriptor must be uploaded last.
    #[error("the image that the descriptor names does not lie beside it: upload the image first, the descriptor last")]
    ImageMissing,
    /// `image-replaced`: it may be that of another descriptor.
    #[error("the image was uploaded after its descriptor: upload the image first, the descriptor last")]
    ImageReplaced,
    /// `image-size`.
    #[error("an image of {bytes} bytes: expected 1 to {MOST_IMAGE_BYTES}")]
    ImageSize {
        /// Its length.
        bytes: u64,
    },
}

impl NoRelease {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Descriptor(_) => "bad-descriptor",
            Self::ImageMissing => "image-missing",
            Self::ImageReplaced => "image-replaced",
            Self::ImageSize { .. } => "image-size",
        }
    }

    /// What operators are told: `release.refused` with `key`, `objectVersion`, `code` and `detail`. The same for the same
    /// upload, but for its time.
    #[must_use]
    pub fn event(&self, upload: &Upload, release: &Id, now: Timestamp) -> Event {
        let data = Map::from_iter([
            ("key".to_owned(), json!(upload.key)),
            ("objectVersion".to_owned(), json!(upload.version)),
            ("code".to_owned(), json!(self.code())),
            ("detail".to_owned(), json!(self.to_string())),
        ]);
        let id = format!("upload.{release}.refused");
        Event { id, kind: EventType::ReleaseRefused, thing: None, at: now, epoch: 0, data }
    }
}

/// Whether an image of so many bytes can be one.
///
/// # Errors
/// [`NoRelease::ImageSize`].
pub(super) fn fits(bytes: u64) -> Result<(), NoRelease> {
    if (1..=MOST_IMAGE_BYTES).contains(&bytes) { Ok(()) } else { Err(NoRelease::ImageSize { bytes }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_one_byte_to_a_gibibyte() {
        assert_eq!((fits(1), fits(MOST_IMAGE_BYTES)), (Ok(()), Ok(())));
        for bytes in [0, MOST_IMAGE_BYTES + 1] {
            assert_eq!(fits(bytes), Err(NoRelease::ImageSize { bytes }));
        }
    }

    #[test]
    fn a_refusal_names_upload_code_and_reason_and_has_one_id() {
        let upload = Upload { key: "incoming/a/release.json".to_owned(), version: "v1".to_owned() };
        let event = |at| NoRelease::ImageMissing.event(&upload, &Id::of("release", &["x"]), Timestamp::from_millis(at));
        assert_eq!((event(1).id, event(1).data), (event(2).id, event(2).data));
        assert_eq!(event(1).data["code"], "image-missing");
    }
}
