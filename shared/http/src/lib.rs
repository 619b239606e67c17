#![doc = include_str!("../README.md")]

mod attempt;
mod body;
mod call;
mod caller;
mod creation;
mod cursor;
mod cursors;
mod edge;
mod error;
mod etag;
mod idempotency;
mod ledger;
mod page;
mod params;
mod path;
mod problem;
mod scope;

pub use body::{Body, MAX_BODY};
pub use call::Call;
pub use caller::{Caller, MailAddress, OPERATORS, Operator};
pub use creation::{Creation, IDEMPOTENCY_KEY, Repeat};
pub use cursors::Cursors;
pub use edge::{answer, serve};
pub use error::HttpFailure;
pub use etag::{ETag, IfMatch};
pub use idempotency::Idempotency;
pub use page::Page;
pub use params::{Limit, NoParams, PageParams, Params};
pub use path::{Segments, ThingPath};
pub use problem::{Mistake, PROBLEM_JSON, Problem};
pub use scope::Scope;
