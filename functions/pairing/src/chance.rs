//! Random bytes, of the operating system.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::PairingFailure;

/// So many random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], PairingFailure> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| PairingFailure::NoRandomness)?;
    Ok(bytes)
}
