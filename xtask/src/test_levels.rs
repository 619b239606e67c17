//! The levels of the tests, and which of the workspace's tests belong to each. Together they are all tests: what no
//! other level takes is `pure`, so that none is left out silently.

use clap::ValueEnum;

use crate::build::{Metadata, Package};

/// From quick to slow; also the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    /// Formatting, lints, and the tests that need nothing but themselves
    Pure,
    /// Template and code fit together; static analysis of the template; probes of the local AWS
    Contract,
    /// Each function's handler against the local AWS
    Handler,
    /// Devices and callers against the whole stack
    Journey,
    /// Crashes, lost answers and throttling between functions and AWS
    Faults,
}

/// The package of the tests that hold across functions.
const ACROSS: &str = "loam-tests";

impl Level {
    pub(crate) const ALL: [Self; 5] = [Self::Pure, Self::Contract, Self::Handler, Self::Journey, Self::Faults];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Contract => "contract",
            Self::Handler => "handler",
            Self::Journey => "journey",
            Self::Faults => "faults",
        }
    }

    pub(crate) fn needs_local_aws(self) -> bool {
        match self {
            Self::Pure | Self::Contract => false,
            Self::Handler | Self::Journey | Self::Faults => true,
        }
    }

    /// The level's tests in nextest's language.
    pub(crate) fn expression(self, functions: &[String]) -> String {
        match self {
            Self::Pure => {
                let others = [Self::Contract, Self::Handler, Self::Journey, Self::Faults];
                let others: Vec<_> = others.iter().map(|level| format!("({})", level.expression(functions))).collect();
                format!("not ({})", others.join(" + "))
            }
            Self::Contract => format!("package(={ACROSS}) & kind(test) & not binary(journeys) & not binary(faults)"),
            Self::Handler => {
                let packages: Vec<_> = functions.iter().map(|name| format!("package(={name})")).collect();
                if packages.is_empty() { "none()".into() } else { format!("kind(test) & ({})", packages.join(" + ")) }
            }
            Self::Journey => format!("package(={ACROSS}) & binary(journeys)"),
            Self::Faults => format!("package(={ACROSS}) & binary(faults)"),
        }
    }

    /// The level an integration test of `package` belongs to.
    fn of_integration_test(package: &str, target: &str, functions: &[String]) -> Self {
        match (package, target) {
            (ACROSS, "journeys") => Self::Journey,
            (ACROSS, "faults") => Self::Faults,
            (ACROSS, _) => Self::Contract,
            (package, _) if functions.iter().any(|name| name == package) => Self::Handler,
            _ => Self::Pure,
        }
    }

    /// The level's tests as arguments of `cargo test --workspace`; `None` if it has none. Coarser than
    /// [`Level::expression`]: integration tests of the same name in two packages run together.
    pub(crate) fn cargo_test_arguments(self, metadata: &Metadata) -> Option<Vec<String>> {
        let functions = functions(metadata);
        let tests = |package: &Package| {
            let targets = package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "test"));
            let names = targets.map(|target| target.name.clone());
            names.filter(|name| Self::of_integration_test(&package.name, name, &functions) == self).collect::<Vec<_>>()
        };
        let mut names: Vec<String> = metadata.packages.iter().flat_map(tests).collect();
        names.sort();
        names.dedup();
        let units = if self == Self::Pure { vec!["--lib".to_owned(), "--bins".to_owned()] } else { Vec::new() };
        let arguments: Vec<String> =
            units.into_iter().chain(names.into_iter().flat_map(|name| ["--test".to_owned(), name])).collect();
        (!arguments.is_empty()).then_some(arguments)
    }
}

/// The packages of the functions: those that lie under `functions/`.
pub(crate) fn functions(metadata: &Metadata) -> Vec<String> {
    let is_function = |package: &&Package| {
        let folder = package.manifest_path.parent().and_then(|folder| folder.parent());
        folder.and_then(|folder| folder.file_name()).is_some_and(|name| name == "functions")
    };
    metadata.packages.iter().filter(is_function).map(|package| package.name.clone()).collect()
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
                package("tests", "loam-tests", &["contracts", "structure", "journeys", "faults"]),
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
        assert_eq!(level_of("handler"), [Level::Handler]);
        assert_eq!(level_of("journeys"), [Level::Journey]);
        assert_eq!(level_of("faults"), [Level::Faults]);
    }

    #[test]
    fn pure_is_everything_that_no_other_level_takes() {
        let functions = ["soil-alerts".to_owned()];
        let pure = Level::Pure.expression(&functions);
        for level in Level::ALL.into_iter().filter(|level| *level != Level::Pure) {
            assert!(pure.contains(&level.expression(&functions)), "{level:?}");
        }
        assert!(pure.starts_with("not ("));
    }

    #[test]
    fn a_level_without_tests_asks_cargo_for_nothing() {
        let metadata = Metadata { packages: Vec::new(), target_directory: "/repo/target".into() };
        assert_eq!(Level::Faults.cargo_test_arguments(&metadata), None);
    }
}
