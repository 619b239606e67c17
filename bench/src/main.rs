#![doc = include_str!("../README.md")]

mod aws_stub;
mod candidate;
mod cpu;
mod decision;
mod events;
mod failure;
mod filters;
mod memory;
mod process;
mod report;
mod rounds;
mod runtime_api;
mod samples;
mod sealed;
mod session;
mod size;
mod table;
mod tls;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};
use loam_domain::Timestamp;

use crate::aws_stub::AwsStub;
use crate::failure::Failure;
use crate::process::Stand;
use crate::report::{Load, Report};
use crate::rounds::Amount;

#[derive(Parser)]
#[command(name = "loam-bench", about = "Measures the release bootstraps; `cargo xtask bench` builds and runs it.")]
struct Options {
    /// Folder of the release builds
    #[arg(long)]
    bootstraps: PathBuf,
    /// Only this
    #[arg(long, value_enum, default_value_t = What::All)]
    what: What,
    /// A Python that has boto3
    #[arg(long)]
    python: PathBuf,
    /// A Python that has the official client of the encrypted format
    #[arg(long)]
    official: PathBuf,
    /// Folder of the Python references
    #[arg(long)]
    reference: PathBuf,
    /// Folder for the files of trusted certificates
    #[arg(long)]
    work: PathBuf,
    /// Turns of each candidate
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Starts of each candidate in a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    starts: u64,
    /// Messages of each candidate in a round
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(100..))]
    messages: u64,
    /// Messages of one process, to see whether it grows
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..))]
    growth: u64,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The functions' bootstraps
    Functions,
    /// The encrypted format
    Sealed,
    /// All of it
    All,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match measure(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Each table as soon as it is there.
async fn measure(options: Options) -> Result<(), Failure> {
    if options.what != What::Functions {
        let Options { bootstraps: builds, reference, official, rounds, .. } = &options;
        let programs = sealed::Programs { builds, reference, official };
        say(&sealed::measure(programs, *rounds, |line| tell(&format!("  {line}")))?.to_string());
    }
    if options.what != What::Sealed {
        say(&functions(options).await?.to_string());
    }
    Ok(())
}

async fn functions(options: Options) -> Result<Report, Failure> {
    let Options { bootstraps, python, reference, work, rounds, starts, messages, growth, .. } = options;
    fs::create_dir_all(&work).map_err(|error| Failure::file("make the folder", &work, error))?;
    let (tls, trust) = tls::prepare(&work)?;
    let stand = Stand { bootstraps, python, reference, stub: AwsStub::start(tls).await?, trust };
    let amount = Amount { rounds, starts, messages, growth };
    let before = Load::read()?;
    let mut rows = rounds::rows(&stand)?;
    let began = now();
    rounds::run(&stand, &mut rows, amount, began, |line| tell(&format!("  {line}"))).await?;
    let decisions = decision::per_second(began)?;
    let filters = filters::per_second()?;
    Ok(Report {
        rows,
        decisions,
        filters,
        amount,
        certificates: stand.trust.certificates,
        load: [before, Load::read()?],
    })
}

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is a program's edge; events carry believable times")]
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn say(text: &str) {
    #[expect(clippy::print_stdout, reason = "the table is what this program is for")]
    {
        println!("{text}");
    }
}

fn tell(text: &str) {
    #[expect(clippy::print_stderr, reason = "progress and failures of a command-line program")]
    {
        eprintln!("{text}");
    }
}
