//! `file-transfer-api`: the function of the HTTP routes.

use file_transfer::{Api, ApiConfig, routes};
use loam_runtime::{Edge, process_environment, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("file-transfer-api");
    let config = ApiConfig::from_lookup(&process_environment)?;
    let api = Api::new(&sdk_config().await, config);
    loam_http::serve(edge, routes().with_state(api)).await
}
