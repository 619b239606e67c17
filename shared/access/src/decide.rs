use axum::http::StatusCode;
use loam_domain::{ThingName, Timestamp};
use loam_http::{Caller, Problem};
use loam_things::{LifeCycle, ThingRecord};

use crate::{Membership, Role};

/// As what somebody may act on a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// As one who is responsible for the fleet.
    Operator,
    /// As a member, in the thing's present epoch.
    Member(Membership),
}

/// Somebody may know of a thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// Who.
    pub caller: Caller,
    /// As what.
    pub standing: Standing,
    /// The thing's record as it was when this was decided.
    pub record: Box<ThingRecord>,
}

impl Grant {
    /// The thing.
    #[must_use]
    pub const fn thing(&self) -> &ThingName {
        &self.record.thing
    }

    /// The member's role; `None` for an operator.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match &self.standing {
            Standing::Operator => None,
            Standing::Member(membership) => Some(membership.role),
        }
    }

    /// From when on the thing's data is theirs to see: what is older belongs to earlier owners. `None`: all of it.
    #[must_use]
    pub const fn since(&self) -> Option<Timestamp> {
        match &self.standing {
            Standing::Operator => None,
            Standing::Member(membership) => Some(membership.since),
        }
    }

    /// Goes on only with `role` or more; an operator always does.
    ///
    /// # Errors
    /// 403 `role-too-low`: the caller knows of the thing anyway.
    pub fn require(self, role: Role) -> Result<Self, Problem> {
        if self.role().is_none_or(|own| own >= role) {
            return Ok(self);
        }
        let detail = format!("this takes the role {} or more on the thing; ask its owner", role.as_str());
        Err(Problem::new(StatusCode::FORBIDDEN, "role-too-low", detail))
    }
}

/// Whether `caller` may know of the thing whose record and membership were read; the membership of an operator is not
/// asked for.
pub(crate) fn decide(caller: &Caller, record: Option<ThingRecord>, membership: Option<Membership>) -> Option<Grant> {
    let record = record.filter(|record| record.state != LifeCycle::Retired)?;
    let standing = if caller.is_operator() {
        Standing::Operator
    } else {
        Standing::Member(membership.filter(|membership| membership.epoch >= record.epoch)?)
    };
    Some(Grant { caller: caller.clone(), standing, record: Box::new(record) })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use loam_domain::CertificateId;

    use super::*;

    fn record(epoch: u64, state: LifeCycle) -> ThingRecord {
        let at = Timestamp::from_millis(1);
        ThingRecord {
            thing: ThingName::parse("t1").unwrap(),
            state,
            version: 1,
            epoch,
            ca_id: CertificateId::parse(&"a".repeat(64)).unwrap(),
            certificates: BTreeMap::new(),
            thing_type: None,
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
            registered_at: at,
            updated_at: at,
            described_at: None,
            told: BTreeMap::new(),
            capabilities: None,
            firmware: None,
            shadow_seeded: false,
            initial_desired: None,
            suspended_from: None,
            retirement: None,
            erasure: None,
        }
    }

    fn member(role: Role, epoch: u64) -> Membership {
        Membership { thing: ThingName::parse("t1").unwrap(), role, since: Timestamp::from_millis(7), epoch }
    }

    fn caller(groups: &[&str]) -> Caller {
        Caller { sub: "u1".to_owned(), groups: groups.iter().map(|group| (*group).to_owned()).collect() }
    }

    fn of(groups: &[&str], record: Option<ThingRecord>, membership: Option<Membership>) -> Option<Grant> {
        decide(&caller(groups), record, membership)
    }

    #[test]
    fn a_membership_of_the_present_epoch_counts_and_one_of_the_epoch_before_does_not() {
        let paired = || Some(record(3, LifeCycle::Paired));
        assert!(of(&[], paired(), Some(member(Role::Viewer, 3))).is_some());
        assert!(of(&[], paired(), Some(member(Role::Owner, 2))).is_none());
        // The record was read just before the epoch that the membership belongs to began.
        assert!(of(&[], paired(), Some(member(Role::Owner, 4))).is_some());
    }

    #[test]
    fn nobody_knows_of_a_thing_that_is_not_registered_or_retired() {
        for groups in [&["operators"][..], &[]] {
            assert!(of(groups, None, Some(member(Role::Owner, 1))).is_none());
            assert!(of(groups, Some(record(1, LifeCycle::Retired)), Some(member(Role::Owner, 1))).is_none());
        }
    }

    #[test]
    fn an_operator_needs_no_membership_and_a_group_that_only_contains_the_word_makes_none() {
        let active = || Some(record(1, LifeCycle::Active));
        assert_eq!(of(&["operators"], active(), None).unwrap().standing, Standing::Operator);
        for group in ["co-operators", "operators2", "Operators"] {
            assert!(of(&[group], active(), None).is_none(), "{group}");
        }
    }

    #[test]
    fn a_role_opens_what_it_and_the_lesser_ones_may_and_the_next_one_is_named() {
        for (own, role) in Role::ALL.into_iter().flat_map(|own| Role::ALL.map(|role| (own, role))) {
            let grant = of(&[], Some(record(1, LifeCycle::Paired)), Some(member(own, 1))).unwrap();
            assert_eq!(grant.require(role).is_ok(), own >= role, "{own:?} {role:?}");
        }
        let grant = of(&[], Some(record(1, LifeCycle::Paired)), Some(member(Role::Viewer, 1))).unwrap();
        let problem = grant.require(Role::Owner).unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.code()), (403, "role-too-low"));
    }

    #[test]
    fn a_member_sees_data_from_their_own_time_on_and_an_operator_all() {
        let grant = of(&[], Some(record(1, LifeCycle::Paired)), Some(member(Role::Owner, 1))).unwrap();
        assert_eq!(grant.since(), Some(Timestamp::from_millis(7)));
        assert_eq!(of(&["operators"], Some(record(1, LifeCycle::Paired)), None).unwrap().since(), None);
    }
}
