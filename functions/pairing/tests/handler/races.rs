//! Several people at the same instant, on the real handlers: of each race the answers are one of the sets that the decisions
//! allow, and tenancy, record and memberships agree after it.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::world::{Who, World};

/// How often each race is run.
const ROUNDS: usize = 3;

/// The statuses, counted.
fn counted(statuses: &[u16]) -> BTreeMap<u16, usize> {
    statuses.iter().fold(BTreeMap::new(), |mut counted, status| {
        *counted.entry(*status).or_insert(0) += 1;
        counted
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_four_and_eight_who_pair_at_once_one_owns_it() {
    for people in [2_usize, 4, 8] {
        let world = World::new("race-pair").await;
        let code = world.label().await;
        let names: Vec<_> = (0..people).map(|at| format!("p{at}")).collect();
        let mut claims = Vec::new();
        for name in &names {
            claims.push(world.begin(name, Some(&code)).await.json());
        }
        let asked = names.iter().zip(&claims).map(|(name, claim)| world.confirm(name, claim, &world.device));
        let statuses: Vec<_> = join_all(asked).await.iter().map(|answer| answer.status).collect();
        assert_eq!(counted(&statuses), BTreeMap::from([(200, 1), (409, people - 1)]));
        world.assert_agrees().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_claim_that_is_confirmed_eight_times_at_once_is_confirmed() {
    let world = World::new("race-same").await;
    let code = world.label().await;
    let claim = world.begin("ann", Some(&code)).await.json();
    let answers = join_all((0..8).map(|_| world.confirm("ann", &claim, &world.device))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(world.tenancy().await.version, 1);
    world.assert_agrees().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_guesses_at_once_no_more_than_five_are_compared() {
    let world = World::new("race-guess").await;
    world.label().await;
    let asked = (0..20).map(|_| world.begin("eve", Some("0000-0000-0000")));
    let statuses: Vec<_> = join_all(asked).await.iter().map(|answer| answer.status).collect();
    // Who lost the write each time is told 409 and was not compared.
    let counted = counted(&statuses);
    assert!(counted.get(&404).is_some_and(|compared| *compared <= 5), "{counted:?}");
    assert!(counted.keys().all(|status| [404, 409, 429].contains(status)), "{counted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_unpair_and_pair_the_owner_gives_it_up_and_nobody_gets_it_in_the_same_breath() {
    for _ in 0..ROUNDS {
        let world = World::new("race-end").await;
        let code = world.label().await;
        let [anns, bobs] = [world.begin("ann", Some(&code)).await.json(), world.begin("bob", Some(&code)).await.json()];
        assert_eq!(world.confirm("ann", &anns, &world.device).await.status, 200);
        let (ends, pairs) = tokio::join!(world.unpair(Who::User("ann")), world.confirm("bob", &bobs, &world.device));
        assert_eq!((ends.status, pairs.status), (202, 409), "{}", pairs.body);
        assert!(["paired-by-another", "still-erasing"].contains(&pairs.code().1.as_str()));
        world.assert_agrees().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_takeover_and_an_unpair_one_wins() {
    for _ in 0..ROUNDS {
        let world = World::new("race-hand").await;
        world.pair("ann").await;
        let offer = world.offer("ann").await.json();
        let (takes, ends) =
            tokio::join!(world.accept("bob", "transfers-of-ownership", &offer), world.unpair(Who::User("ann")));
        assert_eq!(ends.status, 202, "{}", ends.body);
        assert!([202, 404].contains(&takes.status), "{}", takes.body);
        world.assert_agrees().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_accept_and_revoke_one_wins_and_of_eight_who_accept_too() {
    for _ in 0..ROUNDS {
        let world = World::new("race-guest").await;
        world.pair("ann").await;
        let made = world.invite("ann", "viewer").await.json();
        let (joins, ends) = tokio::join!(world.accept("bob", "invitations", &made), world.revoke("ann", &made));
        assert!([(200, 409), (409, 204)].contains(&(joins.status, ends.status)), "{} {}", joins.body, ends.body);
        world.assert_agrees().await;
        let made = world.invite("ann", "viewer").await.json();
        let names: Vec<_> = (0..8).map(|at| format!("g{at}")).collect();
        let answers = join_all(names.iter().map(|name| world.accept(name, "invitations", &made))).await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(counted(&statuses), BTreeMap::from([(200, 1), (409, 7)]));
        world.assert_agrees().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_accept_and_unpair_nobody_is_left_inside() {
    for _ in 0..ROUNDS {
        let world = World::new("race-inside").await;
        world.pair("ann").await;
        let made = world.invite("ann", "controller").await.json();
        let (joins, ends) = tokio::join!(world.accept("bob", "invitations", &made), world.unpair(Who::User("ann")));
        assert_eq!(ends.status, 202, "{}", ends.body);
        assert!([200, 404].contains(&joins.status), "{}", joins.body);
        assert!(world.tenancy().await.members.is_empty());
        world.assert_agrees().await;
    }
}
