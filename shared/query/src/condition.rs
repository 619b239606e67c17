use winnow::Parser;
use winnow::combinator::{alt, opt, peek};
use winnow::token::any;

use crate::expected::{
    A_VALUE_IN_LIST, CLOSE_CALL, CLOSING_BRACKET_OF_NAME, COMMA, CONDITION, Expected, FIELD, GROUPS, LIST, LIST_END,
    LITERAL, NAME, OPEN, OPERAND, OPERATOR, ORDERED, SHORT_LIST, STRING, STRING_FOR_GROUP, STRING_FOR_ID,
};
use crate::expression::{Comparison, Literal, Operand, Search, Term};
use crate::field::Field;
use crate::lexer::{Lexeme, Token};
use crate::limits::MAX_LIST;
use crate::miss::Miss;
use crate::parser::{Tokens, keyword, required, symbol, unexpected, unexpected_since};

/// Words that are no field, wherever they stand at the beginning of one.
const RESERVED: [&str; 15] = [
    "AND",
    "OR",
    "NOT",
    "IN",
    "NIN",
    "STARTSWITH",
    "STARTS_WITH",
    "ENDSWITH",
    "ENDS_WITH",
    "CONTAINS",
    "IS_DEFINED",
    "TRUE",
    "FALSE",
    "NULL",
    "UNDEFINED",
];

/// One condition.
pub(crate) fn term(input: &mut Tokens<'_>) -> Result<Term, Miss> {
    if opt(keyword("IS_DEFINED")).parse_next(input)?.is_some() {
        required(symbol("("), &OPEN).parse_next(input)?;
        let field = required(field, &FIELD).parse_next(input)?;
        required(symbol(")"), &CLOSE_CALL).parse_next(input)?;
        return Ok(Term::IsDefined(field));
    }
    match opt(search).parse_next(input)? {
        Some(operator) => call(input, operator),
        None => comparison(input),
    }
}

/// `STARTSWITH(field, 'text')`: the source's form of what is an infix operator here too.
fn call(input: &mut Tokens<'_>, operator: Search) -> Result<Term, Miss> {
    required(symbol("("), &OPEN).parse_next(input)?;
    let field = required(field, &FIELD).parse_next(input)?;
    required(symbol(","), &COMMA).parse_next(input)?;
    let found = searched(input, field, operator)?;
    required(symbol(")"), &CLOSE_CALL).parse_next(input)?;
    Ok(found)
}

fn comparison(input: &mut Tokens<'_>) -> Result<Term, Miss> {
    let field = required(field, &CONDITION).parse_next(input)?;
    if let Some(operator) = opt(search).parse_next(input)? {
        return searched(input, field, operator);
    }
    let before = input.clone();
    let in_list = alt((keyword("IN").value(false), keyword("NIN").value(true)));
    if let Some(negated) = opt(in_list).parse_next(input)? {
        refuse_groups(&field, &before)?;
        return Ok(Term::In { list: list(input, &field)?, field, negated });
    }
    let operator = required(comparison_operator, &OPERATOR).parse_next(input)?;
    refuse_groups(&field, &before)?;
    let operand = compared(input, &field, operator)?;
    Ok(Term::Compare { field, operator, operand })
}

/// `operator` is where the operator stands.
fn refuse_groups(field: &Field, operator: &Tokens<'_>) -> Result<(), Miss> {
    if field.is_groups() { Err(unexpected(operator, &GROUPS)) } else { Ok(()) }
}

fn compared(input: &mut Tokens<'_>, left: &Field, operator: Comparison) -> Result<Operand, Miss> {
    let before = input.clone();
    let operand = alt((literal.map(Operand::Literal), field.map(Operand::Field)));
    let operand = required(operand, &OPERAND).parse_next(input)?;
    let refused = match &operand {
        Operand::Field(right) if right.is_groups() => Some(&GROUPS),
        Operand::Literal(literal) if left.is_device_id() && !is_text(literal) => Some(&STRING_FOR_ID),
        Operand::Literal(Literal::Null | Literal::Bool(_)) if operator.orders() => Some(&ORDERED),
        Operand::Field(_) | Operand::Literal(_) => None,
    };
    refused.map_or(Ok(operand), |expected| Err(unexpected(&before, expected)))
}

fn searched(input: &mut Tokens<'_>, field: Field, operator: Search) -> Result<Term, Miss> {
    let before = input.clone();
    let literal = required(literal, &LITERAL).parse_next(input)?;
    let only_text = match operator {
        Search::StartsWith | Search::EndsWith if field.is_groups() => return Err(unexpected(&before, &GROUPS)),
        Search::StartsWith | Search::EndsWith => Some(&STRING),
        Search::Contains if field.is_groups() => Some(&STRING_FOR_GROUP),
        Search::Contains if field.is_device_id() => Some(&STRING_FOR_ID),
        Search::Contains => None,
    };
    match only_text {
        Some(expected) if !is_text(&literal) => Err(unexpected(&before, expected)),
        Some(_) | None => Ok(Term::Search { field, operator, literal }),
    }
}

