//! Whether somebody gets a challenge for a thing.

use loam_domain::{ThingName, Timestamp};

use crate::claim::{Admission, admitted};
use crate::claim_code::ClaimCode;
use crate::code_hash::CodeHash;
use crate::people::UserId;
use crate::tenancy::{Standing, Tenancy};
use crate::window::Window;

/// What is known of a thing that exists and is not on its way to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whether it has described itself: only then is there something to own.
    pub onboarded: bool,
    /// Whose it is.
    pub tenancy: Tenancy,
    /// The device's window.
    pub window: Option<Window>,
    /// The hash of the code that is printed on it.
    pub printed: Option<CodeHash>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// A challenge, for this epoch.
    Challenge {
        /// The thing's present epoch.
        epoch: u64,
        /// What let them in.
        by: Admission,
    },
    /// 404 `no-such-thing`: there is none, it is closed, or the code is wrong: the same for all of these.
    NoSuchThing,
    /// 409 `already-paired`: the caller owns it.
    AlreadyYours,
    /// 409 `paired-by-another`: who holds the device may know that; its owner must unpair it, or the device be reset.
    PairedByAnother,
    /// 409 `still-erasing`: again in some seconds.
    StillErasing,
}

impl Begun {
    /// Whether a code that was given was the right one, so that its attempt is given back.
    #[must_use]
    pub const fn was_admitted(self) -> bool {
        match self {
            Self::Challenge { .. } | Self::PairedByAnother | Self::StillErasing => true,
            Self::NoSuchThing | Self::AlreadyYours => false,
        }
    }
}

/// What `user` is answered who asks for a challenge of `thing` at `now`.
///
/// For a thing that is not known a code is compared all the same, so that an answer takes as long as any other.
#[must_use]
pub fn begun(
    thing: &ThingName,
    known: Option<&Known>,
    user: &UserId,
    code: Option<&ClaimCode>,
    now: Timestamp,
) -> Begun {
    let epoch = known.map_or(0, |known| known.tenancy.epoch);
    let (window, printed) = known.map_or((None, None), |known| (known.window.as_ref(), known.printed.as_ref()));
    let admission = admitted(thing, epoch, window, printed, code, now);
    let Some(known) = known else { return Begun::NoSuchThing };
    let tenancy = &known.tenancy;
    match (&tenancy.standing, admission) {
        (Standing::Paired, _) if tenancy.owner() == Some(user) => Begun::AlreadyYours,
        (_, None) | (Standing::Gone, Some(_)) => Begun::NoSuchThing,
        (Standing::Paired, Some(_)) => Begun::PairedByAnother,
        (Standing::Erasing { .. }, Some(_)) => Begun::StillErasing,
        (Standing::Vacant, Some(_)) if !known.onboarded => Begun::NoSuchThing,
        (Standing::Vacant, Some(by)) => Begun::Challenge { epoch, by },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::Intent;
    use crate::tenancy::tests::{Home, at, pair, unpair, user};

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    fn code(random: u8) -> ClaimCode {
        ClaimCode::from_random([random; 7])
    }

    fn known(home: Home) -> Known {
        let printed = Some(CodeHash::quick(&thing(), &code(1)));
        Known { onboarded: true, tenancy: home.tenancy, window: None, printed }
    }

    fn asks(known: Option<&Known>, name: &str, random: Option<u8>) -> Begun {
        begun(&thing(), known, &user(name), random.map(code).as_ref(), at(500))
    }

    #[test]
    fn the_right_code_of_a_vacant_thing_gets_a_challenge_of_its_epoch() {
        let vacant = known(Home::after([pair("ann", 1), unpair("ann"), Intent::Erased { through: 1 }]));
        let challenge = Begun::Challenge { epoch: 2, by: Admission::PrintedCode };
        assert_eq!(asks(Some(&vacant), "bob", Some(1)), challenge);
    }

    #[test]
    fn who_has_no_key_to_it_cannot_tell_a_thing_from_none() {
        let things = [
            Some(known(Home::after([]))),
            Some(known(Home::after([pair("ann", 1)]))),
            Some(known(Home::after([pair("ann", 1), unpair("ann")]))),
            Some(known(Home::after([Intent::Retire]))),
            None,
        ];
        for thing in &things {
            for given in [None, Some(2)] {
                assert_eq!(asks(thing.as_ref(), "bob", given), Begun::NoSuchThing, "{thing:?}");
            }
        }
    }

    #[test]
    fn who_holds_the_device_hears_why_it_cannot_be_theirs() {
        let paired = known(Home::after([pair("ann", 1)]));
        assert_eq!(asks(Some(&paired), "bob", Some(1)), Begun::PairedByAnother);
        assert_eq!(asks(Some(&paired), "ann", None), Begun::AlreadyYours);
        let erasing = known(Home::after([pair("ann", 1), unpair("ann")]));
        assert_eq!(asks(Some(&erasing), "bob", Some(1)), Begun::StillErasing);
        assert!(Begun::StillErasing.was_admitted() && !Begun::NoSuchThing.was_admitted());
    }

    #[test]
    fn a_thing_that_never_described_itself_and_one_that_is_gone_are_nobodys() {
        let silent = Known { onboarded: false, ..known(Home::after([])) };
        assert_eq!(asks(Some(&silent), "bob", Some(1)), Begun::NoSuchThing);
        let gone = known(Home::after([Intent::Retire]));
        assert_eq!(asks(Some(&gone), "bob", Some(1)), Begun::NoSuchThing);
    }

    #[test]
    fn a_window_that_an_earlier_owner_opened_lets_nobody_in() {
        let window = |epoch| Some(Window { opened_at: at(0), until: at(1_000), epoch, code: None });
        let vacant = known(Home::after([pair("ann", 1), unpair("ann"), Intent::Erased { through: 1 }]));
        let old = Known { window: window(1), ..vacant.clone() };
        assert_eq!(asks(Some(&old), "ann", None), Begun::NoSuchThing);
        let new = Known { window: window(2), ..vacant };
        assert_eq!(asks(Some(&new), "ann", None), Begun::Challenge { epoch: 2, by: Admission::Window });
    }
}
