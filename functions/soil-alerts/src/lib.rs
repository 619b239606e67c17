//! Tells people when the soil is dry.

pub mod smart;
