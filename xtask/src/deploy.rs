//! `sam deploy` to the local AWS, the same command that one types for AWS.

use std::process::Command;

use serde_json::Value;

use crate::cli::LambdaArchitecture;
use crate::elf::Machine;
use crate::emulator::LocalAws;
use crate::failure::Failure;
use crate::keys::{Keys, REGION};
use crate::process;
use crate::project::{Project, write_private};
use crate::staging::Staging;
use crate::venv::Venv;

/// The simulated sensors.
pub(crate) const THINGS: [&str; 3] = ["soilSensor1", "soilSensor2", "soilSensor3"];

/// What a program needs to know of the deployed stack.
pub(crate) const STACK_FILE: &str = "stack.json";

/// A certificate is made for it too, and it is left to the person to be it.
pub(crate) const OWN_THING: &str = "soilSensor4";

/// The template's parameters here; part of what decides whether anything must be deployed again.
pub(crate) fn parameters(local: &LocalAws) -> Vec<String> {
    let architecture =
        Machine::host().map_or(LambdaArchitecture::X86_64, |host| LambdaArchitecture::of(host.architecture));
    // Web pages under development are served without TLS, on whatever port.
    let origins = "CorsOrigins=http://*".to_owned();
    vec![format!("SNSEmail={}", local.email), format!("Architecture={}", architecture.name()), origins]
}

/// Deploys what lies in `staging`.
pub(crate) fn deploy(project: &Project, local: &LocalAws, staging: &Staging, keys: &Keys) -> Result<(), Failure> {
    let mut command = Command::new(Venv::Sam.program(project, "sam"));
    command.current_dir(&staging.folder).args(arguments(&local.stack, &parameters(local)));
    keys.give_to(&mut command, &local.endpoint());
    command.env("SAM_CLI_TELEMETRY", "0").env("PYTHONUNBUFFERED", "1");
    // SAM keeps notes about its user in the home folder unless told where else.
    command.env("__SAM_CLI_APP_DIR", local.folder.join("sam"));
    process::run(project, &format!("sam deploy of stack {}", local.stack), command, &local.log("deploy.log"))
}

fn arguments(stack: &str, parameters: &[String]) -> Vec<String> {
    // What is the same for everybody stands in samconfig.toml, under `local`.
    let fixed = ["deploy", "--config-env", "local", "--template-file", "template.yaml", "--stack-name", stack];
    let end = ["--region", REGION, "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"];
    let fixed = fixed.into_iter().chain(end);
    fixed.map(str::to_owned).chain(parameters.iter().cloned()).collect()
}

/// How things come to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// They are made in the registry, ready to connect: what most tests want.
    Seeded,
    /// By just-in-time registration, as in the field: only their certificates are made.
    ByThemselves,
}

/// Makes the things' certificates and writes `stack.json`: all that a program needs to use this stack.
pub(crate) fn furnish(
    project: &Project,
    local: &LocalAws,
    staging: &Staging,
    keys: &Keys,
    joining: Joining,
) -> Result<Value, Failure> {
    let mut stack = local.describe(project, keys)?;
    let things = [THINGS.as_slice(), &[OWN_THING]].concat();
    let mut made = match joining {
        Joining::Seeded => local.seed(project, keys, &output(&stack, "DevicePolicyName")?, &things)?,
        Joining::ByThemselves => local.invite(project, keys, &things)?,
    };
    if let Some(about) = stack.as_object_mut() {
        about.insert("stack".into(), local.stack.clone().into());
        about.insert("endpoint".into(), local.endpoint().into());
        about.insert("mqttPort".into(), local.mqtt_port.into());
        about.insert("email".into(), local.email.clone().into());
        about.insert("thingsFolder".into(), local.things().display().to_string().into());
        about.insert("sam".into(), Venv::Sam.program(project, "sam").display().to_string().into());
        about.insert("schemathesis".into(), Venv::Schemathesis.program(project, "st").display().to_string().into());
        about.insert("staging".into(), staging.folder.display().to_string().into());
        about.insert("folder".into(), local.folder.display().to_string().into());
        about.insert("python".into(), Venv::Emulator.program(project, "python").display().to_string().into());
        about.insert("emulatorLog".into(), local.log("emulator.log").display().to_string().into());
        about.insert("things".into(), made.get_mut("things").map(Value::take).unwrap_or_default());
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        about.insert("admin".into(), serde_json::json!({ "accessKeyId": id, "secretAccessKey": secret }));
    }
    let path = local.folder.join(STACK_FILE);
    write_private(&path, &format!("{stack:#}\n"))?;
    Ok(stack)
}

/// One of the stack's outputs.
pub(crate) fn output(stack: &Value, name: &str) -> Result<String, Failure> {
    stack.get("outputs").and_then(|outputs| outputs.get(name)).and_then(Value::as_str).map(str::to_owned).ok_or_else(
        || {
            Failure::new(
                "no-such-output",
                format!("the deployed stack has no output {name}; template.yaml must declare it."),
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_asks_nothing_and_ends_with_its_parameters() {
        let arguments = arguments("loam-x", &["SNSEmail=a@example.com".to_owned(), "Architecture=arm64".to_owned()]);
        assert!(arguments.contains(&"--no-confirm-changeset".to_owned()));
        assert!(arguments.windows(2).any(|pair| pair == ["--stack-name", "loam-x"]));
        let end: Vec<_> = arguments.iter().rev().take(3).rev().collect();
        assert_eq!(end, ["--parameter-overrides", "SNSEmail=a@example.com", "Architecture=arm64"]);
    }

    #[test]
    fn a_missing_output_is_named() {
        let stack = serde_json::json!({ "outputs": { "AlertsTopic": "arn" } });
        assert_eq!(output(&stack, "AlertsTopic").unwrap(), "arn");
        assert!(output(&stack, "ArchiveBucket").unwrap_err().to_string().contains("ArchiveBucket"));
    }
}
