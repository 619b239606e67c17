use std::fmt::{self, Display, Formatter, Write};

use crate::expression::{Comparison, Expression, Literal, Operand, Search, Term};
use crate::field::Field;
use crate::lexer::is_plain;

impl Display for Expression {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => joined(out, parts, " OR "),
            Self::And(parts) => joined(out, parts, " AND "),
            Self::Not(inner) => {
                out.write_str("NOT ")?;
                tight(out, inner)
            }
            Self::Term(term) => term.fmt(out),
        }
    }
}

fn joined(out: &mut Formatter<'_>, parts: &[Expression], between: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.write_str(between)?;
        }
        // AND binds tighter than OR, so only an OR in an AND needs parentheses; equal ones are never nested.
        if between == " OR " { part.fmt(out)? } else { tight(out, part)? }
    }
    Ok(())
}

fn tight(out: &mut Formatter<'_>, part: &Expression) -> fmt::Result {
    match part {
        Expression::Or(_) | Expression::And(_) => write!(out, "({part})"),
        Expression::Not(_) | Expression::Term(_) => part.fmt(out),
    }
}

impl Display for Term {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsDefined(field) => write!(out, "IS_DEFINED({field})"),
            Self::Compare { field, operator, operand } => write!(out, "{field} {operator} {operand}"),
            Self::Search { field, operator, literal } => write!(out, "{field} {operator} {literal}"),
            Self::In { field, list, negated } => {
                write!(out, "{field} {} [", if *negated { "NIN" } else { "IN" })?;
                for (index, literal) in list.iter().enumerate() {
                    write!(out, "{}{literal}", if index > 0 { ", " } else { "" })?;
                }
                out.write_char(']')
            }
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl Display for Search {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::StartsWith => "STARTSWITH",
            Self::EndsWith => "ENDSWITH",
            Self::Contains => "CONTAINS",
        })
    }
}

impl Display for Operand {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => literal.fmt(out),
            Self::Field(field) => field.fmt(out),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => value.fmt(out),
            Self::Number(value) => {
                // Debug is short for large and small numbers (1e300), and reads back as the same float.
                let digits = format!("{value:?}");
                out.write_str(digits.strip_suffix(".0").unwrap_or(&digits))
            }
            Self::Text(text) => quoted(out, text),
        }
    }
}

impl Display for Field {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts().iter().enumerate() {
            match (index, is_plain(part)) {
                (0, _) => out.write_str(part)?,
                (_, true) => write!(out, ".{part}")?,
                (_, false) => {
                    out.write_char('[')?;
                    quoted(out, part)?;
                    out.write_char(']')?;
                }
            }
        }
        Ok(())
    }
}

fn quoted(out: &mut Formatter<'_>, text: &str) -> fmt::Result {
    write!(out, "'{}'", text.replace('\'', "''"))
}
