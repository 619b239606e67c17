//! What one event costs: AWS calls, bytes and DynamoDB's capacity units, exact.

use loam_kit::Stack;
use loam_kit::wiretap::{Scenario, Wiretap, calls_table, distinct};

use crate::soil_sweep::Tables;
use crate::{
    catalog, catalog_routes, commands, erasures, event_relay, file_transfer, firmware, firmware_releases, jitr,
    onboarding, owners, pairing_api, presence, soil_alerts, soil_alerts_routes, sync_invoke, telemetry,
    telemetry_routes,
};

/// The table of a story's delivery, with the stack's own names for its resources.
async fn table_of(story: &impl Scenario) -> String {
    table_with(story, |_| vec![]).await
}

/// The same, with further names of the story's world and what stands for them.
async fn table_with<S: Scenario>(story: &S, own_names: impl Fn(&S::World) -> Vec<(String, String)>) -> String {
    let stack = Stack::deployed();
    let wiretap = Wiretap::start(&stack.endpoint).await.unwrap();
    let world = story.world(&wiretap.endpoint()).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    wiretap.clear_records();
    story.deliver(&world).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    // Addresses differ in the digits of their port, names in what CloudFormation makes of them.
    let (own, address) = (wiretap.endpoint(), stack.endpoint.clone());
    let of_queues = address.replace("127.0.0.1", "localhost");
    let mut renames = vec![(own.as_str(), "http://aws"), (address.as_str(), "http://aws")];
    renames.push((of_queues.as_str(), "http://localhost:4566"));
    renames.extend(stack.resources.iter().map(|(logical, physical)| (bare(physical), logical.as_str())));
    let own_names = own_names(&world);
    renames.extend(own_names.iter().map(|(name, stands)| (name.as_str(), stands.as_str())));
    // An attempt that the SDK made again on a slow machine is no call of ours.
    let calls: Vec<_> = distinct(&wiretap.records()).into_iter().cloned().collect();
    let signatures: Vec<String> = calls.iter().flat_map(|record| signatures(&record.call.body)).collect();
    let stands = "s".repeat(SIGNATURE_CHARACTERS);
    renames.extend(signatures.iter().map(|signature| (signature.as_str(), stands.as_str())));
    calls_table(&calls, &renames)
}

/// What an ECDSA signature on P-256 has in base64: its 70 to 72 bytes of DER.
const SIGNATURE_CHARACTERS: usize = 96;

/// The signatures in a body. One in some hundreds has a number that begins with zeros, and is shorter than the others: no figure
/// may depend on that.
fn signatures(body: &[u8]) -> Vec<String> {
    let is_base64 = |character: char| character.is_ascii_alphanumeric() || "+/=".contains(character);
    // A sequence of some 68 bytes that begins with an integer.
    let is_signature = |word: &&str| word.starts_with("ME") && word.get(3..4) == Some("C");
    let fits = |word: &&str| (SIGNATURE_CHARACTERS - 8..=SIGNATURE_CHARACTERS).contains(&word.len());
    let words = str::from_utf8(body).unwrap_or_default().split(|character| !is_base64(character));
    words.filter(fits).filter(is_signature).map(str::to_owned).collect()
}

