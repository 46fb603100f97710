//! Codes sent by SMS: numbers, challenges, and how often they are sent.
//!
//! Pure: the instant and the randomness are arguments. [`Challenge`] is what is kept,
//! [`Challenge::generate`] makes one, [`Challenge::code`] is its code, which is stored nowhere, and
//! [`verify`] checks what was typed. [`SendRun`] says when the next message may follow.

mod generate;
mod number;
mod sending;
mod state;
mod verify;

pub use number::{Countries, NumberError, PhoneNumber, is_country};
pub use sending::{LONGEST_CODE_LIFE, SendRules, SendRun};
pub use state::{Binding, Challenge, TargetId};
pub use verify::{Rejection, Verdict, verify};
