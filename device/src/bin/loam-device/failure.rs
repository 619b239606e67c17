//! Why the program ends with an error.

use loam_device::files::{BadAddress, NoFile, NoHttp};
use loam_device::ota::{NoKeys, OtaError};
use loam_device::pairing::NotSigned;
use loam_device::{DeviceError, IdentityError, StateError};
use loam_domain::Refusal;
use loam_releases::version::NoVersion;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    #[error(transparent)]
    File(#[from] NoFile),
    #[error(transparent)]
    Http(#[from] NoHttp),
    #[error(transparent)]
    Ota(#[from] OtaError),
    #[error(transparent)]
    Keys(#[from] NoKeys),
    #[error("--firmware_version: {0}")]
    Version(NoVersion),
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error("--thing: {}", .0.detail)]
    Thing(Refusal),
    #[error("cannot read what --key names: {0}")]
    Key(std::io::Error),
    #[error("--device_name: {}", .0.detail)]
    Name(Refusal),
    #[error("cannot read the private key, or what is to be signed: {0}")]
    Path(std::io::Error),
    #[error("this machine gives no random bytes, so no code can be shown; press without --code")]
    Random,
    #[error("no device has run with this --state yet; give --device_name and --private")]
    Unknown,
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(#[from] std::io::Error),
}

impl Failure {
    /// The stable name of this failure.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Identity(error) => error.code(),
            Self::Device(error) => error.code(),
            Self::State(error) => error.code(),
            Self::NotSigned(error) => error.code(),
            Self::File(error) => error.code(),
            Self::Ota(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::Version(_) => "version-refused",
            Self::Http(_) => "no-root-ca",
            Self::Address(error) => error.code(),
            Self::Name(_) | Self::Thing(_) => "thing-name-refused",
            Self::Path(_) | Self::Key(_) => "file-unreadable",
            Self::Random => "no-random-bytes",
            Self::Unknown => "device-unknown",
            Self::Signal(_) => "no-signals",
        }
    }
}
