//! `sync-invoke`: both routes by which a device is called.

use loam_runtime::{Edge, process_environment, sdk_config};
use sync_invoke::{Api, Config, routes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let edge = Edge::start("sync-invoke");
    let config = Config::from_lookup(&process_environment)?;
    let api = Api::new(&sdk_config().await, &config);
    loam_http::serve(edge, routes().with_state(api)).await
}
