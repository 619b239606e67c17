use loam_domain::Timestamp;

use super::next::{already, not_owner, refused};
use super::writes::{Draft, Told, Transition};
use super::{
    Invitation, InvitationState, MOST_INVITATIONS, MOST_MEMBERS, Member, SHARE_MILLIS, Standing, Tenancy, Why,
};
use crate::people::{Guest, Role, UserId};
use crate::token::{ShareId, TokenHash};

/// The owner invites a guest.
pub(super) fn invite(
    before: &Tenancy,
    by: &UserId,
    (id, token): (&ShareId, TokenHash),
    guest: Guest,
    now: Timestamp,
) -> Transition {
    if before.owner() != Some(by) {
        return refused(not_owner(before, by));
    }
    match before.invitations.get(id) {
        Some(known) if known.token == token || !known.is_open(now) => return already(before),
        Some(known) if known.guest == guest => return renew(before, (id, token), now),
        Some(_) => return already(before),
        None => {}
    }
    let mut draft = Draft::of(before, now);
    let now = draft.after.updated_at;
    draft.after.invitations.retain(|_, each| !each.is_forgotten(now));
    if draft.after.members.len() + draft.after.open_invitations(now).count() >= MOST_MEMBERS {
        return refused(Why::TooManyMembers);
    }
    if draft.after.invitations.len() >= MOST_INVITATIONS {
        return refused(Why::TooManyInvitations);
    }
    let expires_at = now.plus_millis(SHARE_MILLIS);
    let invitation = Invitation { guest, token, expires_at, state: InvitationState::Open };
    draft.after.invitations.insert(id.clone(), invitation);
    draft.told(Told::Invited { id: id.clone(), guest })
}

/// The same request again, whose first answer nobody got: the invitation gets the token that is answered now.
fn renew(before: &Tenancy, (id, token): (&ShareId, TokenHash), now: Timestamp) -> Transition {
    let mut draft = Draft::of(before, now);
    let Some(invitation) = draft.after.invitations.get_mut(id) else { return already(before) };
    invitation.token = token;
    let guest = invitation.guest;
    draft.told(Told::Invited { id: id.clone(), guest })
}

/// Somebody accepts an invitation. Its token is looked at first: who does not hold it learns nothing.
pub(super) fn accept(
    before: &Tenancy,
    user: &UserId,
    (id, token): (&ShareId, TokenHash),
    now: Timestamp,
) -> Transition {
    let Some(invitation) = before.invitations.get(id).filter(|each| each.token == token) else {
        return refused(Why::NoInvitation);
    };
    let role = Role::from(invitation.guest);
    match &invitation.state {
        InvitationState::Accepted(who) if who == user && before.members.contains_key(user) => already(before),
        InvitationState::Accepted(_) => refused(Why::InvitationUsed),
        InvitationState::Revoked => refused(Why::InvitationRevoked),
        InvitationState::Open if now >= invitation.expires_at => refused(Why::InvitationExpired),
        InvitationState::Open if before.role_of(user) >= Some(role) => refused(Why::AlreadyMember),
        InvitationState::Open => join(Draft::of(before, now), user, id, role),
    }
}

/// Who was a viewer and becomes a controller sees what they saw before.
fn join(mut draft: Draft, user: &UserId, id: &ShareId, role: Role) -> Transition {
    let known = draft.after.members.get(user);
    let (since, mail) = known.map_or((draft.after.updated_at, false), |member| (member.since, member.mail));
    draft.after.members.insert(user.clone(), Member { role, since, by: Some(id.clone()), mail });
    if let Some(invitation) = draft.after.invitations.get_mut(id) {
        invitation.state = InvitationState::Accepted(user.clone());
    }
    draft.told(Told::Joined { user: user.clone(), role })
}

/// The owner takes an invitation back.
pub(super) fn revoke(before: &Tenancy, by: &UserId, id: &ShareId, now: Timestamp) -> Transition {
    if before.owner() != Some(by) {
        return refused(not_owner(before, by));
    }
    match before.invitations.get(id).map(|invitation| &invitation.state) {
        None => refused(Why::NoInvitation),
        Some(InvitationState::Revoked) => already(before),
        Some(InvitationState::Accepted(_)) => refused(Why::InvitationUsed),
        Some(InvitationState::Open) => {
            let mut draft = Draft::of(before, now);
            if let Some(invitation) = draft.after.invitations.get_mut(id) {
                invitation.state = InvitationState::Revoked;
            }
            draft.told(Told::InvitationRevoked { id: id.clone() })
        }
    }
}

/// A member wants mail, or does not any more.
pub(super) fn mail(before: &Tenancy, by: &UserId, wanted: bool, now: Timestamp) -> Transition {
    match before.members.get(by).map(|member| member.mail) {
        None => refused(Why::NotAMember),
        Some(known) if known == wanted => already(before),
        Some(_) => {
            let mut draft = Draft::of(before, now);
            if let Some(member) = draft.after.members.get_mut(by) {
                member.mail = wanted;
            }
            draft.told(Told::Mail { user: by.clone(), wanted })
        }
    }
}

/// The owner ends a membership, or a member their own.
pub(super) fn remove(before: &Tenancy, by: &UserId, user: &UserId, now: Timestamp) -> Transition {
    let is_owner = before.owner() == Some(by);
    if !is_owner && by != user {
        return refused(not_owner(before, by));
    }
    match before.role_of(user) {
        Some(Role::Owner) => refused(Why::OwnerStays),
        Some(Role::Viewer | Role::Controller) => {
            let mut draft = Draft::of(before, now);
            draft.after.members.remove(user);
            draft.told(Told::Left { user: user.clone() })
        }
        None if is_owner && before.standing == Standing::Paired => already(before),
        None => refused(Why::NotAMember),
    }
}
