//! The tables as they are now, one file each.

pub(crate) mod confirmation;
pub(crate) mod event;
pub(crate) mod identifier;
pub(crate) mod key_check;
pub(crate) mod request;
pub(crate) mod subject;
