//! What can go wrong for the caller of a device.

/// Why a device did not do what it was asked to. Each has a stable [code](Self::code).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The keep-alive time is outside what AWS honours.
    #[error("keep-alive of {seconds} s: expected 30 to 1200 s, because AWS IoT Core silently changes anything else")]
    KeepAlive {
        /// What was asked for.
        seconds: u64,
    },
    /// The topic cannot be published to or subscribed to.
    #[error("topic {topic:?} cannot be used: {flaw}")]
    Topic {
        /// The topic as given.
        topic: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// The payload is larger than the broker takes; AWS would close the connection.
    #[error("payload of {bytes} bytes: at most 131072 fit into one message; send less, or transfer it as a file")]
    PayloadTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The message is larger than this broker takes, as it said when it accepted the connection.
    #[error(
        "payload of {bytes} bytes makes a packet of {packet}: this broker takes {most}; send less, or transfer it as a file"
    )]
    PacketTooLarge {
        /// The payload's size.
        bytes: usize,
        /// The packet's size.
        packet: usize,
        /// The broker's limit on packets.
        most: usize,
    },
    /// The connection ended before the broker acknowledged. The message may or may not have arrived: publish it again,
    /// the receiver recognises repeats.
    #[error("the connection ended before the broker acknowledged; publish again, a repeat does no harm")]
    ConnectionLost,
    /// The broker answered a publish with a refusal.
    #[error("the broker refused the message ({reason}); check its topic, and that the policy allows iot:Publish on it")]
    PublishRefused {
        /// The MQTT 5 reason code's name.
        reason: String,
    },
    /// The broker answered a subscription with a refusal.
    #[error("the broker refused the subscription to {filter} ({reason}); check iot:Subscribe and iot:Receive")]
    SubscriptionRefused {
        /// The filter as given.
        filter: String,
        /// The MQTT 5 reason code's name.
        reason: String,
    },
    /// The device already holds as many subscriptions as AWS allows one connection.
    #[error("the device holds 50 subscriptions, the most that AWS IoT Core allows one connection; use a wildcard")]
    TooManySubscriptions,
    /// The device was disconnected, or ended after a connection that it was not to renew.
    #[error("the device has ended; connect a new one")]
    Ended,
}

impl DeviceError {
    /// The stable name of this failure.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeepAlive { .. } => "keep-alive-out-of-range",
            Self::Topic { .. } => "topic-refused",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::PacketTooLarge { .. } => "packet-too-large",
            Self::ConnectionLost => "connection-lost",
            Self::PublishRefused { .. } => "publish-refused",
            Self::SubscriptionRefused { .. } => "subscription-refused",
            Self::TooManySubscriptions => "too-many-subscriptions",
            Self::Ended => "device-ended",
        }
    }
}
