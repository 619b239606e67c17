//! What can be typed after `cargo xtask`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::elf::Architecture;
use crate::test_levels::Level;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The project's verbs.",
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Run Loam on this machine: build, start the local AWS, deploy the template, start three sensors, show what happens
    Up(UpOptions),
    /// End what `up --detach` left running
    Down,
    /// A fresh token for the HTTP API of what `up` runs; makes the person first, if need be
    ///
    /// A second person, who has no thing yet: `cargo xtask token --name ann`; README.md, "Own a thing", says how they get one.
    /// The token is good for an hour and lies in a file that only you can read.
    Token(TokenOptions),
    /// Run the tests, on a local AWS of their own
    Test(TestOptions),
    /// Build the functions for AWS into target/lambda/, ready for `sam deploy`
    Build(BuildOptions),
    /// Run the long tests: histories on the real store, storms, fuzzing; a table at the end
    Soak(SoakOptions),
    /// Measure the release builds, functions and encrypted format, a table each; nothing is asserted
    Bench(BenchOptions),
    /// Let the devices of a certificate authority join by themselves, here or on AWS
    RegisterCa(RegisterCaOptions),
    /// Delete a stack with everything that it keeps
    Destroy(StackOptions),
    /// Hand over again what lies in a stack's dead-letter queues
    Replay(ReplayOptions),
}

#[derive(Args)]
pub(crate) struct UpOptions {
    /// Port of the local AWS
    #[arg(long, default_value_t = 4566)]
    pub(crate) port: u16,
    /// Port of the MQTT broker (mutual TLS)
    #[arg(long, default_value_t = 8883)]
    pub(crate) mqtt_port: u16,
    /// Leave it running and return; `cargo xtask down` ends it
    #[arg(long)]
    pub(crate) detach: bool,
    /// Name of the stack
    #[arg(long, default_value = "loam")]
    pub(crate) stack: String,
    /// The mailbox that notices go to (locally nothing leaves this machine)
    #[arg(long, default_value = "grower@example.com")]
    pub(crate) email: String,
    /// Seconds between two readings of a sensor
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) interval: u64,
}

#[derive(Args)]
pub(crate) struct TokenOptions {
    /// Who: letters, digits, hyphens
    #[arg(long, default_value = "operator")]
    pub(crate) name: String,
    /// A group to be in (may be given several times); `operators` for the person `operator`
    #[arg(long)]
    pub(crate) group: Vec<String>,
}

#[derive(Args)]
pub(crate) struct TestOptions {
    /// Only these levels (may be given several times); all of them without it
    #[arg(long, value_enum)]
    pub(crate) level: Vec<Level>,
    /// Only Rust tests whose name contains this text; the checks that have no such name are left out then
    pub(crate) filter: Option<String>,
}

#[derive(Args)]
pub(crate) struct SoakOptions {
    /// Minutes after which a test stops with what it has done by then; a storm is always run to its end
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) minutes: Option<u64>,
    /// Only this
    #[arg(long, value_enum, default_value_t = Soak::All)]
    pub(crate) what: Soak,
    /// Where chance begins; the same seed makes the same inputs
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// The long tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Soak {
    /// 10,000 histories on the pure decision, and as many on the real store from eight handlers at once
    Histories,
    /// 1,000,000 inputs for each parser
    Fuzz,
    /// Lists and searches of a fleet of 10,000 things and of 100,000, and of a member of 1,000: time, cost, how they grow
    Fleet,
    /// 300 requests and more for each route of openapi.json, as an operator and as a member
    Schemathesis,
    /// 10,000 events for each function while the store fails; 100 broken messages of each kind
    Storm,
    /// 10,000 calls of devices, 100 cuts, freezes of the function's own process
    Invoke,
    /// All of these
    All,
}

#[derive(Args)]
pub(crate) struct BuildOptions {
    /// The processor the functions run on
    #[arg(long, value_enum, default_value_t = LambdaArchitecture::Arm64)]
    pub(crate) arch: LambdaArchitecture,
}

#[derive(Args)]
pub(crate) struct BenchOptions {
    /// Only this
    #[arg(long, value_enum, default_value_t = Bench::All)]
    pub(crate) what: Bench,
    /// Turns of each candidate
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// Starts of each candidate in a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) starts: u64,
    /// Messages of each candidate in a round
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(100..))]
    pub(crate) messages: u64,
    /// Messages of one process, to see whether it grows
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub(crate) growth: u64,
    /// Compare with the TLS library aws-lc too; its C code takes minutes to build
    #[arg(long)]
    pub(crate) aws_lc: bool,
}

/// What `bench` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// The functions: size, start, memory, CPU of an event
    Functions,
    /// The encrypted format beside bare AES-256-GCM and the official client: throughput of a core, memory
    Sealed,
    /// Both
    All,
}

#[derive(Args)]
pub(crate) struct RegisterCaOptions {
    /// PEM file: the CA's certificate (default: the local AWS's development CA)
    #[arg(long, required_if_eq("aws", "true"), requires = "key")]
    pub(crate) ca: Option<PathBuf>,
    /// PEM file: the CA's private key, which stays on this machine; it signs the proof that AWS wants
    #[arg(long, required_if_eq("aws", "true"), requires = "ca")]
    pub(crate) key: Option<PathBuf>,
    /// Register it in your AWS account (ordinary credentials) even while a local AWS runs
    #[arg(long)]
    pub(crate) aws: bool,
}

#[derive(Args)]
pub(crate) struct StackOptions {
    /// Name of the stack
    #[arg(long)]
    pub(crate) stack: String,
    /// Take the stack of your AWS account (ordinary credentials) even while a local AWS runs
    #[arg(long)]
    pub(crate) aws: bool,
}

#[derive(Args)]
pub(crate) struct ReplayOptions {
    #[command(flatten)]
    pub(crate) stack: StackOptions,
    /// Also what a function refused (after the function was mended and deployed)
    #[arg(long)]
    pub(crate) refused: bool,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Lambda's names for processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LambdaArchitecture {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

impl LambdaArchitecture {
    /// Lambda's own spelling, as the template's parameter `Architecture` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    pub(crate) fn of(machine: Architecture) -> Self {
        match machine {
            Architecture::Aarch64 => Self::Arm64,
            Architecture::X86_64 => Self::X86_64,
        }
    }

    pub(crate) fn machine(self) -> Architecture {
        match self {
            Self::Arm64 => Architecture::Aarch64,
            Self::X86_64 => Architecture::X86_64,
        }
    }
}
