//! The boundaries of a tenancy, one sentence each.

use loam_domain::Timestamp;

use super::*;
use crate::device_word::Reset;
use crate::token::{TOKEN_BYTES, Token};

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn share(id: &str) -> ShareId {
    ShareId::parse(id).unwrap()
}

pub(crate) fn token(byte: u8) -> TokenHash {
    Token::new([byte; TOKEN_BYTES]).hash()
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn pair(name: &str, epoch: u64) -> Intent {
    Intent::Pair { user: user(name), epoch }
}

pub(crate) fn unpair(name: &str) -> Intent {
    Intent::Unpair { by: Actor::User(user(name)) }
}

pub(crate) fn reset(epoch: Option<u64>, received_at: i64) -> Intent {
    Intent::Unpair { by: Actor::Device(Reset { epoch, received_at: at(received_at) }) }
}

pub(crate) fn invite(by: &str, id: &str, guest: Guest) -> Intent {
    Intent::Invite { by: user(by), id: share(id), token: token(1), guest }
}

pub(crate) fn accept(name: &str, id: &str, byte: u8) -> Intent {
    Intent::Accept { user: user(name), id: share(id), token: token(byte) }
}

pub(crate) fn revoke(by: &str, id: &str) -> Intent {
    Intent::Revoke { by: user(by), id: share(id) }
}

pub(crate) fn remove(by: &str, name: &str) -> Intent {
    Intent::Remove { by: user(by), user: user(name) }
}

pub(crate) fn offer(by: &str, id: &str) -> Intent {
    Intent::Offer { by: user(by), id: share(id), token: token(2) }
}

pub(crate) fn take_over(name: &str, id: &str, byte: u8) -> Intent {
    Intent::TakeOver { user: user(name), id: share(id), token: token(byte) }
}

pub(crate) fn withdraw(by: &str, id: &str) -> Intent {
    Intent::Withdraw { by: user(by), id: share(id) }
}

/// A tenancy in a test; its clock goes on by a second with each step.
pub(crate) struct Home {
    pub(crate) tenancy: Tenancy,
    pub(crate) now: i64,
}

impl Home {
    fn vacant() -> Self {
        Self { tenancy: Tenancy::vacant(1), now: 0 }
    }

    /// The home after these intents, each of which changes it.
    pub(crate) fn after<const N: usize>(intents: [Intent; N]) -> Self {
        let mut home = Self::vacant();
        for intent in intents {
            home.change(&intent);
        }
        home
    }

    fn try_it(&mut self, intent: &Intent) -> Transition {
        self.now += 1_000;
        next(&self.tenancy, intent, at(self.now))
    }

    pub(crate) fn change(&mut self, intent: &Intent) -> (Change, Tenancy) {
        let Transition::Change(change) = self.try_it(intent) else { panic!("{intent:?} changes nothing") };
        let before = std::mem::replace(&mut self.tenancy, change.tenancy.clone());
        (*change, before)
    }

    fn refused(&mut self, intent: &Intent) -> Why {
        let came = self.try_it(intent);
        let Transition::Nothing(Outcome::Refused(why)) = came else { panic!("{intent:?}: {came:?}") };
        why
    }

    fn is_already(&mut self, intent: &Intent) -> bool {
        matches!(self.try_it(intent), Transition::Nothing(Outcome::Already(_)))
    }
}

#[test]
fn the_first_who_pairs_owns_it_and_the_second_finds_it_owned() {
    let mut home = Home::vacant();
    let (change, before) = home.change(&pair("ann", 1));
    assert_eq!(change.told, Told::Paired { owner: user("ann") });
    assert_eq!(change.record_step(&before), RecordStep::Paired);
    assert!(home.is_already(&pair("ann", 1)));
    assert_eq!(home.refused(&pair("bob", 1)), Why::Owned);
    assert_eq!(home.refused(&unpair("bob")), Why::NotAMember);
}

#[test]
fn a_claim_of_an_earlier_owners_time_pairs_nothing() {
    let mut home = Home::after([pair("ann", 1), unpair("ann"), Intent::Erased { through: 1 }]);
    assert_eq!(home.refused(&pair("ann", 1)), Why::EpochOver);
    assert_eq!(home.refused(&pair("bob", 3)), Why::EpochOver);
    home.change(&pair("bob", 2));
}

#[test]
fn unpair_ends_all_access_in_one_write_and_the_next_owner_comes_when_all_is_erased() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer), accept("bob", "i", 1)]);
    home.change(&invite("ann", "j", Guest::Controller));
    home.change(&offer("ann", "o"));
    let (change, before) = home.change(&unpair("ann"));
    assert_eq!(change.record_step(&before), RecordStep::Ended);
    let gone: Vec<_> = ["ann", "bob"].map(|name| MembershipWrite::Delete { user: user(name) }).into();
    assert_eq!(change.memberships(&before), gone);
    assert_eq!((home.tenancy.epoch, home.tenancy.members.len()), (2, 0));
    assert_eq!(home.refused(&accept("cid", "j", 1)), Why::NoInvitation);
    assert_eq!(home.refused(&take_over("cid", "o", 2)), Why::NoOffer);
    assert_eq!(home.refused(&pair("cid", 2)), Why::StillErasing);
    assert_eq!(home.refused(&Intent::Erased { through: 0 }), Why::TooLittleErased);
    let (change, before) = home.change(&Intent::Erased { through: 1 });
    assert_eq!(change.record_step(&before), RecordStep::Erased { paired: false });
    home.change(&pair("cid", 2));
}

