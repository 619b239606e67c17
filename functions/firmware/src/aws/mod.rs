//! The services: each by one adapter, its functions named by what they are for.
//!
//! FirmwareTable has the keys `thing` and `item`, as every table whose events the relay tells (`item` begins with `event#`).
//! Partitions that are no thing's hold a `#`, as no name does: `release#{id}`, `rollout#{id}`, `firmware#counter`.

pub(crate) mod executions;
pub(crate) mod images;
pub(crate) mod items;
pub(crate) mod jobs;
pub(crate) mod releases;
pub(crate) mod rollouts;
pub(crate) mod sealed_upload;
pub(crate) mod seals;
pub(crate) mod shadows;
pub(crate) mod signing;
pub(crate) mod table;
pub(crate) mod targets;
