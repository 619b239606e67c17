//! `onboarding-retire`: the queue's function.

use loam_runtime::{Edge, process_environment, sdk_config};
use onboarding::{RetireConfig, Retirer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("onboarding-retire");
    let config = RetireConfig::from_lookup(&process_environment)?;
    let retirer = Retirer::new(&sdk_config().await, config);
    edge.serve_batch(async |batch, invocation: &_| retirer.handle(batch, invocation).await).await
}
