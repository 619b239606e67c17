//! Why the program ends with an error.

use loam_device::{DeviceError, IdentityError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(#[from] std::io::Error),
}

impl Failure {
    /// The stable name of this failure.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Identity(error) => error.code(),
            Self::Device(error) => error.code(),
            Self::Signal(_) => "no-signals",
        }
    }
}
