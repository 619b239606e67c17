//! Manifests: the bytes that are signed.
//!
//! Thirteen lines of ASCII in one order, each ended by a line feed, so that a small device reads them without a JSON parser and
//! one manifest has one form only. No value can hold a line feed.
//!
//! ```text
//! loam-firmware-v1
//! signer=2b6c1f0e9d8a7b6c5d4e3f2a1b0c9d8e
//! sequence=17
//! issued-at=1795000000000
//! not-after=1797592000000
//! release=0123456789abcdef0123456789abcdef
//! version=2.1.0
//! hardware=esp32-c3 esp32-s3
//! size=524288
//! sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
//! minimum-from=1.4.0
//! security-counter=3
//! downgrade=no
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{Digest, Hardware, Id};
use crate::version::Version;

/// The first line. Another form, or another meaning, gets another first line.
pub const DOMAIN: &str = "loam-firmware-v1";
/// The longest manifest, in bytes; KMS signs messages of at most 4,096.
pub const MOST_BYTES: usize = 2_048;
/// The most kinds of hardware of one release.
pub const MOST_HARDWARE: usize = 16;
/// The largest image, in bytes: 1 GiB.
pub const MOST_IMAGE_BYTES: u64 = 1 << 30;
/// The highest security counter.
pub const MOST_COUNTER: u32 = 65_535;
/// The latest time in a manifest, in milliseconds since the epoch: the end of the year 9999.
const LATEST: i64 = 253_402_300_799_999;
/// The longest validity, in milliseconds: 366 days.
pub const LONGEST_VALID_MILLIS: i64 = 366 * 24 * 3_600_000;

/// What of a release a device has to know: the same in every manifest of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Firmware {
    /// The release.
    pub release: Id,
    /// Its version.
    pub version: Version,
    /// What it runs on: 1 to [`MOST_HARDWARE`] kinds.
    pub hardware: BTreeSet<Hardware>,
    /// The image's length in bytes: 1 to [`MOST_IMAGE_BYTES`].
    pub size: u64,
    /// The image's digest.
    pub sha256: Digest,
    /// The oldest version from which it may be installed; `None`: any.
    pub minimum_from: Option<Version>,
    /// Never lower than that of what runs: 0 to [`MOST_COUNTER`].
    pub security_counter: u32,
}

/// An order to run a firmware: signed, newer than all before it, and good for a limited time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Who signs: the first 32 digits of the SHA-256 of the public key's point.
    pub signer: Id,
    /// One more than that of any manifest before it. A device obeys no lower one than it has seen.
    pub sequence: u64,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From then on nobody obeys it.
    pub not_after: Timestamp,
    /// What to run.
    pub firmware: Firmware,
    /// Whether an older version than the one that runs is meant: an operator's roll back. The security counter holds
    /// nevertheless.
    pub downgrade: bool,
}

/// Bytes that are no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no manifest: line {line} is not what it must be")]
pub struct NoManifest {
    /// The first line that is wrong, from 1; 0: the whole.
    pub line: usize,
}

impl Manifest {
    /// The bytes that are signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let firmware = &self.firmware;
        let hardware: Vec<&str> = firmware.hardware.iter().map(Hardware::as_str).collect();
        let minimum = firmware.minimum_from.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let lines = [
            ("signer", self.signer.to_string()),
            ("sequence", self.sequence.to_string()),
            ("issued-at", self.issued_at.as_millis().to_string()),
            ("not-after", self.not_after.as_millis().to_string()),
            ("release", firmware.release.to_string()),
            ("version", firmware.version.to_string()),
            ("hardware", hardware.join(" ")),
            ("size", firmware.size.to_string()),
            ("sha256", firmware.sha256.to_string()),
            ("minimum-from", minimum),
            ("security-counter", firmware.security_counter.to_string()),
            ("downgrade", if self.downgrade { "yes" } else { "no" }.to_owned()),
        ];
        let mut text = format!("{DOMAIN}\n");
        for (name, value) in lines {
            // Writing to a String cannot fail.
            let _always = writeln!(text, "{name}={value}");
        }
        text.into_bytes()
    }

    /// Reads the bytes of a manifest. Only the form that [`Manifest::to_bytes`] gives is read: a manifest that could be
    /// written in two ways could be signed in one and read in the other.
    ///
    /// # Errors
    /// [`NoManifest`], with the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoManifest> {
        let whole = NoManifest { line: 0 };
        if bytes.len() > MOST_BYTES || !bytes.is_ascii() {
            return Err(whole);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| whole)?;
        let mut lines = Lines { left: text.strip_suffix('\n').ok_or(whole)?.split('\n'), line: 1 };
        if lines.left.next() != Some(DOMAIN) {
            return Err(NoManifest { line: 1 });
        }
        let manifest = Self::read(&mut lines)?;
        let valid = manifest.not_after.millis_since(manifest.issued_at);
        if lines.left.next().is_some() || !(1..=LONGEST_VALID_MILLIS).contains(&valid) || manifest.to_bytes() != bytes {
            return Err(whole);
        }
        Ok(manifest)
    }

    fn read(lines: &mut Lines<'_>) -> Result<Self, NoManifest> {
        Ok(Self {
            signer: lines.value("signer", |text| Id::parse(text).ok())?,
            sequence: lines.value("sequence", |text| number(text, 1, u64::MAX))?,
            issued_at: lines.value("issued-at", time)?,
            not_after: lines.value("not-after", time)?,
            firmware: Firmware {
                release: lines.value("release", |text| Id::parse(text).ok())?,
                version: lines.value("version", |text| Version::parse(text).ok())?,
                hardware: lines.value("hardware", hardware)?,
                size: lines.value("size", |text| number(text, 1, MOST_IMAGE_BYTES))?,
                sha256: lines.value("sha256", |text| Digest::parse(text).ok())?,
                minimum_from: lines.value("minimum-from", |text| match text {
                    "-" => Some(None),
                    text => Version::parse(text).ok().map(Some),
                })?,
                security_counter: lines.value("security-counter", |text| number(text, 0, MOST_COUNTER))?,
            },
            downgrade: lines.value("downgrade", |text| match text {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            })?,
        })
    }

    /// Its digest: what tells two manifests apart.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }
}

