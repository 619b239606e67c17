//! `onboarding`: the rule's function.

use loam_runtime::{Edge, process_environment, sdk_config};
use onboarding::{Config, Handler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("onboarding");
    let config = Config::from_lookup(&process_environment)?;
    let handler = Handler::new(&sdk_config().await, config);
    edge.serve_event(async |event, invocation: &_| handler.handle(event, invocation).await).await
}
