//! What a function may do: the statements of its role in the expanded template.

mod resolve;

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::Account;
use resolve::{list, text};

/// What a template's references stand for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Logical id → ARN. `LogicalId.Attribute` may be given for attributes that are not the ARN and cannot be told
    /// from it.
    pub arns: BTreeMap<String, String>,
    /// Parameter → value, where it is not the template's default.
    pub parameters: BTreeMap<String, String>,
    /// Condition → whether it holds.
    pub conditions: BTreeMap<String, bool>,
    /// Whose stack it is, for the pseudo parameters.
    pub account: Account,
    /// `AWS::StackName`.
    pub stack: String,
}

/// Why grants could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The function, or its role, is not in the template.
    #[error("grants-missing: no resource '{0}' in the template; pass the SAM-expanded template and a logical id of it")]
    Missing(String),
    /// A reference has no value.
    #[error("grants-unresolved: '{0}' has no value; add it to the names given with the template")]
    Unresolved(String),
    /// A form of policy that is not understood, and must not be guessed.
    #[error(
        "grants-unsupported: {0}; write the statement with Effect, Action, Resource and Ref, GetAtt, Sub, Join, If"
    )]
    Unsupported(String),
}

/// One statement with its references resolved. Its condition is not weighed: a call is matched as if it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement's `Sid`, empty without one.
    pub sid: String,
    /// `true` for `Allow`, `false` for `Deny`.
    pub allow: bool,
    /// IAM actions; `*` and `?` are wildcards.
    pub actions: Vec<String>,
    /// ARNs; `*` and `?` are wildcards.
    pub resources: Vec<String>,
}

/// What a function's role grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The statements that the function's own code is meant to use.
    pub statements: Vec<Statement>,
    /// What the platform uses in the function's name: managed policies (logs, tracing, polling a queue) and the
    /// policies that SAM adds for dead-letter queues and invocation destinations. By name.
    pub platform: Vec<String>,
}

impl Grants {
    /// Reads the grants of `function` out of a SAM-expanded template: the CloudFormation document itself, or that
    /// document under the key `cloudformation`.
    ///
    /// Read are the role's own policies and `AWS::IAM::Policy` resources attached to it.
    ///
    /// # Errors
    /// [`GrantError`]: nothing is guessed and nothing left out.
    pub fn from_template(json: &Value, function: &str, names: &Names) -> Result<Self, GrantError> {
        let document = json.get("cloudformation").unwrap_or(json);
        let template = Template { document, names };
        let role = template.role_of(function)?;
        let mut grants = Self::default();
        let properties = template.properties(&role)?;
        for arn in list(&template, properties.get("ManagedPolicyArns"))? {
            let arn = text(&template, arn)?;
            grants.platform.push(arn.rsplit('/').next().unwrap_or(&arn).to_owned());
        }
        for policy in list(&template, properties.get("Policies"))? {
            grants.add(&template, policy)?;
        }
        for policy in template.attached(&role)? {
            grants.add(&template, policy)?;
        }
        Ok(grants)
    }

    fn add(&mut self, template: &Template<'_>, policy: &Value) -> Result<(), GrantError> {
        let name = policy.get("PolicyName").map(|name| text(template, name)).transpose()?.unwrap_or_default();
        if is_platform(&name) {
            self.platform.push(name);
            return Ok(());
        }
        let statements = policy.get("PolicyDocument").and_then(|document| document.get("Statement"));
        for statement in list(template, statements)? {
            self.statements.push(read(template, statement)?);
        }
        Ok(())
    }
}

/// The names that the SAM translator gives to the policies which Lambda itself uses.
fn is_platform(policy: &str) -> bool {
    let destination = ["EventInvokeConfigOnFailure", "EventInvokeConfigOnSuccess"];
    policy == "DeadLetterQueuePolicy" || destination.into_iter().any(|part| policy.contains(part))
}

fn read(template: &Template<'_>, statement: &Value) -> Result<Statement, GrantError> {
    if let Some(part) = ["NotAction", "NotResource"].into_iter().find(|part| statement.get(part).is_some()) {
        return Err(GrantError::Unsupported(format!("{part} in a statement")));
    }
    let texts = |name| -> Result<Vec<String>, GrantError> {
        list(template, statement.get(name))?.into_iter().map(|value| text(template, value)).collect()
    };
    let allow = match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        other => return Err(GrantError::Unsupported(format!("Effect {other:?}"))),
    };
    let sid = statement.get("Sid").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Statement { sid, allow, actions: texts("Action")?, resources: texts("Resource")? })
}

/// A CloudFormation document and what its references stand for.
struct Template<'a> {
    document: &'a Value,
    names: &'a Names,
}

impl<'a> Template<'a> {
    fn resources(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.document.get("Resources").and_then(Value::as_object).into_iter().flatten()
    }

    fn properties(&self, id: &str) -> Result<&'a Value, GrantError> {
        let found = self.resources().find(|(name, _)| *name == id).and_then(|(_, resource)| resource.get("Properties"));
        found.ok_or_else(|| GrantError::Missing(id.to_owned()))
    }

    /// The logical id of a function's role.
    fn role_of(&self, function: &str) -> Result<String, GrantError> {
        let role = self.properties(function)?.get("Role").and_then(|role| role.get("Fn::GetAtt"));
        let id = role.and_then(|att| att.get(0).and_then(Value::as_str).or_else(|| att.as_str()?.split('.').next()));
        id.map(str::to_owned).ok_or_else(|| GrantError::Unsupported(format!("the Role of {function}")))
    }

    /// The properties of the policies that name the role.
    fn attached(&self, role: &str) -> Result<Vec<&'a Value>, GrantError> {
        let mut policies = Vec::new();
        for (_, resource) in self.resources() {
            let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            let properties = resource.get("Properties");
            let roles = properties.and_then(|properties| properties.get("Roles"));
            let names_role = |value: &&Value| value.get("Ref").and_then(Value::as_str) == Some(role);
            if matches!(kind, "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy")
                && list(self, roles)?.iter().any(names_role)
            {
                policies.extend(properties);
            }
        }
        Ok(policies)
    }
}

#[cfg(test)]
mod tests;
