//! `token`: a caller of the HTTP API that runs here.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::TokenOptions;
use crate::emulator::LocalAws;
use crate::failure::Failure;
use crate::keys::Keys;
use crate::project::Project;
use crate::state::Running;
use crate::terminal;
use crate::up;
use crate::venv::Venv;

/// Who is responsible for the fleet.
pub(crate) const OPERATOR: &str = "operator";
const OPERATORS: &str = "operators";

/// Where the API is, and where a caller's token lies.
pub(crate) struct Caller {
    pub(crate) url: String,
    token_file: String,
}

pub(crate) fn run(project: &Project, options: &TokenOptions) -> Result<ExitCode, Failure> {
    let folder = project.instance(up::INSTANCE);
    let running = Running::find(&folder).ok_or_else(none_runs)?;
    Venv::Emulator.ensure(project)?;
    let (port, mqtt_port, stack) = (running.port, running.mqtt_port, running.stack);
    let local = LocalAws { folder, port, mqtt_port, stack, email: String::new() };
    let keys = local.admin(project)?;
    let caller = Caller::sign_in(project, &local, &keys, &options.name, &options.group)?;
    terminal::say(&caller.curl(project.root()));
    if in_groups(&options.name, &options.group).is_empty() {
        let name = &options.name;
        terminal::note(&format!("  a thing for {name}: README.md, \"Own a thing\""));
    }
    Ok(ExitCode::SUCCESS)
}

impl Caller {
    /// Makes the person, if need be, and writes a fresh token, good for an hour.
    pub(crate) fn sign_in(
        project: &Project,
        local: &LocalAws,
        keys: &Keys,
        name: &str,
        groups: &[String],
    ) -> Result<Self, Failure> {
        let answer = local.person(project, keys, name, &in_groups(name, groups))?;
        let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
        Ok(Self { url: text("api"), token_file: text("tokenFile") })
    }

    /// Where the token lies, seen from the repository's root.
    pub(crate) fn token_file(&self, root: &Path) -> String {
        let path = Path::new(&self.token_file);
        path.strip_prefix(root).unwrap_or(path).display().to_string()
    }

    /// A line that works: it never shows the token.
    pub(crate) fn curl(&self, root: &Path) -> String {
        let file = self.token_file(root);
        format!(r#"curl -H "Authorization: Bearer $(cat {file})" {}/v1/things"#, self.url)
    }
}

fn in_groups(name: &str, groups: &[String]) -> Vec<String> {
    if groups.is_empty() && name == OPERATOR { vec![OPERATORS.to_owned()] } else { groups.to_vec() }
}

fn none_runs() -> Failure {
    Failure::new(
        "no-local-aws",
        "no local AWS runs here (cargo xtask up --detach). For a stack in your AWS account: \
         PYTHONPATH=local python -m loam_local user --stack <name> --name <person> --group operators --state <folder>.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_responsible_for_the_fleet_and_nobody_else_is_by_default() {
        assert_eq!(in_groups("operator", &[]), ["operators"]);
        assert!(in_groups("ann", &[]).is_empty());
        assert_eq!(in_groups("operator", &["others".to_owned()]), ["others"]);
    }

    #[test]
    fn the_line_to_try_reads_the_token_from_its_file() {
        let caller = Caller { url: "http://x".to_owned(), token_file: "/repo/target/local/state/a.token".to_owned() };
        let line = r#"curl -H "Authorization: Bearer $(cat target/local/state/a.token)" http://x/v1/things"#;
        assert_eq!(caller.curl(Path::new("/repo")), line);
    }
}
