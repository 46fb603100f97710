//! For tests only: a running platform on a free port, with a clock that can be moved.
//!
//! [`Database::fresh`] makes an empty, migrated database on either backend. [`TestPlatform`] runs
//! the gateway over it in this process, with a [`TestClock`] and seeded randomness;
//! [`GatewayProcess`] runs the real binary, to be killed. [`Person`] is somebody with a PIN and
//! authenticator apps who speaks to either over gRPC. [`Proxy`] and [`Cluster`] stand between a
//! gateway and its database, or are the database. [`Smsc`] is a carrier that speaks SMPP.

mod backup_codes;
mod carrier;
pub mod certs;
mod cluster;
mod database;
mod dev_platform;
mod operator;
mod person;
mod phone;
mod platform;
mod port;
mod process;
mod proxy;
mod settings;
mod smsc;
mod time;
mod tls;

pub use backup_codes::{Codes, NO_CODE};
pub use carrier::{CarriedMessage, FakeCarrier, accepted};
pub use cluster::{Cluster, PGBIN, PGOWNER};
pub use database::{Backend, Database, POSTGRES};
pub use dev_platform::DevPlatform;
pub use person::{App, Person, app_proof, early_in_step, now, pin_proof, reason_of};
pub use phone::Phone;
pub use platform::{Options, TestPlatform, cheap, sms};
pub use port::free_port;
pub use process::{BIN, GatewayProcess, LOG};
pub use proxy::Proxy;
pub use smsc::{PASSWORD, SMSC, SYSTEM_ID, Smsc};
pub use time::{SeededEntropy, TestClock};
pub use tls::TlsClient;

pub use countersign_gateway::{
    Callers, Ceiling, METHODS, MethodLimits, OperationKind, PaymentMethods, Row, Share, methods_of,
};
pub use countersign_mfa::{
    Prices, Settings, SmsSettings,
    ports::sms::{Carriers, MessageState, Outbox, Report, ReportedMessage, Submission},
};
pub use countersign_primitives::{Clock, Timestamp};
pub use countersign_sms_codes::{Countries, PhoneNumber, SendRules};
pub use countersign_sms_text::{TextSettings, Texts};
pub use countersign_spend_guard::{ConversionRules, MoneyRules, Rates, SpendRules};
pub use countersign_storage::Storage;

pub use countersign_client::{
    Client, new_request_id, retry_after, retry_unavailable, step_up_paths, v1,
};
