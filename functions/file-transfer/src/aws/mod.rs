//! The services: each by one adapter, its functions named by what they are for.

pub(crate) mod erase;
pub(crate) mod items;
pub(crate) mod objects;
pub(crate) mod parts;
pub(crate) mod store;
pub(crate) mod urls;
