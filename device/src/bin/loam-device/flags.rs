//! The command line.

use crate::about::About;
use clap::{Parser, ValueEnum};
use loam_device::soil::Rounds;
use loam_device::{Description, Files, Identity, IdentityError, QoS};
use std::path::PathBuf;
use std::time::Duration;

/// A simulated Loam device.
#[derive(Debug, Parser)]
#[command(version, rename_all = "snake_case")]
pub(crate) struct Flags {
    /// The thing's name, which is also its MQTT client id
    #[arg(long)]
    device_name: String,
    /// The IoT endpoint's host name
    #[arg(long)]
    endpoint: String,
    /// PEM file: the CA that signed the endpoint's certificate
    #[arg(long)]
    root_ca: PathBuf,
    /// PEM file: the device's certificate, followed by its CA's
    #[arg(long)]
    cert: PathBuf,
    /// PEM file: the device's private key
    #[arg(long)]
    private: PathBuf,
    /// The endpoint's TCP port
    #[arg(long, default_value_t = 8883)]
    port: u16,
    /// What the device does
    #[arg(long, value_enum, default_value_t = Mode::Soil)]
    pub(crate) mode: Mode,
    /// Seconds between two readings, or between two steps of chaos
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// How many readings; 0 is for ever
    #[arg(long, default_value_t = 0)]
    rounds: u64,
    /// MQTT quality of service of the readings
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    qos: u8,
    /// The same seed gives the same humidities and the same chaos
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Leave without a goodbye, as by a power cut: the broker publishes the last will
    #[arg(long)]
    pub(crate) unclean: bool,
    #[command(flatten)]
    pub(crate) about: About,
    /// How the log on stderr looks
    #[arg(long = "log-format", value_enum, default_value_t = LogFormat::Compact)]
    pub(crate) log_format: LogFormat,
}

/// What the device does.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Mode {
    /// Publish a soil reading every interval
    Soil,
    /// Publish soil readings with duplicates, reorderings, lost connections and take-overs
    Chaos,
    /// Publish soil readings and lose the connection without a goodbye after each
    Flap,
    /// Publish soil readings; after each, a second connection with the same client id takes over and leaves
    TakeOver,
    /// Answer calls; no readings
    Invoke,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Compact,
    /// One JSON object a line
    Json,
}

impl Flags {
    pub(crate) fn thing(&self) -> &str {
        &self.device_name
    }

    pub(crate) fn identity(&self) -> Result<Identity, IdentityError> {
        let files =
            Files { root_ca: self.root_ca.clone(), certificate: self.cert.clone(), private_key: self.private.clone() };
        Identity::load(&self.device_name, &self.endpoint, self.port, &files)
    }

    /// What the device says of itself.
    pub(crate) fn description(&self) -> Description {
        self.about.apply(Description::soil_sensor(&self.device_name, &self.endpoint))
    }

    pub(crate) fn rounds(&self) -> Rounds {
        let qos = if self.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        Rounds { interval: Duration::from_secs(self.interval), number: self.rounds, qos }
    }
}
