//! What one event costs: AWS calls, bytes and DynamoDB's capacity units, exact.

use loam_kit::Stack;
use loam_kit::wiretap::{Scenario, Wiretap, calls_table};

use crate::{soil_alerts, telemetry};

/// The table of a story's delivery, with the stack's own names for its resources.
async fn table_of(story: &impl Scenario) -> String {
    let stack = Stack::deployed();
    let wiretap = Wiretap::start(&stack.endpoint).await.unwrap();
    let world = story.world(&wiretap.endpoint()).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    wiretap.clear_records();
    story.deliver(&world).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    let renames = stack.resources.iter().map(|(logical, physical)| (bare(physical), logical.as_str()));
    calls_table(&wiretap.records(), &renames.collect::<Vec<_>>())
}

/// The last part of an ARN or address.
fn bare(physical: &str) -> &str {
    physical.rsplit([':', '/']).next().unwrap_or(physical)
}

#[tokio::test]
async fn a_soil_message_costs_these_calls() {
    let mut tables = String::new();
    for story in &soil_alerts::STORIES {
        tables += &format!("{}\n{}\n", story.name(), table_of(story).await);
    }
    println!("{tables}");
    assert_eq!(tables, include_str!("figures/soil-alerts.txt"));
}

#[tokio::test]
async fn a_batch_of_telemetry_costs_these_calls() {
    let mut tables = String::new();
    for story in &telemetry::STORIES {
        tables += &format!("{}\n{}\n", story.name(), table_of(story).await);
    }
    println!("{tables}");
    assert_eq!(tables, include_str!("figures/telemetry.txt"));
}
