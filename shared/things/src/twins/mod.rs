//! The read side of the catalog's projection: what is known of each thing, in one row, and the choice of things by a
//! filter. Only the catalog writes TwinsTable; every capability that acts on many things reads it here, so that one filter
//! means the same everywhere.

mod error;
mod rows;
mod select;
mod store;
mod twin;

pub use error::TwinsFailure;
pub use select::{Read, Selection, Span};
pub use store::{Seen, Twins};
pub use twin::{Notes, PresenceView, RecordView, ShadowView, Twin};