struct Lines<'a> {
    left: std::str::Split<'a, char>,
    line: usize,
}

impl<'a> Lines<'a> {
    fn value<T>(&mut self, name: &str, read: impl Fn(&'a str) -> Option<T>) -> Result<T, NoManifest> {
        self.line += 1;
        let value = self.left.next().and_then(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.and_then(read).ok_or(NoManifest { line: self.line })
    }
}

fn number<T: std::str::FromStr + PartialOrd>(text: &str, least: T, most: T) -> Option<T> {
    text.parse().ok().filter(|number| *number >= least && *number <= most)
}

fn time(text: &str) -> Option<Timestamp> {
    number(text, 0, LATEST).map(Timestamp::from_millis)
}

fn hardware(text: &str) -> Option<BTreeSet<Hardware>> {
    let all: Option<BTreeSet<_>> = text.split(' ').map(|word| Hardware::parse(word).ok()).collect();
    all.filter(|all| all.len() <= MOST_HARDWARE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{firmware, manifest};

    fn text() -> String {
        String::from_utf8(manifest(17, "2.1.0").to_bytes()).unwrap()
    }

    #[test]
    fn the_bytes_are_these() {
        let mut manifest = manifest(17, "2.1.0");
        manifest.firmware.minimum_from = Some(Version::parse("1.4.0").unwrap());
        let text = String::from_utf8(manifest.to_bytes()).unwrap();
        let digest = Digest::of(b"image 2.1.0");
        let expected = format!(
            "loam-firmware-v1\nsigner={}\nsequence=17\nissued-at=1000000\nnot-after=2000000\nrelease={}\nversion=2.1.0\n\
             hardware=c3 s3\nsize=11\nsha256={digest}\nminimum-from=1.4.0\nsecurity-counter=3\ndowngrade=no\n",
            manifest.signer, manifest.firmware.release,
        );
        assert_eq!(text, expected);
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest));
    }

    #[test]
    fn a_manifest_that_is_written_otherwise_is_none() {
        for (from, to) in [
            ("sequence=17", "sequence=017"),
            ("sequence=17", "sequence=+17"),
            ("sequence=17", "sequence=0"),
            ("sequence=17", "sequence=18446744073709551616"),
            ("hardware=c3 s3", "hardware=s3 c3"),
            ("hardware=c3 s3", "hardware=c3 c3"),
            ("hardware=c3 s3", "hardware=c3  s3"),
            ("hardware=c3 s3", "hardware="),
            ("size=11", "size=0"),
            ("size=11", "size=1073741825"),
            ("security-counter=3", "security-counter=65536"),
            ("downgrade=no", "downgrade=No"),
            ("not-after=2000000", "not-after=1000000"),
            ("not-after=2000000", "not-after=253402300800000"),
            ("not-after=2000000", "not-after=31622401000001"),
            ("version=2.1.0", "version=2.1.0+1"),
            ("minimum-from=-", "minimum-from="),
            ("loam-firmware-v1", "loam-firmware-v2"),
            ("size=11\n", "size=11\r\n"),
            ("size=11\n", "size=11\nsize=11\n"),
            ("size=11\n", ""),
            ("downgrade=no\n", "downgrade=no"),
            ("downgrade=no\n", "downgrade=no\n\n"),
        ] {
            let text = text();
            assert!(text.contains(from), "{from}");
            assert!(Manifest::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to:?}");
        }
    }

    #[test]
    fn a_manifest_with_everything_at_its_longest_fits_a_signature_request() {
        let mut manifest = manifest(u64::MAX, &format!("1.0.0-{}", "a".repeat(58)));
        manifest.firmware.minimum_from = Some(manifest.firmware.version.clone());
        manifest.firmware.hardware =
            (0..16).map(|number| Hardware::parse(&format!("{number:0>64}")).unwrap()).collect();
        manifest.issued_at = Timestamp::from_millis(LATEST - 1);
        manifest.not_after = Timestamp::from_millis(LATEST);
        assert!(manifest.to_bytes().len() <= MOST_BYTES);
        assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
    }

    #[test]
    fn seventeen_kinds_of_hardware_are_too_many() {
        let mut manifest = manifest(1, "1.0.0");
        manifest.firmware = firmware("1.0.0");
        manifest.firmware.hardware = (0..17).map(|number| Hardware::parse(&format!("h{number}")).unwrap()).collect();
        assert_eq!(Manifest::parse(&manifest.to_bytes()), Err(NoManifest { line: 8 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_in_its_only_form_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Manifest::parse(&bytes).is_err());
        }

        #[test]
        fn a_changed_manifest_is_another_manifest_or_none(place in 0_usize..400, byte: u8) {
            let mut bytes = text().into_bytes();
            let place = place % bytes.len();
            bytes[place] = byte;
            if let Ok(read) = Manifest::parse(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }
    }
}
