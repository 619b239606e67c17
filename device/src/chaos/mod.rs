//! Chaos mode: what a fleet does to a backend on a bad day, repeatable from a seed.
