//! Updates: the device changes its own firmware, and whatever happens on the way, something that works runs.
//!
//! What it is to run stands in its shadow (`desired.firmware`, a reference) or in the document of a job; manifest, signature and a
//! URL for minutes it asks for on `loam/{thing}/firmware/{rolloutId}/request` and gets on `.../grant`. It obeys what
//! [`loam_releases`] accepts, fetches the image piece by piece into the slot that does not run, looks at it once more, and starts it
//! on trial. A sealed image comes with what opens it, and is opened frame by frame on its way into the slot. Only who works and reaches the cloud stays; otherwise the old one runs again.
//!
//! [`Machine`] is the device without its connection: slots and journal lie in a directory, and a power cut may be ordered.
//! [`serve`] gives it a connection.

mod faults;
mod flash;
mod heard;
mod keys;
mod machine;
mod notice;
mod run;
mod seal;
mod source;
mod steps;
mod words;

pub use faults::Fault;
pub use flash::{Flash, NoWrite};
pub use heard::{Heard, Told};
pub use keys::{NoKeys, read_keys};
pub use machine::{Machine, Settings, Turn};
pub use notice::{Desired, Job, NoNotice, Notice, Signed};
pub use run::{OtaError, serve};
pub use seal::Seal;
pub use words::Word;
