use winnow::Parser;
use winnow::combinator::{opt, separated};
use winnow::stream::{Stateful, TokenSlice};
use winnow::token::any;

use crate::condition::term;
use crate::expected::{CLOSE, CONDITION, END, Expected, FEW_TERMS, SHALLOW};
use crate::expression::Expression;
use crate::lexer::Token;
use crate::limits::{MAX_DEPTH, MAX_TERMS};
use crate::miss::{Miss, quoted};

/// What is still to be read, with what the limits count.
pub(crate) type Tokens<'t> = Stateful<TokenSlice<'t, Token<'t>>, Progress<'t>>;

#[derive(Debug, Clone)]
pub(crate) struct Progress<'t> {
    text: &'t str,
    depth: usize,
    terms: usize,
}

/// Reads a whole filter.
pub(crate) fn filter<'t>(text: &'t str, tokens: &'t [Token<'t>]) -> Result<Expression, Miss> {
    let state = Progress { text, depth: 0, terms: 0 };
    let mut input = Stateful { input: TokenSlice::new(tokens), state };
    let found = disjunction(&mut input)?;
    if input.input.is_empty() { Ok(found) } else { Err(unexpected(&input, &END)) }
}

fn disjunction(input: &mut Tokens<'_>) -> Result<Expression, Miss> {
    separated(1.., conjunction, keyword("OR")).map(Expression::any).parse_next(input)
}

fn conjunction(input: &mut Tokens<'_>) -> Result<Expression, Miss> {
    separated(1.., negation, keyword("AND")).map(Expression::all).parse_next(input)
}

fn negation(input: &mut Tokens<'_>) -> Result<Expression, Miss> {
    let before = input.clone();
    if opt(keyword("NOT")).parse_next(input)?.is_some() {
        return nested(input, &before, negation).map(|inner| Expression::Not(Box::new(inner)));
    }
    if opt(symbol("(")).parse_next(input)?.is_some() {
        let inner = nested(input, &before, disjunction)?;
        required(symbol(")"), &CLOSE).parse_next(input)?;
        return Ok(inner);
    }
    counted_term(input)
}

/// Reads `inner` one level deeper; `before` is where the level was opened.
fn nested<'t>(
    input: &mut Tokens<'t>,
    before: &Tokens<'t>,
    inner: fn(&mut Tokens<'t>) -> Result<Expression, Miss>,
) -> Result<Expression, Miss> {
    if input.state.depth >= MAX_DEPTH {
        return Err(unexpected(before, &SHALLOW));
    }
    input.state.depth += 1;
    let found = inner(input)?;
    input.state.depth -= 1;
    Ok(found)
}

fn counted_term(input: &mut Tokens<'_>) -> Result<Expression, Miss> {
    if input.state.terms >= MAX_TERMS && !input.input.is_empty() {
        return Err(unexpected(input, &FEW_TERMS));
    }
    input.state.terms += 1;
    required(term, &CONDITION).map(Expression::Term).parse_next(input)
}

pub(crate) fn keyword<'t>(word: &'static str) -> impl Parser<Tokens<'t>, (), Miss> {
    any.verify_map(move |token: &Token<'_>| token.is_word(word).then_some(()))
}

pub(crate) fn symbol<'t>(symbol: &'static str) -> impl Parser<Tokens<'t>, (), Miss> {
    any.verify_map(move |token: &Token<'_>| token.is_symbol(symbol).then_some(()))
}

/// A parser that must match here; `expected` says so to whoever wrote the filter.
pub(crate) fn required<'t, T>(
    mut parser: impl Parser<Tokens<'t>, T, Miss>,
    expected: &'static Expected,
) -> impl Parser<Tokens<'t>, T, Miss> {
    move |input: &mut Tokens<'t>| parser.parse_next(input).map_err(|miss| miss.or_else(|| unexpected(input, expected)))
}

/// The error for the next word.
pub(crate) fn unexpected(input: &Tokens<'_>, expected: &Expected) -> Miss {
    let text = input.state.text;
    let span = input.input.first().map_or(text.len()..text.len(), |token| token.span.clone());
    Miss::at(span.start, quoted(text.get(span).unwrap_or_default()), expected)
}

/// The error for all words from `start` up to what is still to be read.
pub(crate) fn unexpected_since(start: &Tokens<'_>, input: &Tokens<'_>, expected: &Expected) -> Miss {
    let text = input.state.text;
    let begin = start.input.first().map_or(text.len(), |token| token.span.start);
    let end = input.input.first().map_or(text.len(), |token| token.span.start);
    Miss::at(begin, quoted(text.get(begin..end).unwrap_or_default().trim_end()), expected)
}
