use crate::field::Field;

/// A filter's tree. `And` and `Or` are never nested in themselves and never hold fewer than two: see [`Expression::all`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Not(Box<Expression>),
    Term(Term),
}

impl Expression {
    /// The conjunction of `parts`, flattened: `a AND (b AND c)` is `a AND b AND c`, so that each meaning has one text.
    pub(crate) fn all(parts: Vec<Self>) -> Self {
        flat(parts, |part| if let Self::And(inner) = part { Ok(inner) } else { Err(part) }, Self::And)
    }

    /// The disjunction of `parts`, flattened in the same way.
    pub(crate) fn any(parts: Vec<Self>) -> Self {
        flat(parts, |part| if let Self::Or(inner) = part { Ok(inner) } else { Err(part) }, Self::Or)
    }
}

type Inner = Result<Vec<Expression>, Expression>;

fn flat(
    parts: Vec<Expression>,
    open: impl Fn(Expression) -> Inner,
    join: impl Fn(Vec<Expression>) -> Expression,
) -> Expression {
    let mut flat: Vec<_> = parts.into_iter().flat_map(|part| open(part).unwrap_or_else(|part| vec![part])).collect();
    match flat.pop() {
        Some(only) if flat.is_empty() => only,
        last => {
            flat.extend(last);
            join(flat)
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    IsDefined(Field),
    Compare { field: Field, operator: Comparison, operand: Operand },
    In { field: Field, list: Vec<Literal>, negated: bool },
    Search { field: Field, operator: Search, literal: Literal },
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Whether it asks for an order, which only numbers and strings have.
    pub(crate) const fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// How a text or an array is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    StartsWith,
    EndsWith,
    Contains,
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Literal(Literal),
    Field(Field),
}

/// A value that is written in a filter. Numbers are 64-bit floats, as in JSON's own model; always finite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}
