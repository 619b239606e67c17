//! Versions of firmware.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version as Semantic Versioning 2.0.0 writes and orders it, without build metadata: two versions that differ in nothing
/// else would be neither older nor newer than each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(semver::Version);

/// No version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no version: expected major.minor.patch with an optional pre-release (2.1.0, 2.1.0-rc.1), without build metadata, at most {} bytes",
    Version::MAX_BYTES
)]
pub struct NoVersion;

impl Version {
    /// The longest version, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// A version that keeps the rules of this type.
    ///
    /// # Errors
    /// [`NoVersion`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NoVersion> {
        if text.len() > Self::MAX_BYTES {
            return Err(NoVersion);
        }
        let version = semver::Version::parse(text).map_err(|_| NoVersion)?;
        if version.build.is_empty() { Ok(Self(version)) } else { Err(NoVersion) }
    }
}

impl TryFrom<String> for Version {
    type Error = NoVersion;

    fn try_from(text: String) -> Result<Self, NoVersion> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_are_ordered_by_number_and_a_pre_release_comes_before_its_release() {
        let in_order =
            ["0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.9.0", "1.10.0", "2.0.0"];
        for pair in in_order.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn two_versions_that_are_neither_older_nor_newer_are_the_same_text() {
        for text in [
            "1.0.0+build.1",
            "1.0",
            "1",
            "v1.0.0",
            "01.0.0",
            "1.0.0-",
            "",
            "1.0.0 ",
            "1.0.0\n",
            "1.0.99999999999999999999",
        ] {
            assert_eq!(Version::parse(text), Err(NoVersion), "{text:?}");
        }
        assert_eq!(version("1.2.3-rc.1").to_string(), "1.2.3-rc.1");
    }

    #[test]
    fn a_version_of_64_bytes_is_one_and_one_of_65_is_not() {
        let long = |length: usize| format!("1.0.0-{}", "a".repeat(length - 6));
        assert!(Version::parse(&long(64)).is_ok() && Version::parse(&long(65)).is_err());
    }
}