#[test]
fn a_signature_is_found_wherever_it_stands_also_a_short_one() {
    let [long, short] = [94, 90].map(|length| format!("MEQC{}==", "A".repeat(length - 6)));
    let body =
        format!(r#"{{"signature":{{"S":"{long}"}},"document":"{{\"signature\":\"{short}\",\"url\":\"MEQC\"}}"}}"#);
    assert_eq!(signatures(body.as_bytes()), [long, short]);
    assert_eq!(signatures(&[0xff]), [""; 0]);
}

/// The table without the names that tests make up: each digit of a run of 12 (a thing's) or 64 (a certificate's) is 0.
fn nameless(table: &str) -> String {
    let mut found = String::new();
    let is_hex = |character: char| matches!(character, '0'..='9' | 'a'..='f');
    let mut rest = table;
    while let Some(character) = rest.chars().next() {
        let run = rest.find(|character| !is_hex(character)).unwrap_or(rest.len());
        let take = if run == 0 { character.len_utf8() } else { run };
        let (part, behind) = rest.split_at(take);
        found.push_str(&if run == 12 || run == 64 { "0".repeat(run) } else { part.to_owned() });
        rest = behind;
    }
    found
}

/// The last part of an ARN or address.
fn bare(physical: &str) -> &str {
    physical.rsplit([':', '/']).next().unwrap_or(physical)
}

#[tokio::test]
async fn a_batch_of_a_stream_costs_these_calls() {
    let mut tables = String::new();
    for story in &event_relay::STORIES {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/event-relay.txt"));
}

#[tokio::test]
async fn a_soil_message_costs_these_calls() {
    let mut tables = String::new();
    for story in &soil_alerts::STORIES {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/soil-alerts.txt"));
}

#[tokio::test]
async fn a_route_of_soil_alerts_costs_these_calls() {
    let mut tables = String::new();
    for story in &soil_alerts_routes::STORIES {
        tables.extend([story.name(), "\n", &in_order(&table_of(story).await), "\n"]);
    }
    assert_eq!(tables, include_str!("figures/soil-alerts-routes.txt"));
}

/// The table with its calls by name: those that are made side by side come in any order.
fn in_order(table: &str) -> String {
    let mut lines: Vec<&str> = table.lines().collect();
    if let [_, calls @ .., _] = lines.as_mut_slice() {
        calls.sort_unstable();
    }
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn a_batch_of_telemetry_costs_these_calls() {
    let mut tables = String::new();
    for story in &telemetry::STORIES {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/telemetry.txt"));
}

#[tokio::test]
async fn a_route_of_telemetry_costs_these_calls() {
    let mut tables = String::new();
    for story in &telemetry_routes::STORIES {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/telemetry-routes.txt"));
}

#[tokio::test]
async fn news_of_a_thing_cost_these_calls() {
    let mut tables = String::new();
    for story in &catalog::STORIES {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/catalog.txt"));
}

#[tokio::test]
async fn a_change_of_owners_costs_these_calls() {
    let mut tables = String::new();
    for story in &owners::stories(Tables::OfTheStack) {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    for story in &owners::erasures(Tables::OfTheStack) {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    assert_eq!(nameless(&tables), include_str!("figures/owners.txt"));
}

#[tokio::test]
async fn a_route_of_the_catalog_costs_these_calls() {
    let mut tables = String::new();
    for story in &catalog_routes::STORIES {
        let table = table_of(story).await;
        // A fleet of its own has a name by chance, always of the same length.
        let own = table.find("twin-").and_then(|at| table.get(at..at + "twin-".len() + 32)).map(str::to_owned);
        let table =
            own.map_or(table.clone(), |own| table.replace(&own, &format!("{:<1$}", "TwinsTable's twin", own.len())));
        tables.extend([story.name(), "\n", &table, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/catalog-routes.txt"));
}

#[tokio::test]
async fn a_certificate_costs_these_calls() {
    let mut tables = String::new();
    for story in &jitr::STORIES {
        tables.extend([story.name(), "\n", &table_with(story, jitr::World::renames).await, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/jitr.txt"));
}

#[tokio::test]
async fn an_event_of_presence_costs_these_calls() {
    let mut tables = String::new();
    for story in &presence::STORIES {
        tables.extend([story.name(), "\n", &without_names(&table_of(story).await), "\n"]);
    }
    assert_eq!(tables, include_str!("figures/presence.txt"));
}

#[tokio::test]
async fn a_call_of_a_device_costs_these_calls() {
    let stage = sync_invoke::Stage::new(sync_invoke::MEASURED).await;
    let mut tables = String::new();
    for story in &stage.stories() {
        tables.extend([story.name(), "\n", &without_names(&table_of(story).await), "\n"]);
    }
    assert_eq!(tables, include_str!("figures/sync-invoke.txt"));
}

/// The names of things are paths of the data plane, and new in each run: their digits are left out.
fn without_names(table: &str) -> String {
    let mut parts = table.split("/fault-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "/fault-............" + part.get(12..).unwrap_or_default())
}

#[tokio::test]
async fn a_description_and_a_retirement_cost_these_calls() {
    let mut tables = String::new();
    for story in &onboarding::STORIES {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    for story in &onboarding::retirements(Tables::OfTheStack) {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    for story in &erasures::alerts(Tables::OfTheStack) {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    let series = erasures::Series(Tables::OfTheStack);
    tables.extend([series.name(), "\n", &table_of(&series).await, "\n"]);
    assert_eq!(nameless(&tables), include_str!("figures/onboarding.txt"));
}

#[tokio::test]
async fn a_command_from_its_order_to_its_end_costs_these_calls() {
    let stage = commands::Stage::new().await;
    let mut tables = String::new();
    for story in stage.stories(Tables::Own) {
        let table = table_with(&story, commands::World::own_names).await;
        tables.extend([loam_kit::wiretap::Scenario::name(&story), "\n", &in_order(&nameless(&table)), "\n"]);
    }
    assert_eq!(tables, include_str!("figures/commands.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_pairing_costs_these_calls() {
    let stage = pairing_api::Stage::new().await;
    let mut tables = String::new();
    for story in stage.stories(Tables::Own) {
        let table = table_with(&story, pairing_api::World::own_names).await;
        tables.extend([story.name(), "\n", &in_order(&nameless(&table)), "\n"]);
    }
    assert_eq!(tables, include_str!("figures/pairing-routes.txt"));
}

#[tokio::test]
async fn a_file_from_its_order_to_its_end_costs_these_calls() {
    let mut tables = String::new();
    let stories = file_transfer::stories(Tables::Own);
    // Whoever first gives out a cursor in a stack's life makes the key of all.
    table_with(stories.last().unwrap(), file_transfer::World::own_names).await;
    for story in stories {
        let table = table_with(&story, file_transfer::World::own_names).await;
        tables.extend([loam_kit::wiretap::Scenario::name(&story), "\n", &in_order(&without_hex(&table)), "\n"]);
    }
    assert_eq!(tables, include_str!("figures/file-transfer.txt"));
}

#[tokio::test]
async fn a_release_and_a_rollout_cost_these_calls() {
    let mut tables = String::new();
    let releases = firmware_releases::stories(Tables::Own);
    // Whoever first gives out a cursor in a stack's life makes the key of all.
    Box::pin(table_with(releases.last().unwrap(), firmware_releases::World::own_names)).await;
    for story in &releases {
        let table = Box::pin(table_with(story, firmware_releases::World::own_names)).await;
        tables.extend([story.name(), "\n", &in_order(&without_hex(&table)), "\n"]);
    }
    for story in &firmware::stories(Tables::Own) {
        let table = Box::pin(table_with(story, firmware::World::own_names)).await;
        tables.extend([story.name(), "\n", &in_order(&without_hex(&table)), "\n"]);
    }
    assert_eq!(tables, include_str!("figures/firmware.txt"));
}

/// Ids of transfers, attempts, releases and rollouts, of 32 digits, are left out as those that [`nameless`] leaves out.
fn without_hex(table: &str) -> String {
    let is_hex = |character: char| matches!(character, '0'..='9' | 'a'..='f');
    let words = nameless(table);
    let parts = words.split_inclusive(|character| !is_hex(character));
    parts
        .map(|part| {
            if part.trim_end_matches(|end| !is_hex(end)).len() == 32 {
                part.replace(is_hex, "0")
            } else {
                part.to_owned()
            }
        })
        .collect()
}
