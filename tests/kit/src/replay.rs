use std::path::Path;
use std::process::Stdio;

use crate::Stack;

/// Gives the stack's dead letters another try, by the same command that a person types; answers what it said last.
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
    assert!(output.status.success(), "the replay command failed: see its message above");
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().last().unwrap_or_default().to_owned()
}
