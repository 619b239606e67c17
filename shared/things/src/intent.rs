use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{CertificateId, Timestamp};
use serde_json::{Map, Value};

use crate::ThingRecord;

/// What somebody wants of a thing's record. [`crate::next`] decides what comes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// A certificate claims the name.
    Register(Registration),
    /// A further certificate is to stand beside, or in place of, those before.
    AddCertificate(Addition),
    /// AWS IoT says that the certificate is active.
    CertificateActivated(CertificateId),
    /// A newer certificate is to take its place; until then it still connects.
    CertificateRetiring(CertificateId),
    /// A newer certificate took its place and it is gone.
    CertificateRemoved(CertificateId),
    /// It is revoked or deactivated: a security notice.
    CertificateRevoked(CertificateId, Notice),
    /// All its certificates are revoked or deactivated: a security notice each.
    Suspend(Notice),
    /// It described itself.
    Described(Description),
    /// Its initial shadow is written.
    ShadowSeeded,
    /// It is to be retired.
    BeginRetirement(RetirementOrder),
    /// A capability erased all that it keeps of the thing.
    AcknowledgeRetirement(String),
    /// All did, and the registry knows it no more.
    Retired,
    /// It has an owner, in this epoch: the caller's own row, in the same write, says whom.
    Paired {
        /// Which epoch the owner was promised.
        epoch: u64,
    },
    /// Its owner's time is over.
    Ended(End),
    /// A capability erased what people of earlier epochs left of the thing.
    AcknowledgeErasure(Acknowledgement),
    /// All did.
    Erased {
        /// The last epoch of which nothing is left.
        through: u64,
        /// Whether it has its next owner at once, as the caller's own row says in the same write.
        paired: bool,
    },
}

/// The end of an owner's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Which epoch ends.
    pub epoch: u64,
    /// Why: a stable word, for example `owner`.
    pub cause: String,
    /// Which capabilities must erase what people left of the thing, and acknowledge.
    pub awaiting: BTreeSet<String>,
}

/// A capability's word that nothing is left with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Whose, for example `catalog`.
    pub capability: String,
    /// The last epoch that it erased.
    pub through: u64,
    /// When it began to look for what is to be erased; what was written after that may have been missed.
    pub looked_at: Timestamp,
}

/// What came of one try at an intent with the caller's own items.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    /// Record, events and the caller's items are written: the record after it.
    Done(Box<ThingRecord>),
    /// Nothing is written, for the record needs or allows no change: never [`Outcome::Done`].
    Nothing(Outcome),
    /// Nothing is written: the record, or a condition of the caller's items, is another by now. Read both again.
    Lost,
}

/// A claim on a thing's name, as its CA profile decided it.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Who claims.
    pub certificate: CertificateId,
    /// Under which CA certificate.
    pub ca_id: CertificateId,
    /// The registry's type.
    pub thing_type: Option<String>,
    /// The registry's static groups.
    pub groups: BTreeSet<String>,
    /// The registry's attributes.
    pub attributes: BTreeMap<String, String>,
    /// The desired state of its initial shadow.
    pub initial_desired: Option<Map<String, Value>>,
    /// How many things this CA may have at a time; `None`: any number. A retired thing counts no more.
    pub max_devices: Option<u64>,
}

impl Registration {
    /// A claim without type, groups, attributes, initial state and maximum.
    #[must_use]
    pub const fn new(certificate: CertificateId, ca_id: CertificateId) -> Self {
        Self {
            certificate,
            ca_id,
            thing_type: None,
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
            initial_desired: None,
            max_devices: None,
        }
    }
}

/// A further certificate of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// Which.
    pub certificate: CertificateId,
    /// Its CA certificate: must be the thing's own.
    pub ca_id: CertificateId,
    /// Whether others may stand beside it.
    pub beside: Beside,
}

/// Whether a further certificate may stand beside others that can connect or are about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// No: only when all others are revoked.
    Nobody,
    /// Yes, up to [`crate::MAX_STANDING_CERTIFICATES`] of them.
    Others,
}

