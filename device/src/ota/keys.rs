use loam_releases::signature::{Keyring, NoKey, PublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};

/// Why there are no keys to trust. Each has a stable [code](Self::code).
#[derive(Debug, thiserror::Error)]
pub enum NoKeys {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check the path of --keys", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It holds something else than public keys.
    #[error("{}: {why}; expected 1 to 4 PEM blocks `PUBLIC KEY`, as KMS's GetPublicKey gives them in base64", path.display())]
    NoKey {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl NoKeys {
    /// The stable name of this failure.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "keys-unreadable",
            Self::NoKey { .. } => "keys-refused",
        }
    }
}

/// The keys in a PEM file: whoever holds one of their private halves decides what the device runs.
///
/// # Errors
/// [`NoKeys`].
pub fn read_keys(path: &Path) -> Result<Keyring, NoKeys> {
    let pem = std::fs::read(path).map_err(|source| NoKeys::Unreadable { path: path.to_owned(), source })?;
    keys_in(&pem).map_err(|why| NoKeys::NoKey { path: path.to_owned(), why })
}

fn keys_in(pem: &[u8]) -> Result<Keyring, String> {
    let one = |block: Result<SubjectPublicKeyInfoDer<'static>, rustls::pki_types::pem::Error>| {
        let der = block.map_err(|error| error.to_string())?;
        PublicKey::from_spki(&der).map_err(|error| error.to_string())
    };
    let keys: Result<Vec<_>, String> = SubjectPublicKeyInfoDer::pem_slice_iter(pem).map(one).collect();
    Keyring::new(keys?).map_err(|error: NoKey| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkmOKyKXLtlw4EdSzwTSN/0FqyPfa\nltDF4BpHGcfJHQmzXYCyMAtgn6/GMZZF+ZQpCCXPSkfSmAGWsKCSQ/gK4Q==\n-----END PUBLIC KEY-----\n";

    #[test]
    fn a_file_holds_one_to_four_keys_and_nothing_else_counts() {
        assert!(keys_in(KEY.as_bytes()).is_ok() && keys_in(KEY.repeat(4).as_bytes()).is_ok());
        for bad in [String::new(), KEY.repeat(5), KEY.replace("PUBLIC", "PRIVATE"), KEY.replace("MFkw", "MFow")] {
            assert!(keys_in(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(read_keys(Path::new("/no/such")).unwrap_err().code(), "keys-unreadable");
    }
}
