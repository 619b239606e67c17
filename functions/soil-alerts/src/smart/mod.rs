//! Smart mode: one notice per episode, whatever order, how often and however late the readings come.
//!
//! Reading order: [`AlertRule`] (what counts as dry), [`decide()`] (what a reading changes), [`State`] (what is
//! remembered), [`Alerts`] (load, decide, save, publish).

mod decide;
mod episode;
mod fold;
mod handler;
mod history;
mod layers;
mod nearest_rules;
mod notice;
mod past;
mod reaction;
mod rule;
mod rule_document;
mod rule_row;
mod rule_store;
mod sample;
mod scope;
mod silence;
mod state;
mod store;
mod store_error;
mod sweep;

pub use decide::{Decision, Tally, decide};
pub use episode::{Acknowledgement, Episode, Snooze};
pub use handler::{Alerts, Applied, DEFAULT_HISTORY_DAYS};
pub use history::{PastPage, PastPosition};
pub use layers::{Nearest, RuleRow, Rules};
pub use nearest_rules::NearestRules;
pub use notice::{Notice, NoticeKind};
pub use past::{Ending, EpisodeId, PastEpisode};
pub use reaction::{MAX_SNOOZE_SECONDS, REPEAT_MILLIS, Reaction, acknowledge, snooze, snooze_episode};
pub use rule::{AlertRule, BadField, Direction, InvalidRule, RuleSpec};
pub use rule_document::{InvalidRules, MAX_PRIORITY, MAX_RULES, RuleDocument, checked};
pub use rule_row::StoredRules;
pub use rule_store::{Head, RuleStore, RulesPage};
pub use sample::{Observation, Sample};
pub use scope::{InvalidScope, Scope, ScopeName};
pub use silence::decide_silence;
pub use state::{MAX_OUTBOX, MAX_PAST, MAX_WINDOW, State, Status};
pub use store::{SHARDS, StateStore};
pub use store_error::StoreError;
pub use sweep::Swept;
