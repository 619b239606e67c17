//! The project's verbs, run as `cargo xtask <verb>` from anywhere in the repository: `up`, `down` and `token` (Loam on
//! this machine), `test`, `soak`, `build` (for AWS), `bench`, `destroy`, `replay` and `register-ca` (here or on AWS).
//!
//! It starts programs and reads what they say; it knows no AWS API. What has to talk to AWS is a verb of the Python
//! package in `local/`.

mod bench;
mod build;
mod cli;
mod counts;
mod deploy;
mod devices;
mod down;
mod elf;
mod emulator;
mod failure;
mod figures;
mod group;
mod interrupt;
mod keys;
mod lambda;
mod live;
mod next_steps;
mod ports;
mod process;
mod project;
mod python;
mod remote;
mod run_levels;
mod runner;
mod session;
mod soak;
mod staging;
mod state;
mod static_checks;
mod tail;
mod template;
mod terminal;
mod test_levels;
mod token;
mod up;
mod venv;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Verb};
use crate::failure::Failure;
use crate::project::Project;

fn main() -> ExitCode {
    match dispatch(Cli::parse().verb) {
        Ok(code) => code,
        Err(failure) => {
            terminal::failure(&failure);
            failure.exit_code()
        }
    }
}

fn dispatch(verb: Verb) -> Result<ExitCode, Failure> {
    let project = Project::open()?;
    match verb {
        Verb::Up(options) => up::run(&project, &options),
        Verb::Down => down::run(&project),
        Verb::Token(options) => token::run(&project, &options),
        Verb::Test(options) => run_levels::run(&project, &options),
        Verb::Build(options) => lambda::run(&project, options.arch),
        Verb::Soak(options) => soak::run(&project, &options),
        Verb::Bench(options) => bench::run(&project, &options),
        Verb::RegisterCa(options) => remote::register_ca(&project, &options),
        Verb::Destroy(options) => remote::destroy(&project, &options),
        Verb::Replay(options) => remote::replay(&project, &options),
    }
}
