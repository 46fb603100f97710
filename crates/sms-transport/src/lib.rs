//! Carriers: SMPP, HTTP, a folder, and the inbox of development.

pub mod smpp;
