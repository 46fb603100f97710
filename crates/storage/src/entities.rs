//! The tables as they are now, one file each. What a check reads and writes goes by SQL of its own
//! in `dialect`; everything else, tests included, goes by these.

pub(crate) mod confirmation;
pub(crate) mod event;
pub(crate) mod identifier;
pub(crate) mod incarnation;
pub(crate) mod key_check;
pub(crate) mod message;
pub(crate) mod number_user;
pub(crate) mod request;
pub(crate) mod spend;
pub(crate) mod subject;
