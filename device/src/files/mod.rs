//! Files mode: encrypted files, to the device and from it.
//!
//! What the device may have comes on `loam/{thing}/files/{transferId}/grant`: the message's header, the key that opens it, and URLs
//! for minutes. A download is verified and decrypted while it is written, frame by frame; after a cut it goes on at the byte,
//! after a power cut at the frame. A grant may leave the key to KMS, which the device then asks itself (`Kms`). An upload is copied first, so that what is sealed is what was announced: one key never
//! seals two plaintexts. What the device has done it says on `.../files/complete`, and remembers.

mod credentials;
mod desk;
mod exchange;
mod http;
mod inbox;
mod key_arn;
mod kms;
mod memory;
mod no_key;
mod notice;
mod opening;
mod outbox;
mod parts;
mod refusal;
mod run;
mod unlocking;
mod unsealing;

pub use crate::http::{Http, NoHttp};
pub use desk::{Desk, Heard, Word};
pub use http::Cut;
pub use inbox::{Stop, download};
pub use kms::{Addresses, BadAddress, Kms};
pub use memory::{Memory, Upload};
pub use no_key::NoKey;
pub use notice::{Direction, FileFacts, Grant, Key, NoNotice, Notice, PartUrl, Rejected, Wanted};
pub use opening::{Asked, open_file};
pub use outbox::{Offered, snapshot};
pub use parts::{Part, Parts};
pub use refusal::NoFile;
pub use run::serve;
pub use unsealing::{Read, Unsealing};
