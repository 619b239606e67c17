//! What every HTTP route shares: problems, the caller, ETags, idempotency, cursors.
