//! Least privilege, both ways: each recorded call is granted, each grant is used.

use std::collections::BTreeSet;
use std::fmt;

use super::call::{Account, Call, Need, Operation};
use super::grants::{Grants, Statement};

/// The difference between what was called and what is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TwoWay {
    /// Needed and not granted, as `action on resource`; calls that were not understood among them.
    pub missing: Vec<String>,
    /// Granted and not used, as `action on resource`: each action of a statement on each of its resources counts.
    pub unused: Vec<String>,
    /// Granted for the platform's own use, by policy; not compared.
    pub platform: Vec<String>,
}

impl TwoWay {
    /// Whether exactly what was called is granted.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty()
    }
}

impl fmt::Display for TwoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, unused, platform } = self;
        let platform = if platform.is_empty() { "none".to_owned() } else { platform.join(", ") };
        write!(f, "{} missing, {} unused, platform: {platform}", missing.len(), unused.len())?;
        missing.iter().try_for_each(|text| write!(f, "\n  missing: {text}"))?;
        unused.iter().try_for_each(|text| write!(f, "\n  unused: {text}"))
    }
}

/// Compares the calls of one function with its grants. `account` is whose resources the calls' short names mean.
#[must_use]
pub fn two_way(calls: &[Call], grants: &Grants, account: &Account) -> TwoWay {
    TwoWay {
        missing: missing(calls, grants, account),
        unused: unused(calls, grants, account),
        platform: grants.platform.clone(),
    }
}

fn missing(calls: &[Call], grants: &Grants, account: &Account) -> Vec<String> {
    let mut missing = BTreeSet::new();
    for call in calls {
        if let Operation::Unknown(text) = &call.operation {
            missing.insert(format!("not understood: {text}"));
        }
        for need in call.needs.iter().filter(|need| !granted(need, grants, account)) {
            missing.insert(format!("{} on {}", need.action, need.resource.arn(account).unwrap_or_default()));
        }
    }
    missing.into_iter().collect()
}

/// Some statement allows it and none denies it.
fn granted(need: &Need, grants: &Grants, account: &Account) -> bool {
    let covers = |statement: &Statement| {
        let Statement { actions, resources, .. } = statement;
        actions.iter().any(|action| resources.iter().any(|resource| matches(need, action, resource, account)))
    };
    let (allowing, denying): (Vec<_>, Vec<_>) = grants.statements.iter().partition(|statement| statement.allow);
    allowing.into_iter().any(covers) && !denying.into_iter().any(covers)
}

fn unused(calls: &[Call], grants: &Grants, account: &Account) -> Vec<String> {
    let needs: Vec<&Need> = calls.iter().flat_map(|call| &call.needs).collect();
    let mut unused = BTreeSet::new();
    for Statement { actions, resources, .. } in grants.statements.iter().filter(|statement| statement.allow) {
        for (action, resource) in actions.iter().flat_map(|action| resources.iter().map(move |arn| (action, arn))) {
            if !needs.iter().any(|need| matches(need, action, resource, account)) {
                unused.insert(format!("{action} on {resource}"));
            }
        }
    }
    unused.into_iter().collect()
}

/// Actions are compared without regard to case, ARNs with it, as IAM does.
fn matches(need: &Need, action: &str, resource: &str, account: &Account) -> bool {
    let fits = |arn: String| wildcard(resource.as_bytes(), arn.as_bytes());
    wildcard(action.to_lowercase().as_bytes(), need.action.to_lowercase().as_bytes())
        && need.resource.arn(account).is_none_or(fits)
}

/// IAM's wildcards: `*` is any text, also none; `?` one character.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|start| text.get(start..).is_some_and(|tail| wildcard(rest, tail))),
        Some((wanted, rest)) => {
            text.split_first().is_some_and(|(found, tail)| (*wanted == b'?' || wanted == found) && wildcard(rest, tail))
        }
    }
}

#[cfg(test)]
mod tests;
