//! Codes sent by SMS: numbers, challenges, and how often they are sent.
//!
//! Pure: the instant and the randomness are arguments.

mod number;

pub use number::{Countries, NumberError, PhoneNumber};
