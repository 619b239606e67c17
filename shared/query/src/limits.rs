/// The longest filter, in bytes of UTF-8; its canonical text may not be longer either, so that it can be read again.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

/// The most conditions (comparisons and `IS_DEFINED`s) in one filter: with it, the longest list and the longest text,
/// one evaluation has a bound.
pub const MAX_TERMS: usize = 100;

/// The deepest nesting; each open parenthesis and each `NOT` counts one. It bounds every recursion in this crate.
pub const MAX_DEPTH: usize = 32;

/// The most values in the list of one `IN` or `NIN`.
pub const MAX_LIST: usize = 500;
