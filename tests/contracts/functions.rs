//! What the functions are told, and what they may do.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::template::{Resource, repository, resources, target, written};

/// Set for every function by the template's globals and read by `loam-runtime`.
const FOR_ALL: [&str; 1] = ["STACK_NAME"];

/// Actions that have no resource form, or none on which AWS grants them: only `Resource: "*"` does. Source: AWS IoT
/// developer guide, "AWS IoT action resources".
/// `iot:AttachPolicy` is granted on groups and certificates; an identity of the identity pool is neither.
const WITHOUT_RESOURCE: [&str; 4] =
    ["iot:AttachPolicy", "iot:AttachThingPrincipal", "iot:DetachThingPrincipal", "iot:ListNamedShadowsForThing"];

fn functions() -> Vec<Resource> {
    resources("AWS::Lambda::Function")
}

/// The variables that a function's configuration asks for.
fn asked_for(logical_id: &str) -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    match logical_id {
        "CatalogApi" => drop(catalog::ApiConfig::from_lookup(&lookup)),
        "CatalogProjector" => drop(catalog::Config::from_lookup(&lookup)),
        "Commands" => drop(commands::Config::from_lookup(&lookup)),
        "CommandsApi" => drop(commands::ApiConfig::from_lookup(&lookup)),
        "CommandsSweep" => drop(commands::SweepConfig::from_lookup(&lookup)),
        "FileTransfer" => drop(file_transfer::Config::from_lookup(&lookup)),
        "FileTransferApi" => drop(file_transfer::ApiConfig::from_lookup(&lookup)),
        "FirmwareApi" => drop(firmware::ApiConfig::from_lookup(&lookup)),
        "FirmwareConductor" => drop(firmware::ConductorConfig::from_lookup(&lookup)),
        "FirmwareIntake" => drop(firmware::IntakeConfig::from_lookup(&lookup)),
        "FirmwareProgress" => drop(firmware::ProgressConfig::from_lookup(&lookup)),
        "Jitr" => drop(jitr::Config::from_lookup(&lookup)),
        "JitrApi" => drop(jitr::ApiConfig::from_lookup(&lookup)),
        "PairingApi" => drop(pairing::ApiConfig::from_lookup(&lookup)),
        "PairingRelay" => drop(pairing::relay::RelayConfig::from_lookup(&lookup)),
        "Pairing" => drop(pairing::saga::Config::from_lookup(&lookup)),
        "Presence" | "PresenceDelayed" => drop(presence::Config::from_lookup(&lookup)),
        "PresenceApi" => drop(presence::ApiConfig::from_lookup(&lookup)),
        "EventRelay" => drop(event_relay::Config::from_lookup(&lookup)),
        "Onboarding" => drop(onboarding::Config::from_lookup(&lookup)),
        "OnboardingApi" => drop(onboarding::ApiConfig::from_lookup(&lookup)),
        "OnboardingRetire" => drop(onboarding::RetireConfig::from_lookup(&lookup)),
        "SoilAlerts" => drop(soil_alerts::Config::from_lookup(&lookup)),
        "SoilAlertsApi" => drop(soil_alerts::ApiConfig::from_lookup(&lookup)),
        "SoilAlertsSweep" => drop(soil_alerts::AlertsConfig::from_lookup(&lookup)),
        "SoilAlertsThings" => drop(soil_alerts::ThingsConfig::from_lookup(&lookup)),
        "SyncInvoke" => drop(sync_invoke::Config::from_lookup(&lookup)),
        "Telemetry" => drop(telemetry::Config::from_lookup(&lookup)),
        "TelemetryApi" => drop(telemetry::ApiConfig::from_lookup(&lookup)),
        other => panic!("the function {other} has no configuration here: add it to this match"),
    }
    asked.into_inner()
}

#[test]
fn a_function_is_told_what_its_configuration_asks_for_and_nothing_else() {
    for function in functions() {
        let variables = function.at("/Environment/Variables").as_object().cloned().unwrap_or_default();
        let told: BTreeSet<String> =
            variables.keys().filter(|name| !FOR_ALL.contains(&name.as_str())).cloned().collect();
        assert_eq!(told, asked_for(&function.id), "{}", function.id);
        assert!(FOR_ALL.iter().all(|name| variables.contains_key(*name)), "{}", function.id);
    }
}

#[test]
fn a_functions_code_lies_where_the_build_puts_its_binary() {
    let written = written();
    let all = written.get("Resources").and_then(Value::as_object).unwrap();
    let functions =
        all.iter().filter(|(_, resource)| resource.get("Type").is_some_and(|kind| kind == "AWS::Serverless::Function"));
    for (id, function) in functions {
        let code = function.pointer("/Properties/CodeUri").and_then(Value::as_str).unwrap();
        let binary = code.strip_prefix("target/lambda/").and_then(|rest| rest.strip_suffix('/')).unwrap();
        let owner = std::fs::read_dir(repository().join("functions")).unwrap().flatten();
        let source = format!("src/bin/{binary}.rs");
        assert!(owner.into_iter().any(|folder| folder.path().join(&source).exists()), "{id}: no functions/*/{source}");
    }
}

#[test]
fn every_function_has_a_log_group_with_a_retention() {
    let groups: BTreeSet<String> = resources("AWS::Logs::LogGroup")
        .into_iter()
        .filter(|group| !group.at("/RetentionInDays").is_null())
        .map(|group| group.id)
        .collect();
    for function in functions() {
        let group = target(function.at("/LoggingConfig/LogGroup")).unwrap_or_default();
        assert!(groups.contains(&group), "{}: its log group {group:?} is not in the template", function.id);
    }
}

#[test]
fn no_role_has_a_wildcard_action() {
    for role in resources("AWS::IAM::Role") {
        for statement in statements(&role) {
            let actions = statement.get("Action").cloned().unwrap_or_default();
            let actions = actions.as_array().cloned().unwrap_or_else(|| vec![actions]);
            for action in &actions {
                assert!(!action.as_str().unwrap_or("*").contains('*'), "{}: {action}", role.id);
            }
            let has_no_resource = actions.iter().all(|action| WITHOUT_RESOURCE.iter().any(|known| action == known));
            let is_open = statement.get("Resource") == Some(&Value::from("*"));
            assert!(!is_open || has_no_resource, "{}: {statement}", role.id);
        }
    }
}

fn statements(role: &Resource) -> Vec<Value> {
    let policies = role.at("/Policies").as_array().cloned().unwrap_or_default();
    let documents = policies.into_iter().filter_map(|policy| policy.pointer("/PolicyDocument/Statement").cloned());
    let written = documents.flat_map(|statements| statements.as_array().cloned().unwrap_or_else(|| vec![statements]));
    written.flat_map(whatever_the_parameters).collect()
}

/// A statement that hangs on a parameter counts in both of its forms.
fn whatever_the_parameters(statement: Value) -> Vec<Value> {
    let Some(forms) = statement.get("Fn::If").and_then(Value::as_array) else { return vec![statement] };
    forms.iter().skip(1).filter(|form| form.get("Action").is_some()).cloned().collect()
}