#[test]
fn unpair_again_is_done_already_for_who_did_it_and_nothing_for_others() {
    let mut home = Home::after([pair("ann", 1), unpair("ann")]);
    for _ in 0..2 {
        assert!(home.is_already(&unpair("ann")));
        assert_eq!(home.refused(&unpair("bob")), Why::NotAMember);
        assert!(home.is_already(&Intent::Unpair { by: Actor::Operator }));
        let _ = home.try_it(&Intent::Erased { through: 1 });
    }
    home.change(&Intent::Erased { through: 1 });
    assert!(home.is_already(&unpair("ann")));
    home.change(&pair("bob", 2));
    assert_eq!(home.refused(&unpair("ann")), Why::NotAMember);
}

#[test]
fn an_operator_may_end_any_owners_time_and_a_guest_none() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Controller), accept("bob", "i", 1)]);
    assert_eq!(home.refused(&unpair("bob")), Why::NotOwner);
    let (change, _) = home.change(&Intent::Unpair { by: Actor::Operator });
    assert_eq!(change.told, Told::Unpaired { epoch: 1, cause: Cause::Operator });
}

#[test]
fn a_reset_ends_the_time_that_the_device_names_and_no_later_one() {
    let mut home = Home::after([pair("ann", 1)]);
    let (change, _) = home.change(&reset(Some(1), 0));
    assert_eq!(change.told, Told::Unpaired { epoch: 1, cause: Cause::Reset });
    home.change(&Intent::Erased { through: 1 });
    home.change(&pair("bob", 2));
    assert_eq!(home.refused(&reset(Some(1), 999_999)), Why::EpochOver);
    let since = home.tenancy.since.as_millis();
    assert_eq!(home.refused(&reset(None, since)), Why::EpochOver);
    home.change(&reset(None, since + 1));
}

#[test]
fn a_transfer_lets_the_heir_in_when_nothing_of_the_former_owner_is_left() {
    let mut home = Home::after([pair("ann", 1), offer("ann", "o")]);
    assert_eq!(home.refused(&take_over("bob", "o", 9)), Why::NoOffer);
    assert_eq!(home.refused(&take_over("ann", "o", 2)), Why::OwnOffer);
    let (change, _) = home.change(&take_over("bob", "o", 2));
    assert_eq!(change.told, Told::Unpaired { epoch: 1, cause: Cause::Transfer });
    assert!(home.tenancy.members.is_empty() && home.is_already(&take_over("bob", "o", 2)));
    assert_eq!(home.refused(&take_over("cid", "o", 2)), Why::NoOffer);
    let (change, before) = home.change(&Intent::Erased { through: 1 });
    assert_eq!(change.record_step(&before), RecordStep::Erased { paired: true });
    let put = MembershipWrite::Put { user: user("bob"), role: Role::Owner, since: at(home.now), epoch: 2, mail: true };
    assert_eq!(change.memberships(&before), [put]);
    assert!(home.is_already(&take_over("bob", "o", 2)));
}

