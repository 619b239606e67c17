//! From a known certificate to a useful thing, and its end: describe, life cycle, retire.
