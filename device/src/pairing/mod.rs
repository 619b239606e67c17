//! Pairing, the device's part: a button that opens a window, a signature that proves presence, a factory reset.
//!
//! All three are asked for on the spot, over a local link; here that is a command on the same machine, which shares a
//! directory with the running device. A signature needs no connection: the app carries challenge and answer.

mod button;
mod key;
mod signed;
mod telling;

pub use button::{Button, Pressed, Remembered, Word};
pub use key::{PairingKey, Signature};
pub use signed::{NotSigned, Signing, asked_to_sign};
pub use telling::tell;
