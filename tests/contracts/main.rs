//! Template and code say the same. The template is read as `cargo xtask test` expands it: once as it is written (`sam`),
//! once as CloudFormation gets it (`cloudformation`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod cors;
mod device_policy;
mod documents;
mod functions;
mod mailboxes;
mod nothing_is_lost;
mod openapi;
mod operations;
mod roles;
mod rules;
mod statuses;
mod template;
