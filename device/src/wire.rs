//! The edge to rumqttc: its options for one connection, and its failures in our words.

use crate::event::Reason;
use crate::identity::Identity;
use crate::options::Options;
use crate::topics;
use rumqttc::v5::mqttbytes::v5::{DisconnectReasonCode, LastWill};
use rumqttc::v5::mqttbytes::{Error as PacketError, QoS};
use rumqttc::v5::{ConnectionError, MqttOptions, StateError, TlsError};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use std::io;

/// The largest payload that AWS IoT Core takes, in bytes.
pub(crate) const LARGEST_PAYLOAD: usize = 128 * 1024;
/// Room for the topic, the MQTT 5 properties and the headers of the largest message.
const LARGEST_PACKET: u32 = 160 * 1024;
/// AWS IoT Core keeps this many unacknowledged messages a connection.
const MOST_UNACKNOWLEDGED: u16 = 100;
/// What a slow mobile link may need for TCP, TLS and CONNECT together, in seconds.
const CONNECT_TIMEOUT: u64 = 20;
/// What the broker says in the device's name if it loses it.
const LAST_WILL: &str = r#"{"state":{"reported":{"connected":false}}}"#;

/// rumqttc's options for one connection of this device.
pub(crate) fn mqtt_options(identity: &Identity, options: &Options) -> MqttOptions {
    let mut mqtt = MqttOptions::new(identity.thing(), identity.endpoint(), identity.port());
    let will = LastWill::new(topics::last_will(identity.thing()), LAST_WILL, QoS::AtLeastOnce, false, None);
    let mut network = NetworkOptions::new();
    // Without this, Nagle's algorithm and delayed acknowledgements together cost each small exchange 40 ms.
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_TIMEOUT);
    mqtt.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(identity.tls())))
        .set_keep_alive(options.keep_alive)
        .set_clean_start(true)
        .set_last_will(will)
        .set_network_options(network)
        .set_connection_timeout(CONNECT_TIMEOUT)
        .set_max_packet_size(Some(LARGEST_PACKET))
        .set_outgoing_inflight_upper_limit(MOST_UNACKNOWLEDGED);
    mqtt
}

/// Whether the broker closed this connection for another one with the same client id.
pub(crate) fn is_takeover(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver,
            ..
        })
    )
}

/// rumqttc's failure in our words.
pub(crate) fn reason(error: &ConnectionError) -> Reason {
    if let Some(error) = io_error(error) {
        return io_reason(error);
    }
    if let ConnectionError::ConnectionRefused(code) = error {
        return Reason::Refused(format!("{code:?}"));
    }
    if let ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) = error {
        return Reason::Disconnected(format!("{reason_code:?}"));
    }
    if let ConnectionError::MqttState(StateError::ConnectionAborted) = error {
        return Reason::Closed;
    }
    if matches!(error, ConnectionError::Timeout(_) | ConnectionError::MqttState(StateError::AwaitPingResp)) {
        return Reason::TimedOut;
    }
    Reason::Protocol(error.to_string())
}

fn io_error(error: &ConnectionError) -> Option<&io::Error> {
    if let ConnectionError::Io(error)
    | ConnectionError::Tls(TlsError::Io(error))
    | ConnectionError::MqttState(StateError::Io(error) | StateError::Deserialization(PacketError::Io(error))) = error
    {
        Some(error)
    } else {
        None
    }
}

fn io_reason(error: &io::Error) -> Reason {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls_reason(tls);
    }
    let kind = error.kind();
    if [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].contains(&kind) {
        Reason::Closed
    } else if kind == io::ErrorKind::TimedOut {
        Reason::TimedOut
    } else {
        Reason::Unreachable(error.to_string())
    }
}

fn tls_reason(error: &rustls::Error) -> Reason {
    if let rustls::Error::AlertReceived(alert) = error {
        Reason::TlsAlert(format!("{alert:?}"))
    } else if let rustls::Error::InvalidCertificate(why) = error {
        Reason::UntrustedEndpoint(why.to_string())
    } else {
        Reason::Protocol(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind) -> ConnectionError {
        ConnectionError::Io(io::Error::from(kind))
    }

    #[test]
    fn a_connection_that_ends_without_a_word_is_closed_however_the_system_calls_it() {
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe] {
            assert_eq!(reason(&io(kind)), Reason::Closed);
        }
        assert_eq!(reason(&ConnectionError::MqttState(StateError::ConnectionAborted)), Reason::Closed);
    }

    #[test]
    fn an_address_where_nothing_listens_is_unreachable() {
        assert_eq!(reason(&io(io::ErrorKind::ConnectionRefused)).code(), "unreachable");
    }

    #[test]
    fn an_endpoint_with_somebody_else_s_certificate_is_untrusted_and_an_alert_is_not() {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateUnknown);
        assert_eq!(reason(&ConnectionError::Io(io::Error::other(unknown))).code(), "untrusted-endpoint");
        assert_eq!(reason(&ConnectionError::Io(io::Error::other(alert))).code(), "tls-alert");
    }

    #[test]
    fn only_the_reason_session_taken_over_is_a_takeover() {
        let ended =
            |reason_code| ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string: None });
        assert!(is_takeover(&ended(DisconnectReasonCode::SessionTakenOver)));
        assert!(!is_takeover(&ended(DisconnectReasonCode::ServerShuttingDown)));
        assert_eq!(reason(&ended(DisconnectReasonCode::ServerShuttingDown)).code(), "disconnected");
    }
}
