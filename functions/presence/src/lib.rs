//! Who is there: connected, disconnected, last will.

pub mod decide;
pub mod fact;
pub mod mark;
pub mod row;
