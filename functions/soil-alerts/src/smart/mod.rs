//! Smart mode: one notice per episode, whatever order, how often and however late the readings come.
//!
//! Reading order: [`AlertRule`] (what counts as dry), [`decide()`] (what a reading changes), [`State`] (what is
//! remembered), [`Alerts`] (load, decide, save, publish).

mod decide;
mod episode;
mod fold;
mod layers;
mod notice;
mod rule;
mod sample;
mod silence;
mod state;

pub use decide::{Decision, Tally, decide};
pub use episode::Episode;
pub use layers::{RuleRow, Rules};
pub use notice::{Notice, NoticeKind};
pub use rule::{AlertRule, BadField, Direction, InvalidRule, RuleSpec};
pub use sample::{Observation, Sample};
pub use silence::decide_silence;
pub use state::{MAX_OUTBOX, MAX_WINDOW, State, Status};
