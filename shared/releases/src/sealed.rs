//! Sealed images: what their keys are for, and what they are called.
//!
//! A sealed image is a message of AWS Encryption SDK's format, whose header comes with the key that opens it, apart from the
//! body. What is signed is the image itself: seal and signature are looked at independently.

use crate::names::Id;

/// The namespace of wrapping keys: the provider id of a header's raw encrypted data key. Their name is the release's id.
pub const NAMESPACE: &str = "loam-firmware";

/// The encryption context of a release's image: its header is that of no other release.
#[must_use]
pub fn pairs(release: &Id) -> [(&'static str, &str); 2] {
    [("release", release.as_str()), ("use", "firmware-image")]
}

/// The context of the key that opens the header: another one, so that neither key passes for the other.
#[must_use]
pub fn wrapping_pairs(release: &Id) -> [(&'static str, &str); 2] {
    [("release", release.as_str()), ("use", "firmware-wrapping-key")]
}
