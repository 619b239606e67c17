//! Who may depend on whom.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// A workspace package: its folder in the repository, and what it is built from (not what only its tests need).
struct Member {
    folder: String,
    dependencies: BTreeSet<String>,
}

fn workspace() -> BTreeMap<String, Member> {
    let root = env!("CARGO_MANIFEST_DIR").strip_suffix("/tests").unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .unwrap();
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    let member = |package: Package| {
        let folder = package.manifest_path.strip_prefix(root).unwrap().trim_start_matches('/');
        let used = package.dependencies.into_iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
        let member = Member {
            folder: folder.trim_end_matches("Cargo.toml").trim_end_matches('/').to_owned(),
            dependencies: used.map(|dependency| dependency.name).collect(),
        };
        (package.name, member)
    };
    metadata.packages.into_iter().map(member).collect()
}

/// What holds across functions is tested with all of them.
const TESTS: [&str; 21] = [
    "catalog",
    "commands",
    "event-relay",
    "file-transfer",
    "firmware",
    "jitr",
    "loam-access",
    "loam-device",
    "loam-domain",
    "loam-http",
    "loam-kit",
    "loam-releases",
    "loam-runtime",
    "loam-sealed",
    "loam-things",
    "onboarding",
    "pairing",
    "presence",
    "soil-alerts",
    "sync-invoke",
    "telemetry",
];

/// The targets of a rollout are a filter; manifests are those that devices read; URLs go out by Direct Messaging; images may be
/// sealed as files are.
const FIRMWARE: [&str; 11] = [
    "loam-access",
    "loam-dead-letters",
    "loam-direct-messages",
    "loam-domain",
    "loam-http",
    "loam-query",
    "loam-releases",
    "loam-runtime",
    "loam-sealed",
    "loam-sealed-keys",
    "loam-things",
];

/// The packages of the workspace that `folder/*` may use.
fn allowed(folder: &str) -> &'static [&'static str] {
    match folder.split('/').collect::<Vec<_>>().as_slice() {
        ["functions", "file-transfer"] => &[
            "loam-access",
            "loam-dead-letters",
            "loam-domain",
            "loam-http",
            "loam-runtime",
            "loam-sealed",
            "loam-sealed-keys",
            "loam-things",
        ],
        ["functions", "firmware"] => &FIRMWARE,
        ["functions", "catalog"] => &[
            "loam-access",
            "loam-dead-letters",
            "loam-domain",
            "loam-http",
            "loam-query",
            "loam-runtime",
            "loam-things",
        ],
        // `POST commands` chooses things by a filter; commands and requests go out by Direct Messaging.
        ["functions", "commands"] => &[
            "loam-access",
            "loam-dead-letters",
            "loam-direct-messages",
            "loam-domain",
            "loam-http",
            "loam-query",
            "loam-runtime",
            "loam-things",
        ],
        ["functions", "sync-invoke"] => {
            &["loam-access", "loam-direct-messages", "loam-domain", "loam-http", "loam-runtime", "loam-things"]
        }
        ["functions", _] => {
            &["loam-access", "loam-dead-letters", "loam-domain", "loam-http", "loam-runtime", "loam-things"]
        }
        ["shared", "domain"] => &[],
        ["shared", "query" | "releases" | "runtime" | "sealed"] => &["loam-domain"],
        // Whoever seals makes, keeps and opens keys in one way.
        ["shared", "sealed-keys"] => &["loam-runtime", "loam-sealed"],
        ["device"] => &["loam-domain", "loam-releases", "loam-sealed"],
        // A membership counts only beside its thing's record. The other way round nothing is needed: a record knows no people.
        ["shared", "access"] => &["loam-domain", "loam-http", "loam-runtime", "loam-things"],
        // `select(filter)`: every capability that acts on many things chooses them in one way.
        ["shared", "things"] => &["loam-domain", "loam-query", "loam-runtime"],
        ["shared", "dead-letters" | "direct-messages" | "http"] => &["loam-domain", "loam-runtime"],
        // It asks routers in process, and makes things' records.
        ["tests", "kit"] => &["loam-device", "loam-domain", "loam-http", "loam-runtime", "loam-things"],
        ["tests"] => &TESTS,
        ["bench"] => {
            &["loam-device", "loam-domain", "loam-kit", "loam-query", "loam-sealed", "soil-alerts", "sync-invoke"]
        }
        ["xtask"] => &[],
        _ => panic!("{folder} has no place in the map: add it to this match and to ARCHITECTURE.md"),
    }
}

#[test]
fn every_package_uses_only_what_the_map_lets_it_use() {
    let workspace = workspace();
    for (name, member) in &workspace {
        let ours: Vec<_> = member.dependencies.iter().filter(|used| workspace.contains_key(*used)).collect();
        let allowed = allowed(&member.folder);
        for used in ours {
            assert!(allowed.contains(&used.as_str()), "{name} ({}) may not use {used}", member.folder);
        }
    }
}

#[test]
fn what_is_pure_stays_pure() {
    let impure = |name: &str| {
        ["tokio", "futures", "reqwest", "hyper", "lambda_runtime", "rumqttc"].contains(&name)
            || name.starts_with("aws-")
    };
    let workspace = workspace();
    for name in ["loam-domain", "loam-query", "loam-releases", "loam-sealed"] {
        let pure = workspace.get(name).unwrap();
        let found: Vec<_> = pure.dependencies.iter().filter(|name| impure(name)).collect();
        assert!(found.is_empty(), "{} uses {found:?}", pure.folder);
    }
}

#[test]
fn only_functions_and_their_adapters_know_a_service_sdk() {
    for (name, member) in workspace() {
        let sdk: Vec<_> = member.dependencies.iter().filter(|name| name.starts_with("aws-sdk-")).collect();
        let may = member.folder.starts_with("functions/")
            || [
                "shared/access",
                "shared/dead-letters",
                "shared/direct-messages",
                "shared/http",
                "shared/sealed-keys",
                "shared/things",
                "tests",
                "tests/kit",
            ]
            .contains(&member.folder.as_str());
        assert!(may || sdk.is_empty(), "{name} uses {sdk:?}");
    }
}

#[test]
fn every_package_keeps_the_lints() {
    let root = env!("CARGO_MANIFEST_DIR").strip_suffix("/tests").unwrap();
    for (name, member) in workspace() {
        let manifest = std::fs::read_to_string(format!("{root}/{}/Cargo.toml", member.folder)).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} does not keep the workspace's lints");
    }
}

#[test]
fn a_function_and_its_folder_share_one_name() {
    for (name, member) in workspace() {
        if let Some(folder) = member.folder.strip_prefix("functions/") {
            assert_eq!(name, folder);
        }
    }
}
