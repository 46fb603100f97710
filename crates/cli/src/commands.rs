//! The subcommands, one file each.

pub(crate) mod admin;
pub(crate) mod callers;
pub(crate) mod certs;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod dev_inbox;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod policy;
pub(crate) mod serve;
