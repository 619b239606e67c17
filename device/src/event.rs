//! What happens to a device's connection, and why.

use std::fmt;
use std::time::Duration;

/// What happened to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The broker accepted the connection and has confirmed every subscription held from before.
    Connected,
    /// An attempt to connect failed.
    ConnectionRefused {
        /// Why, as far as the device can tell.
        reason: Reason,
    },
    /// An established connection ended.
    Dropped {
        /// Why, as far as the device can tell.
        reason: Reason,
    },
    /// Another connection with the same client id took this one's place.
    TakenOver,
    /// The device waits and will then connect again.
    Reconnecting {
        /// The wait.
        after: Duration,
    },
}

/// Why a connection failed or ended. [`Display`](fmt::Display) says what happened, [`advice`](Self::advice) what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The other side closed the connection without a word: what AWS does with a certificate that it does not accept.
    Closed,
    /// The broker answered CONNECT with this MQTT 5 reason.
    Refused(String),
    /// The broker sent DISCONNECT with this MQTT 5 reason.
    Disconnected(String),
    /// The other side refused the TLS handshake with this alert.
    TlsAlert(String),
    /// This device does not trust the certificate that the endpoint presents.
    UntrustedEndpoint(String),
    /// Nothing answers at this address.
    Unreachable(String),
    /// No answer in time.
    TimedOut,
    /// The program asked for it with `drop_connection`.
    Asked,
    /// Anything else.
    Protocol(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the other side closed the connection without a word"),
            Self::Refused(reason) => write!(f, "the broker refused the connection ({reason})"),
            Self::Disconnected(reason) => write!(f, "the broker ended the connection ({reason})"),
            Self::TlsAlert(alert) => write!(f, "the endpoint refused the TLS handshake ({alert})"),
            Self::UntrustedEndpoint(why) => write!(f, "the endpoint's own certificate is not trusted ({why})"),
            Self::Unreachable(why) => write!(f, "the endpoint cannot be reached ({why})"),
            Self::TimedOut => write!(f, "the endpoint did not answer in time"),
            Self::Asked => write!(f, "the program dropped the connection"),
            Self::Protocol(what) => write!(f, "the conversation failed ({what})"),
        }
    }
}

impl Reason {
    /// The stable name of this reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Refused(_) => "refused",
            Self::Disconnected(_) => "disconnected",
            Self::TlsAlert(_) => "tls-alert",
            Self::UntrustedEndpoint(_) => "untrusted-endpoint",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Asked => "asked",
            Self::Protocol(_) => "protocol",
        }
    }

    /// Whether this is how a new device is turned away while its certificate is being registered.
    #[must_use]
    pub fn is_normal_for_a_new_device(&self) -> bool {
        matches!(self, Self::Closed | Self::TlsAlert(_))
    }

    /// The likely causes, likeliest first, for whoever reads the log.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Closed | Self::TlsAlert(_) => {
                "likely: the certificate is not ACTIVE yet (the first connections of a new device are dropped while it \
                 is being registered), or not ACTIVE any more; it is unknown to this account and region (wrong \
                 --endpoint?); --cert lacks the CA's certificate after the device's; the policy does not allow \
                 iot:Connect for this client id or iot:Publish on its last will's topic"
            }
            Self::Refused(_) | Self::Disconnected(_) => {
                "likely: the policy does not allow iot:Connect for this client id, iot:Publish on its last will's \
                 topic, or what the device did last; --device_name differs from the thing's name"
            }
            Self::UntrustedEndpoint(_) => {
                "likely: --root_ca is not the CA of this --endpoint (AWS: Amazon Root CA 1), --endpoint is not the \
                 name in its certificate, or this machine's clock is wrong"
            }
            Self::Unreachable(_) | Self::TimedOut => "likely: wrong --endpoint or --port, no network, or a firewall",
            Self::Asked => "nothing to do",
            Self::Protocol(_) => "likely: --port is not an MQTT port",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_device_may_be_closed_on_but_an_address_where_nobody_is_was_never_normal() {
        assert!(Reason::Closed.is_normal_for_a_new_device());
        assert!(Reason::TlsAlert("CertificateUnknown".to_owned()).is_normal_for_a_new_device());
        assert!(!Reason::Unreachable("connection refused".to_owned()).is_normal_for_a_new_device());
        assert!(!Reason::UntrustedEndpoint("UnknownIssuer".to_owned()).is_normal_for_a_new_device());
    }

    #[test]
    fn the_advice_on_a_closed_connection_names_certificate_endpoint_and_policy() {
        for cause in ["not ACTIVE yet", "--endpoint", "iot:Connect"] {
            assert!(Reason::Closed.advice().contains(cause), "{cause}");
        }
        assert!(Reason::UntrustedEndpoint(String::new()).advice().contains("clock"));
    }
}
