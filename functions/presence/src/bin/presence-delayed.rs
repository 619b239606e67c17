//! `presence-delayed`: the function of the queue that waits before anything is declared offline.

use loam_runtime::{Edge, process_environment, sdk_config};
use presence::{Config, Handler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("presence-delayed");
    let config = Config::from_lookup(&process_environment)?;
    let handler = Handler::new(&sdk_config().await, &config, "presence-delayed");
    edge.serve_batch(async |batch, invocation: &_| handler.handle_batch(batch, invocation).await).await
}
