//! The command line.

use crate::about::About;
use crate::keys::Keys;
use crate::local::Local;
use crate::update::Update;
use clap::{Args, Command, FromArgMatches as _, Subcommand as _, ValueEnum};
use loam_device::soil::Rounds;
use loam_device::{Description, Files, Identity, IdentityError, QoS};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the program is to do.
#[derive(Debug)]
pub(crate) enum Line {
    /// Ask something of a device on the spot.
    Local(Local),
    /// Be a device.
    Run(Box<Flags>),
}

impl Line {
    /// The command line in these words; the first is the program's name.
    pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(words)?;
        if matches.subcommand_name().is_some() {
            return Local::from_arg_matches(&matches).map(Self::Local);
        }
        Flags::from_arg_matches(&matches).map(|flags| Self::Run(Box::new(flags)))
    }

    /// By hand, since a derived one cannot have required flags or a subcommand.
    fn command() -> Command {
        let command = Command::new("loam-device").about("A simulated Loam device").version(env!("CARGO_PKG_VERSION"));
        let command = Local::augment_subcommands(Flags::augment_args(command));
        command.subcommand_required(false).args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
    }
}

/// How the device runs.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
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
    /// Directory for what the device remembers: its button, what it signed, the commands that it knows, its firmware
    #[arg(long, required_if_eq("mode", "ota"))]
    pub(crate) state: Option<PathBuf>,
    /// Directory of --mode files: what came lies in inbox/ below it, what may be asked for in outbox/
    #[arg(long, required_if_eq("mode", "files"))]
    pub(crate) files: Option<PathBuf>,
    /// A file of the outbox that the device sends unasked, once; may be given more than once
    #[arg(long, requires = "files")]
    pub(crate) offer: Vec<String>,
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// Leave what is desired of the device alone, instead of reporting it
    #[arg(long)]
    pub(crate) disobey: bool,
    #[command(flatten)]
    pub(crate) about: About,
    #[command(flatten)]
    pub(crate) update: Update,
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
    /// Carry out commands; no readings
    Commands,
    /// Receive and send encrypted files; no readings
    Files,
    /// Keep its firmware as the cloud wants it; no readings
    Ota,
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

    pub(crate) fn root_ca(&self) -> &Path {
        &self.root_ca
    }

    pub(crate) fn private(&self) -> &Path {
        &self.private
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Line, clap::Error> {
        Line::parse(text.split(' ').map(OsString::from))
    }

    const RUN: &str = "loam-device --device_name t1 --endpoint localhost --root_ca a --cert b --private c";

    #[test]
    fn a_device_runs_or_something_is_asked_of_it_and_never_both() {
        assert!(matches!(line(RUN).unwrap(), Line::Run(flags) if flags.thing() == "t1"));
        for asked in ["press --state s --code", "reset --state s", "sign --state s {}", "open --key k --to t f"] {
            assert!(matches!(line(&format!("loam-device {asked}")).unwrap(), Line::Local(_)), "{asked}");
        }
        assert!(line("loam-device sign {}").is_err(), "without a directory");
        assert!(line(&format!("{RUN} press --state s")).is_err());
        assert!(line("loam-device --device_name t1").is_err(), "without the other flags");
        assert!(line(&format!("{RUN} --mode files")).is_err(), "without a directory");
        assert!(line(&format!("{RUN} --mode files --files d --offer a --offer b")).is_ok());
        let ota = format!("{RUN} --mode ota --state s --keys k --hardware c3");
        assert!(line(&ota).is_ok());
        assert!(line(&format!("{ota} --fail_at self-test --power_cut 3 --trial_seconds 5")).is_ok());
        for bad in ["--fail_at luck", "--power_cut 0", "--hardware C3"] {
            assert!(line(&format!("{ota} {bad}")).is_err(), "{bad}");
        }
        assert!(line(&format!("{RUN} --mode ota --state s --hardware c3")).is_err(), "without keys it obeys nobody");
    }

    #[test]
    fn credentials_and_role_alias_come_together_and_kms_with_them_alone() {
        let addresses = |flags: &str| match line(&format!("{RUN} --mode files --files d{flags}")).unwrap() {
            Line::Run(flags) => flags.keys.addresses(),
            Line::Local(local) => panic!("{local:?}"),
        };
        assert_eq!(addresses(""), None);
        let both = addresses(" --credentials https://c --role_alias a").unwrap();
        assert_eq!((both.credentials.as_str(), both.role_alias.as_str(), both.kms), ("https://c", "a", None));
        assert_eq!(addresses(" --credentials https://c --role_alias a --kms k").unwrap().kms.as_deref(), Some("k"));
        for part in ["--credentials https://c", "--role_alias a", "--kms k"] {
            assert!(line(&format!("{RUN} --mode files --files d {part}")).is_err(), "{part}");
        }
        assert!(line(&format!("{RUN} --credentials https://c --role_alias a")).is_err(), "without a directory");
    }
}
