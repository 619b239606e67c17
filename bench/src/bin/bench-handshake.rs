//! A bootstrap that makes one TLS connection for each event: what the TLS library costs, and what its first use costs.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Any call that the stub knows; the connection closes after it.
const REQUEST: &[u8] =
    b"POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: X.GetItem\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let address = variable("AWS_ENDPOINT_URL")?.trim_start_matches("https://").to_owned();
    let connector = connector()?;
    let (address, connector) = (&address, &connector);
    lambda_runtime::run(service_fn(move |_: LambdaEvent<Value>| call(address, connector))).await
}

fn connector() -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(variable("SSL_CERT_FILE")?)? {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider(&variable("TLS_PROVIDER")?)?))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn provider(name: &str) -> Result<CryptoProvider, Error> {
    match name {
        "ring" => Ok(rustls::crypto::ring::default_provider()),
        #[cfg(feature = "aws-lc")]
        "aws-lc" => Ok(rustls::crypto::aws_lc_rs::default_provider()),
        other => Err(format!("TLS_PROVIDER is {other:?}, which was not built in").into()),
    }
}

async fn call(address: &str, connector: &TlsConnector) -> Result<(), Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = connector.connect(ServerName::try_from("127.0.0.1")?, stream).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err("the stub did not answer 200".into()) }
}

fn variable(name: &str) -> Result<String, Error> {
    #[expect(clippy::disallowed_methods, reason = "a program's edge: it has no configuration but these variables")]
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}
