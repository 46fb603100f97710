//! The built-in table.
