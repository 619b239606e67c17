#![doc = include_str!("../README.md")]

mod certificate_id;
mod device_message;
mod event;
mod number;
pub mod pairing;
mod reading;
mod refusal;
mod thing_name;
mod timestamp;
mod topic;
mod user_id;

pub use certificate_id::CertificateId;
pub use device_message::{DeviceMessage, RuleMessage, thing_of_event};
pub use event::{Event, EventType, UnknownEventType};
pub use number::Measure;
pub use reading::{DeviceClock, Reading, Readings, RefusedReading};
pub use refusal::{Refusal, RefusalCode};
pub use thing_name::ThingName;
pub use timestamp::Timestamp;
pub use topic::{MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES, Topic};
pub use user_id::{NoUser, UserId};
