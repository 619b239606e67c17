//! Laws that hold whatever people want of a thing, at the same instant, in any order, as often as may be.
//!
//! The model of the store is one compare-and-set cell: who wants something reads, decides, and writes on the version that
//! was read; who lost reads again. 2,000 histories run with every test run; `LOAM_HISTORIES=10000` says how many, from
//! `LOAM_SEED` on.

use std::collections::BTreeSet;

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::people::{Guest, Role};
use crate::tenancy::tests::{
    Home, accept, at, invite, offer, pair, remove, reset, revoke, share, take_over, unpair, user, withdraw,
};
use crate::tenancy::{Actor, Intent, MOST_MEMBERS, Outcome, Standing, Tenancy, Transition, Why, next};

/// What the store holds for a thing.
struct Cell {
    tenancy: Tenancy,
    /// How often it was written.
    writes: u64,
}

/// Somebody who wants one thing, between reading and writing.
struct Caller {
    intent: Intent,
    read: Option<Tenancy>,
    answer: Option<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Done,
    Already,
    Refused(Why),
}

impl Cell {
    fn of(tenancy: &Tenancy) -> Self {
        Self { tenancy: tenancy.clone(), writes: 0 }
    }

    /// One half-step of a caller: reads, or decides and writes.
    fn step(&mut self, caller: &mut Caller, now: i64) {
        let Some(read) = caller.read.take() else {
            caller.read = Some(self.tenancy.clone());
            return;
        };
        match next(&read, &caller.intent, at(now)) {
            Transition::Nothing(Outcome::Already(_)) => caller.answer = Some(Answer::Already),
            Transition::Nothing(Outcome::Refused(why)) => caller.answer = Some(Answer::Refused(why)),
            Transition::Change(change) if read.version == self.tenancy.version => {
                assert_goes_forward(&self.tenancy, &change.tenancy);
                assert_holds(&change.tenancy);
                let again = next(&change.tenancy, &caller.intent, at(now));
                assert!(matches!(again, Transition::Nothing(_)), "{:?} again: {again:?}", caller.intent);
                self.tenancy = change.tenancy;
                self.writes += 1;
                caller.answer = Some(Answer::Done);
            }
            Transition::Change(_) => {}
        }
    }
}

impl Caller {
    fn of(intent: &Intent) -> Self {
        Self { intent: intent.clone(), read: None, answer: None }
    }
}

/// Exactly one owner while it is paired, nobody else at any other time, and no more people than places.
fn assert_holds(tenancy: &Tenancy) {
    let owners = tenancy.members.values().filter(|member| member.role == Role::Owner).count();
    let paired = tenancy.standing == Standing::Paired;
    assert_eq!(owners, usize::from(paired), "{tenancy:?}");
    if !paired {
        assert!(tenancy.members.is_empty() && tenancy.invitations.is_empty() && tenancy.offer.is_none(), "{tenancy:?}");
    }
    let open = tenancy.open_invitations(tenancy.updated_at).count();
    assert!(tenancy.members.len() + open <= MOST_MEMBERS, "{tenancy:?}");
    assert!(tenancy.members.values().all(|member| member.since >= tenancy.since), "{tenancy:?}");
    if let Some(end) = &tenancy.last_end {
        assert!(end.epoch < tenancy.epoch || tenancy.standing == Standing::Gone, "{tenancy:?}");
    }
}

/// Versions go up by one, times and epochs never fall; people lose a thing only with its epoch, and nobody owns it right
/// after somebody else.
fn assert_goes_forward(before: &Tenancy, after: &Tenancy) {
    assert_eq!(after.version, before.version + 1);
    assert!(after.epoch >= before.epoch && after.updated_at >= before.updated_at, "{before:?} {after:?}");
    let ends = before.standing == Standing::Paired && after.standing != Standing::Paired;
    assert_eq!(after.epoch > before.epoch, ends && after.standing != Standing::Gone, "{before:?} {after:?}");
    if let (Some(was), Some(is)) = (before.owner(), after.owner()) {
        assert_eq!(was, is);
    }
    assert_ne!(before.standing, Standing::Gone);
}

/// Runs two callers through a schedule of half-steps (bit 0 set: the second one's turn), then to their ends.
fn interleaved(start: &Home, pair: [&Intent; 2], schedule: u32) -> (Tenancy, [Answer; 2], u64) {
    let mut cell = Cell::of(&start.tenancy);
    let mut callers = pair.map(Caller::of);
    let turns = (0..8).map(|place| (schedule >> place) & 1).chain(std::iter::repeat_n(0, 6)).chain([1; 6]);
    for turn in turns {
        let caller = &mut callers[usize::try_from(turn).unwrap()];
        if caller.answer.is_none() {
            cell.step(caller, start.now + 1_000);
        }
    }
    (cell.tenancy, callers.map(|caller| caller.answer.unwrap()), cell.writes)
}

