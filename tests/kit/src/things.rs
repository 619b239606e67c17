use std::path::{Path, PathBuf};
use std::process::Stdio;

use loam_runtime::process_environment;
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
    let python = process_environment("LOAM_PYTHON").expect("LOAM_PYTHON is missing: run through `cargo xtask test`");
    let out = process_environment("LOAM_THINGS").expect("LOAM_THINGS is missing: run through `cargo xtask test`");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = tokio::process::Command::new(python)
        .args(["-m", "loam_local", "seed", "--endpoint", &stack.endpoint, "--stack", "loam-test"])
        .args(["--policy", stack.output("DevicePolicyName"), "--things", &things.join(",")])
        .args(["--out", &out, "--mqtt-port", &stack.mqtt_port.to_string()])
        .env("PYTHONPATH", root.join("local"))
        .stderr(Stdio::inherit())
        .output()
        .await
        .expect("the seeding command starts");
    assert!(output.status.success(), "the seeding command failed: see its message above");
    serde_json::from_slice::<Seeded>(&output.stdout).expect("the seeding command prints JSON").things
}
