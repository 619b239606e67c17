use std::path::Path;
use std::process::Stdio;

use crate::Stack;

/// The command's exit code when something could not be handed over.
const LETTERS_LEFT: i32 = 3;

/// Hands over again what lies in the stack's dead-letter queues, by the same command that a person types; answers what it
/// said. Letters that stay, perhaps another test's, are no failure.
///
/// # Panics
/// When the command fails.
pub async fn replay(stack: &Stack) -> String {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../local");
    let output = tokio::process::Command::new(&stack.python)
        .args(["-m", "loam_local", "replay", "--endpoint", &stack.endpoint, "--stack", &stack.stack])
        .env("PYTHONPATH", local)
        .envs(stack.admin_variables())
        .stderr(Stdio::inherit())
        .output()
        .await
        .expect("the replay command starts");
    let ended = output.status.code();
    assert!(matches!(ended, Some(0 | LETTERS_LEFT)), "the replay command failed: see its message above");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
