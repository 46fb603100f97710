//! The registry: the whole security state of one subject as one aggregate.
//!
//! [`Registry`] holds the PIN, the identifiers with their purposes and counters, and the open
//! confirmations; every rule about them that needs no I/O is a method of it. It is stored as one
//! row in two parts ([`Registry::encode`]): one that is sealed and seldom changes, and a small one
//! that changes with every check.
//!
//! # Adding a kind of identifier
//! 1. Give it a number in [`Kind`] and a variant in [`Factor`].
//! 2. Say in [`Registry::standing`] when it can be used.
//! 3. Put its secret into `codec::SealedFactor` and what changes with a check into
//!    `codec::CountersOfIdentifier`.

mod backup_codes;
mod codec;
mod counting;
mod identifier;
mod import;
mod kind;
mod lifecycle;
mod paths;
mod phone;
mod registry;
mod restore;

pub use backup_codes::{BackupCodes, PendingList};
pub use codec::{CodecError, Encoded};
pub use counting::{Counted, EnrolmentThrottle};
pub use identifier::{Factor, SecurityIdentifier, State};
pub use kind::{Kind, Purpose, PurposeSet};
pub use lifecycle::{Binding, BindingState};
pub use paths::{AuthenticatorRef, Ending, Obstacle, Path, Stage, Standing, Use};
pub use phone::{NewPhone, Phone};
pub use registry::{Limits, OpenConfirmation, PinEntry, Registry, RegistryError};
