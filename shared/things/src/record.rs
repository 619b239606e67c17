use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use loam_domain::{CertificateId, ThingName, Timestamp};
use serde_json::{Map, Value};

use crate::EpochErasure;

/// What Loam knows of a thing: one item of the table, written as a whole on the condition of its version.
#[derive(Debug, Clone, PartialEq)]
pub struct ThingRecord {
    /// Its name.
    pub thing: ThingName,
    /// Where in its life it stands.
    pub state: LifeCycle,
    /// From 1, one more with each change; an `ETag`.
    pub version: u64,
    /// Which owner's time it is, from 1.
    pub epoch: u64,
    /// The CA certificate under which it was registered.
    pub ca_id: CertificateId,
    /// Every certificate that it ever had: one that is revoked stays, so that it never comes back.
    pub certificates: BTreeMap<CertificateId, Certificate>,
    /// Its type in the registry.
    pub thing_type: Option<String>,
    /// Its static groups in the registry.
    pub groups: BTreeSet<String>,
    /// The registry's attributes that its CA profile gave it.
    pub attributes: BTreeMap<String, String>,
    /// When its name was won.
    pub registered_at: Timestamp,
    /// When this record was last changed. Never falls back, even where the clocks of two writers differ.
    pub updated_at: Timestamp,
    /// When AWS IoT took its newest description; `None` before the first.
    pub described_at: Option<Timestamp>,
    /// What of its newest description events tell; see [`crate::Description::told`].
    pub told: BTreeMap<String, String>,
    /// What it can do, in its own words.
    pub capabilities: Option<BTreeSet<String>>,
    /// What it said of its firmware: a text or an object.
    pub firmware: Option<Value>,
    /// Whether its initial shadow was written.
    pub shadow_seeded: bool,
    /// The desired state of its initial shadow, from its CA profile.
    pub initial_desired: Option<Map<String, Value>>,
    /// Where it stood when it was suspended, and where it comes back to.
    pub suspended_from: Option<LifeCycle>,
    /// Its retirement, from the moment that somebody asked for it.
    pub retirement: Option<Retirement>,
    /// The erasure of what the people of earlier epochs left, while it is under way: nobody owns the thing until it is over.
    pub erasure: Option<EpochErasure>,
}

impl ThingRecord {
    /// The certificates that can connect: active, or retiring (until it is removed).
    pub fn live(&self) -> impl Iterator<Item = &CertificateId> {
        self.certificates.iter().filter(|(_, certificate)| certificate.status.is_live()).map(|(id, _)| id)
    }

    /// The certificates that can connect or are about to: all but the revoked ones.
    pub fn standing(&self) -> impl Iterator<Item = &CertificateId> {
        self.certificates.iter().filter(|(_, each)| each.status != CertificateState::Revoked).map(|(id, _)| id)
    }

    /// The status of a certificate; `None` if the thing never had it.
    #[must_use]
    pub fn status_of(&self, certificate: &CertificateId) -> Option<CertificateState> {
        self.certificates.get(certificate).map(|certificate| certificate.status)
    }

    /// How far it came: where it stands, or where it stood when it was suspended. A suspended thing keeps its owner.
    #[must_use]
    pub fn stage(&self) -> LifeCycle {
        self.suspended_from.unwrap_or(self.state)
    }

    /// Whether it has an owner.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        self.stage() == LifeCycle::Paired
    }

    /// Whether the thing is retired or on its way there: nothing but its retirement goes on.
    #[must_use]
    pub const fn is_retiring(&self) -> bool {
        self.retirement.is_some()
    }
}

/// Where in its life a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LifeCycle {
    /// It has its name; no certificate of it can connect yet.
    Registered,
    /// A certificate of it can connect.
    Active,
    /// And it described itself.
    Onboarded,
    /// And it has an owner.
    Paired,
    /// No certificate of it can connect any more.
    Suspended,
    /// For ever: nothing changes any more.
    Retired,
}

impl LifeCycle {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Registered, Self::Active, Self::Onboarded, Self::Paired, Self::Suspended, Self::Retired];

    /// Its word in the table and in answers, for example `onboarded`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Active => "active",
            Self::Onboarded => "onboarded",
            Self::Paired => "paired",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for LifeCycle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A certificate of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// What it may do.
    pub status: CertificateState,
    /// Since when.
    pub since: Timestamp,
}

/// What a certificate of a thing may do. It goes only forward in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateState {
    /// Nothing yet: it has its place, and is not active in AWS IoT.
    Pending,
    /// Connect.
    Active,
    /// Still connect, until the newer one has; then it is removed.
    Retiring,
    /// Nothing, ever again: revoked, deactivated or deleted.
    Revoked,
}

impl CertificateState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Retiring, Self::Revoked];

    /// Its word in the table and in answers, for example `pending`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether a device can connect with it.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Retiring)
    }
}

/// A thing's way out: every capability erases what it keeps of the thing, and acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    /// When it was asked for.
    pub started_at: Timestamp,
    /// Who asked: an operator's id.
    pub by: String,
    /// Who has not acknowledged yet, for example `presence`.
    pub awaiting: BTreeSet<String>,
}
