//! A row of the ledger, and what is to be done about a certificate that has one.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};

use crate::JitrFailure;
use crate::ledger::reasons_of;
use crate::reason::Reason;

/// Where a certificate stands with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is decided.
    Undecided,
    /// It is being admitted to this thing.
    Admitting(ThingName),
    /// It is being refused.
    Refusing(Option<ThingName>, Vec<Reason>),
    /// It was admitted to this thing and activated.
    Active(ThingName),
    /// It was refused and revoked.
    Refused(Option<ThingName>, Vec<Reason>),
    /// AWS says that it is no longer pending, or gone, and we did nothing.
    Left,
}

impl Standing {
    /// Its word in the ledger.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Admitting(_) => "admitting",
            Self::Refusing(..) => "refusing",
            Self::Active(_) => "active",
            Self::Refused(..) => "refused",
            Self::Left => "left",
        }
    }

    /// The thing, where one is named.
    #[must_use]
    pub const fn thing(&self) -> Option<&ThingName> {
        match self {
            Self::Admitting(thing) | Self::Active(thing) => Some(thing),
            Self::Refusing(thing, _) | Self::Refused(thing, _) => thing.as_ref(),
            Self::Undecided | Self::Left => None,
        }
    }

    /// The reasons of a refusal.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Refusing(_, reasons) | Self::Refused(_, reasons) => reasons,
            Self::Undecided | Self::Admitting(_) | Self::Active(_) | Self::Left => &[],
        }
    }
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where the certificate stands.
    pub standing: Standing,
    /// When the lease ends; `None` when nobody holds one.
    pub lease_until: Option<Timestamp>,
    /// How often somebody began to work on it.
    pub attempts: u64,
}

impl Row {
    pub(crate) fn read(item: &HashMap<String, AttributeValue>) -> Result<Self, JitrFailure> {
        let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
        let thing = || {
            let text = item.get("thing").and_then(|value| value.as_s().ok())?;
            ThingName::parse(text).ok()
        };
        let reasons = || reasons_of(item.get("reasons"));
        let word = item.get("status").map(|value| value.as_s().map(String::as_str));
        let standing = match word {
            None | Some(Ok("undecided")) => Some(Standing::Undecided),
            Some(Ok("admitting")) => thing().map(Standing::Admitting),
            Some(Ok("refusing")) => Some(Standing::Refusing(thing(), reasons())),
            Some(Ok("active")) => thing().map(Standing::Active),
            Some(Ok("refused")) => Some(Standing::Refused(thing(), reasons())),
            Some(Ok("left")) => Some(Standing::Left),
            Some(_) => None,
        };
        Ok(Self {
            standing: standing.ok_or(JitrFailure::BadRow)?,
            lease_until: number("leaseUntil").map(Timestamp::from_millis),
            attempts: number("attempts").and_then(|count| count.try_into().ok()).unwrap_or(0),
        })
    }
}

/// What AWS says of a certificate's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsStatus {
    /// It waits for its activation.
    Pending,
    /// It may connect.
    Active,
    /// It may not.
    Inactive,
    /// It may not, and for good.
    Revoked,
    /// Being transferred between accounts, or one that this version does not know.
    Other,
}

/// What is to be done next about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Decide; nothing is settled yet.
    Decide,
    /// It is active already: finish what follows.
    Finish(ThingName),
    /// Refuse it, for the reasons that were noted.
    Refuse(Option<ThingName>, Vec<Reason>),
    /// Nothing: note this.
    Settle(Standing),
}

/// The next step for a certificate with this standing, which AWS has in this status.
#[must_use]
pub fn next_step(standing: Standing, status: AwsStatus) -> Step {
    match (standing, status) {
        (Standing::Refusing(thing, reasons), AwsStatus::Revoked) => Step::Settle(Standing::Refused(thing, reasons)),
        // A refusal that was noted is carried out, also where somebody set the certificate otherwise meanwhile.
        (Standing::Refusing(thing, reasons), _) => Step::Refuse(thing, reasons),
        (_, AwsStatus::Pending) => Step::Decide,
        (Standing::Admitting(thing), AwsStatus::Active) => Step::Finish(thing),
        // Half-way, it was never active; whether it may be is decided anew.
        (Standing::Admitting(_), AwsStatus::Inactive) => Step::Decide,
        (Standing::Undecided | Standing::Admitting(_), _) => Step::Settle(Standing::Left),
        (settled @ (Standing::Active(_) | Standing::Refused(..) | Standing::Left), _) => Step::Settle(settled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    fn refusing() -> Standing {
        Standing::Refusing(None, vec![Reason::Expired])
    }

    #[test]
    fn a_pending_certificate_is_decided_whatever_was_settled_before() {
        for standing in [Standing::Undecided, Standing::Left, Standing::Active(thing()), Standing::Admitting(thing())] {
            assert_eq!(next_step(standing, AwsStatus::Pending), Step::Decide);
        }
    }

    #[test]
    fn an_active_certificate_is_left_alone_unless_we_activated_it_half_way() {
        assert_eq!(next_step(Standing::Undecided, AwsStatus::Active), Step::Settle(Standing::Left));
        assert_eq!(next_step(Standing::Admitting(thing()), AwsStatus::Active), Step::Finish(thing()));
        let settled = Standing::Active(thing());
        assert_eq!(next_step(settled.clone(), AwsStatus::Active), Step::Settle(settled));
    }

    #[test]
    fn an_inactive_certificate_goes_on_only_where_we_left_it_half_way() {
        assert_eq!(next_step(Standing::Admitting(thing()), AwsStatus::Inactive), Step::Decide);
        assert_eq!(next_step(Standing::Undecided, AwsStatus::Inactive), Step::Settle(Standing::Left));
        let settled = Standing::Active(thing());
        assert_eq!(next_step(settled.clone(), AwsStatus::Inactive), Step::Settle(settled));
    }

    #[test]
    fn a_refusal_that_was_noted_is_carried_out_until_aws_says_revoked() {
        for status in [AwsStatus::Pending, AwsStatus::Active, AwsStatus::Inactive, AwsStatus::Other] {
            assert_eq!(next_step(refusing(), status), Step::Refuse(None, vec![Reason::Expired]));
        }
        let refused = Standing::Refused(None, vec![Reason::Expired]);
        assert_eq!(next_step(refusing(), AwsStatus::Revoked), Step::Settle(refused));
    }

    #[test]
    fn a_row_with_an_unknown_word_or_without_its_thing_is_no_row() {
        let row = |word: &str| HashMap::from([("status".to_owned(), AttributeValue::S(word.to_owned()))]);
        assert!(Row::read(&row("dancing")).is_err());
        assert!(Row::read(&row("active")).is_err());
        assert_eq!(Row::read(&HashMap::new()).unwrap().standing, Standing::Undecided);
    }
}
