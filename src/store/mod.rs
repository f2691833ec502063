//! store: the embedded database: open, migrate, typed tables; it knows bytes, not blocks.
#![forbid(unsafe_code)]
