//! Live access on the real stack: a token becomes credentials, the relay fills mailboxes, and an app hears them over MQTT.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[path = "live/live_access.rs"]
mod live_access;
#[path = "live/world.rs"]
mod world;