/// In every order, two intents end as one after the other would, in one of the two orders; answers the set of what came.
fn raced(start: &Home, first: &Intent, second: &Intent) -> BTreeSet<[Answer; 2]> {
    let serial = [0b1111_0000, 0b0000_1111].map(|schedule| interleaved(start, [first, second], schedule));
    let mut came = BTreeSet::new();
    for schedule in 0..256 {
        let end = interleaved(start, [first, second], schedule);
        assert!(serial.contains(&end), "{first:?} {second:?} {schedule:08b}: {end:?}");
        came.insert(end.1);
    }
    came
}

fn refused(why: Why) -> Answer {
    Answer::Refused(why)
}

#[test]
fn of_two_who_pair_one_wins() {
    let came = raced(&Home::after([]), &pair("ann", 1), &pair("bob", 1));
    assert_eq!(came, BTreeSet::from([[Answer::Done, refused(Why::Owned)], [refused(Why::Owned), Answer::Done]]));
}

#[test]
fn of_pair_and_unpair_the_owner_gives_it_up_and_nobody_gets_it_in_the_same_breath() {
    let start = Home::after([pair("ann", 1)]);
    let came = raced(&start, &pair("bob", 1), &unpair("ann"));
    let lost = [Why::Owned, Why::StillErasing].map(|why| [refused(why), Answer::Done]);
    assert_eq!(came, BTreeSet::from(lost));
}

#[test]
fn of_a_takeover_and_an_unpair_one_wins() {
    let start = Home::after([pair("ann", 1), offer("ann", "o")]);
    let came = raced(&start, &take_over("bob", "o", 2), &unpair("ann"));
    let wins = [[Answer::Done, Answer::Already], [refused(Why::NoOffer), Answer::Done]];
    assert_eq!(came, BTreeSet::from(wins));
}

#[test]
fn of_an_offer_and_an_unpair_no_offer_is_left_and_of_two_offers_one_stands() {
    let start = Home::after([pair("ann", 1)]);
    for answers in raced(&start, &offer("ann", "o"), &unpair("ann")) {
        assert!(matches!(answers, [Answer::Done | Answer::Refused(Why::NotAMember), Answer::Done]));
    }
    let came = raced(&start, &offer("ann", "o"), &offer("ann", "p"));
    let wins = [[Answer::Done, refused(Why::OfferOpen)], [refused(Why::OfferOpen), Answer::Done]];
    assert_eq!(came, BTreeSet::from(wins));
}

#[test]
fn of_two_who_take_one_offer_over_one_wins_and_a_withdrawal_wins_or_comes_too_late() {
    let start = Home::after([pair("ann", 1), offer("ann", "o")]);
    let came = raced(&start, &take_over("bob", "o", 2), &take_over("cid", "o", 2));
    let wins = [[Answer::Done, refused(Why::NoOffer)], [refused(Why::NoOffer), Answer::Done]];
    assert_eq!(came, BTreeSet::from(wins));
    let came = raced(&start, &take_over("bob", "o", 2), &withdraw("ann", "o"));
    let wins = [[Answer::Done, refused(Why::NotAMember)], [refused(Why::NoOffer), Answer::Done]];
    assert_eq!(came, BTreeSet::from(wins));
}

#[test]
fn of_an_invitation_and_an_unpair_no_invitation_is_left() {
    let start = Home::after([pair("ann", 1)]);
    let came = raced(&start, &invite("ann", "i", Guest::Viewer), &unpair("ann"));
    let ends = [[Answer::Done, Answer::Done], [refused(Why::NotAMember), Answer::Done]];
    assert_eq!(came, BTreeSet::from(ends));
}

#[test]
fn of_accept_and_revoke_one_wins_and_of_two_who_accept_too() {
    let start = Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer)]);
    let came = raced(&start, &accept("bob", "i", 1), &revoke("ann", "i"));
    let wins = [[Answer::Done, refused(Why::InvitationUsed)], [refused(Why::InvitationRevoked), Answer::Done]];
    assert_eq!(came, BTreeSet::from(wins));
    let came = raced(&start, &accept("bob", "i", 1), &accept("cid", "i", 1));
    let used = refused(Why::InvitationUsed);
    assert_eq!(came, BTreeSet::from([[Answer::Done, used], [used, Answer::Done]]));
}

