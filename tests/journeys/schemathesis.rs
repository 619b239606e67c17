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
use crate::routes::{Route, Rule, routes};

/// How many programs share the routes: each of them waits for one answer at a time.
const PARTS: usize = 3;

/// Requests of a route in each of schemathesis' phases, every day; `cargo xtask soak` asks for more.
const EVERYDAY: u32 = 5;

/// What `who` is shown.
struct Asker {
    who: &'static str,
    operator: bool,
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
        Self { who, operator: !groups.is_empty(), person, things }
    }

    /// The routes that are asked. What is signed takes no token; what operators alone may do is refused alike whatever a
    /// member sends.
    fn routes(&self) -> Vec<Route> {
        let left_out = |route: &Route| route.rule == Rule::Signed || (route.rule == Rule::Operator && !self.operator);
        routes().into_iter().filter(|route| !left_out(route)).collect()
    }

    /// Runs a part of schemathesis; answers its report, or `null`, and what it said.
    async fn run(&self, stack: &Stack, part: usize) -> (Value, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = stack.folder().join("schemathesis").join(format!("{}-{part}", self.who));
        std::fs::create_dir_all(&folder).unwrap();
        let report = folder.join("report.json");
        drop(std::fs::remove_file(&report));
        let examples = number_of("LOAM_SCHEMATHESIS_EXAMPLES", EVERYDAY).to_string();
        let seed = number_of("LOAM_SEED", 0_u64).to_string();
        let mut command = Command::new(&stack.schemathesis);
        command.arg("--config-file").arg(root.join("tests/schemathesis/schemathesis.toml")).arg("run");
        command.arg(root.join("openapi.json")).args(["--max-examples", &examples, "--seed", &seed, "--no-color"]);
        let routes = self.routes();
        assert!(routes.len() >= PARTS, "a part without routes would ask all of them");
        for route in routes.iter().skip(part).step_by(PARTS) {
            command.args(["--include-operation-id", &route.id]);
        }
        command.arg("--report-json-path").arg(&report);
        command.env("LOAM_SCHEMATHESIS_HOOKS", root.join("tests/schemathesis/hooks.py"));
        command.env("LOAM_API_ADDRESS", &stack.endpoint).env("LOAM_API_HOST", Api::new(stack, None).host());
        command.env("LOAM_TOKEN", &self.person.token).current_dir(&folder).stdin(Stdio::null());
        command.env("LOAM_THING", self.things[0].as_str()).env("LOAM_MORTAL_THING", self.things[1].as_str());
        let output = command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        let report = std::fs::read(&report).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        (report.unwrap_or_default(), String::from_utf8_lossy(&said).into_owned())
    }
}

async fn finds_nothing(who: &'static str, groups: &[&str]) {
    let stack = Stack::deployed();
    let asker = Asker::new(&stack, who, groups).await;
    let (first, second, third) = tokio::join!(asker.run(&stack, 0), asker.run(&stack, 1), asker.run(&stack, 2));
    let parts = [first, second, third];
    let sum = |pointer: &str| parts.iter().filter_map(|(report, _)| report.pointer(pointer)?.as_u64()).sum::<u64>();
    let seconds = parts.iter().filter_map(|(report, _)| report["running_time"].as_f64()).fold(0.0, f64::max).round();
    let (asked, requests) = (sum("/operations/tested"), sum("/test_cases/generated"));
    let found = sum("/test_cases/unique_failures");
    figure(&format!("{who}: {asked} routes, {requests} requests in {seconds} s, {found} findings"));
    for (report, said) in &parts {
        assert!(report["complete"] == true && report["exit_code"] == 0, "{said}");
    }
    assert_eq!(asked, asker.routes().len() as u64, "not every route was asked");
}

#[tokio::test]
async fn schemathesis_finds_nothing_as_an_operator() {
    finds_nothing("schemathesis-operator", &["operators"]).await;
}

#[tokio::test]
async fn schemathesis_finds_nothing_as_a_member() {
    finds_nothing("schemathesis-member", &[]).await;
}
