use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::Stack;

/// A thing with its certificate, ready to connect.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The thing's name.
    pub thing: String,
    /// Its certificate's file.
    pub cert: PathBuf,
    /// Its private key's file.
    pub key: PathBuf,
    /// The file with the root certificate of the broker.
    pub root_ca: PathBuf,
}

#[derive(Deserialize)]
struct Seeded {
    things: Vec<Credentials>,
}

/// Makes things, each with a key and certificate of its own, by the same command that `cargo xtask up` uses.
///
/// # Panics
/// When the command fails; its message is the test's.
pub async fn join(stack: &Stack, things: &[&str]) -> Vec<Credentials> {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../local");
    let output = tokio::process::Command::new(&stack.python)
        .args(["-m", "loam_local", "seed", "--endpoint", &stack.endpoint, "--stack", &stack.stack])
        .args(["--policy", stack.output("DevicePolicyName"), "--things", &things.join(",")])
        .args(["--mqtt-port", &stack.mqtt_port.to_string(), "--out"])
        .arg(&stack.things_folder)
        .env("PYTHONPATH", local)
        .envs(stack.admin_variables())
        .stderr(Stdio::inherit())
        .output()
        .await
        .expect("the seeding command starts");
    assert!(output.status.success(), "the seeding command failed: see its message above");
    serde_json::from_slice::<Seeded>(&output.stdout).expect("the seeding command prints JSON").things
}
