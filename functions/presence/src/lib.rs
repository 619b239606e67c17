//! Who is there: connected, disconnected, last will.
