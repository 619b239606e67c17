//! `soil-alerts-api`: the function of the HTTP routes.

use loam_runtime::{Edge, process_environment, sdk_config};
use soil_alerts::{ApiConfig, api};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let edge = Edge::start("soil-alerts-api");
    let config = ApiConfig::from_lookup(&process_environment)?;
    let routes = api::routes().with_state(api::Api::new(&sdk_config().await, config));
    loam_http::serve(edge, routes).await
}
