use crate::device_word::Reset;
use crate::people::{Guest, UserId};
use crate::tenancy::Tenancy;
use crate::token::{ShareId, TokenHash};

/// What somebody wants. Who may want it is decided with it, in the same write: a role that was read earlier proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// A claim was answered by the device: `user` is the owner.
    Pair {
        /// Who claimed.
        user: UserId,
        /// The epoch that the device signed.
        epoch: u64,
    },
    /// The owner's time ends.
    Unpair {
        /// By whom.
        by: Actor,
    },
    /// What people left through this epoch is erased, everywhere.
    Erased {
        /// The last epoch of which nothing is left.
        through: u64,
    },
    /// The owner invites somebody.
    Invite {
        /// Who invites.
        by: UserId,
        /// The invitation's id.
        id: ShareId,
        /// What its token hashes to.
        token: TokenHash,
        /// What the guest becomes.
        guest: Guest,
    },
    /// Somebody accepts an invitation.
    Accept {
        /// Who accepts.
        user: UserId,
        /// Which.
        id: ShareId,
        /// What the token that they sent hashes to.
        token: TokenHash,
    },
    /// The owner takes an invitation back.
    Revoke {
        /// Who.
        by: UserId,
        /// Which.
        id: ShareId,
    },
    /// The owner ends a membership, or a member leaves.
    Remove {
        /// Who wants it.
        by: UserId,
        /// Whose membership.
        user: UserId,
    },
    /// A member wants the thing's notices by mail, or does not any more.
    Mail {
        /// Who.
        by: UserId,
        /// Whether.
        wanted: bool,
    },
    /// The owner offers the thing.
    Offer {
        /// Who.
        by: UserId,
        /// The offer's id.
        id: ShareId,
        /// What its token hashes to.
        token: TokenHash,
    },
    /// The owner takes the offer back.
    Withdraw {
        /// Who.
        by: UserId,
        /// Which.
        id: ShareId,
    },
    /// Somebody accepts the offer.
    TakeOver {
        /// Who.
        user: UserId,
        /// Which.
        id: ShareId,
        /// What the token that they sent hashes to.
        token: TokenHash,
    },
    /// The thing is on its way to retirement.
    Retire,
}

/// Who ends an owner's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person: only the owner may.
    User(UserId),
    /// An operator, who may for everybody.
    Operator,
    /// The device itself, by a factory reset.
    Device(Reset),
}

/// What came of an intent that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done before, by the same cause. As good as done.
    Already(Box<Tenancy>),
    /// It cannot be.
    Refused(Why),
}

/// Why an intent cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Somebody else owns it. Told only to who has proven to hold the device.
    Owned,
    /// What the former owner left is still being erased: again in some seconds.
    StillErasing,
    /// It was meant for an owner's time that is over.
    EpochOver,
    /// The thing is retired.
    Gone,
    /// Not for who is no member: they hear of no such thing.
    NotAMember,
    /// Only the owner may.
    NotOwner,
    /// There is no such invitation, or this is not its token.
    NoInvitation,
    /// Its time is over.
    InvitationExpired,
    /// Its owner took it back.
    InvitationRevoked,
    /// Somebody accepted it.
    InvitationUsed,
    /// Whoever accepts it is as much already, or more.
    AlreadyMember,
    /// The thing has as many people and open invitations as it may.
    TooManyMembers,
    /// Too many invitations in two days.
    TooManyInvitations,
    /// The owner cannot be removed: the thing is handed over or given up.
    OwnerStays,
    /// There is another offer: it is to be taken back first.
    OfferOpen,
    /// There is no such offer, or this is not its token.
    NoOffer,
    /// The offer's time is over.
    OfferExpired,
    /// The owner offers it to others, not to themselves.
    OwnOffer,
    /// Something is left of a later time than what was erased.
    TooLittleErased,
    /// No certificate of the thing can connect, or it has not described itself: it cannot get an owner now.
    NotOnboarded,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Owned,
        Self::StillErasing,
        Self::EpochOver,
        Self::Gone,
        Self::NotAMember,
        Self::NotOwner,
        Self::NoInvitation,
        Self::InvitationExpired,
        Self::InvitationRevoked,
        Self::InvitationUsed,
        Self::AlreadyMember,
        Self::TooManyMembers,
        Self::TooManyInvitations,
        Self::OwnerStays,
        Self::OfferOpen,
        Self::NoOffer,
        Self::OfferExpired,
        Self::OwnOffer,
        Self::TooLittleErased,
        Self::NotOnboarded,
    ];

    /// Its stable code, for example `offer-open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owned => "paired-by-another",
            Self::StillErasing => "still-erasing",
            Self::EpochOver => "epoch-over",
            Self::Gone | Self::NotAMember => "no-such-thing",
            Self::NotOwner => "role-too-low",
            Self::NoInvitation => "no-such-invitation",
            Self::InvitationExpired => "invitation-expired",
            Self::InvitationRevoked => "invitation-revoked",
            Self::InvitationUsed => "invitation-used",
            Self::AlreadyMember => "already-a-member",
            Self::TooManyMembers => "too-many-members",
            Self::TooManyInvitations => "too-many-invitations",
            Self::OwnerStays => "owner-stays",
            Self::OfferOpen => "offer-open",
            Self::NoOffer => "no-such-offer",
            Self::OfferExpired => "offer-expired",
            Self::OwnOffer => "own-offer",
            Self::TooLittleErased => "too-little-erased",
            Self::NotOnboarded => "not-onboarded",
        }
    }

    /// Its HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Gone | Self::NotAMember | Self::NoInvitation | Self::NoOffer => 404,
            Self::NotOwner => 403,
            Self::Owned
            | Self::StillErasing
            | Self::EpochOver
            | Self::InvitationExpired
            | Self::InvitationRevoked
            | Self::InvitationUsed
            | Self::AlreadyMember
            | Self::TooManyMembers
            | Self::TooManyInvitations
            | Self::OwnerStays
            | Self::OfferOpen
            | Self::OfferExpired
            | Self::OwnOffer
            | Self::TooLittleErased
            | Self::NotOnboarded => 409,
        }
    }
}
