//! Several people at the same instant, on the real handlers: of each race the answers are one of the sets that the decisions
//! allow, and tenancy, record and memberships agree after it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use loam_kit::{Stack, now, rule_event};
use loam_runtime::{BatchItem, Invocation};
use pairing::saga::{Config, Handler};
use pairing::tenancy::{Cause, Standing};
use serde_json::Value;

use crate::world::{Answer, Who, World};

/// How often each race is run.
const ROUNDS: usize = 10;

/// Of each round of a race: how many people are in it.
fn crowds() -> impl Iterator<Item = usize> {
    [2, 4, 8].into_iter().cycle().take(ROUNDS)
}

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

/// Each of `people` accepts an invitation of their own.
async fn join(world: &World, people: &[String], made: &[Value]) -> Vec<Answer> {
    join_all(people.iter().zip(made).map(|(name, made)| world.accept(name, "invitations", made))).await
}

/// So many people, and as many invitations by the owner.
async fn invited(world: &World, people: usize) -> (Vec<String>, Vec<Value>) {
    let mut made = Vec::new();
    for _ in 0..people {
        made.push(world.invite("ann", "controller").await.json());
    }
    ((0..people).map(|at| format!("g{at}")).collect(), made)
}

/// The device says so often at once, to as many runs of its queue's function, that it was reset in its first owner's time.
async fn reset(world: &World, times: usize) {
    let stack = Stack::deployed();
    let function = stack.function("Pairing");
    let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
    let handler = Handler::new(&stack.role_of(function, &stack.endpoint).await, config);
    let mut event = rule_event(&world.thing, br#"{"epoch":1}"#, now());
    event["topic"] = format!("loam/{}/pairing/reset", world.thing).into();
    let invocation = Invocation { request_id: "race".to_owned(), now: now() };
    let run = |_| {
        let item = BatchItem { message_id: "0".to_owned(), body: event.to_string() };
        handler.handle(vec![item], &invocation)
    };
    for came in join_all((0..times).map(run)).await {
        assert!(came.unwrap().is_empty(), "the reset must come again");
    }
}

/// The first owner's time is over, once, and nobody is left inside.
async fn assert_ended(world: &World) {
    let tenancy = world.tenancy().await;
    assert_eq!((tenancy.epoch, tenancy.members.len(), tenancy.invitations.len()), (2, 0, 0), "{tenancy:?}");
    assert_eq!(tenancy.offer, None);
    assert!(matches!(tenancy.standing, Standing::Erasing { .. }), "{tenancy:?}");
    world.assert_agrees().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_accepts_and_unpairs_nobody_is_left_inside() {
    for people in crowds() {
        let world = World::new("race-inside").await;
        world.pair("ann").await;
        let (names, made) = invited(&world, people).await;
        let callers = [Who::User("ann"), Who::Operator].into_iter().cycle().take(people);
        let unpairs = join_all(callers.map(|who| world.unpair(who)));
        let (joins, ends) = tokio::join!(join(&world, &names, &made), unpairs);
        assert!(ends.iter().all(|end| end.status == 202), "{ends:?}");
        assert!(joins.iter().all(|join| [200, 404].contains(&join.status)), "{joins:?}");
        assert_ended(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_offers_and_unpairs_one_offer_is_made_at_most_and_none_can_be_taken_after_it() {
    for people in crowds() {
        let world = World::new("race-offer").await;
        world.pair("ann").await;
        let offers = join_all((0..people).map(|_| world.offer("ann")));
        let (offers, end) = tokio::join!(offers, world.unpair(Who::User("ann")));
        assert_eq!(end.status, 202, "{}", end.body);
        assert!(offers.iter().all(|offer| [201, 404, 409].contains(&offer.status)), "{offers:?}");
        let made: Vec<_> = offers.iter().filter(|offer| offer.status == 201).collect();
        assert!(made.len() <= 1, "{offers:?}");
        for offer in made {
            let took = world.accept("bob", "transfers-of-ownership", &offer.json()).await;
            assert_eq!(took.code(), (404, "no-such-offer".to_owned()));
        }
        assert_ended(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_accepts_and_a_factory_reset_nobody_is_left_inside() {
    for people in crowds() {
        let world = World::new("race-reset").await;
        world.pair("ann").await;
        let (names, made) = invited(&world, people).await;
        let (joins, ()) = tokio::join!(join(&world, &names, &made), reset(&world, people));
        assert!(joins.iter().all(|join| [200, 404].contains(&join.status)), "{joins:?}");
        assert_eq!(world.tenancy().await.last_end.map(|end| end.cause), Some(Cause::Reset));
        assert_ended(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_takeovers_and_a_factory_reset_one_ends_the_owners_time_and_one_heir_waits_at_most() {
    for people in crowds() {
        let world = World::new("race-heir").await;
        world.pair("ann").await;
        let offer = world.offer("ann").await.json();
        let names: Vec<_> = (0..people).map(|at| format!("h{at}")).collect();
        let takes = join_all(names.iter().map(|name| world.accept(name, "transfers-of-ownership", &offer)));
        let (takes, ()) = tokio::join!(takes, reset(&world, people));
        assert!(takes.iter().all(|take| [202, 404].contains(&take.status)), "{takes:?}");
        let heirs = takes.iter().filter(|take| take.status == 202).count();
        let standing = world.tenancy().await.standing;
        let heir = if let Standing::Erasing { heir } = standing { heir } else { None };
        assert_eq!(usize::from(heir.is_some()), heirs, "{heir:?} {takes:?}");
        assert_ended(&world).await;
    }
}
