//! Smart mode: one notice per episode, whatever order, how often and however late the readings come.
//!
//! Reading order: [`AlertRule`] (what counts as dry), [`decide()`] (what a reading changes), [`State`] (what is
//! remembered), [`Alerts`] (load, decide, save, publish).

mod decide;
mod episode;
mod fold;
mod handler;
mod layers;
mod notice;
mod rule;
mod rule_store;
mod sample;
mod silence;
mod state;
mod store;
mod store_error;
mod sweep;

pub use decide::{Decision, Tally, decide};
pub use episode::Episode;
pub use handler::{Alerts, Applied};
pub use layers::{RuleRow, Rules};
pub use notice::{Notice, NoticeKind};
pub use rule::{AlertRule, BadField, Direction, InvalidRule, RuleSpec};
pub use rule_store::RuleStore;
pub use sample::{Observation, Sample};
pub use silence::decide_silence;
pub use state::{MAX_OUTBOX, MAX_WINDOW, State, Status};
pub use store::{SHARDS, StateStore};
pub use store_error::StoreError;
pub use sweep::Swept;
