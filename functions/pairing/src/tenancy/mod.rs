//! Whose a thing is: one aggregate per thing, one row, one conditional write for each change.
//!
//! People, invitations and an offer of ownership stand in one row on purpose: whatever two people do at the same instant,
//! one of them finds the other's work done, and no two rows ever have to agree. What others read (memberships, the thing's
//! record) is written in the same transaction, from [`Change::memberships`] and [`Change::record_step`].

mod handover;
mod intent;
mod next;
mod sharing;
#[cfg(test)]
pub(crate) mod tests;
mod writes;

use std::collections::BTreeMap;

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::people::{Guest, Role, UserId};
use crate::token::{ShareId, TokenHash};

pub use intent::{Actor, Intent, Outcome, Why};
pub use next::next;
pub use writes::{Change, MembershipWrite, RecordStep, Told, Transition};

/// How many people a thing may have, its owner and open invitations included. Checked when somebody is invited, so that
/// accepting never fails for it.
pub const MOST_MEMBERS: usize = 32;

/// How many invitations a row remembers, those included that were accepted, revoked or ran out.
pub const MOST_INVITATIONS: usize = 64;

/// How long an invitation, or an offer of ownership, can be accepted, in milliseconds: 24 hours.
pub const SHARE_MILLIS: i64 = 86_400_000;

/// So long an invitation that ended is remembered after its time, so that who comes late learns why: 24 hours.
const REMEMBERED_MILLIS: i64 = 86_400_000;

/// Whose a thing is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenancy {
    /// One more with each change; 0: there is no row yet.
    pub version: u64,
    /// Whose time it is, counted: the same number as in the thing's record. One more with each owner's end.
    pub epoch: u64,
    /// Where it stands.
    pub standing: Standing,
    /// Since when it stands so. For a paired thing: from when on its data is its owner's to see.
    pub since: Timestamp,
    /// The people, of whom exactly one is the owner while the thing is paired; nobody otherwise.
    pub members: BTreeMap<UserId, Member>,
    /// Invitations of the present owner.
    pub invitations: BTreeMap<ShareId, Invitation>,
    /// The present owner's offer to hand the thing over.
    pub offer: Option<Offer>,
    /// How the last owner's time ended, so that the same end asked for again is known.
    pub last_end: Option<End>,
    /// When it was last changed. Never falls back, even where the clocks of two writers differ.
    pub updated_at: Timestamp,
}

/// Where a thing stands between two owners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    /// Nobody's, and nothing of anybody is left: it may be claimed.
    Vacant,
    /// Somebody's.
    Paired,
    /// Its owner's time is over and all access with it; what people left is being erased. Nobody sees it until that is done.
    Erasing {
        /// Who owns it after that, if it was handed over.
        heir: Option<Heir>,
    },
    /// Retired, for ever.
    Gone,
}

/// Who owns a thing as soon as nothing of its former owner is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heir {
    /// Who.
    pub user: UserId,
    /// By which offer.
    pub by: ShareId,
}

/// A person's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// What they are.
    pub role: Role,
    /// From when on the thing's data is theirs to see.
    pub since: Timestamp,
    /// By which invitation or offer they came; `None`: they claimed it.
    pub by: Option<ShareId>,
    /// Whether they want its notices by mail.
    #[serde(default)]
    pub mail: bool,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// What the guest becomes.
    pub guest: Guest,
    /// What the token must hash to.
    pub token: TokenHash,
    /// From then on it is too late.
    pub expires_at: Timestamp,
    /// Whether it can still be accepted.
    pub state: InvitationState,
}

/// Whether an invitation can still be accepted. It ends once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvitationState {
    /// It can.
    Open,
    /// This person did.
    Accepted(UserId),
    /// Its owner took it back.
    Revoked,
}

/// An offer of ownership. There is one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Its id.
    pub id: ShareId,
    /// What the token must hash to.
    pub token: TokenHash,
    /// From then on it is too late.
    pub expires_at: Timestamp,
}

/// How an owner's time ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// Which.
    pub epoch: u64,
    /// Who owned it.
    pub owner: UserId,
    /// Why.
    pub cause: Cause,
}

/// Why an owner's time ended: a word for events and history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// `owner`: the owner gave it up.
    Owner,
    /// `operator`: an operator took it away.
    Operator,
    /// `reset`: the device was reset.
    Reset,
    /// `transfer`: somebody accepted it.
    Transfer,
    /// `retired`: the thing came to its end.
    Retired,
}

impl Tenancy {
    /// The tenancy of a thing that has no row, in the epoch of its record.
    #[must_use]
    pub const fn vacant(epoch: u64) -> Self {
        Self {
            version: 0,
            epoch,
            standing: Standing::Vacant,
            since: Timestamp::from_millis(0),
            members: BTreeMap::new(),
            invitations: BTreeMap::new(),
            offer: None,
            last_end: None,
            updated_at: Timestamp::from_millis(0),
        }
    }

    /// Who owns it.
    #[must_use]
    pub fn owner(&self) -> Option<&UserId> {
        self.members.iter().find(|(_, member)| member.role == Role::Owner).map(|(user, _)| user)
    }

    /// What somebody is to it.
    #[must_use]
    pub fn role_of(&self, user: &UserId) -> Option<Role> {
        self.members.get(user).map(|member| member.role)
    }

    /// The invitations that can be accepted at `now`.
    pub fn open_invitations(&self, now: Timestamp) -> impl Iterator<Item = (&ShareId, &Invitation)> {
        self.invitations.iter().filter(move |(_, each)| each.is_open(now))
    }
}

impl Invitation {
    /// Whether it can be accepted at `now`.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == InvitationState::Open && now < self.expires_at
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.millis_since(self.expires_at) >= REMEMBERED_MILLIS
    }
}

impl Cause {
    /// Its word, for example `transfer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Reset => "reset",
            Self::Transfer => "transfer",
            Self::Retired => "retired",
        }
    }
}
