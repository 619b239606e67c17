//! The levels of the tests, and which of the workspace's tests belong to each. Together they are all tests: what no
//! other level takes is `pure`, so that none is left out silently.

use clap::ValueEnum;

use crate::build::{Metadata, Package};

/// From quick to slow; also the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    /// Formatting, lints, and the tests that need nothing but themselves
    Pure,
    /// Template and code fit together, our encrypted files and the official client; static analysis of the template; probes
    /// of the local AWS
    Contract,
    /// Each function's handler, and what writes tables for several, against the local AWS
    Handler,
    /// Devices and callers against the whole stack
    Journey,
    /// Crashes, lost answers and throttling between functions and AWS; storms of broken messages; a store that fails
    Faults,
    /// What the functions logged in the levels before: no payload, no secret
    Logs,
}

/// The package of the tests that hold across functions.
const ACROSS: &str = "loam-tests";

impl Level {
    pub(crate) const ALL: [Self; 6] =
        [Self::Pure, Self::Contract, Self::Handler, Self::Journey, Self::Faults, Self::Logs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Contract => "contract",
            Self::Handler => "handler",
            Self::Journey => "journey",
            Self::Faults => "faults",
            Self::Logs => "logs",
        }
    }

    pub(crate) fn needs_local_aws(self) -> bool {
        match self {
            Self::Pure | Self::Contract => false,
            Self::Handler | Self::Journey | Self::Faults | Self::Logs => true,
        }
    }

    /// The level's tests in nextest's language. Only names that exist appear in it: nextest refuses others.
    pub(crate) fn expression(self, metadata: &Metadata) -> String {
        if self == Self::Pure {
            let others = Self::ALL.into_iter().filter(|level| *level != Self::Pure);
            return format!("not ({})", either(others.map(|level| level.expression(metadata))));
        }
        let names = self.integration_tests(metadata).into_iter();
        either(names.map(|(package, target)| format!("(package(={package}) & binary(={target}))")))
    }

    /// The level's tests as arguments of `cargo test --workspace`; `None` if it has none. Coarser than
    /// [`Level::expression`]: integration tests of the same name in two packages run together.
    pub(crate) fn cargo_test_arguments(self, metadata: &Metadata) -> Option<Vec<String>> {
        let mut names: Vec<&str> = self.integration_tests(metadata).into_iter().map(|(_, target)| target).collect();
        names.sort_unstable();
        names.dedup();
        let units: &[&str] = if self == Self::Pure { &["--lib", "--bins"] } else { &[] };
        let integration = names.into_iter().flat_map(|name| ["--test", name]);
        let arguments: Vec<String> = units.iter().copied().chain(integration).map(str::to_owned).collect();
        (!arguments.is_empty()).then_some(arguments)
    }

    /// The level's integration tests: package and target.
    fn integration_tests(self, metadata: &Metadata) -> Vec<(&str, &str)> {
        let functions = functions(metadata);
        let mut found = Vec::new();
        for package in &metadata.packages {
            for target in package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "test")) {
                if Self::of_integration_test(&package.name, &target.name, &functions) == self {
                    found.push((package.name.as_str(), target.name.as_str()));
                }
            }
        }
        found
    }

    fn of_integration_test(package: &str, target: &str, functions: &[&str]) -> Self {
        match (package, target) {
            (ACROSS, "journeys") => Self::Journey,
            (ACROSS, "faults" | "storms") => Self::Faults,
            (ACROSS, "logs") => Self::Logs,
            (ACROSS, "fuzz") => Self::Pure,
            (ACROSS, _) | (_, "official_client") => Self::Contract,
            (_, "handler") => Self::Handler,
            (package, _) if functions.contains(&package) => Self::Handler,
            _ => Self::Pure,
        }
    }
}

fn either(expressions: impl Iterator<Item = String>) -> String {
    expressions.reduce(|one, other| format!("{one} + {other}")).unwrap_or_else(|| "none()".to_owned())
}

