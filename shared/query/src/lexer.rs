use std::ops::Range;

use winnow::Parser;
use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{alt, opt, preceded, repeat, terminated};
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{one_of, take_till, take_while};

use crate::expected::{CHARACTER, CLOSING_QUOTE, NUMBER};
use crate::miss::{Miss, quoted};

/// One word of the language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lexeme<'t> {
    /// A keyword or a part of a field; which one is the parser's matter.
    Word(&'t str),
    /// A string, without its quotes.
    Text(String),
    /// A finite number.
    Number(f64),
    /// One of `= != <> <= >= < > ( ) [ ] , .`
    Symbol(&'t str),
}

/// A word of the language and the bytes of the filter where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Token<'t> {
    pub(crate) lexeme: Lexeme<'t>,
    pub(crate) span: Range<usize>,
}

impl Token<'_> {
    pub(crate) fn is_word(&self, keyword: &str) -> bool {
        matches!(self.lexeme, Lexeme::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.lexeme, Lexeme::Symbol(found) if found == symbol)
    }
}

type Source<'t> = LocatingSlice<&'t str>;

/// Splits a filter into its words.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Miss> {
    let mut source = LocatingSlice::new(text);
    let found: Vec<_> = preceded(multispace0, repeat(0.., terminated(token, multispace0))).parse_next(&mut source)?;
    match source.chars().next() {
        None => Ok(found),
        Some(odd) => Err(Miss::at(source.current_token_start(), quoted(odd.encode_utf8(&mut [0; 4])), &CHARACTER)),
    }
}

/// Whether `name` can stand in a field without brackets.
pub(crate) fn is_plain(name: &str) -> bool {
    word.parse(LocatingSlice::new(name)).is_ok()
}

fn token<'t>(source: &mut Source<'t>) -> Result<Token<'t>, Miss> {
    let lexeme =
        alt((word.map(Lexeme::Word), number.map(Lexeme::Number), text.map(Lexeme::Text), symbol.map(Lexeme::Symbol)));
    lexeme.with_span().map(|(lexeme, span)| Token { lexeme, span }).parse_next(source)
}

fn word<'t>(source: &mut Source<'t>) -> Result<&'t str, Miss> {
    let first = one_of(('a'..='z', 'A'..='Z', '_', '$'));
    let rest = take_while(0.., ('a'..='z', 'A'..='Z', '0'..='9', '_', '$', '-'));
    (first, rest).take().parse_next(source)
}

fn symbol<'t>(source: &mut Source<'t>) -> Result<&'t str, Miss> {
    let comparison = alt(("!=", "<>", "<=", ">=", "=", "<", ">"));
    alt((comparison, one_of(['(', ')', '[', ']', ',', '.']).take())).parse_next(source)
}

fn number(source: &mut Source<'_>) -> Result<f64, Miss> {
    let start = source.current_token_start();
    let fraction = opt(('.', digit1));
    let exponent = opt((one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1));
    let digits = (opt('-'), digit1, fraction, exponent).take().parse_next(source)?;
    // `0x1F` and `5kg` are one mistake each, not a number and a field.
    let tail = opt(word).parse_next(source)?.unwrap_or_default();
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() && tail.is_empty() => Ok(value),
        _ => Err(Miss::at(start, quoted(&format!("{digits}{tail}")), &NUMBER)),
    }
}

fn text(source: &mut Source<'_>) -> Result<String, Miss> {
    let start = source.current_token_start();
    '\''.parse_next(source)?;
    let rest = **source;
    let piece = alt((take_till(1.., '\''), "''".value("'")));
    let content = repeat(0.., piece)
        .fold(String::new, |mut content, piece: &str| {
            content.push_str(piece);
            content
        })
        .parse_next(source)?;
    let unclosed = |_: Miss| Miss::at(start, quoted(&format!("'{rest}")), &CLOSING_QUOTE);
    '\''.parse_next(source).map_err(unclosed)?;
    Ok(content)
}
