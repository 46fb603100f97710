//! The memorised PIN of an account as a factor
