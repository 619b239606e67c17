//! Pairing, as far as a device takes part in it: what it signs, the code that it shows, and its two words, its button and its
//! reset. Who owns what is decided elsewhere.

pub mod challenge;
pub mod claim_code;
pub mod press;
pub mod reset;
