//! `commands-sweep`: the schedule's function.

use commands::{Sweep, SweepConfig};
use loam_runtime::{Edge, process_environment, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("commands-sweep");
    let config = SweepConfig::from_lookup(&process_environment)?;
    let sweep = Sweep::new(&sdk_config().await, config);
    edge.serve_event(async |event, invocation: &_| sweep.handle(event, invocation).await).await
}
