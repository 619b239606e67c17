//! Histories of things on the real tables, from eight handlers at once: whatever order, batches and repeats the news of a
//! thing meet, its row ends as that of one run in order, and nothing brings back a thing that retired.

use std::sync::Mutex;

use loam_kit::{Budget, Chance, now, number_of};
use serde_json::{Map, Value, json};

use crate::world::{World, shadow_at, shadow_end_at};

/// So many handlers work on one thing.
const HANDLERS: usize = 8;

/// What a thing's row says in the end: the shadow's version, what it reports, the presence's version.
type Row = Option<(Option<(u64, Map<String, Value>)>, Option<u64>)>;

/// A thing's news as they are delivered, and what comes of them.
struct History {
    deliveries: Vec<String>,
    retires: bool,
    lives: usize,
    expected: Row,
}

impl History {
    /// A few lives of a shadow, each begun anew more than 48 hours after the end of the one before; connections; events of
    /// the record; perhaps the end. Each message comes one to five times, in any order.
    fn new(world: &World, chance: &mut Chance) -> Self {
        let (mut news, mut at, mut last) = (Vec::new(), now().plus_millis(-30 * 24 * 3_600_000), None);
        let lives = chance.number(1, 3);
        for life in 1..=lives {
            let mut version = 0;
            for _ in 0..chance.number(1, 6) {
                version += 1;
                at = at.plus_millis(i64::try_from(chance.number(0, 40_000_000)).unwrap());
                let reported = json!({"n": news.len()});
                last = Some((version, reported.as_object().unwrap().clone()));
                news.push(shadow_at(&world.thing, version, &reported, at));
            }
            if life < lives || chance.number(0, 3) == 0 {
                news.push(shadow_end_at(&world.thing, version, at));
                last = Some((version, Map::new()));
            }
            at = at.plus_millis(48 * 3_600_000 + 1_000);
        }
        let presences = u64::try_from(chance.number(0, 6)).unwrap();
        news.extend((1..=presences).map(|version| world.presence(version, version % 2 == 1)));
        news.extend((0..chance.number(0, 3)).map(|_| world.told("thing.active")));
        let retires = chance.number(0, 3) == 0;
        if retires {
            news.push(world.told("thing.retiring"));
        }
        let mut deliveries: Vec<String> =
            news.iter().flat_map(|message| vec![message.clone(); chance.number(1, 5)]).collect();
        for at in (1..deliveries.len()).rev() {
            deliveries.swap(at, chance.number(0, at));
        }
        let expected = (!retires).then_some((last, (presences > 0).then_some(presences)));
        Self { deliveries, retires, lives, expected }
    }
}

async fn row(world: &World) -> Row {
    let twin = world.twin().await?;
    let shadow = twin.shadow.map(|shadow| (shadow.version, shadow.reported));
    Some((shadow, twin.presence.map(|presence| presence.version)))
}

/// Plays a history: eight handlers take batches until none is left; what fails comes again.
async fn play(world: &World, history: &History, chance: Mutex<Chance>) {
    let waiting = Mutex::new(history.deliveries.clone());
    let handler = async || {
        loop {
            let batch: Vec<String> = {
                let mut waiting = waiting.lock().unwrap();
                let take = chance.lock().unwrap().number(1, 10).min(waiting.len());
                waiting.drain(..take).collect()
            };
            if batch.is_empty() {
                return;
            }
            // A thing's record says that it retires before anybody is told so.
            if batch.iter().any(|message| message.contains("thing.retiring")) {
                world.begin_retirement().await;
            }
            let failed = world.deliver(batch.clone()).await;
            waiting.lock().unwrap().extend(failed.iter().map(|at| batch[at.parse::<usize>().unwrap()].clone()));
        }
    };
    futures_util::future::join_all((0..HANDLERS).map(|_| handler())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_end_on_the_real_tables_as_if_they_had_come_in_order() {
    let (count, seed) = (number_of("LOAM_STORE_HISTORIES", 24_u64), number_of("LOAM_SEED", 0_u64));
    let (seeds, budget) = (Mutex::new(seed..seed + count), Budget::start());
    let figures = Mutex::new((0, 0, 0, 0));
    let first = World::new("history").await;
    let player = async || {
        while !budget.is_spent() {
            let Some(seed) = seeds.lock().unwrap().next() else { return };
            let mut chance = Chance::new(seed);
            let world = first.another("history").await;
            let history = History::new(&world, &mut chance);
            Box::pin(play(&world, &history, Mutex::new(chance))).await;
            assert_eq!(row(&world).await, history.expected, "seed {seed}");
            let mut figures = figures.lock().unwrap();
            figures.0 += 1;
            figures.1 += history.deliveries.len();
            figures.2 += usize::from(history.lives > 1);
            figures.3 += usize::from(history.retires);
        }
    };
    tokio::join!(Box::pin(player()), Box::pin(player()), Box::pin(player()), Box::pin(player()));
    let (played, messages, reset, retired) = figures.into_inner().unwrap();
    println!(
        "figure: histories on the real store, catalog: {played} played, {messages} messages, {reset} with a shadow that \
         began anew, {retired} retired, 0 end elsewhere"
    );
}
