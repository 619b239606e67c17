//! The record of every thing: its life cycle, its certificates, and the events that tell of it.
