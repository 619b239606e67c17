use loam_domain::Timestamp;

use super::next::{already, not_owner, refused};
use super::writes::{Draft, Told, Transition};
use super::{Cause, Heir, Offer, SHARE_MILLIS, Standing, Tenancy, Why};
use crate::people::UserId;
use crate::token::{ShareId, TokenHash};

/// The owner offers the thing. One offer at a time: two that are open would be two promises of one thing.
pub(super) fn offer(before: &Tenancy, by: &UserId, (id, token): (&ShareId, TokenHash), now: Timestamp) -> Transition {
    if before.owner() != Some(by) {
        return refused(not_owner(before, by));
    }
    let draft = Draft::of(before, now);
    let now = draft.after.updated_at;
    match &before.offer {
        Some(open) if open.id == *id && (open.token == token || now >= open.expires_at) => already(before),
        // The same request again, whose first answer nobody got: the offer gets the token that is answered now.
        Some(open) if open.id == *id => {
            let mut draft = draft;
            draft.after.offer = Some(Offer { token, ..open.clone() });
            draft.told(Told::Offered { id: id.clone() })
        }
        Some(open) if now < open.expires_at => refused(Why::OfferOpen),
        Some(_) | None => {
            let mut draft = draft;
            draft.after.offer = Some(Offer { id: id.clone(), token, expires_at: now.plus_millis(SHARE_MILLIS) });
            draft.told(Told::Offered { id: id.clone() })
        }
    }
}

/// The owner takes the offer back. One that is not there is as good as taken back.
pub(super) fn withdraw(before: &Tenancy, by: &UserId, id: &ShareId, now: Timestamp) -> Transition {
    if before.owner() != Some(by) {
        return refused(not_owner(before, by));
    }
    if before.offer.as_ref().is_none_or(|offer| offer.id != *id) {
        return already(before);
    }
    let mut draft = Draft::of(before, now);
    draft.after.offer = None;
    draft.told(Told::Withdrawn { id: id.clone() })
}

/// Somebody accepts the offer: everybody's access ends now, theirs begins when nothing of the others is left.
pub(super) fn take_over(
    before: &Tenancy,
    user: &UserId,
    (id, token): (&ShareId, TokenHash),
    now: Timestamp,
) -> Transition {
    if took_over(before, user, id) {
        return already(before);
    }
    let offer = before.offer.as_ref().filter(|offer| offer.id == *id && offer.token == token);
    let (Some(offer), Some(owner)) = (offer, before.owner()) else { return refused(Why::NoOffer) };
    if now >= offer.expires_at {
        return refused(Why::OfferExpired);
    }
    if owner == user {
        return refused(Why::OwnOffer);
    }
    let heir = Heir { user: user.clone(), by: id.clone() };
    Draft::of(before, now).end(owner, Cause::Transfer, Some(heir))
}

fn took_over(before: &Tenancy, user: &UserId, id: &ShareId) -> bool {
    match &before.standing {
        Standing::Erasing { heir: Some(heir) } => heir.user == *user && heir.by == *id,
        Standing::Paired => {
            before.owner() == Some(user) && before.members.get(user).is_some_and(|owner| owner.by.as_ref() == Some(id))
        }
        Standing::Erasing { heir: None } | Standing::Vacant | Standing::Gone => false,
    }
}
