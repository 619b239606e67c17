use std::path::PathBuf;

use serde::Deserialize;

use crate::Stack;
use crate::second_stack::stack_verb;

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
    let things_folder = stack.things_folder.display().to_string();
    let mqtt_port = stack.mqtt_port.to_string();
    let arguments =
        ["--policy", stack.output("DevicePolicyName"), "--things", &things.join(","), "--out", &things_folder];
    let output =
        stack_verb(stack, "seed", &stack.stack, &[&arguments[..], &["--mqtt-port", &mqtt_port]].concat()).await;
    assert!(output.status.success(), "the seeding command failed: see its message above");
    serde_json::from_slice::<Seeded>(&output.stdout).expect("the seeding command prints JSON").things
}
