//! Who the device is, to whom it connects, and the proof.

use loam_domain::{Refusal, ThingName};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The three PEM files of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The CA that signed the endpoint's certificate; for AWS, Amazon Root CA 1.
    pub root_ca: PathBuf,
    /// The device's certificate, followed by the certificate of the CA that signed it.
    pub certificate: PathBuf,
    /// The device's private key: PKCS#8, PKCS#1 or SEC1.
    pub private_key: PathBuf,
}

/// Who the device is and to whom it connects. Cheap to clone; shows no key material.
#[derive(Clone)]
pub struct Identity {
    thing: ThingName,
    endpoint: String,
    port: u16,
    tls: Arc<ClientConfig>,
}

/// Why an identity cannot be used. Each has a stable [code](Self::code).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Names become topics and policy values, so only harmless ones are taken.
    #[error("thing name {name:?}: {reason}", reason = .refusal.detail)]
    Name {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// The endpoint is not a host name.
    #[error(
        "endpoint {endpoint:?}: expected a host name alone, such as abc123-ats.iot.eu-west-1.amazonaws.com, without mqtts:// and without a port"
    )]
    Endpoint {
        /// The endpoint as given.
        endpoint: String,
    },
    /// A file cannot be read.
    #[error("cannot read the {what} from {}: {source}; check the path and its permissions", path.display())]
    File {
        /// Which of the three it is.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file holds something else than expected.
    #[error("the {what} is not usable: {why}; expected PEM text that begins with {expected}")]
    Pem {
        /// Which of the three it is.
        what: &'static str,
        /// What the parser said.
        why: String,
        /// The first line of what was expected.
        expected: &'static str,
    },
    /// Certificate and key do not belong together, or are of a kind that TLS here does not support.
    #[error("certificate and private key cannot be used together: {0}; take both from the same key pair")]
    Pair(rustls::Error),
}

impl IdentityError {
    /// The stable name of this failure.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "thing-name-refused",
            Self::Endpoint { .. } => "endpoint-refused",
            Self::File { .. } => "file-unreadable",
            Self::Pem { .. } => "pem-refused",
            Self::Pair(_) => "certificate-key-mismatch",
        }
    }
}

impl Identity {
    /// Reads and checks the three files.
    ///
    /// # Errors
    /// Everything in [`IdentityError`]; what concerns a file names it.
    pub fn load(thing: &str, endpoint: &str, port: u16, files: &Files) -> Result<Self, IdentityError> {
        let root_ca = read("root CA", &files.root_ca)?;
        let certificate = read("certificate", &files.certificate)?;
        let private_key = read("private key", &files.private_key)?;
        Self::from_pem(thing, endpoint, port, &root_ca, &certificate, &private_key).map_err(|error| match error {
            IdentityError::Pem { what, why, expected } => {
                let path = match what {
                    "root CA" => &files.root_ca,
                    "certificate" => &files.certificate,
                    _ => &files.private_key,
                };
                IdentityError::Pem { what, why: format!("{}: {why}", path.display()), expected }
            }
            IdentityError::Name { .. }
            | IdentityError::Endpoint { .. }
            | IdentityError::File { .. }
            | IdentityError::Pair(_) => error,
        })
    }

    /// The same from PEM texts in memory.
    ///
    /// # Errors
    /// Everything in [`IdentityError`] but [`IdentityError::File`].
    pub fn from_pem(
        thing: &str,
        endpoint: &str,
        port: u16,
        root_ca: &[u8],
        certificate: &[u8],
        private_key: &[u8],
    ) -> Result<Self, IdentityError> {
        let thing =
            ThingName::parse(thing).map_err(|refusal| IdentityError::Name { name: thing.to_owned(), refusal })?;
        if ServerName::try_from(endpoint).is_err() {
            return Err(IdentityError::Endpoint { endpoint: endpoint.to_owned() });
        }
        let tls = Arc::new(client_config(root_ca, certificate, private_key)?);
        Ok(Self { thing, endpoint: endpoint.to_owned(), port, tls })
    }

    /// The thing's name, which is also its MQTT client id.
    #[must_use]
    pub fn thing(&self) -> &str {
        self.thing.as_str()
    }

    /// The endpoint's host name, which is also the TLS server name.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The endpoint's TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn thing_name(&self) -> &ThingName {
        &self.thing
    }

    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thing, endpoint, port, tls: _ } = self;
        write!(f, "Identity({thing} at {endpoint}:{port})")
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(path).map_err(|source| IdentityError::File { what, path: path.to_owned(), source })
}

fn client_config(root_ca: &[u8], certificate: &[u8], private_key: &[u8]) -> Result<ClientConfig, IdentityError> {
    let mut roots = RootCertStore::empty();
    for root in certificates("root CA", root_ca)? {
        roots.add(root).map_err(|error| bad_pem("root CA", error.to_string()))?;
    }
    let chain = certificates("certificate", certificate)?;
    let key = PrivateKeyDer::from_pem_slice(private_key).map_err(|error| bad_pem("private key", error.to_string()))?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(IdentityError::Pair)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(IdentityError::Pair)?;
    // A resumed session would not present the certificate again, and a revoked device could think it is still welcome.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(bad_pem(what, "there is no certificate in it".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(bad_pem(what, error.to_string())),
    }
}

fn bad_pem(what: &'static str, why: String) -> IdentityError {
    let expected =
        if what == "private key" { "-----BEGIN PRIVATE KEY----- (or RSA/EC)" } else { "-----BEGIN CERTIFICATE-----" };
    IdentityError::Pem { what, why, expected }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
