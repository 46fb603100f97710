//! The use cases: load, decide, apply.
//!
//! [`Platform`] is what a transport calls. Its private `run` is the one mechanism; each use case
//! is one file that says which Argon2 runs it needs and, purely, what it decides. The outside
//! world is behind [`ports`].
//!
//! # Adding a use case
//! 1. Give the request a type of its own and a method of [`Platform`] that runs it.
//! 2. Implement `UseCase` for it: `decide` returns the new registry, the facts for the event and
//!    the answer, or an [`Error`] when nothing is to be written.
//! 3. Map it in the gateway: `convert`, `services`, and any new error in `status.rs`.

mod admin;
mod backup_code_methods;
mod caller;
mod cancel;
mod checked_proofs;
mod confirmation;
mod create;
mod dispatch;
mod entropy;
mod error;
mod event;
mod feed;
mod get;
mod hashing;
mod identifier_methods;
mod letter;
mod list;
mod list_events;
mod note_message;
mod operation;
mod outcomes;
mod page_token;
mod pin_methods;
mod platform;
pub mod ports;
mod posting;
mod proofs;
mod queue;
mod redeem;
mod room;
mod send_code;
mod settings;
mod settings_change;
mod shared;
mod sms_methods;
mod sms_plan;
mod sms_settings;
mod submit_proof;
mod totp_methods;
mod view;

pub use admin::{ImportTotp, Imported, Reason, Sight};
pub use backup_code_methods::{CodesView, CreateMoreCodes, EnableCodes, NewCodes};
pub use caller::{Caller, CallerError, Method};
pub use confirmation::{ConfirmationView, StateView};
pub use create::{Create, Created, DenialView};
pub use dispatch::Dispatcher;
pub use entropy::{Entropy, EntropyError, SystemEntropy};
pub use error::{Error, RetryAt};
pub use feed::{Action, Feed, Told, Watcher};
pub use hashing::HashPool;
pub use identifier_methods::{Disable, SetPurposes};
pub use list::{MAX_PAGE, Page};
pub use list_events::{EventPage, EventView, FactKind, FactView};
pub use operation::{Custom, Login, Money, Operation, SettingsChange, Withdrawal};
pub use pin_methods::{ChangePin, SetPin};
pub use platform::{Call, Platform};
pub use posting::{Delivery, SendRefusal, SentCode};
pub use proofs::{MAX_PROOFS, Proof, Proofs};
pub use redeem::Redeem;
pub use send_code::SendCode;
pub use settings::{Grants, Settings};
pub use settings_change::{Authorization, Outcome};
pub use sms_methods::{BeginSms, BegunSms, ConfirmSms};
pub use sms_settings::{Prices, SmsSettings};
pub use submit_proof::{SubmitProof, Submitted};
pub use totp_methods::{BeginTotp, BegunTotp, ConfirmTotp};
pub use view::{
    AuthenticatorView, IdentifierStateView, IdentifierView, OptionView, PathView, PinView,
    PurposeView, StageView,
};
