#![doc = include_str!("../README.md")]

mod answer;
mod config;
mod deadline;
mod direct;
mod handler;
mod problem;
mod progress;
mod publish;
pub mod published;
mod python_json;
mod request;
mod routes;
#[cfg(test)]
mod sample_events;
pub mod session;
mod target;

pub use answer::{Answer, AnswerTopic, DONE, Verdict, judge};
pub use config::{Config, DeliveryMode};
pub use deadline::{LONGEST_WAIT, budget};
pub use handler::{Called, Invoker, Request};
pub use loam_direct_messages::Delivery;
pub use progress::{Outcome, Progress};
pub use request::{LARGEST_PAYLOAD, wrapped};
pub use routes::{Api, openapi, routes};
pub use target::{BadTarget, Prefix, Target};
