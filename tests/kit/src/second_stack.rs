use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::Stack;

/// Deploys the same template and programs once more, as the stack `name`, by `sam deploy`; answers its description.
///
/// # Panics
/// When the deployment fails; SAM's own words are the test's.
pub async fn deploy_beside(stack: &Stack, name: &str, parameters: &[&str]) -> Value {
    let architecture = if cfg!(target_arch = "aarch64") { "Architecture=arm64" } else { "Architecture=x86_64" };
    let mut sam = Command::new(&stack.sam);
    sam.args(["deploy", "--config-env", "local", "--template-file", "template.yaml", "--stack-name", name])
        .args(["--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", architecture])
        .args(parameters)
        .current_dir(&stack.staging)
        .env("AWS_ENDPOINT_URL", &stack.endpoint)
        .env("SAM_CLI_TELEMETRY", "0")
        .envs(stack.admin_variables());
    let output = sam.output().await.expect("sam starts");
    assert!(output.status.success(), "sam deploy: {}", String::from_utf8_lossy(&output.stderr));
    let described = describe(stack, name).await;
    serde_json::from_slice(&described.stdout).expect("the description is JSON")
}

/// Asks for the description of the stack `name`; it fails when there is none.
pub async fn describe(stack: &Stack, name: &str) -> Output {
    stack_verb(stack, "describe", name, &[]).await
}

/// Deletes the stack `name` by the command behind `cargo xtask destroy`.
///
/// # Panics
/// When it fails.
pub async fn destroy(stack: &Stack, name: &str) {
    let output = stack_verb(stack, "destroy", name, &[]).await;
    assert!(output.status.success(), "destroy failed: see its message above");
}

/// Runs a verb of the local AWS's package on the stack `name`.
pub(crate) async fn stack_verb(stack: &Stack, verb: &str, name: &str, arguments: &[&str]) -> Output {
    local_verb(stack, verb, &[&["--endpoint", &stack.endpoint, "--stack", name], arguments].concat()).await
}

/// Runs a verb of the local AWS's package, as the administrator of the local AWS.
pub(crate) async fn local_verb(stack: &Stack, verb: &str, arguments: &[&str]) -> Output {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../local");
    let mut command = Command::new(&stack.python);
    command.args(["-m", "loam_local", verb]).args(arguments).env("AWS_ENDPOINT_URL", &stack.endpoint);
    command.env("PYTHONPATH", local).envs(stack.admin_variables()).stderr(Stdio::inherit());
    command.output().await.expect("the local AWS's package starts")
}
