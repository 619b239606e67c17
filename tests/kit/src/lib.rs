#![doc = include_str!("../README.md")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a panic with its reason is how a test fails"
)]

mod api;
mod api_event;
mod app;
mod archive;
mod authority;
mod chance;
mod dead_letters;
mod environment;
mod eventually;
mod factory;
mod function_logs;
mod handler_logs;
mod inbox;
mod memberships;
mod messages;
mod registered;
mod replay;
mod sample_events;
mod second_stack;
mod signature;
mod signed;
mod soak;
mod stack;
mod tables;
mod tenures;
mod things;
mod tokens;
pub mod wiretap;

pub use api::{Answer, Api, Person};
pub use api_event::{api_event, ask, ask_at, with_headers, with_if_match};
pub use app::{App, LiveAccess};
pub use archive::Archive;
pub use authority::Authority;
pub use chance::Chance;
pub use dead_letters::DeadLetterQueue;
pub use environment::ExecutionEnvironment;
pub use eventually::{eventually, eventually_within, patience};
pub use factory::{Factory, Made};
pub use function_logs::function_logs;
pub use handler_logs::handler_logs;
pub use inbox::{Inbox, Mail};
pub use memberships::{end_membership, seed_mail, seed_membership, seed_membership_since};
pub use messages::{MARKER, now, reading, rule_event, unique_thing};
pub use registered::{claim_of, plain_record, register, register_active};
pub use replay::replay;
pub use sample_events::SampleEvents;
pub use second_stack::{deploy_beside, describe, destroy};
pub use signature::{Signer, signature};
pub use signed::Signed;
pub use soak::{Budget, figure, number_of};
pub use stack::{Function, Stack};
pub use tables::{copy_item, twin_of_table};
pub use tenures::{begin_retirement, end_tenure, register_described, register_paired};
pub use things::{Credentials, join};
pub use tokens::{claims, signed_token};
