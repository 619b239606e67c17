//! `firmware-conductor`: the queue's function.

use firmware::{ConductorConfig, ConductorHandler};
use loam_runtime::{Edge, process_environment, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("firmware-conductor");
    let config = ConductorConfig::from_lookup(&process_environment)?;
    let handler = ConductorHandler::new(&sdk_config().await, &config);
    edge.serve_batch(async |batch, invocation: &_| handler.handle(batch, invocation).await).await
}
