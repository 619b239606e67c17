use std::cmp::Ordering;

use serde_json::Value;

use crate::expression::{Comparison, Expression, Literal, Operand, Search, Term};

/// The result of a condition. The order is the logic: AND is the least, OR the greatest of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    False,
    Undefined,
    True,
}

impl Truth {
    const fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Undefined => Self::Undefined,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

pub(crate) fn evaluate(expression: &Expression, document: &Value) -> Truth {
    match expression {
        Expression::And(parts) => first_or_worst(parts, document, Truth::False, Truth::min),
        Expression::Or(parts) => first_or_worst(parts, document, Truth::True, Truth::max),
        Expression::Not(inner) => evaluate(inner, document).not(),
        Expression::Term(term) => term_holds(term, document).unwrap_or(Truth::Undefined),
    }
}

/// Folds `parts` from the neutral value of `join` and stops at `decisive`, which no further part can change.
fn first_or_worst(parts: &[Expression], document: &Value, decisive: Truth, join: fn(Truth, Truth) -> Truth) -> Truth {
    let mut result = decisive.not();
    for part in parts {
        result = join(result, evaluate(part, document));
        if result == decisive {
            break;
        }
    }
    result
}

/// `None` is undefined.
fn term_holds(term: &Term, document: &Value) -> Option<Truth> {
    let holds = match term {
        Term::IsDefined(field) => field.value(document).is_some(),
        Term::Compare { field, operator, operand } => {
            let left = Side::from(field.value(document)?);
            let right = match operand {
                Operand::Literal(literal) => Side::from(literal),
                Operand::Field(other) => Side::from(other.value(document)?),
            };
            compare(left, *operator, right)?
        }
        Term::In { field, list, negated } => {
            let value = Side::from(field.value(document)?);
            list.iter().any(|item| equal(value, Side::from(item)) == Some(true)) != *negated
        }
        Term::Search { field, operator, literal } => search(field.value(document)?, *operator, literal)?,
    };
    Some(holds.into())
}

/// One side of a comparison, borrowed from a document or a filter.
#[derive(Debug, Clone, Copy)]
enum Side<'v> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'v str),
    /// An object or an array: the source compares only primitive values.
    Container,
}

impl<'v> From<&'v Value> for Side<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            // Without serde_json's arbitrary precision every number has a float.
            Value::Number(number) => number.as_f64().map_or(Self::Null, Self::Number),
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => Self::Container,
        }
    }
}

impl<'v> From<&'v Literal> for Side<'v> {
    fn from(literal: &'v Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(bool) => Self::Bool(*bool),
            Literal::Number(number) => Self::Number(*number),
            Literal::Text(text) => Self::Text(text),
        }
    }
}

fn compare(left: Side<'_>, operator: Comparison, right: Side<'_>) -> Option<bool> {
    match operator {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => equal(left, right).map(|equal| !equal),
        Comparison::Less => order(left, right).map(Ordering::is_lt),
        Comparison::LessOrEqual => order(left, right).map(Ordering::is_le),
        Comparison::Greater => order(left, right).map(Ordering::is_gt),
        Comparison::GreaterOrEqual => order(left, right).map(Ordering::is_ge),
    }
}

fn equal(left: Side<'_>, right: Side<'_>) -> Option<bool> {
    match (left, right) {
        (Side::Container, Side::Container) => None,
        (Side::Null, Side::Null) => Some(true),
        (Side::Bool(left), Side::Bool(right)) => Some(left == right),
        (Side::Number(_), Side::Number(_)) | (Side::Text(_), Side::Text(_)) => order(left, right).map(Ordering::is_eq),
        _ => Some(false),
    }
}

/// Numbers by value, strings by their Unicode code points; nothing else has an order.
fn order(left: Side<'_>, right: Side<'_>) -> Option<Ordering> {
    match (left, right) {
        (Side::Number(left), Side::Number(right)) => left.partial_cmp(&right),
        (Side::Text(left), Side::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn search(value: &Value, operator: Search, literal: &Literal) -> Option<bool> {
    match (value, operator, literal) {
        (Value::String(text), Search::StartsWith, Literal::Text(part)) => Some(text.starts_with(part.as_str())),
        (Value::String(text), Search::EndsWith, Literal::Text(part)) => Some(text.ends_with(part.as_str())),
        (Value::String(text), Search::Contains, Literal::Text(part)) => Some(text.contains(part.as_str())),
        (Value::Array(items), Search::Contains, literal) => {
            Some(items.iter().any(|item| equal(Side::from(item), Side::from(literal)) == Some(true)))
        }
        _ => None,
    }
}
