use loam_domain::Timestamp;

use crate::people::{Guest, Role, UserId};
use crate::tenancy::{Cause, Heir, Outcome, Standing, Tenancy};
use crate::token::ShareId;

/// What an intent makes of a tenancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// This, in one write.
    Change(Box<Change>),
    /// Nothing.
    Nothing(Outcome),
}

/// The tenancy after an intent, and what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The tenancy after it; its version is higher by one.
    pub tenancy: Tenancy,
    /// What happened, for one event.
    pub told: Told,
}

/// What happened. People are named by their ids only; no token, no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It has an owner.
    Paired {
        /// Who.
        owner: UserId,
    },
    /// Its owner's time is over: everybody erases what belongs to the epoch before, and acknowledges.
    Unpaired {
        /// Which time ended.
        epoch: u64,
        /// Why.
        cause: Cause,
    },
    /// Who was to own it after that does not want it any more, or an operator did not.
    HeirGone,
    /// Nothing of anybody is left: it may be claimed.
    Vacant,
    /// Somebody is invited.
    Invited {
        /// By which invitation.
        id: ShareId,
        /// As what.
        guest: Guest,
    },
    /// An invitation was taken back.
    InvitationRevoked {
        /// Which.
        id: ShareId,
    },
    /// Somebody joined, or became more than they were.
    Joined {
        /// Who.
        user: UserId,
        /// As what.
        role: Role,
    },
    /// Somebody left, or was removed.
    Left {
        /// Who.
        user: UserId,
    },
    /// A member wants mail, or does not any more.
    Mail {
        /// Who.
        user: UserId,
        /// Whether.
        wanted: bool,
    },
    /// The owner offers it.
    Offered {
        /// By which offer.
        id: ShareId,
    },
    /// The owner does not any more.
    Withdrawn {
        /// Which offer.
        id: ShareId,
    },
    /// It is retired.
    Gone,
}

/// What the thing's record goes through in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStep {
    /// Nothing; that its epoch is still this one is a condition all the same.
    Same,
    /// It becomes paired.
    Paired,
    /// It is paired no more, its epoch is one more, and an erasure begins.
    Ended,
    /// Its erasure is over; it becomes paired if there is an heir.
    Erased {
        /// Whether there is.
        paired: bool,
    },
}

/// A membership's row after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipWrite {
    /// This row, whatever stood there.
    Put {
        /// Whose.
        user: UserId,
        /// As what.
        role: Role,
        /// From when on.
        since: Timestamp,
        /// In which epoch.
        epoch: u64,
        /// Whether they want mail.
        mail: bool,
    },
    /// No row.
    Delete {
        /// Whose.
        user: UserId,
    },
}

impl MembershipWrite {
    /// Whose row it is.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        match self {
            Self::Put { user, .. } | Self::Delete { user } => user,
        }
    }
}

impl Change {
    /// What of the memberships this change writes: at most [`crate::tenancy::MOST_MEMBERS`] rows.
    #[must_use]
    pub fn memberships(&self, before: &Tenancy) -> Vec<MembershipWrite> {
        let after = &self.tenancy;
        let gone = before.members.keys().filter(|user| !after.members.contains_key(user));
        let deleted = gone.map(|user| MembershipWrite::Delete { user: user.clone() });
        let new = after.members.iter().filter(|(user, member)| before.members.get(user) != Some(member));
        let put = new.map(|(user, member)| MembershipWrite::Put {
            user: user.clone(),
            role: member.role,
            since: member.since,
            epoch: after.epoch,
            mail: member.mail,
        });
        deleted.chain(put).collect()
    }

    /// What the record goes through with this change.
    #[must_use]
    pub const fn record_step(&self, before: &Tenancy) -> RecordStep {
        match (&before.standing, &self.tenancy.standing) {
            (Standing::Paired, Standing::Erasing { .. }) => RecordStep::Ended,
            (Standing::Erasing { .. }, Standing::Paired) => RecordStep::Erased { paired: true },
            (Standing::Erasing { .. }, Standing::Vacant) => RecordStep::Erased { paired: false },
            (Standing::Vacant, Standing::Paired) => RecordStep::Paired,
            // The record's own retirement goes before a tenancy's; whatever else changes does not concern it.
            (Standing::Paired, Standing::Paired | Standing::Vacant | Standing::Gone)
            | (Standing::Erasing { .. }, Standing::Erasing { .. } | Standing::Gone)
            | (Standing::Vacant, Standing::Vacant | Standing::Erasing { .. } | Standing::Gone)
            | (Standing::Gone, _) => RecordStep::Same,
        }
    }
}

/// A tenancy in the making.
pub(super) struct Draft {
    pub(super) after: Tenancy,
}

impl Draft {
    /// Starts from `before`; its time never falls back, whatever `now` says.
    pub(super) fn of(before: &Tenancy, now: Timestamp) -> Self {
        let mut after = before.clone();
        after.version += 1;
        after.updated_at = now.max(before.updated_at);
        Self { after }
    }

    /// It stands otherwise, from now on.
    pub(super) fn stand(&mut self, standing: Standing) {
        self.after.standing = standing;
        self.after.since = self.after.updated_at;
    }

    /// Nobody has any access to it any more, by membership, invitation or offer.
    pub(super) fn clear(&mut self) {
        self.after.members.clear();
        self.after.invitations.clear();
        self.after.offer = None;
    }

    /// The owner's time ends.
    pub(super) fn end(mut self, owner: &UserId, cause: Cause, heir: Option<Heir>) -> Transition {
        let epoch = self.after.epoch;
        self.after.last_end = Some(super::End { epoch, owner: owner.clone(), cause });
        self.after.epoch = epoch.saturating_add(1);
        self.clear();
        self.stand(Standing::Erasing { heir });
        self.told(Told::Unpaired { epoch, cause })
    }

    /// The finished change.
    pub(super) fn told(self, told: Told) -> Transition {
        Transition::Change(Box::new(Change { tenancy: self.after, told }))
    }
}
