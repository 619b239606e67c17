//! The part of the command line that is about the device's own firmware.

use clap::Args;
use loam_device::ota::Fault;
use loam_releases::names::Hardware;
use std::path::PathBuf;

/// Whose firmware the device runs, and what goes wrong with it.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case", next_help_heading = "Updates (--mode ota)")]
pub(crate) struct Update {
    /// PEM file: one to four public keys; what their owners sign, the device runs
    #[arg(long, required_if_eq("mode", "ota"))]
    pub(crate) keys: Option<PathBuf>,
    /// What hardware the device is
    #[arg(long, required_if_eq("mode", "ota"), value_parser = hardware)]
    pub(crate) hardware: Option<Hardware>,
    /// What goes wrong with every update: download, verify, install, start, self-test or connect
    #[arg(long, alias = "fail-at")]
    pub(crate) fail_at: Option<Fault>,
    /// The power goes at this write to the slots or the journal, from 1, once
    #[arg(long, alias = "power-cut", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) power_cut: Option<u64>,
    /// How long new firmware may take to reach the cloud, in seconds
    #[arg(long, default_value_t = 60)]
    pub(crate) trial_seconds: u64,
}

fn hardware(text: &str) -> Result<Hardware, String> {
    Hardware::parse(text).map_err(|why| why.to_string())
}