/// The packages of the functions: those that lie under `functions/`.
fn functions(metadata: &Metadata) -> Vec<&str> {
    let is_function = |package: &&Package| {
        let folder = package.manifest_path.parent().and_then(|folder| folder.parent());
        folder.and_then(|folder| folder.file_name()).is_some_and(|name| name == "functions")
    };
    metadata.packages.iter().filter(is_function).map(|package| package.name.as_str()).collect()
}

/// The levels to run, each once, from quick to slow.
pub(crate) fn chosen(asked: &[Level]) -> Vec<Level> {
    if asked.is_empty() {
        return Level::ALL.to_vec();
    }
    Level::ALL.into_iter().filter(|level| asked.contains(level)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Target;

    fn package(folder: &str, name: &str, tests: &[&str]) -> Package {
        let target = |kind: &str, name: &str| Target { name: name.to_owned(), kind: vec![kind.to_owned()] };
        let mut targets: Vec<_> = tests.iter().map(|name| target("test", name)).collect();
        targets.push(target("lib", name));
        Package { name: name.to_owned(), manifest_path: format!("/repo/{folder}/Cargo.toml").into(), targets }
    }

    fn workspace() -> Metadata {
        Metadata {
            packages: vec![
                package("functions/soil-alerts", "soil-alerts", &["handler"]),
                package("shared/domain", "loam-domain", &["laws"]),
                package("shared/sealed", "loam-sealed", &["official_client"]),
                package(
                    "tests",
                    "loam-tests",
                    &["contracts", "structure", "journeys", "faults", "storms", "logs", "fuzz"],
                ),
            ],
            target_directory: "/repo/target".into(),
        }
    }

    #[test]
    fn levels_run_once_each_from_quick_to_slow() {
        assert_eq!(chosen(&[Level::Faults, Level::Pure, Level::Faults]), [Level::Pure, Level::Faults]);
        assert_eq!(chosen(&[]), Level::ALL);
    }

    #[test]
    fn only_what_lies_directly_under_functions_is_a_function() {
        assert_eq!(functions(&workspace()), ["soil-alerts"]);
    }

    #[test]
    fn every_integration_test_belongs_to_exactly_one_level() {
        let metadata = workspace();
        let level_of = |name: &str| {
            let has =
                |level: &&Level| level.cargo_test_arguments(&metadata).unwrap_or_default().contains(&name.to_owned());
            Level::ALL.iter().filter(has).copied().collect::<Vec<_>>()
        };
        assert_eq!(level_of("laws"), [Level::Pure]);
        assert_eq!(level_of("structure"), [Level::Contract]);
        assert_eq!(level_of("contracts"), [Level::Contract]);
        assert_eq!(level_of("official_client"), [Level::Contract]);
        assert_eq!(level_of("handler"), [Level::Handler]);
        assert_eq!(level_of("journeys"), [Level::Journey]);
        assert_eq!(level_of("faults"), [Level::Faults]);
        assert_eq!(level_of("storms"), [Level::Faults]);
        assert_eq!(level_of("logs"), [Level::Logs]);
        assert_eq!(level_of("fuzz"), [Level::Pure]);
    }

    #[test]
    fn pure_is_everything_that_no_other_level_takes() {
        assert_eq!(
            Level::Pure.expression(&workspace()),
            "not ((package(=loam-sealed) & binary(=official_client)) + (package(=loam-tests) & binary(=contracts)) + \
             (package(=loam-tests) & binary(=structure)) + (package(=soil-alerts) & binary(=handler)) + (package(=loam-tests) & binary(=journeys)) + \
             (package(=loam-tests) & binary(=faults)) + (package(=loam-tests) & binary(=storms)) + \
             (package(=loam-tests) & binary(=logs)))"
        );
    }

    #[test]
    fn nextest_is_asked_for_no_name_that_does_not_exist() {
        let metadata = Metadata { packages: vec![package("tests", "loam-tests", &[])], target_directory: "/t".into() };
        assert_eq!(Level::Journey.expression(&metadata), "none()");
    }

    #[test]
    fn a_level_without_tests_asks_cargo_for_nothing() {
        let metadata = Metadata { packages: Vec::new(), target_directory: "/repo/target".into() };
        assert_eq!(Level::Faults.cargo_test_arguments(&metadata), None);
    }
}