fn list(input: &mut Tokens<'_>, field: &Field) -> Result<Vec<Literal>, Miss> {
    required(symbol("["), &LIST).parse_next(input)?;
    let expected: &Expected =
        if peek(opt(symbol("]"))).parse_next(input)?.is_some() { &A_VALUE_IN_LIST } else { &LITERAL };
    let mut found = Vec::new();
    loop {
        let before = input.clone();
        let Some(value) = opt(literal).parse_next(input)? else { return Err(unexpected(&before, expected)) };
        if field.is_device_id() && !is_text(&value) {
            return Err(unexpected(&before, &STRING_FOR_ID));
        }
        if found.len() >= MAX_LIST {
            return Err(unexpected(&before, &SHORT_LIST));
        }
        found.push(value);
        if !required(alt((symbol(",").value(true), symbol("]").value(false))), &LIST_END).parse_next(input)? {
            return Ok(found);
        }
    }
}

fn field(input: &mut Tokens<'_>) -> Result<Field, Miss> {
    let start = input.clone();
    let mut parts = vec![root.parse_next(input)?];
    while let Some(bracketed) = opt(alt((symbol(".").value(false), symbol("[").value(true)))).parse_next(input)? {
        parts.push(required(if bracketed { quoted_name } else { plain_name }, &NAME).parse_next(input)?);
        if bracketed {
            required(symbol("]"), &CLOSING_BRACKET_OF_NAME).parse_next(input)?;
        }
    }
    Field::new(parts).ok_or_else(|| unexpected_since(&start, input, &FIELD))
}

fn root(input: &mut Tokens<'_>) -> Result<String, Miss> {
    let reserved = |word: &str| RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word));
    any.verify_map(|token: &Token<'_>| match token.lexeme {
        Lexeme::Word(word) if !reserved(word) => Some(word.to_owned()),
        Lexeme::Word(_) | Lexeme::Text(_) | Lexeme::Number(_) | Lexeme::Symbol(_) => None,
    })
    .parse_next(input)
}

fn plain_name(input: &mut Tokens<'_>) -> Result<String, Miss> {
    any.verify_map(|token: &Token<'_>| if let Lexeme::Word(word) = token.lexeme { Some(word.to_owned()) } else { None })
        .parse_next(input)
}

fn quoted_name(input: &mut Tokens<'_>) -> Result<String, Miss> {
    any.verify_map(|token: &Token<'_>| if let Lexeme::Text(text) = &token.lexeme { Some(text.clone()) } else { None })
        .parse_next(input)
}

fn literal(input: &mut Tokens<'_>) -> Result<Literal, Miss> {
    any.verify_map(|token: &Token<'_>| match &token.lexeme {
        Lexeme::Text(text) => Some(Literal::Text(text.clone())),
        Lexeme::Number(value) => Some(Literal::Number(*value)),
        Lexeme::Word(word) if word.eq_ignore_ascii_case("true") => Some(Literal::Bool(true)),
        Lexeme::Word(word) if word.eq_ignore_ascii_case("false") => Some(Literal::Bool(false)),
        Lexeme::Word(word) if word.eq_ignore_ascii_case("null") => Some(Literal::Null),
        Lexeme::Word(_) | Lexeme::Symbol(_) => None,
    })
    .parse_next(input)
}

fn search(input: &mut Tokens<'_>) -> Result<Search, Miss> {
    let starts = alt((keyword("STARTSWITH"), keyword("STARTS_WITH")));
    let ends = alt((keyword("ENDSWITH"), keyword("ENDS_WITH")));
    alt((starts.value(Search::StartsWith), ends.value(Search::EndsWith), keyword("CONTAINS").value(Search::Contains)))
        .parse_next(input)
}

fn comparison_operator(input: &mut Tokens<'_>) -> Result<Comparison, Miss> {
    any.verify_map(|token: &Token<'_>| match token.lexeme {
        Lexeme::Symbol("=") => Some(Comparison::Equal),
        Lexeme::Symbol("!=" | "<>") => Some(Comparison::NotEqual),
        Lexeme::Symbol("<") => Some(Comparison::Less),
        Lexeme::Symbol("<=") => Some(Comparison::LessOrEqual),
        Lexeme::Symbol(">") => Some(Comparison::Greater),
        Lexeme::Symbol(">=") => Some(Comparison::GreaterOrEqual),
        Lexeme::Symbol(_) | Lexeme::Word(_) | Lexeme::Text(_) | Lexeme::Number(_) => None,
    })
    .parse_next(input)
}

const fn is_text(literal: &Literal) -> bool {
    matches!(literal, Literal::Text(_))
}
