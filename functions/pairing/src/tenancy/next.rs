use loam_domain::Timestamp;

use super::writes::{Draft, Told, Transition};
use super::{Actor, Cause, Heir, Intent, Member, Outcome, Standing, Tenancy, Why, handover, sharing};
use crate::people::{Role, UserId};
use crate::token::ShareId;

/// What comes of `intent` at `now`.
///
/// Pure. Repeated with the tenancy after it, it changes nothing: a cause that comes twice finds its work done.
#[must_use]
pub fn next(before: &Tenancy, intent: &Intent, now: Timestamp) -> Transition {
    if before.standing == Standing::Gone {
        return if *intent == Intent::Retire { already(before) } else { refused(Why::Gone) };
    }
    match intent {
        Intent::Pair { user, epoch } => pair(before, user, *epoch, now),
        Intent::Unpair { by } => unpair(before, by, now),
        Intent::Erased { through } => erased(before, *through, now),
        Intent::Invite { by, id, token, guest } => sharing::invite(before, by, (id, *token), *guest, now),
        Intent::Accept { user, id, token } => sharing::accept(before, user, (id, *token), now),
        Intent::Revoke { by, id } => sharing::revoke(before, by, id, now),
        Intent::Remove { by, user } => sharing::remove(before, by, user, now),
        Intent::Mail { by, wanted } => sharing::mail(before, by, *wanted, now),
        Intent::Offer { by, id, token } => handover::offer(before, by, (id, *token), now),
        Intent::Withdraw { by, id } => handover::withdraw(before, by, id, now),
        Intent::TakeOver { user, id, token } => handover::take_over(before, user, (id, *token), now),
        Intent::Retire => retire(before, now),
    }
}

fn pair(before: &Tenancy, user: &UserId, epoch: u64, now: Timestamp) -> Transition {
    match &before.standing {
        Standing::Paired if before.owner() == Some(user) => already(before),
        Standing::Paired => refused(Why::Owned),
        Standing::Erasing { .. } => refused(Why::StillErasing),
        Standing::Gone => refused(Why::Gone),
        Standing::Vacant if before.epoch != epoch => refused(Why::EpochOver),
        Standing::Vacant => own(Draft::of(before, now), user, None),
    }
}

/// `user` owns the thing from now on, and gets its mail unless they say otherwise.
fn own(mut draft: Draft, user: &UserId, by: Option<ShareId>) -> Transition {
    draft.stand(Standing::Paired);
    let owner = Member { role: Role::Owner, since: draft.after.since, by, mail: true };
    draft.after.members.insert(user.clone(), owner);
    draft.told(Told::Paired { owner: user.clone() })
}

fn unpair(before: &Tenancy, by: &Actor, now: Timestamp) -> Transition {
    if let Standing::Erasing { heir: Some(heir) } = &before.standing {
        return renounce(before, heir, by, now);
    }
    let Some(owner) = before.owner() else { return unpair_again(before, by) };
    let cause = match by {
        Actor::User(user) if user == owner => Cause::Owner,
        Actor::User(user) => return refused(not_owner(before, user)),
        Actor::Operator => Cause::Operator,
        Actor::Device(reset) if reset.concerns(before.epoch, before.since) => Cause::Reset,
        Actor::Device(_) => return refused(Why::EpochOver),
    };
    Draft::of(before, now).end(owner, cause, None)
}

/// Nobody owns it: whoever ended the last owner's time, or might have, did so.
fn unpair_again(before: &Tenancy, by: &Actor) -> Transition {
    let was_owner = |user: &UserId| before.last_end.as_ref().is_some_and(|end| end.owner == *user);
    match by {
        Actor::User(user) if !was_owner(user) => refused(Why::NotAMember),
        Actor::User(_) | Actor::Operator | Actor::Device(_) => already(before),
    }
}

/// The heir gives up what is not theirs yet, or an operator decides so. A reset says nothing about who comes next.
fn renounce(before: &Tenancy, heir: &Heir, by: &Actor, now: Timestamp) -> Transition {
    match by {
        Actor::User(user) if *user != heir.user => unpair_again(before, by),
        Actor::Device(_) => already(before),
        Actor::User(_) | Actor::Operator => {
            let mut draft = Draft::of(before, now);
            draft.after.standing = Standing::Erasing { heir: None };
            // Asked for again by the same heir, this end is known.
            if let Some(end) = &mut draft.after.last_end {
                end.owner = heir.user.clone();
            }
            draft.told(Told::HeirGone)
        }
    }
}

fn erased(before: &Tenancy, through: u64, now: Timestamp) -> Transition {
    let Standing::Erasing { heir } = &before.standing else { return already(before) };
    if through.saturating_add(1) < before.epoch {
        return refused(Why::TooLittleErased);
    }
    let mut draft = Draft::of(before, now);
    match heir {
        Some(heir) => own(draft, &heir.user, Some(heir.by.clone())),
        None => {
            draft.stand(Standing::Vacant);
            draft.told(Told::Vacant)
        }
    }
}

fn retire(before: &Tenancy, now: Timestamp) -> Transition {
    let mut draft = Draft::of(before, now);
    if let Some(owner) = before.owner() {
        let epoch = before.epoch;
        draft.after.last_end = Some(super::End { epoch, owner: owner.clone(), cause: Cause::Retired });
    }
    draft.clear();
    draft.stand(Standing::Gone);
    draft.told(Told::Gone)
}

/// Why somebody who is not the owner may not: a member hears so, nobody else hears anything.
pub(super) fn not_owner(before: &Tenancy, user: &UserId) -> Why {
    if before.members.contains_key(user) { Why::NotOwner } else { Why::NotAMember }
}

pub(super) fn already(before: &Tenancy) -> Transition {
    Transition::Nothing(Outcome::Already(Box::new(before.clone())))
}

pub(super) const fn refused(why: Why) -> Transition {
    Transition::Nothing(Outcome::Refused(why))
}
