use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use crate::Stack;

/// Every line that the stack's functions have logged so far, by log group, from CloudWatch Logs.
///
/// # Panics
/// When the local AWS refuses.
pub async fn function_logs(stack: &Stack) -> BTreeMap<String, Vec<String>> {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../local");
    let output = tokio::process::Command::new(&stack.python)
        .args(["-m", "loam_local", "logs", "--endpoint", &stack.endpoint, "--stack", &stack.stack])
        .env("PYTHONPATH", local)
        .envs(stack.admin_variables())
        .stderr(Stdio::inherit())
        .output()
        .await
        .expect("the command that reads the logs starts");
    assert!(output.status.success(), "the command that reads the logs failed: see its message above");
    serde_json::from_slice(&output.stdout).expect("the command that reads the logs prints JSON")
}
