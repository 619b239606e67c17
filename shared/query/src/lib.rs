#![doc = include_str!("../README.md")]

mod condition;
mod error;
mod evaluate;
mod expected;
mod expression;
mod field;
mod filter;
mod lexer;
mod limits;
mod miss;
mod parser;
mod print;

pub use error::{QueryError, QueryErrorCode};
pub use filter::Filter;
pub use limits::{MAX_DEPTH, MAX_LIST, MAX_TERMS, MAX_TEXT_BYTES};
