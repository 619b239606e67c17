//! What a device accepts.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::names::{Digest, Hardware, Id};
use crate::signature::{NotSigned, Verified};
use crate::version::Version;

/// How far ahead of the device's clock a manifest may have been made, in milliseconds: a day.
const MOST_AHEAD_MILLIS: i64 = 24 * 3_600_000;

/// What a device knows of itself when an order comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What it is.
    pub hardware: Hardware,
    /// What it runs.
    pub running: Version,
    /// The security counter of what it runs.
    pub security_counter: u32,
    /// The newest manifest that it accepted.
    pub seen: Option<Seen>,
    /// How much fits into its other slot, in bytes.
    pub slot_bytes: u64,
}

/// The newest manifest that a device accepted. It outlives every restart and every update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Its number.
    pub sequence: u64,
    /// Its digest: another manifest of the same number is not the same order.
    pub digest: Digest,
    /// When it was made: it is not earlier now, whatever the clock says.
    pub issued_at: Timestamp,
}

/// What the device was told to expect, by another way than the manifest: its shadow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Which release.
    pub release: Id,
    /// Of which version.
    pub version: Version,
    /// By which manifest, or a newer one of the same release.
    pub sequence: u64,
}

/// Why a device does not run what it is offered. Each has a stable word, the `reasonCode` of its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refuse {
    /// `unsigned`: no manifest.
    Unsigned,
    /// `unknown-signer`: a signer that the device does not trust.
    UnknownSigner,
    /// `bad-signature`: a trusted signer did not sign this.
    BadSignature,
    /// `mixed-up`: another release, version or order than the one that was announced.
    MixedUp,
    /// `wrong-hardware`.
    WrongHardware,
    /// `replayed`: a newer manifest was accepted before.
    Replayed,
    /// `clock-not-set`: the device cannot tell whether the manifest is still good.
    ClockNotSet,
    /// `expired`: its time is over.
    Expired,
    /// `not-yet-valid`: made later than now.
    NotYetValid,
    /// `already-installed`.
    AlreadyInstalled,
    /// `security-counter`: lower than that of what runs.
    SecurityCounter,
    /// `older-version`: and nobody signed that this is meant.
    OlderVersion,
    /// `from-too-old`: the device must go through a version between.
    FromTooOld,
    /// `does-not-fit`: larger than the slot.
    DoesNotFit,
    /// `image-size`: the image is longer or shorter than what was signed.
    ImageSize,
    /// `image-digest`: the image is another one than what was signed.
    ImageDigest,
    /// `data-key-not-authentic`: the key that came with a sealed image does not open it.
    DataKeyNotAuthentic,
    /// `header-not-authentic`: what stands before a sealed image was changed, or is of another release.
    HeaderNotAuthentic,
    /// `frame-not-authentic`: a piece of a sealed image was changed, or stands elsewhere.
    FrameNotAuthentic,
}

impl Refuse {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Unsigned,
        Self::UnknownSigner,
        Self::BadSignature,
        Self::MixedUp,
        Self::WrongHardware,
        Self::Replayed,
        Self::ClockNotSet,
        Self::Expired,
        Self::NotYetValid,
        Self::AlreadyInstalled,
        Self::SecurityCounter,
        Self::OlderVersion,
        Self::FromTooOld,
        Self::DoesNotFit,
        Self::ImageSize,
        Self::ImageDigest,
        Self::DataKeyNotAuthentic,
        Self::HeaderNotAuthentic,
        Self::FrameNotAuthentic,
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::UnknownSigner => "unknown-signer",
            Self::BadSignature => "bad-signature",
            Self::MixedUp => "mixed-up",
            Self::WrongHardware => "wrong-hardware",
            Self::Replayed => "replayed",
            Self::ClockNotSet => "clock-not-set",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::AlreadyInstalled => "already-installed",
            Self::SecurityCounter => "security-counter",
            Self::OlderVersion => "older-version",
            Self::FromTooOld => "from-too-old",
            Self::DoesNotFit => "does-not-fit",
            Self::ImageSize => "image-size",
            Self::ImageDigest => "image-digest",
            Self::DataKeyNotAuthentic => "data-key-not-authentic",
            Self::HeaderNotAuthentic => "header-not-authentic",
            Self::FrameNotAuthentic => "frame-not-authentic",
        }
    }
}

impl From<NotSigned> for Refuse {
    fn from(why: NotSigned) -> Self {
        match why {
            NotSigned::NoManifest(_) => Self::Unsigned,
            NotSigned::UnknownSigner => Self::UnknownSigner,
            NotSigned::Signature => Self::BadSignature,
        }
    }
}

/// Whether the device runs what it is offered; if so, what it has to remember before it does anything else.
///
/// `clock` is `None` while the device does not know the time. The manifest that it accepted last may be accepted again: a
/// device that lost its power goes on.
///
/// # Errors
/// The first [`Refuse`] in the order of that type.
pub fn accept(
    order: &Verified,
    reference: &Reference,
    device: &Device,
    clock: Option<Timestamp>,
) -> Result<Seen, Refuse> {
    let manifest = order.manifest();
    matches_reference(manifest, reference)?;
    if !manifest.firmware.hardware.contains(&device.hardware) {
        return Err(Refuse::WrongHardware);
    }
    let offered = Seen { sequence: manifest.sequence, digest: manifest.digest(), issued_at: manifest.issued_at };
    if device.seen.is_some_and(|seen| offered.is_older_than(&seen)) {
        return Err(Refuse::Replayed);
    }
    in_time(manifest, device, clock)?;
    forward(manifest, device)?;
    Ok(offered)
}

impl Seen {
    /// Whether this one may no longer be obeyed once `newest` was; an other one of the same number may not either.
    fn is_older_than(&self, newest: &Self) -> bool {
        self.sequence < newest.sequence || (self.sequence == newest.sequence && self.digest != newest.digest)
    }
}

fn matches_reference(manifest: &Manifest, reference: &Reference) -> Result<(), Refuse> {
    let firmware = &manifest.firmware;
    // A manifest that was signed anew, since the one before was about to expire, is the same order.
    let same = firmware.release == reference.release
        && firmware.version == reference.version
        && manifest.sequence >= reference.sequence;
    if same { Ok(()) } else { Err(Refuse::MixedUp) }
}

fn in_time(manifest: &Manifest, device: &Device, clock: Option<Timestamp>) -> Result<(), Refuse> {
    let clock = clock.ok_or(Refuse::ClockNotSet)?;
    // Whoever sets the clock back gains nothing: a manifest that was seen proves that its time has come.
    let now = device.seen.map_or(clock, |seen| seen.issued_at.max(clock));
    if now >= manifest.not_after {
        return Err(Refuse::Expired);
    }
    if manifest.issued_at.millis_since(now) > MOST_AHEAD_MILLIS {
        return Err(Refuse::NotYetValid);
    }
    Ok(())
}

fn forward(manifest: &Manifest, device: &Device) -> Result<(), Refuse> {
    let firmware = &manifest.firmware;
    if firmware.version == device.running {
        return Err(Refuse::AlreadyInstalled);
    }
    if firmware.security_counter < device.security_counter {
        return Err(Refuse::SecurityCounter);
    }
    if firmware.version < device.running && !manifest.downgrade {
        return Err(Refuse::OlderVersion);
    }
    if firmware.minimum_from.as_ref().is_some_and(|minimum| device.running < *minimum) {
        return Err(Refuse::FromTooOld);
    }
    if firmware.size > device.slot_bytes {
        return Err(Refuse::DoesNotFit);
    }
    Ok(())
}
