//! What a refusal tells a caller.

use axum::http::StatusCode;
use loam_domain::Timestamp;
use loam_http::Problem;

use crate::tenancy::Why;

/// How long an erasure takes at least, as a hint: it is asked again soon after.
const ERASING_SECONDS: u32 = 5;

/// Why an intent cannot be.
pub(super) fn refused(why: Why) -> Problem {
    let detail = match why {
        Why::Gone | Why::NotAMember => return Problem::no_such_thing(),
        Why::NotOwner => "this takes the role owner on the thing; ask its owner",
        Why::Owned => "somebody else owns it; they give it up or hand it over, or the device is reset",
        Why::StillErasing => "what its former owner left is still being erased; try again in some seconds",
        Why::EpochOver => "it was meant for an owner's time that is over; begin anew",
        Why::NoInvitation => "there is no such invitation, or the token is not its own",
        Why::InvitationExpired => "the invitation is older than 24 hours; ask its owner for another",
        Why::InvitationRevoked => "its owner took the invitation back",
        Why::InvitationUsed => "somebody accepted the invitation, and it is good for one; ask its owner for another",
        Why::AlreadyMember => "you have this role or more already",
        Why::TooManyMembers => "the thing has as many people and open invitations as it may; remove one, or revoke one",
        Why::TooManyInvitations => "too many invitations in two days; try again later",
        Why::OwnerStays => "the owner cannot be removed; hand the thing over, or give it up",
        Why::OfferOpen => "there is an offer already; withdraw it first",
        Why::NoOffer => "there is no such offer, or the token is not its own",
        Why::OfferExpired => "the offer is older than 24 hours; ask its owner for another",
        Why::OwnOffer => "the thing is yours; the offer is for somebody else",
        Why::TooLittleErased => "something of its former owner is left; try again in some seconds",
        Why::NotOnboarded => "the thing is suspended, or has not described itself; let it connect first",
    };
    let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::CONFLICT);
    let problem = Problem::new(status, why.as_str(), detail);
    if why == Why::StillErasing { problem.retry_after(ERASING_SECONDS) } else { problem }
}

/// Too many wrong codes.
pub(super) fn locked(until: Timestamp, now: Timestamp) -> Problem {
    let seconds = until.millis_since(now).div_euclid(1_000) + 1;
    let detail = "too many codes that were not right; wait, as Retry-After says, or press the device's button";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", detail);
    problem.retry_after(u32::try_from(seconds).unwrap_or(1))
}
