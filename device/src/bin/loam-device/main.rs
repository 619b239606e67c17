//! `loam-device`: a correct device to run, to read, and to test against.

mod flags;
mod logs;

use clap::Parser;
use flags::{Flags, Mode};
use loam_device::soil::{self, Readings};
use loam_device::{Device, Options, QoS, topics};
use std::error::Error;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    logs::start(flags.log_format);
    match run(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(thing.name = flags.thing(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the mode to its end or to Ctrl-C, and says goodbye in both cases.
async fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let identity = flags.identity()?;
    let device = Device::connect(&identity, Options::default())?;
    let outcome = tokio::select! {
        outcome = act(flags, &device) => outcome,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    device.disconnect().await;
    tracing::info!(thing.name = identity.thing(), "disconnected");
    outcome
}

async fn act(flags: &Flags, device: &Device) -> Result<(), Box<dyn Error>> {
    device.publish(&topics::shadow_update(device.thing()), soil::FIRST_MESSAGE, QoS::AtLeastOnce).await?;
    let mut readings = Readings::new(device.thing(), flags.seed);
    match flags.mode {
        Mode::Soil => soil::run(device, &mut readings, flags.rounds()).await?,
    }
    Ok(())
}
