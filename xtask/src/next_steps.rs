//! What to try next, once Loam runs here.

use std::path::Path;

use anstyle::Style;
use serde_json::Value;

use crate::build::Metadata;
use crate::deploy::{self, OWN_THING};
use crate::devices;
use crate::emulator::LocalAws;
use crate::failure::Failure;
use crate::keys::{Keys, REGION};
use crate::project::{Project, write_private};
use crate::terminal;
use crate::token::Caller;

const HEADING: Style = Style::new().bold();

/// Writes the file of exports and prints the block.
pub(crate) fn print(
    project: &Project,
    local: &LocalAws,
    stack: &Value,
    keys: &Keys,
    metadata: &Metadata,
    operator: &Caller,
    detached: bool,
) -> Result<(), Failure> {
    let exports = local.folder.join("env.sh");
    write_private(&exports, &exports_of(keys, &local.endpoint()))?;

    let here = |path: &Path| path.strip_prefix(project.root()).unwrap_or(path).display().to_string();
    let bucket = deploy::output(stack, "ArchiveBucket")?;
    let own = devices::arguments(Path::new(&here(&local.things())), OWN_THING, local.mqtt_port);
    let device = here(&metadata.built("loam-device"));
    let stop = if detached { "cargo xtask down" } else { "Ctrl-C" };
    terminal::say("");
    terminal::say_in(HEADING, "What to try next (from the repository's root, in another terminal)");
    for (what, how) in [
        ("the local AWS", format!("{} (MQTT over mutual TLS: port {})", local.endpoint(), local.mqtt_port)),
        ("its keys, for any AWS tool", format!(". {}", here(&exports))),
        ("what was archived", format!("aws s3 ls --recursive s3://{bucket}")),
        ("what is deployed", here(&local.folder.join(deploy::STACK_FILE))),
        ("the HTTP API", operator.url.clone()),
        ("an operator's token", format!("{} (an hour; then: cargo xtask token)", operator.token_file(project.root()))),
        ("call the API", operator.curl(project.root())),
        ("be the fourth sensor", format!("{device} {} --interval 10", own.join(" "))),
        ("logs", format!("{}/", here(&local.folder.join("log")))),
        ("stop", stop.to_owned()),
    ] {
        terminal::say(&format!("  {what:<27} {how}"));
    }
    terminal::say("");
    Ok(())
}

fn exports_of(keys: &Keys, endpoint: &str) -> String {
    format!(
        "# The local AWS that `cargo xtask up` started; worth nothing anywhere else.\n\
         export AWS_ENDPOINT_URL={endpoint}\n\
         export AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}\n\
         export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}\n\
         unset AWS_PROFILE AWS_SESSION_TOKEN\n",
        keys.access_key_id, keys.secret_access_key
    )
}
