#![doc = include_str!("../README.md")]

mod body;
mod context;
mod cursor;
mod encrypted_data_key;
mod error;
mod frame_length;
mod header;
mod key;
mod opener;
mod sealer;
mod unverified;
mod wrapping;

pub use context::EncryptionContext;
pub use encrypted_data_key::EncryptedDataKey;
pub use error::Error;
pub use frame_length::FrameLength;
pub use header::Header;
pub use key::{DataKey, MessageId};
pub use opener::Opener;
pub use sealer::Sealer;
pub use unverified::{HeaderReader, UnverifiedHeader};
pub use wrapping::WrappingKey;