#[test]
fn of_accept_and_unpair_nobody_is_left_inside() {
    let start = Home::after([pair("ann", 1), invite("ann", "i", Guest::Controller)]);
    let came = raced(&start, &accept("bob", "i", 1), &unpair("ann"));
    let ends = [[Answer::Done, Answer::Done], [refused(Why::NoInvitation), Answer::Done]];
    assert_eq!(came, BTreeSet::from(ends));
}

#[test]
fn of_a_reset_and_an_unpair_one_ends_the_time_and_the_other_finds_it_ended() {
    let start = Home::after([pair("ann", 1)]);
    let came = raced(&start, &reset(Some(1), 5_000), &unpair("ann"));
    assert_eq!(came, BTreeSet::from([[Answer::Done, Answer::Already], [Answer::Already, Answer::Done]]));
}

pub(crate) fn number_of(name: &str, everyday: u64) -> u64 {
    let given = std::env::vars().find(|(variable, _)| variable == name);
    given.map_or(everyday, |(_, text)| text.parse().unwrap())
}

/// A source of chance that gives the same for the same seed; what it gives first resembles the next seed's first.
pub(crate) fn chance(seed: u64) -> TestRng {
    let mut bytes = [7_u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut chance = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    (0..32).for_each(|_| {
        chance.random_bool(0.5);
    });
    chance
}

/// Anything that anybody might want of the thing as it stands.
pub(crate) fn wanted(tenancy: &Tenancy, chance: &mut TestRng) -> Intent {
    let mut name = || ["ann", "bob", "cid", "dan"][chance.random_range(0..4)];
    let (one, other) = (name(), name());
    let owner = tenancy
        .owner()
        .map_or(one, |owner| ["ann", "bob", "cid", "dan"].into_iter().find(|each| *each == owner.as_str()).unwrap());
    let by = if chance.random_ratio(3, 4) { owner } else { one };
    let id = ["i", "j", "k"][chance.random_range(0..3)];
    let epoch = tenancy.epoch.saturating_sub(u64::from(chance.random_ratio(1, 5)));
    match chance.random_range(0..24) {
        0..4 => pair(one, epoch),
        4..6 => unpair(by),
        6 => Intent::Unpair { by: Actor::Operator },
        7 => reset(chance.random_bool(0.5).then_some(epoch), chance.random_range(0..60_000)),
        8..12 => Intent::Erased { through: epoch.saturating_sub(1) },
        12..14 => invite(by, id, if chance.random_bool(0.5) { Guest::Viewer } else { Guest::Controller }),
        14..17 => accept(other, id, u8::from(chance.random_ratio(9, 10))),
        17 => revoke(by, id),
        18 if chance.random_bool(0.5) => Intent::Mail { by: user(one), wanted: chance.random_bool(0.5) },
        18 => remove(by, other),
        19 => offer(by, id),
        20 => withdraw(by, id),
        21..23 => take_over(other, id, 2 * u8::from(chance.random_ratio(9, 10))),
        _ if chance.random_ratio(1, 10) => Intent::Retire,
        _ => pair(other, epoch),
    }
}

/// A history: 2 to 8 callers at a time, each with one wish, in a random order of their half-steps; some wishes twice.
fn live(seed: u64) -> (u64, u64) {
    let mut chance = chance(seed);
    let mut cell = Cell::of(&Tenancy::vacant(1));
    let mut refusals = 0;
    let mut now = 0;
    for _ in 0..chance.random_range(1..12) {
        let callers = chance.random_range(2..=8);
        let mut callers: Vec<_> = (0..callers).map(|_| Caller::of(&wanted(&cell.tenancy, &mut chance))).collect();
        if chance.random_bool(0.3) {
            let twice = callers[0].intent.clone();
            callers.push(Caller::of(&twice));
        }
        while callers.iter().any(|caller| caller.answer.is_none()) {
            now += chance.random_range(0..2_000);
            let place = chance.random_range(0..callers.len());
            if callers[place].answer.is_none() {
                cell.step(&mut callers[place], now);
            }
        }
        refusals += callers.iter().filter(|caller| matches!(caller.answer, Some(Answer::Refused(_)))).count() as u64;
    }
    assert_eq!(cell.tenancy.version, cell.writes, "seed {seed}");
    (cell.writes, refusals)
}

#[test]
fn any_number_of_people_at_once_keep_the_laws() {
    let (first, count) = (number_of("LOAM_SEED", 0), number_of("LOAM_HISTORIES", 2_000));
    let lived = (first..first + count).map(live);
    let (writes, refusals) = lived.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(writes > count && refusals > count, "{writes} writes and {refusals} refusals prove little");
    assert!(share("i") < share("j") && user("ann") < user("bob"));
}
