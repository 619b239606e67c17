//! Releases: what is uploaded, signed, published, deprecated.

use std::collections::BTreeSet;

use loam_domain::Timestamp;
use loam_releases::manifest::{Firmware, MOST_COUNTER, MOST_HARDWARE};
use loam_releases::names::{Digest, Hardware, Id};
use loam_releases::signature::Verified;
use loam_releases::version::Version;
use serde::{Deserialize, Serialize};

/// The longest descriptor, in bytes.
pub const MOST_DESCRIPTOR_BYTES: usize = 16_384;
/// The longest notes, in bytes.
pub const MOST_NOTES_BYTES: usize = 4_096;

/// What stands beside an uploaded image (`release.json`): everything that its bytes do not say themselves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Descriptor {
    /// The image's name in the same folder: 1 to 128 characters of `[A-Za-z0-9._-]`.
    pub image: String,
    /// Its version.
    pub version: Version,
    /// What it runs on.
    pub hardware: BTreeSet<Hardware>,
    /// For whom it is: `stable`, `beta`. 1 to 32 characters of `[a-z0-9-]`.
    pub channel: String,
    /// For people.
    #[serde(default)]
    pub notes: String,
    /// The oldest version from which it may be installed.
    #[serde(default)]
    pub minimum_from: Option<Version>,
    /// Never lower than that of what runs.
    #[serde(default)]
    pub security_counter: u32,
    /// Whether the image is kept encrypted, and goes to devices so.
    #[serde(default)]
    pub sealed: bool,
}

/// A descriptor that is none: which field, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no descriptor of a release: {0}")]
pub struct NoDescriptor(String);

/// A release, as its row keeps it. What a device sees of it never changes; only `state` and what follows does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// What a device sees.
    pub firmware: Firmware,
    /// For whom.
    pub channel: String,
    /// For people.
    pub notes: String,
    /// Whether its image is sealed.
    #[serde(default)]
    pub sealed: bool,
    /// Where it stands.
    pub state: State,
    /// One more with each write: an `ETag`.
    pub version: u64,
    /// When it came in.
    pub created_at: Timestamp,
    /// The manifest's number with which it was published: the evidence that it is signed.
    pub signed: Option<u64>,
    /// Who published it, and who deprecated it.
    pub by: Vec<String>,
}

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Uploaded and measured; nobody can roll it out.
    Draft,
    /// Signed; it may be rolled out.
    Published,
    /// No new rollout may begin; those under way go on.
    Deprecated,
}

/// What people do with a release.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// Publish it, with its signed manifest.
    Publish(Box<Verified>),
    /// Let no new rollout begin.
    Deprecate,
}

/// Why it cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was so before.
    Already,
    /// `release-deprecated`: it never comes back.
    Deprecated,
    /// `release-not-published`: only what was published can be deprecated.
    NotPublished,
    /// `manifest-of-another-release`: what was signed is not this release.
    OtherManifest,
}

impl Descriptor {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// [`NoDescriptor`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoDescriptor> {
        let no = |why: &str| Err(NoDescriptor(why.to_owned()));
        if bytes.len() > MOST_DESCRIPTOR_BYTES {
            return no("it is longer than 16,384 bytes");
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| NoDescriptor(error.to_string()))?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=128).contains(&read.image.len()) || !read.image.bytes().all(plain) {
            return no("image: expected 1 to 128 characters of [A-Za-z0-9._-]");
        }
        if !is_channel(&read.channel) {
            return no("channel: expected 1 to 32 characters of [a-z0-9-]");
        }
        if read.hardware.is_empty() || read.hardware.len() > MOST_HARDWARE {
            return no("hardware: expected 1 to 16 kinds");
        }
        if read.security_counter > MOST_COUNTER {
            return no("securityCounter: expected 0 to 65,535");
        }
        if read.notes.len() > MOST_NOTES_BYTES {
            return no("notes: expected at most 4,096 bytes");
        }
        if read.minimum_from.as_ref().is_some_and(|minimum| *minimum > read.version) {
            return no("minimumFrom: expected no newer version than the release's own");
        }
        Ok(read)
    }

    /// The draft of what was uploaded under `key`, in this version of that object; `size` and `sha256` were measured in the
    /// one pass over its bytes. The same news gives the same release.
    #[must_use]
    pub fn draft(self, key: &str, object: &str, size: u64, sha256: Digest, now: Timestamp) -> Release {
        let Self { version, hardware, channel, notes, minimum_from, security_counter, sealed, .. } = self;
        let release = id(key, object);
        let firmware = Firmware { release, version, hardware, size, sha256, minimum_from, security_counter };
        let (state, created_at) = (State::Draft, now);
        Release { firmware, channel, notes, sealed, state, version: 1, created_at, signed: None, by: vec![] }
    }
}

