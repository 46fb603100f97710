//! The provider over SMPP against a carrier that nobody here wrote.

mod carrier;
mod faults;
mod load;
mod messages;
