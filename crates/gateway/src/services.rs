//! The services: decode, call, encode, and nothing else.

pub(crate) mod backup_code;
pub(crate) mod confirmation;
pub(crate) mod dev;
pub(crate) mod event;
pub(crate) mod identifier;
pub(crate) mod pin;
pub(crate) mod sms;
pub(crate) mod totp;