impl State {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Deprecated => "deprecated",
        }
    }
}

impl Why {
    /// Its stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Already => "already",
            Self::Deprecated => "release-deprecated",
            Self::NotPublished => "release-not-published",
            Self::OtherManifest => "manifest-of-another-release",
        }
    }
}

/// The id of the release that is uploaded under `key`, in this version of that object.
#[must_use]
pub fn id(key: &str, object: &str) -> Id {
    Id::of("release", &[key, object])
}

/// The release after `intent`; its version is higher by one.
///
/// # Errors
/// [`Why`].
pub fn next(before: &Release, intent: &Intent, by: &str) -> Result<Release, Why> {
    let mut after = before.clone();
    match (before.state, intent) {
        (State::Draft, Intent::Publish(signed)) => {
            let manifest = signed.manifest();
            if manifest.firmware != before.firmware || manifest.downgrade {
                return Err(Why::OtherManifest);
            }
            (after.state, after.signed) = (State::Published, Some(manifest.sequence));
        }
        (State::Published, Intent::Deprecate) => after.state = State::Deprecated,
        (State::Published, Intent::Publish(_)) | (State::Deprecated, Intent::Deprecate) => return Err(Why::Already),
        (State::Deprecated, Intent::Publish(_)) => return Err(Why::Deprecated),
        (State::Draft, Intent::Deprecate) => return Err(Why::NotPublished),
    }
    after.by.push(by.to_owned());
    after.version += 1;
    Ok(after)
}

/// The way from `from` to `target` over published releases for `hardware`, the fewest steps; the last is the target's own.
/// `None`: there is none. Each step goes to a newer version, is allowed by its `minimum_from`, and lowers no counter.
#[must_use]
pub fn path<'a>(from: &Version, hardware: &Hardware, releases: &'a [Release], target: &Id) -> Option<Vec<&'a Release>> {
    let fits = |release: &&Release| release.state == State::Published && release.firmware.hardware.contains(hardware);
    let mut left: Vec<&Release> = releases.iter().filter(fits).collect();
    let mut ways: Vec<(&Version, u32, Vec<&Release>)> = vec![(from, 0, vec![])];
    while !ways.is_empty() {
        let mut longer = vec![];
        for (at, counter, way) in &ways {
            let reachable = |release: &&Release| {
                let firmware = &release.firmware;
                firmware.version > **at
                    && firmware.security_counter >= *counter
                    && firmware.minimum_from.as_ref().is_none_or(|minimum| *at >= minimum)
            };
            let (steps, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(reachable);
            left = rest;
            for step in steps {
                let way: Vec<&Release> = way.iter().copied().chain([step]).collect();
                if step.firmware.release == *target {
                    return Some(way);
                }
                longer.push((&step.firmware.version, step.firmware.security_counter, way));
            }
        }
        // Of two ways that are equally long, the one that has come to the newer version goes first.
        longer.sort_by(|one, other| other.0.cmp(one.0));
        ways = longer;
    }
    None
}

/// Whether a text can be a channel's name: 1 to 32 characters of `[a-z0-9-]`.
#[must_use]
pub fn is_channel(text: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(lower)
}

#[cfg(test)]
pub(crate) mod tests {
    use loam_releases::samples::{Signer, firmware, hardware, manifest, version};
    use loam_releases::signature::Keyring;
    use serde_json::json;

    use super::*;

    pub(crate) fn draft(text: &str) -> Release {
        Release {
            firmware: firmware(text),
            channel: "stable".to_owned(),
            notes: String::new(),
            sealed: false,
            state: State::Draft,
            version: 1,
            created_at: Timestamp::from_millis(0),
            signed: None,
            by: vec![],
        }
    }

    fn signed(text: &str) -> Box<Verified> {
        let signer = Signer::new();
        let (bytes, signature) = signer.sign(&manifest(9, text));
        Box::new(Keyring::new(vec![signer.key()]).unwrap().verify(&bytes, &signature).unwrap())
    }

