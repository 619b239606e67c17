//! Find any thing: list, search, tags and groups.