/// Who did it and why: what a security notice and the audit tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// An operator's id, or the function's name.
    pub by: String,
    /// Stable codes.
    pub reasons: Vec<String>,
}

/// A thing's own description.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// When AWS IoT took it; descriptions are ordered by this.
    pub at: Timestamp,
    /// What events tell of it (`data` of `thing.onboarded` and `thing.described`): some of its fields. A few kilobytes at
    /// most, which the caller sees to: the record holds it.
    pub told: BTreeMap<String, String>,
    /// What it can do; `None` leaves what was known.
    pub capabilities: Option<BTreeSet<String>>,
    /// Its firmware; `None` leaves what was known. A few kilobytes at most, as above.
    pub firmware: Option<Value>,
}

/// The order to retire a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetirementOrder {
    /// Who orders it.
    pub by: String,
    /// Which capabilities must acknowledge.
    pub awaiting: BTreeSet<String>,
    /// The version that whoever orders it has seen (`If-Match`); `None`: any.
    pub expected_version: Option<u64>,
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is done: the record after it.
    Done(Box<ThingRecord>),
    /// It was done before, by the same cause: the record as it is. As good as [`Outcome::Done`].
    Already(Box<ThingRecord>),
    /// It cannot be: the record as it is, and why.
    Refused(Why, Box<ThingRecord>),
    /// There is no such thing.
    Missing,
}

/// Why an intent cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The name, or the place beside others, belongs to another certificate.
    Taken,
    /// This certificate was revoked or replaced; it never comes back.
    CertificateGone,
    /// The thing never had this certificate.
    UnknownCertificate,
    /// The thing is retired, or on its way there.
    Retired,
    /// The thing is not on its way to retirement.
    NotRetiring,
    /// Not everybody acknowledged yet.
    Awaiting,
    /// The caller has seen another version, or a newer description is known.
    Stale,
    /// It has not described itself yet, or no certificate of it can connect: it cannot get an owner.
    NotOnboarded,
    /// It has no owner.
    NotPaired,
    /// It was meant for another epoch.
    EpochOver,
    /// What people of earlier epochs left is still being erased.
    Erasing,
    /// The capability looked while requests of the former owner could still write: it has to look again.
    TooEarly,
}

impl Why {
    /// Its stable code, for example `thing-taken`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "thing-taken",
            Self::CertificateGone => "certificate-retired",
            Self::UnknownCertificate => "certificate-unknown",
            Self::Retired => "thing-retired",
            Self::NotRetiring => "thing-not-retiring",
            Self::Awaiting => "retirement-awaits-others",
            Self::Stale => "stale",
            Self::NotOnboarded => "thing-not-onboarded",
            Self::NotPaired => "thing-not-paired",
            Self::EpochOver => "epoch-over",
            Self::Erasing => "still-erasing",
            Self::TooEarly => "erased-too-early",
        }
    }
}

/// What came of a claim on a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Registered {
    /// The name is this certificate's now.
    Won(Box<ThingRecord>),
    /// It was before, and the certificate is pending, active or retiring: go on where you were.
    Mine(Box<ThingRecord>),
    /// It belongs to another certificate: the profile says whether [`crate::Things::add_certificate`] may follow.
    Taken(Box<ThingRecord>),
    /// The CA has as many things as it may.
    Full,
    /// The thing is retired or retiring ([`Why::Retired`]), or this certificate of it is ([`Why::CertificateGone`]).
    Retired(Why, Box<ThingRecord>),
}

/// What came of a description.
#[derive(Debug, Clone, PartialEq)]
pub enum Described {
    /// Record and catalog hold it.
    Applied(Box<ThingRecord>),
    /// They hold one as new or newer; `described_at` equal to the description's own time is the same one come again.
    Stale(Box<ThingRecord>),
    /// There is no such thing.
    Missing,
    /// The thing is retired or on its way there.
    Retired(Box<ThingRecord>),
}
