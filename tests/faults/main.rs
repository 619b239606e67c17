//! What happens when a function dies, loses an answer or is throttled at any of its AWS calls.
//!
//! Each capability adds its user stories to its own list; the loops below run over all of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run are its result")]

mod catalog;
mod catalog_routes;
mod commands;
mod erasures;
mod event_relay;
mod figures;
mod file_transfer;
mod firmware;
mod firmware_releases;
mod grants;
mod http;
mod jitr;
mod jitr_api;
mod onboarding;
mod owners;
mod pairing_api;
mod pairing_relay;
mod presence;
mod routes;
mod soil_alerts;
mod soil_alerts_routes;
mod soil_sweep;
mod sync_invoke;
mod telemetry;
mod telemetry_routes;
mod things;

use std::fmt::Display;
use std::time::Duration;

use loam_kit::Stack;
use loam_kit::wiretap::{Scenario, Strain, crash_everywhere, strain_everywhere};

/// Most functions' time is 30 s, and 500 ms of it are left for telling Lambda.
const BOUND: Duration = Duration::from_millis(29_500);

/// What a delivery is that a queue's function answered so: messages that must come again are no success.
fn all_done(answered: Result<Vec<String>, impl Display>) -> Result<(), String> {
    let again = answered.map_err(|failure| failure.to_string())?;
    if again.is_empty() { Ok(()) } else { Err(format!("messages {again:?} must come again")) }
}

/// Stops the handler before and after each call, delivers again, compares.
async fn survives_crashes(scenario: &impl Scenario) {
    let report = crash_everywhere(scenario, &Stack::deployed().endpoint).await.unwrap();
    println!("{report}");
    assert!(report.is_clean(), "{report}");
}

/// Refuses each call once, three times and always, as the services throttle, fail, and leave parts undone.
async fn survives_strain(scenario: &impl Scenario) {
    Box::pin(survives_strain_within(BOUND, scenario)).await;
}

/// The same for a function with a time of its own.
async fn survives_strain_within(bound: Duration, scenario: &impl Scenario) {
    for strain in [Strain::Throttled, Strain::Unavailable, Strain::Unprocessed] {
        let report = strain_everywhere(scenario, &Stack::deployed().endpoint, bound, strain).await.unwrap();
        println!("{report}");
        assert!(report.failures.is_empty(), "{report}");
        assert!(report.is_clean() || strain == Strain::Unprocessed, "{report}");
    }
}
