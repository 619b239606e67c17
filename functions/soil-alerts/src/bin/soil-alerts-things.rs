//! `soil-alerts-things`: the function of the queue of things' events.

use loam_runtime::{Edge, process_environment, sdk_config};
use soil_alerts::{ThingEvents, ThingsConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("soil-alerts-things");
    let config = ThingsConfig::from_lookup(&process_environment)?;
    let events = ThingEvents::new(&sdk_config().await, config);
    edge.serve_batch(async |batch, invocation: &_| events.handle(batch, invocation).await).await
}
