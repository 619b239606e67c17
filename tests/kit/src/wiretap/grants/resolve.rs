//! CloudFormation's functions, as far as policies use them.

use serde_json::Value;

use super::{GrantError, Template};

/// The values of a list, or of the one value in its place; those that `Fn::If` leaves out are left out.
pub(super) fn list<'a>(template: &Template<'a>, value: Option<&'a Value>) -> Result<Vec<&'a Value>, GrantError> {
    let Some(value) = value.map(|value| chosen(template, value)).transpose()?.flatten() else {
        return Ok(Vec::new());
    };
    let Some(items) = value.as_array() else {
        return Ok(vec![value]);
    };
    let mut flat = Vec::new();
    for item in items {
        flat.extend(list(template, Some(item))?);
    }
    Ok(flat)
}

/// What `Fn::If` chooses, `None` for `AWS::NoValue`; any other value as it is.
fn chosen<'a>(template: &Template<'a>, value: &'a Value) -> Result<Option<&'a Value>, GrantError> {
    if value.get("Ref").and_then(Value::as_str) == Some("AWS::NoValue") {
        return Ok(None);
    }
    let Some(branches) = value.get("Fn::If") else {
        return Ok(Some(value));
    };
    let condition = branches.get(0).and_then(Value::as_str).unwrap_or_default();
    let Some(holds) = template.names.conditions.get(condition) else {
        return Err(GrantError::Unresolved(format!("condition {condition}")));
    };
    let branch = branches.get(if *holds { 1 } else { 2 });
    branch.map_or(Ok(None), |branch| chosen(template, branch))
}

/// The text that a value stands for.
pub(super) fn text(template: &Template<'_>, value: &Value) -> Result<String, GrantError> {
    if let Some(plain) = value.as_str() {
        return Ok(plain.to_owned());
    }
    let one = value.as_object().filter(|object| object.len() == 1);
    let Some((function, argument)) = one.and_then(|object| object.iter().next()) else {
        return Err(GrantError::Unsupported(format!("{value} in place of a text")));
    };
    match function.as_str() {
        "Ref" => reference(template, argument.as_str().unwrap_or_default()),
        "Fn::GetAtt" => attribute(template, &dotted(argument)),
        "Fn::Join" => join(template, argument),
        "Fn::Sub" => sub(template, argument),
        "Fn::If" => match chosen(template, value)? {
            Some(branch) => text(template, branch),
            None => Err(GrantError::Unsupported("AWS::NoValue in place of a text".to_owned())),
        },
        other => Err(GrantError::Unsupported(format!("{other} in a policy"))),
    }
}

/// `["Table", "Arn"]` and `"Table.Arn"` are the same.
fn dotted(argument: &Value) -> String {
    let parts = argument.as_array().into_iter().flatten().filter_map(Value::as_str);
    argument.as_str().map_or_else(|| parts.collect::<Vec<_>>().join("."), str::to_owned)
}

fn attribute(template: &Template<'_>, dotted: &str) -> Result<String, GrantError> {
    let arns = &template.names.arns;
    if let Some(given) = arns.get(dotted) {
        return Ok(given.clone());
    }
    let unresolved = || GrantError::Unresolved(dotted.to_owned());
    let (id, attribute) = dotted.split_once('.').ok_or_else(unresolved)?;
    let arn = arns.get(id).ok_or_else(unresolved)?;
    match attribute {
        "Arn" | "TopicArn" => Ok(arn.clone()),
        "QueueName" | "TopicName" => Ok(last_part(arn)),
        _other => Err(unresolved()),
    }
}

/// A parameter's value, a pseudo parameter, or what `Ref` gives for a resource: for most its name; for a topic its ARN.
fn reference(template: &Template<'_>, name: &str) -> Result<String, GrantError> {
    let names = template.names;
    let default = || template.document.get("Parameters")?.get(name)?.get("Default").map(plain);
    let parameter = names.parameters.get(name).cloned().or_else(default);
    let resource = || names.arns.get(name).map(|arn| if arn.contains(":sns:") { arn.clone() } else { last_part(arn) });
    pseudo(template, name).or(parameter).or_else(resource).ok_or_else(|| GrantError::Unresolved(name.to_owned()))
}

fn pseudo(template: &Template<'_>, name: &str) -> Option<String> {
    let account = &template.names.account;
    match name {
        "AWS::Partition" => Some(account.partition.clone()),
        "AWS::Region" => Some(account.region.clone()),
        "AWS::AccountId" => Some(account.id.clone()),
        "AWS::StackName" => Some(template.names.stack.clone()),
        "AWS::URLSuffix" => Some("amazonaws.com".to_owned()),
        _other => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The name at the end of an ARN: after `table/`, `function:` or the last colon.
fn last_part(arn: &str) -> String {
    arn.rsplit([':', '/']).next().unwrap_or(arn).to_owned()
}

fn join(template: &Template<'_>, argument: &Value) -> Result<String, GrantError> {
    let separator = argument.get(0).and_then(Value::as_str).unwrap_or_default();
    let parts = argument.get(1).and_then(Value::as_array).into_iter().flatten();
    let parts: Result<Vec<String>, GrantError> = parts.map(|part| text(template, part)).collect();
    Ok(parts?.join(separator))
}

/// `"text ${Name} ${Id.Attribute} ${!Literal}"`, alone or as `[text, {Name: value}]`.
fn sub(template: &Template<'_>, argument: &Value) -> Result<String, GrantError> {
    let pattern = argument.as_str().or_else(|| argument.get(0)?.as_str()).unwrap_or_default();
    let variables = argument.get(1);
    let mut pieces = pattern.split("${");
    let mut done = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let unclosed = || GrantError::Unsupported(format!("an unclosed ${{ in '{pattern}'"));
        let (name, rest) = piece.split_once('}').ok_or_else(unclosed)?;
        let value = match (variables.and_then(|map| map.get(name)), name.strip_prefix('!')) {
            (Some(value), _) => text(template, value)?,
            (None, Some(literal)) => format!("${{{literal}}}"),
            (None, None) if name.contains('.') => attribute(template, name)?,
            (None, None) => reference(template, name)?,
        };
        done.push_str(&value);
        done.push_str(rest);
    }
    Ok(done)
}
