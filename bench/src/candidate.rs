//! What is measured, in one place: a new function is one more entry of [`CANDIDATES`].

use loam_domain::Timestamp;
use serde_json::Value;

use crate::events;

/// A program to be measured.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// Its own variables; what Lambda sets, every candidate gets.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// The invocation that starts with this message, at this time of the device.
    pub(crate) invocation: fn(u64, Timestamp) -> Value,
    /// Messages in one invocation.
    pub(crate) batch: u64,
    /// Of the rounds' messages, one in so many: a slow candidate would take all the time.
    pub(crate) thinned: u64,
    /// Ways to AWS.
    pub(crate) ways: &'static [Way],
}

/// How a candidate is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// A release build of the workspace, by its name.
    Bootstrap(&'static str),
    /// The Python reference.
    Reference,
}

/// How a candidate reaches the stub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Not at all.
    None,
    /// Without encryption.
    Http,
    /// As on AWS, with the certificates that it trusts.
    Https(Roots),
}

/// Where the trusted certificates come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The system's file and folder: what is read when nothing is set.
    System,
    /// The system's file alone: `SSL_CERT_FILE`.
    Bundle,
    /// A file with one certificate.
    One,
}

impl Candidate {
    /// Whether the others are compared with it.
    pub(crate) fn is_reference(&self) -> bool {
        self.program == Program::Reference
    }

    /// A candidate's further ways to trust are compared by their starts: events cost the same on all of them.
    pub(crate) fn has_events_on(&self, way: Way) -> bool {
        self.ways.first() == Some(&way) || way == Way::Https(Roots::System)
    }
}

impl Way {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Http => "http",
            Self::Https(Roots::System) => "https",
            Self::Https(Roots::Bundle) => "https, one file",
            Self::Https(Roots::One) => "https, one root",
        }
    }

    /// Where the reference is found for a comparison: it knows two ways.
    pub(crate) const fn of_reference(self) -> Self {
        match self {
            Self::None | Self::Http => Self::Http,
            Self::Https(_) => Self::Https(Roots::System),
        }
    }
}

const BOTH: &[Way] = &[Way::Http, Way::Https(Roots::System)];
const ALL: &[Way] = &[Way::Http, Way::Https(Roots::System), Way::Https(Roots::Bundle), Way::Https(Roots::One)];
const ENCRYPTED: &[Way] = &[Way::Https(Roots::One)];

const TOPIC: (&str, &str) = ("alert_sns", "arn:aws:sns:us-east-1:123456789012:alerts");
const QUEUE: (&str, &str) = ("DEAD_LETTERS_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters");
const RULES: (&str, &str) = ("ALERT_RULES_TABLE", "rules");
const STATES: (&str, &str) = ("ALERT_STATES_TABLE", "states");

/// All of them. The first is the floor, the second what the others are compared with.
pub(crate) const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: "noop",
        program: Program::Bootstrap("bench-noop"),
        environment: &[],
        invocation: events::soil_reading,
        batch: 1,
        thinned: 1,
        ways: &[Way::None],
    },
    Candidate {
        name: "Python reference",
        program: Program::Reference,
        environment: &[("SNS_TOPIC_ARN", TOPIC.1)],
        invocation: events::classic_reading,
        batch: 1,
        thinned: 5,
        ways: BOTH,
    },
    Candidate {
        name: "soil-alerts, classic",
        program: Program::Bootstrap("soil-alerts"),
        environment: &[TOPIC, QUEUE, RULES, STATES, ("ALERT_MODE", "classic")],
        invocation: events::soil_reading,
        batch: 1,
        thinned: 1,
        ways: ALL,
    },
    Candidate {
        name: "soil-alerts, smart",
        program: Program::Bootstrap("soil-alerts"),
        environment: &[TOPIC, QUEUE, RULES, STATES, ("ALERT_MODE", "smart")],
        invocation: events::soil_reading,
        batch: 1,
        thinned: 1,
        ways: BOTH,
    },
    Candidate {
        name: "soil-alerts-sweep",
        program: Program::Bootstrap("soil-alerts-sweep"),
        environment: &[TOPIC, RULES, STATES],
        invocation: events::schedule,
        batch: 1,
        thinned: 1,
        ways: BOTH,
    },
    Candidate {
        name: "telemetry",
        program: Program::Bootstrap("telemetry"),
        environment: &[QUEUE, ("TELEMETRY_TABLE", "telemetry")],
        invocation: events::queue_batch,
        batch: events::BATCH,
        thinned: 1,
        ways: BOTH,
    },
    Candidate {
        name: "handshake, ring",
        program: Program::Bootstrap("bench-handshake"),
        environment: &[("TLS_PROVIDER", "ring")],
        invocation: events::schedule,
        batch: 1,
        thinned: 5,
        ways: ENCRYPTED,
    },
    #[cfg(feature = "aws-lc")]
    Candidate {
        name: "handshake, aws-lc",
        program: Program::Bootstrap("bench-handshake"),
        environment: &[("TLS_PROVIDER", "aws-lc")],
        invocation: events::schedule,
        batch: 1,
        thinned: 5,
        ways: ENCRYPTED,
    },
];
