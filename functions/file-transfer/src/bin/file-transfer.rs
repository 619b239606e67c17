//! `file-transfer`: the queue's function.

use file_transfer::{Config, Handler};
use loam_runtime::{Edge, process_environment, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("file-transfer");
    let config = Config::from_lookup(&process_environment)?;
    let handler = Handler::new(&sdk_config().await, config);
    edge.serve_batch(async |batch, invocation: &_| handler.handle(batch, invocation).await).await
}
