//! What one event costs: AWS calls, bytes and DynamoDB's capacity units, exact.

use loam_kit::Stack;
use loam_kit::wiretap::{Scenario, Wiretap, calls_table, distinct};

use crate::{catalog, catalog_routes, soil_alerts, telemetry};

/// The table of a story's delivery, with the stack's own names for its resources.
async fn table_of(story: &impl Scenario) -> String {
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
    // An attempt that the SDK made again on a slow machine is no call of ours.
    let calls: Vec<_> = distinct(&wiretap.records()).into_iter().cloned().collect();
    calls_table(&calls, &renames)
}

/// The last part of an ARN or address.
fn bare(physical: &str) -> &str {
    physical.rsplit([':', '/']).next().unwrap_or(physical)
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
async fn a_batch_of_telemetry_costs_these_calls() {
    let mut tables = String::new();
    for story in &telemetry::STORIES {
        tables.extend([story.name(), "\n", &table_of(story).await, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/telemetry.txt"));
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
async fn a_route_of_the_catalog_costs_these_calls() {
    let mut tables = String::new();
    for story in &catalog_routes::STORIES {
        let table = table_of(story).await;
        // A fleet of its own has a name by chance, always of the same length.
        let own = table.find("twin-").and_then(|at| table.get(at..at + "twin-".len() + 32)).unwrap_or("-").to_owned();
        let table = table.replace(&own, if own == "-" { "-" } else { "a twin of TwinsTable" });
        tables.extend([story.name(), "\n", &table, "\n"]);
    }
    assert_eq!(tables, include_str!("figures/catalog-routes.txt"));
}
