//! Just-in-time registration: which certificates become things, and which are revoked.
