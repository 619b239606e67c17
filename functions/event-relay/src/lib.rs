//! Tells of what was written: event items of a table, to the topic that everybody subscribes to.
