//! What the wiretap can do to a call, and to which.

use std::time::Duration;

use super::call::{Call, Service};

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Never forwarded; answered with an error in the shape of the service's protocol.
    FailBefore {
        /// HTTP status, 400 to 599.
        status: u16,
        /// The error code, e.g. `ResourceNotFoundException`.
        code: String,
    },
    /// Forwarded and done; the connection is closed without an answer.
    LoseAnswer,
    /// Forwarded and done; the caller is told that the service failed (500).
    DenyAnswer,
    /// Withheld before it is forwarded, until released; see [`Wiretap::wait_held`](super::Wiretap::wait_held).
    HoldBefore,
    /// Forwarded and done; the answer is withheld until released.
    HoldAfter,
    /// Forwarded after this time.
    Delay(Duration),
    /// Never forwarded; answered as the service throttles.
    Throttle,
    /// Never forwarded; answered with 503.
    Unavailable,
    /// Never forwarded; answered as DynamoDB cancels a transaction, for this reason of its first item.
    Cancelled {
        /// The cancellation code, e.g. `ThrottlingError`.
        reason: String,
    },
    /// Never forwarded; a batch of DynamoDB or SQS is answered with 200 and gives all its entries back as not done. Any
    /// other call is answered as by [`Fault::Throttle`].
    Unprocessed,
}

/// Which of the calls that a rule looks at it takes, counted from 0. The attempts that the SDK makes of one call are
/// one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Every,
    Nth(usize),
    From(usize),
}

/// Which calls a rule is for: all conditions that are set must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    service: Option<Service>,
    operation: Option<String>,
    caller: Option<String>,
    turn: Turn,
}

impl When {
    /// Any call.
    #[must_use]
    pub fn any() -> Self {
        Self { service: None, operation: None, caller: None, turn: Turn::Every }
    }

    /// Only calls of this service.
    #[must_use]
    pub fn service(self, service: Service) -> Self {
        Self { service: Some(service), ..self }
    }

    /// Only calls of this operation, e.g. `PutItem`.
    #[must_use]
    pub fn operation(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// Only calls of this caller: its application id or access key id.
    #[must_use]
    pub fn caller(self, caller: &str) -> Self {
        Self { caller: Some(caller.to_owned()), ..self }
    }

    /// Only the `index`-th (from 0) of the calls that fit the other conditions, since the rule was set.
    #[must_use]
    pub fn nth(self, index: usize) -> Self {
        Self { turn: Turn::Nth(index), ..self }
    }

    /// The `index`-th (from 0) of the calls that fit the other conditions, and all later ones.
    #[must_use]
    pub fn from(self, index: usize) -> Self {
        Self { turn: Turn::From(index), ..self }
    }

    fn fits(&self, call: &Call) -> bool {
        self.service.as_ref().is_none_or(|service| *service == call.service)
            && self.operation.as_ref().is_none_or(|name| name == call.operation.name())
            && self.caller.as_ref().is_none_or(|name| call.caller.is(name))
    }
}

/// A fault and the calls that it befalls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    when: When,
    fault: Fault,
    left: Option<usize>,
    seen: Vec<Option<String>>,
}

impl Rule {
    /// The fault befalls each attempt of each call that fits.
    #[must_use]
    pub fn new(when: When, fault: Fault) -> Self {
        Self { when, fault, left: None, seen: Vec::new() }
    }

    /// The fault befalls this many attempts and then no more.
    #[must_use]
    pub fn times(self, attempts: usize) -> Self {
        Self { left: Some(attempts), ..self }
    }

    /// Counts the call and says whether the fault befalls it.
    fn takes(&mut self, call: &Call) -> bool {
        if !self.when.fits(call) {
            return false;
        }
        let turn = match self.when.turn {
            Turn::Every => true,
            Turn::Nth(wanted) => self.index_of(call) == wanted,
            Turn::From(first) => self.index_of(call) >= first,
        };
        if !turn || self.left == Some(0) {
            return false;
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        true
    }

    fn index_of(&mut self, call: &Call) -> usize {
        let known = self.seen.iter().position(|seen| seen.is_some() && *seen == call.invocation);
        known.unwrap_or_else(|| {
            self.seen.push(call.invocation.clone());
            self.seen.len().saturating_sub(1)
        })
    }
}

/// The fault of the first rule that takes the call. Every rule counts every call.
pub(super) fn decide(rules: &mut [Rule], call: &Call) -> Option<Fault> {
    let mut chosen = None;
    for rule in rules {
        if rule.takes(call) && chosen.is_none() {
            chosen = Some(rule.fault.clone());
        }
    }
    chosen
}
