//! `pairing-api`: the HTTP routes.

use loam_runtime::{Edge, process_environment, sdk_config};
use pairing::{Api, ApiConfig, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("pairing-api");
    let config = ApiConfig::from_lookup(&process_environment)?;
    let api = Api::new(&sdk_config().await, config);
    loam_http::serve(edge, routes().with_state(api)).await
}
