//! `jitr-api`: the operators' routes.

use jitr::{ApiConfig, api};
use loam_runtime::{Edge, process_environment, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("jitr-api");
    let config = ApiConfig::from_lookup(&process_environment)?;
    let state = api::Api::new(&sdk_config().await, config);
    loam_http::serve(edge, api::routes().with_state(state)).await
}
