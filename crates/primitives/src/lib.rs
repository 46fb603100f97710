//! The words every other crate uses: subject ids, instants, digests, secrets and the throttle.
//!
//! Nothing here does I/O, is async, or reads a clock of its own accord: [`Clock`] is a trait, and
//! [`SystemClock`] is the one place where the machine's clock is read.

mod caller;
mod digest;
mod id;
mod label;
mod secret;
mod slow_hash;
mod stored;
mod subject;
mod throttle;
mod time;

pub use caller::{MAX_CALLER_BYTES, is_caller_name};
pub use digest::{Digest, Digester};
pub use id::{CodeListId, ConfirmationId, IdentifierId, MessageId, ParseIdError, RequestId};
pub use label::{Label, LabelError, MAX_LABEL_BYTES};
pub use secrecy::{ExposeSecret, SecretString};
pub use secret::SecretBytes;
pub use slow_hash::{Hash, HashCost, HashMemory, ImpossibleCost, Salt};
pub use stored::encode;
pub use subject::{MAX_SUBJECT_BYTES, SubjectId, SubjectIdError};
pub use throttle::{Failure, Throttle, ThrottleRules};
pub use time::{Clock, SystemClock, Timestamp};
