//! `loam-device`: a correct device to run, to read, and to test against.

mod about;
mod failure;
mod flags;
mod keys;
mod local;
mod logs;
mod update;

use failure::Failure;
use flags::{Flags, Line, LogFormat, Mode};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use loam_device::chaos::{self, Publication, Step};
use loam_device::commands::{self, Memory};
use loam_device::files::{self, Desk, Http, Kms};
use loam_device::invoke::{self, Listen};
use loam_device::ota::{self, Machine};
use loam_device::pairing::{self, Button};
use loam_device::soil::{self, Readings};
use loam_device::{Device, DeviceError, Identity, Options, QoS, State, description, desired, topics};
use loam_domain::ThingName;
use loam_releases::version::Version;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How many readings one plan covers if chaos goes on for ever.
const CHAOS_BATCH: u64 = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let line = Line::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let (thing, outcome) = match &line {
        Line::Local(local) => {
            logs::start(LogFormat::Compact);
            (None, local::run(local).await)
        }
        Line::Run(flags) => {
            logs::start(flags.log_format);
            (Some(flags.thing()), run(flags).await)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(thing.name = thing, code = error.code(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the mode to its end or until somebody stops it, and says goodbye in both cases unless it was told not to.
async fn run(flags: &Flags) -> Result<(), Failure> {
    let identity = flags.identity()?;
    let state = flags.state.as_deref().map(State::open).transpose()?;
    if let Some(state) = &state {
        local::introduce(state, flags.thing(), flags.private())?;
    }
    let device = Device::connect(&identity, Options::default())?;
    let outcome = tokio::select! {
        outcome = act(flags, &device, &identity, state) => outcome,
        stopped = asked_to_stop() => stopped.map_err(Failure::Signal),
    };
    if flags.unclean {
        device.power_off().await;
        tracing::info!(thing.name = identity.thing(), "gone without a goodbye: the broker publishes the last will");
    } else {
        device.disconnect().await;
        tracing::info!(thing.name = identity.thing(), "disconnected");
    }
    outcome
}

/// Returns on Ctrl-C, or when a service manager ends the program.
async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Joins: the first connections may be dropped while the certificate is being registered; then the device says
/// what it is, and reports.
async fn act(flags: &Flags, device: &Device, identity: &Identity, state: Option<State>) -> Result<(), Failure> {
    device.deliver(&topics::shadow_update(device.thing()), soil::FIRST_MESSAGE.as_bytes(), QoS::AtLeastOnce).await?;
    let mut machine = machine(flags)?;
    if !flags.about.no_describe {
        let mut description = flags.description();
        if let Some(machine) = &machine {
            description.firmware = machine.firmware();
        }
        description::tell(device, &description).await?;
    }
    tokio::select! {
        outcome = report(flags, device, identity, state.clone(), machine.as_mut()) => outcome,
        outcome = desired::obey(device), if !flags.disobey => outcome.map_err(Failure::Device),
        outcome = tell(device, state), if flags.state.is_some() => outcome.map_err(Failure::Device),
    }
}

/// Tells the cloud what happens at the device's buttons.
async fn tell(device: &Device, state: Option<State>) -> Result<(), DeviceError> {
    match state {
        Some(state) => pairing::tell(device, &Button::of(state)).await,
        None => Ok(()),
    }
}

async fn report(
    flags: &Flags,
    device: &Device,
    identity: &Identity,
    state: Option<State>,
    machine: Option<&mut Machine>,
) -> Result<(), Failure> {
    if let Some(machine) = machine {
        return Ok(Box::pin(ota::serve(device, machine)).await?);
    }
    let plan: fn(u64, usize) -> Vec<Step> = match flags.mode {
        Mode::Soil => {
            return Ok(soil::run(device, &mut Readings::new(device.thing(), flags.seed), flags.rounds()).await?);
        }
        Mode::Chaos => chaos::plan,
        Mode::Invoke => return Ok(invoke::run(device, Listen::Subscribed).await.map(drop)?),
        Mode::Commands => return carry_out(device, state).await,
        Mode::Files => return transfer(flags, device, identity).await,
        // It has a machine.
        Mode::Ota => return Ok(()),
        Mode::Flap => |_seed, messages| chaos::again_and_again(Step::Flap, messages),
        Mode::TakeOver => |_seed, messages| chaos::again_and_again(Step::TakeOver, messages),
    };
    Ok(disturbed(flags, device, identity, plan).await?)
}

async fn carry_out(device: &Device, state: Option<State>) -> Result<(), Failure> {
    let mut memory = state.map(Memory::kept_in).transpose()?.unwrap_or_default();
    commands::run(device, &mut memory).await;
    Ok(())
}

async fn transfer(flags: &Flags, device: &Device, identity: &Identity) -> Result<(), Failure> {
    let thing = ThingName::parse(device.thing()).map_err(Failure::Name)?;
    let root_ca = std::fs::read(flags.root_ca()).map_err(Failure::Path)?;
    let directory = flags.files.as_deref().unwrap_or(Path::new("."));
    let mut desk = Desk::open(&thing, directory, Http::new(Some(&root_ca))?, flags.offer.clone())?;
    if let Some(addresses) = flags.keys.addresses() {
        desk = desk.with_kms(Kms::new(identity, Some(&root_ca), &addresses)?);
    }
    Ok(files::serve(device, &mut desk).await?)
}

/// The device's own firmware, as far as somebody else may change it.
fn machine(flags: &Flags) -> Result<Option<Machine>, Failure> {
    let (Mode::Ota, Some(directory), Some(keys), Some(hardware)) =
        (flags.mode, &flags.state, &flags.update.keys, &flags.update.hardware)
    else {
        return Ok(None);
    };
    let settings = ota::Settings {
        thing: flags.thing().to_owned(),
        hardware: hardware.clone(),
        version: Version::parse(&flags.description().firmware.version).map_err(Failure::Version)?,
        keys: ota::read_keys(keys)?,
        fault: flags.update.fail_at,
        power_cut: flags.update.power_cut,
        trial: Duration::from_secs(flags.update.trial_seconds),
        utc_offset_minutes: None,
    };
    let root_ca = std::fs::read(flags.root_ca()).map_err(Failure::Path)?;
    Ok(Some(Machine::start(settings, directory, Http::new(Some(&root_ca))?)?))
}

/// One plan over all rounds, or for ever one plan after the other.
async fn disturbed(
    flags: &Flags,
    device: &Device,
    identity: &Identity,
    plan: fn(u64, usize) -> Vec<Step>,
) -> Result<(), DeviceError> {
    let rounds = flags.rounds();
    let batch = if rounds.number == 0 { CHAOS_BATCH } else { rounds.number };
    let mut readings = Readings::new(device.thing(), flags.seed);
    for seed in flags.seed.. {
        let messages = kept_while_offline(device, &mut readings, batch, rounds.interval);
        let steps = plan(seed, messages.len());
        let tally = chaos::run(device, identity, &steps, &messages, rounds.interval).await?;
        tracing::info!(
            thing.name = device.thing(),
            seed,
            published = tally.published,
            flaps = tally.flaps,
            take_overs = tally.take_overs,
            "disturbances done"
        );
        if rounds.number != 0 {
            break;
        }
    }
    Ok(())
}

/// `number` readings with `interval` between them, the last one now: two readings of one millisecond would be one.
fn kept_while_offline(device: &Device, readings: &mut Readings, number: u64, interval: Duration) -> Vec<Publication> {
    let now = Timestamp::now();
    let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
    let ago = |rounds: u64| interval.saturating_mul(i32::try_from(rounds).unwrap_or(i32::MAX));
    (0..number).rev().map(|rounds| publication(device, readings, now.checked_sub(ago(rounds)).unwrap_or(now))).collect()
}

fn publication(device: &Device, readings: &mut Readings, measured_at: Timestamp) -> Publication {
    let payload = readings.take(measured_at, &TimeZone::system()).to_json().into_bytes();
    Publication { topic: topics::device_payload(device.thing()), payload }
}