#[test]
fn an_heir_may_renounce_and_so_may_an_operator_for_them_but_no_reset() {
    let mut home = Home::after([pair("ann", 1), offer("ann", "o"), take_over("bob", "o", 2)]);
    assert!(home.is_already(&reset(Some(1), 0)));
    assert_eq!(home.refused(&unpair("cid")), Why::NotAMember);
    assert!(home.is_already(&unpair("ann")), "her time is over, as she wanted");
    home.change(&unpair("bob"));
    assert!(home.is_already(&unpair("bob")));
    home.change(&Intent::Erased { through: 1 });
    assert_eq!(home.tenancy.standing, Standing::Vacant);
}

#[test]
fn there_is_one_offer_at_a_time_until_it_is_taken_back_or_over() {
    let mut home = Home::after([pair("ann", 1), offer("ann", "o")]);
    assert!(home.is_already(&offer("ann", "o")));
    assert_eq!(home.refused(&offer("ann", "p")), Why::OfferOpen);
    home.change(&withdraw("ann", "o"));
    assert!(home.is_already(&withdraw("ann", "o")));
    assert_eq!(home.refused(&take_over("bob", "o", 2)), Why::NoOffer);
    home.change(&offer("ann", "p"));
    let expires_at = home.tenancy.offer.as_ref().unwrap().expires_at.as_millis();
    home.now = expires_at - 1_000;
    assert_eq!(home.refused(&take_over("bob", "p", 2)), Why::OfferExpired);
    home.change(&offer("ann", "q"));
}

#[test]
fn an_invitation_is_accepted_once_within_a_day_by_who_holds_its_token() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer)]);
    assert!(home.is_already(&invite("ann", "i", Guest::Viewer)));
    assert_eq!(home.refused(&accept("bob", "i", 9)), Why::NoInvitation);
    assert_eq!(home.refused(&accept("ann", "i", 1)), Why::AlreadyMember);
    let expires_at = home.tenancy.invitations[&share("i")].expires_at.as_millis();
    home.now = expires_at - 1_001;
    home.change(&accept("bob", "i", 1));
    assert!(home.is_already(&accept("bob", "i", 1)));
    assert_eq!(home.refused(&accept("cid", "i", 1)), Why::InvitationUsed);
    home.change(&invite("ann", "j", Guest::Viewer));
    home.now = home.tenancy.invitations[&share("j")].expires_at.as_millis() - 1_000;
    assert_eq!(home.refused(&accept("cid", "j", 1)), Why::InvitationExpired);
}

#[test]
fn who_was_removed_does_not_come_back_by_the_same_invitation() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer), accept("bob", "i", 1)]);
    assert_eq!(home.refused(&remove("bob", "ann")), Why::NotOwner);
    assert_eq!(home.refused(&remove("ann", "ann")), Why::OwnerStays);
    home.change(&remove("ann", "bob"));
    assert!(home.is_already(&remove("ann", "bob")));
    assert_eq!(home.refused(&remove("bob", "bob")), Why::NotAMember);
    assert_eq!(home.refused(&accept("bob", "i", 1)), Why::InvitationUsed);
}

#[test]
fn a_member_leaves_alone_and_a_viewer_becomes_a_controller_by_a_second_invitation() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer), accept("bob", "i", 1)]);
    let since = home.tenancy.members[&user("bob")].since;
    home.change(&invite("ann", "j", Guest::Controller));
    home.change(&accept("bob", "j", 1));
    assert_eq!(home.tenancy.role_of(&user("bob")), Some(Role::Controller));
    assert_eq!(home.tenancy.members[&user("bob")].since, since);
    home.change(&remove("bob", "bob"));
    assert_eq!(home.tenancy.role_of(&user("bob")), None);
}

