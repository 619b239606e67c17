//! `soil-alerts-sweep`: the schedule's function.

use loam_runtime::{Edge, process_environment, sdk_config};
use soil_alerts::{AlertsConfig, Sweeper};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("soil-alerts-sweep");
    let config = AlertsConfig::from_lookup(&process_environment)?;
    let sweeper = Sweeper::new(&sdk_config().await, &config);
    edge.serve_event(async |event, invocation: &_| sweeper.handle(event, invocation).await).await
}
