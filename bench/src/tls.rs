//! The stub's certificate, and the folders of trusted certificates that the candidates are given.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

/// Where systems keep all certificates that they trust in one file: Amazon Linux and Fedora, Debian, Alpine.
const BUNDLES: [&str; 3] =
    ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];

/// Where they keep them one by one.
const FOLDER: &str = "/etc/ssl/certs";

/// Files of trusted certificates.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// The stub's authority alone.
    pub(crate) one: PathBuf,
    /// What this system trusts, and the stub's authority.
    pub(crate) bundle: PathBuf,
    /// This system's folder of certificates.
    pub(crate) folder: PathBuf,
    /// How many certificates are in the bundle.
    pub(crate) certificates: usize,
}

/// Makes an authority and a certificate for 127.0.0.1; what is trusted is written to `work`, keys stay in memory.
pub(crate) fn prepare(work: &Path) -> Result<(TlsAcceptor, Trust), Failure> {
    let (acceptor, authority) = certificates().map_err(|why| Failure::stand("make a certificate", why))?;
    let system = BUNDLES.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let bundle = format!("{system}\n{authority}");
    let trust = Trust {
        one: work.join("authority.pem"),
        bundle: work.join("bundle.pem"),
        folder: PathBuf::from(FOLDER),
        certificates: bundle.matches("BEGIN CERTIFICATE").count(),
    };
    for (path, content) in [(&trust.one, &authority), (&trust.bundle, &bundle)] {
        fs::write(path, content).map_err(|error| Failure::file("write", path, error))?;
    }
    Ok((acceptor, trust))
}

fn certificates() -> Result<(TlsAcceptor, String), Box<dyn std::error::Error>> {
    let mut authority = CertificateParams::new(vec![])?;
    // Different names: OpenSSL takes a certificate whose issuer has its own name for a self-signed one.
    authority.distinguished_name.push(DnType::CommonName, "bench authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    certificate.distinguished_name.push(DnType::CommonName, "bench stub");
    let certificate = certificate.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((TlsAcceptor::from(Arc::new(config)), authority.pem()))
}