#[test]
fn an_owner_gets_mail_unless_they_say_otherwise_and_a_guest_if_they_say_so() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer), accept("bob", "i", 1)]);
    let mail = |name: &str, wanted| Intent::Mail { by: user(name), wanted };
    assert!(home.is_already(&mail("ann", true)) && home.is_already(&mail("bob", false)));
    let (change, before) = home.change(&mail("bob", true));
    let since = home.tenancy.members[&user("bob")].since;
    let put = MembershipWrite::Put { user: user("bob"), role: Role::Viewer, since, epoch: 1, mail: true };
    assert_eq!(change.memberships(&before), [put]);
    home.change(&mail("ann", false));
    assert_eq!(home.refused(&mail("cid", true)), Why::NotAMember);
    home.change(&invite("ann", "j", Guest::Controller));
    home.change(&accept("bob", "j", 1));
    assert!(home.tenancy.members[&user("bob")].mail, "more rights, the same mail");
}

#[test]
fn an_invitation_that_was_revoked_says_so_and_one_that_was_used_cannot_be() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer), revoke("ann", "i")]);
    assert!(home.is_already(&revoke("ann", "i")));
    assert_eq!(home.refused(&accept("bob", "i", 1)), Why::InvitationRevoked);
    assert_eq!(home.refused(&revoke("ann", "x")), Why::NoInvitation);
    home.change(&invite("ann", "j", Guest::Viewer));
    home.change(&accept("bob", "j", 1));
    assert_eq!(home.refused(&revoke("ann", "j")), Why::InvitationUsed);
    assert_eq!(home.refused(&revoke("bob", "j")), Why::NotOwner);
    assert_eq!(home.refused(&invite("bob", "k", Guest::Viewer)), Why::NotOwner);
    assert_eq!(home.refused(&invite("cid", "k", Guest::Viewer)), Why::NotAMember);
}

#[test]
fn the_32nd_place_is_given_by_an_invitation_the_33rd_is_not_and_every_one_given_can_be_taken() {
    let mut home = Home::after([pair("ann", 1)]);
    for number in 1..MOST_MEMBERS {
        home.change(&invite("ann", &format!("i{number}"), Guest::Viewer));
    }
    assert_eq!(home.refused(&invite("ann", "more", Guest::Viewer)), Why::TooManyMembers);
    for number in 1..MOST_MEMBERS {
        home.change(&accept(&format!("u{number}"), &format!("i{number}"), 1));
    }
    assert_eq!(home.refused(&invite("ann", "more", Guest::Viewer)), Why::TooManyMembers);
    home.change(&remove("ann", "u1"));
    home.change(&invite("ann", "more", Guest::Viewer));
}

#[test]
fn sixty_four_invitations_are_remembered_and_forgotten_a_day_after_their_time() {
    let mut home = Home::after([pair("ann", 1)]);
    for number in 0..MOST_INVITATIONS {
        home.change(&invite("ann", &format!("i{number}"), Guest::Viewer));
        home.change(&revoke("ann", &format!("i{number}")));
    }
    assert_eq!(home.refused(&invite("ann", "more", Guest::Viewer)), Why::TooManyInvitations);
    home.now += 2 * SHARE_MILLIS;
    home.change(&invite("ann", "more", Guest::Viewer));
    assert_eq!(home.tenancy.invitations.len(), 1);
}

#[test]
fn of_a_retired_thing_nothing_is_left_and_nothing_comes_back() {
    let mut home = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer), Intent::Retire]);
    assert!(home.tenancy.members.is_empty() && home.is_already(&Intent::Retire));
    for intent in [pair("bob", 1), unpair("ann"), accept("bob", "i", 1), Intent::Erased { through: 9 }] {
        assert_eq!(home.refused(&intent), Why::Gone, "{intent:?}");
    }
}

#[test]
fn who_may_not_know_of_a_thing_hears_of_none() {
    for why in Why::ALL {
        let hides = matches!(why, Why::NotAMember | Why::Gone);
        assert_eq!(why.as_str() == "no-such-thing", hides, "{why:?}");
        assert_eq!(why.status() == 403, why == Why::NotOwner, "{why:?}");
    }
}
