//! `firmware-progress`: the queue's function.

use firmware::{ProgressConfig, ProgressHandler};
use loam_runtime::{Edge, process_environment, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("firmware-progress");
    let config = ProgressConfig::from_lookup(&process_environment)?;
    let handler = ProgressHandler::new(&sdk_config().await, config);
    edge.serve_batch(async |batch, invocation: &_| handler.handle(batch, invocation).await).await
}
