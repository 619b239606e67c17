//! A stand-in for the broker: mutual TLS and MQTT 5 packets as bytes; what it says is up to the test.

use loam_device::back_off::BackOff;
use loam_device::{Device, Event, Identity, Options};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rumqttc::tokio_rustls::TlsAcceptor;
use rumqttc::tokio_rustls::server::TlsStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

pub(crate) const CONNECT: u8 = 0x10;
pub(crate) const PUBLISH_QOS_1: u8 = 0x32;
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const SUBSCRIBE: u8 = 0x82;
pub(crate) const DISCONNECT: u8 = 0xE0;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough that a test that waited for it would fail, not pass.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A device that comes back at once.
pub(crate) fn device(broker: &StandIn) -> Device {
    let back_off = BackOff { floor: Duration::from_millis(5), cap: Duration::from_millis(10) };
    Device::connect(&broker.identity(), Options { back_off, ..Options::default() }).unwrap()
}

/// A device that stays away once it has lost its connection.
pub(crate) fn patient_device(broker: &StandIn) -> Device {
    let back_off = BackOff { floor: LONG, cap: LONG };
    Device::connect(&broker.identity(), Options { back_off, ..Options::default() }).unwrap()
}

/// The next event.
pub(crate) async fn next(events: &mut Receiver<Event>) -> Event {
    timeout(PATIENCE, events.recv()).await.unwrap().unwrap()
}

/// A broker that does nothing by itself.
pub(crate) struct StandIn {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ca_pem: String,
    device_pem: String,
    device_key: String,
}

/// One device's connection.
pub(crate) struct Peer(TlsStream<TcpStream>);

impl StandIn {
    pub(crate) async fn start() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(params, ca_key);
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let (server_pem, server_key) = issue("localhost");
        let (device_pem, device_key) = issue("sensor");
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: acceptor(&ca.pem(), &server_pem, &server_key),
            ca_pem: ca.pem(),
            device_pem,
            device_key,
        }
    }

    /// The identity of a thing called `sensor` that this broker lets in.
    pub(crate) fn identity(&self) -> Identity {
        let port = self.listener.local_addr().unwrap().port();
        let (ca, certificate, key) = (self.ca_pem.as_bytes(), self.device_pem.as_bytes(), self.device_key.as_bytes());
        Identity::from_pem("sensor", "localhost", port, ca, certificate, key).unwrap()
    }

    /// The next connection, up to the end of the TLS handshake.
    pub(crate) async fn accept(&self) -> Peer {
        let accepting = async { self.acceptor.accept(self.listener.accept().await.unwrap().0).await.unwrap() };
        Peer(timeout(PATIENCE, accepting).await.unwrap())
    }

    /// The next connection, accepted without conditions.
    pub(crate) async fn accept_and_welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.expect(CONNECT).await;
        peer.send(&[0x20, 3, 0, 0, 0]).await;
        peer
    }
}

impl Peer {
    /// The next packet: its first byte and its body; `None` if the device has hung up.
    pub(crate) async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(PATIENCE, self.read()).await.unwrap().ok()
    }

    /// The body of the next packet, which has to begin with this byte.
    pub(crate) async fn expect(&mut self, first: u8) -> Vec<u8> {
        let (found, body) = self.packet().await.unwrap();
        assert_eq!(found, first, "unexpected packet {body:?}");
        body
    }

    pub(crate) async fn send(&mut self, packet: &[u8]) {
        self.0.write_all(packet).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Sends a QoS 1 message with packet id 9.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) {
        let length = u8::try_from(topic.len()).unwrap();
        let rest = [&[0, length], topic.as_bytes(), &[0, 9, 0], payload.as_bytes()].concat();
        // The length in two bytes of seven bits each, which takes short ones too.
        let length = [u8::try_from(rest.len() % 128).unwrap() | 0x80, u8::try_from(rest.len() / 128).unwrap()];
        self.send(&[&[PUBLISH_QOS_1], &length[..], rest.as_slice()].concat()).await;
    }

    /// Takes a QoS 1 message, acknowledges it, and returns its topic and payload.
    pub(crate) async fn acknowledge_publish(&mut self) -> (String, String) {
        let body = self.expect(PUBLISH_QOS_1).await;
        let end = 2 + usize::from(body[1]);
        self.send(&[PUBACK, 2, body[end], body[end + 1]]).await;
        (String::from_utf8_lossy(&body[2..end]).into_owned(), String::from_utf8_lossy(&body[end + 3..]).into_owned())
    }

    /// Takes a subscription, answers it with this reason code, and returns its filter.
    pub(crate) async fn answer_subscribe(&mut self, reason: u8) -> String {
        let body = self.expect(SUBSCRIBE).await;
        self.send(&[0x90, 4, body[0], body[1], 0, reason]).await;
        String::from_utf8_lossy(&body[5..body.len() - 1]).into_owned()
    }

    async fn read(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.0.read_u8().await?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok((first, body))
    }
}

fn acceptor(ca: &str, certificate: &str, key: &str) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
