//! `firmware-intake`: the function that takes uploads in.

use firmware::{Intake, IntakeConfig};
use loam_runtime::{Edge, process_environment, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("firmware-intake");
    let config = IntakeConfig::from_lookup(&process_environment)?;
    let intake = Intake::new(&sdk_config().await, config);
    edge.serve_batch(async |batch, invocation: &_| intake.handle(batch, invocation).await).await
}
