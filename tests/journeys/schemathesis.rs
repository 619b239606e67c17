//! schemathesis asks every route of `openapi.json` what the document says of it, as an operator and as a member: no 5xx, no
//! status, body or header that is not described, nothing malformed that is taken, nobody let in without a token.

use std::path::Path;
use std::process::Stdio;

use loam_domain::ThingName;
use loam_kit::{Api, Person, Stack, claims, figure, number_of, seed_membership};
use loam_things::Things;
use serde_json::Value;
use tokio::process::Command;

use crate::authorization::registered;

/// Requests of a route in each of schemathesis' phases, every day; `cargo xtask soak` asks for more.
const EVERYDAY: u32 = 12;

/// What `who` is shown.
struct Asker {
    who: &'static str,
    person: Person,
    things: [ThingName; 2],
}

impl Asker {
    async fn new(stack: &Stack, who: &'static str, groups: &[&str]) -> Self {
        let person = Person::of(stack, who, groups).await;
        let things = Things::new(&stack.admin().await, stack.resources["ThingsTable"].clone());
        let things = [registered(&things).await, registered(&things).await];
        let sub = claims(&person.token)["sub"].as_str().unwrap().to_owned();
        for thing in &things {
            seed_membership(stack, &sub, thing, "owner", 1).await;
        }
        Self { who, person, things }
    }

    /// Runs schemathesis; answers whether it found nothing, and what it said.
    async fn run(&self, stack: &Stack) -> (bool, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = stack.folder().join("schemathesis").join(self.who);
        std::fs::create_dir_all(&folder).unwrap();
        let report = folder.join("report.json");
        let examples = number_of("LOAM_SCHEMATHESIS_EXAMPLES", EVERYDAY).to_string();
        let seed = number_of("LOAM_SEED", 0_u64).to_string();
        let mut command = Command::new(&stack.schemathesis);
        command.arg("--config-file").arg(root.join("tests/schemathesis/schemathesis.toml")).arg("run");
        command.arg(root.join("openapi.json")).args(["--max-examples", &examples, "--seed", &seed, "--no-color"]);
        // What is signed takes no token.
        command.args(["--exclude-path", "/invoke"]).arg("--report-json-path").arg(&report);
        command.env("LOAM_SCHEMATHESIS_HOOKS", root.join("tests/schemathesis/hooks.py"));
        command.env("LOAM_API_ADDRESS", &stack.endpoint).env("LOAM_API_HOST", Api::new(stack, None).host());
        command.env("LOAM_TOKEN", &self.person.token).current_dir(&folder).stdin(Stdio::null());
        command.env("LOAM_THING", self.things[0].as_str()).env("LOAM_MORTAL_THING", self.things[1].as_str());
        let output = command.output().await.expect("schemathesis starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

async fn finds_nothing(who: &'static str, groups: &[&str]) {
    let stack = Stack::deployed();
    let (good, said) = Asker::new(&stack, who, groups).await.run(&stack).await;
    println!("{said}");
    figure(&format!("schemathesis as {who}: {}", said.lines().last().unwrap_or_default()));
    assert!(good, "schemathesis found something as {who}: see above");
}

#[tokio::test]
async fn schemathesis_finds_nothing_as_an_operator() {
    finds_nothing("schemathesis-operator", &["operators"]).await;
}

#[tokio::test]
async fn schemathesis_finds_nothing_as_a_member() {
    finds_nothing("schemathesis-member", &[]).await;
}
