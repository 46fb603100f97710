//! Carriers: SMPP, HTTP, a folder, and the inbox of development.
//!
//! [`Providers`] is the port [`Carriers`](countersign_mfa::ports::sms::Carriers): any number of named
//! providers, of which a number's country, their order and their weights choose. [`router`] takes
//! what providers report by webhook.

mod breaker;
mod counts;
mod file;
mod http;
mod inbox;
mod providers;
mod route;
mod settings;
pub mod smpp;
mod webhooks;

pub use inbox::{Inbox, InboxMessage};
pub use providers::{INBOX, Providers};
pub use settings::{ProviderOutline, ProvidersError, ProvidersSettings};
pub use webhooks::router;

#[cfg(test)]
mod testing;
