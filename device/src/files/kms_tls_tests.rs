//! The whole way over real mutual TLS to a stand-in for the credential provider.

use super::tests::{keyless, opened};
use super::*;
use crate::files::credentials::tests::credentials;
use crate::files::notice::tests::thing;
use crate::stand_in::Store;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rumqttc::tokio_rustls::TlsAcceptor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A CA, and what it issued to a server and to a device, as PEM.
struct Made {
    ca: String,
    server: (String, String),
    device: (String, String),
}

fn made() -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    Made { ca, server: issue("localhost"), device: issue("sensor") }
}

/// A provider that lets nobody in without a certificate of its CA; its port, and the heads of the requests that it read.
async fn provider(made: &Made) -> (u16, mpsc::UnboundedReceiver<Vec<String>>) {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&made.ca)).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&crypto)).build().unwrap();
    let config = ServerConfig::builder_with_provider(crypto).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.server.1.as_bytes()).unwrap();
    let config = config.with_client_cert_verifier(verifier);
    let config = config.with_single_cert(vec![certificate(&made.server.0)], key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (port, (sender, heads)) = (listener.local_addr().unwrap().port(), mpsc::unbounded_channel());
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            let Ok(line) = acceptor.accept(line).await else { continue };
            let mut line = BufReader::new(line);
            let mut head = vec![];
            loop {
                let mut header = String::new();
                line.read_line(&mut header).await.unwrap();
                if header.trim_end().is_empty() {
                    break;
                }
                head.push(header.trim_end().to_owned());
            }
            let body = credentials();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            line.write_all(&[answer.into_bytes(), body].concat()).await.unwrap();
            line.shutdown().await.unwrap();
            sender.send(head).unwrap();
        }
    });
    (port, heads)
}

fn way(root_ca: &str, device: &(String, String), credentials: &str, kms: &Store) -> Kms {
    let [root, certificate, key] = [root_ca, &device.0, &device.1].map(str::as_bytes);
    let identity = Identity::from_pem(thing().as_str(), "localhost", 8883, root, certificate, key).unwrap();
    let kms = Some(kms.url.trim_end_matches("/object").to_owned());
    let addresses = Addresses { credentials: credentials.to_owned(), role_alias: "loam-files".to_owned(), kms };
    Kms::new(&identity, Some(root), &addresses).unwrap()
}

#[tokio::test]
async fn the_device_shows_its_certificate_and_says_which_thing_it_is() {
    let made = made();
    let (port, mut heads) = provider(&made).await;
    let kms = Store::with(opened(), &[]).await;
    let way = way(&made.ca, &made.device, &format!("https://localhost:{port}"), &kms);
    keyless(b"abc").open_by(&thing(), Some(&way), 1).await.unwrap();
    let head = heads.recv().await.unwrap();
    assert_eq!(head[0], "GET /role-aliases/loam-files/credentials HTTP/1.1");
    assert!(head.contains(&"x-amzn-iot-thingname: t1".to_owned()), "{head:?}");
}

#[tokio::test]
async fn a_provider_that_the_root_ca_does_not_vouch_for_gets_nothing_and_a_foreign_certificate_gets_nothing_from_it() {
    let (own, foreign) = (made(), made());
    let (port, mut heads) = provider(&own).await;
    let kms = Store::with(opened(), &[]).await;
    for (root_ca, device) in [(&foreign.ca, &own.device), (&own.ca, &foreign.device)] {
        let way = way(root_ca, device, &format!("https://localhost:{port}"), &kms);
        let refused = keyless(b"abc").open_by(&thing(), Some(&way), 1).await.unwrap_err();
        assert_eq!(refused.code(), "kms-unavailable");
    }
    assert!(heads.try_recv().is_err() && kms.seen().is_empty());
}

#[test]
fn an_address_that_is_none_is_refused_with_its_flag() {
    let made = made();
    let [root, certificate, key] = [&made.ca, &made.device.0, &made.device.1].map(|pem| pem.as_bytes());
    let identity = Identity::from_pem("t1", "localhost", 8883, root, certificate, key).unwrap();
    let refused = |credentials: &str, role_alias: &str, kms: Option<&str>| {
        let kms = kms.map(str::to_owned);
        let addresses = Addresses { credentials: credentials.to_owned(), role_alias: role_alias.to_owned(), kms };
        Kms::new(&identity, Some(root), &addresses).unwrap_err()
    };
    for (error, flag) in [
        (refused("http://example.com", "a", None), "--credentials"),
        (refused("https://c", "a b", None), "--role_alias"),
        (refused("https://c", "a", Some("kms")), "--kms"),
    ] {
        assert!(error.to_string().starts_with(flag), "{error}");
        assert_eq!(error.code(), "kms-address-refused");
    }
}