    #[test]
    fn a_draft_is_published_with_its_own_signed_manifest_only_and_never_changes_after_that() {
        let draft = draft("2.1.0");
        assert_eq!(next(&draft, &Intent::Publish(signed("2.2.0")), "ann"), Err(Why::OtherManifest));
        let published = next(&draft, &Intent::Publish(signed("2.1.0")), "ann").unwrap();
        assert_eq!((published.state, published.signed, published.version), (State::Published, Some(9), 2));
        assert_eq!(published.firmware, draft.firmware);
        assert_eq!(next(&published, &Intent::Publish(signed("2.1.0")), "ann"), Err(Why::Already));
        let old = next(&published, &Intent::Deprecate, "bob").unwrap();
        assert_eq!((old.state, old.by.len()), (State::Deprecated, 2));
        assert_eq!(next(&old, &Intent::Publish(signed("2.1.0")), "ann"), Err(Why::Deprecated));
        assert_eq!(next(&old, &Intent::Deprecate, "ann"), Err(Why::Already));
        assert_eq!(next(&draft, &Intent::Deprecate, "ann"), Err(Why::NotPublished));
    }

    #[test]
    fn the_same_upload_gives_the_same_release_and_another_version_of_the_object_another() {
        let text = json!({"image": "a.bin", "version": "1.0.0", "hardware": ["c3"], "channel": "beta"}).to_string();
        let draft = |object| {
            let descriptor = Descriptor::parse(text.as_bytes()).unwrap();
            descriptor.draft("incoming/a/release.json", object, 5, Digest::of(b"x"), Timestamp::from_millis(1))
        };
        assert_eq!(draft("v1"), draft("v1"));
        assert_ne!(draft("v1").firmware.release, draft("v2").firmware.release);
    }

    #[test]
    fn an_image_is_sealed_if_its_descriptor_says_so_and_a_device_sees_no_difference() {
        let draft = |sealed: Option<bool>| {
            let mut text = json!({"image": "a.bin", "version": "1.0.0", "hardware": ["c3"], "channel": "beta"});
            if let Some(sealed) = sealed {
                text["sealed"] = json!(sealed);
            }
            let descriptor = Descriptor::parse(text.to_string().as_bytes()).unwrap();
            descriptor.draft("incoming/a/release.json", "v1", 5, Digest::of(b"x"), Timestamp::from_millis(1))
        };
        assert_eq!([None, Some(false), Some(true)].map(|sealed| draft(sealed).sealed), [false, false, true]);
        assert_eq!(draft(Some(true)).firmware, draft(None).firmware);
    }

    #[test]
    fn a_descriptor_with_anything_beyond_its_bounds_is_refused_and_says_which() {
        let good = json!({"image": "a.bin", "version": "1.0.0", "hardware": ["c3"], "channel": "beta"});
        for (field, bad) in [
            ("image", json!("../a")),
            ("image", json!("")),
            ("version", json!("1.0")),
            ("hardware", json!([])),
            ("hardware", json!(["C3"])),
            ("channel", json!("Beta")),
            ("notes", json!("n".repeat(4_097))),
            ("minimumFrom", json!("1.0.1")),
            ("securityCounter", json!(65_536)),
            ("securityCounter", json!(-1)),
            ("sealed", json!("yes")),
            ("surprise", json!(1)),
        ] {
            let mut text = good.clone();
            text[field] = bad;
            assert!(Descriptor::parse(text.to_string().as_bytes()).is_err(), "{field}");
        }
        let hardware: Vec<String> = (0..17).map(|number| format!("h{number}")).collect();
        let mut many = good;
        many["hardware"] = json!(hardware);
        assert!(Descriptor::parse(many.to_string().as_bytes()).unwrap_err().to_string().contains("hardware"));
    }

    fn published(text: &str, minimum: Option<&str>, counter: u32) -> Release {
        let mut release = Release { state: State::Published, ..draft(text) };
        release.firmware.minimum_from = minimum.map(version);
        release.firmware.security_counter = counter;
        release
    }

    #[test]
    fn the_way_to_a_release_is_the_shortest_and_never_falls_back() {
        let all = [
            published("1.1.0", None, 0),
            published("1.5.0", Some("1.1.0"), 1),
            published("1.4.0", None, 0),
            published("2.0.0", Some("1.4.0"), 1),
            published("1.9.0", None, 5),
        ];
        let way = |from: &str, to: &Release| -> Option<Vec<String>> {
            let way = path(&version(from), &hardware("c3"), &all, &to.firmware.release)?;
            Some(way.iter().map(|release| release.firmware.version.to_string()).collect())
        };
        assert_eq!(way("1.0.0", &all[3]).unwrap(), ["1.4.0", "2.0.0"]);
        assert_eq!(way("1.4.0", &all[3]).unwrap(), ["2.0.0"]);
        assert_eq!(way("1.0.0", &all[1]).unwrap(), ["1.4.0", "1.5.0"]);
        assert_eq!(way("2.0.0", &all[3]), None);
        assert_eq!(way("3.0.0", &all[3]), None);
        assert!(path(&version("1.0.0"), &hardware("c2"), &all, &all[3].firmware.release).is_none());
    }
}
