//! `pairing-relay`: the function that fills the mailboxes of the apps.

use loam_runtime::{Edge, process_environment, sdk_config};
use pairing::relay::{Handler, RelayConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("pairing-relay");
    let config = RelayConfig::from_lookup(&process_environment)?;
    let handler = Handler::new(&sdk_config().await, config);
    edge.serve_batch(async |batch, invocation: &_| handler.handle(batch, invocation).await).await
}
