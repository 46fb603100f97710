//! End-to-end tests: through the real gRPC edge, on the real databases.
//!
//! A binary with its own `main`, so that it can say what it left out where a server or a tool is
//! missing. `tests/run` gives it everything; alone it runs what needs no server.

mod backup_code_races;
mod backup_code_use;
mod backup_codes;
mod budgets;
mod callers;
mod campaign;
mod confirmed_settings;
mod counting;
mod crash;
mod deadlines;
mod dev_certs;
mod disabling;
mod edge;
mod enrolment;
mod enrolment_limits;
mod errors;
mod events;
mod exactly_once;
mod fail_closed;
mod harness;
mod hostile;
mod idempotency;
mod key_files;
mod ledger;
mod lifetimes;
mod listing;
mod load;
mod login;
mod meter;
mod model;
mod mutual_tls;
mod oathtool;
mod operators;
mod overload;
mod ownership;
mod pin;
mod policy_file;
mod proofs;
mod purposes;
mod races;
mod rehash;
mod repeats;
mod rotation;
mod rust_clients;
mod secrets;
mod story;
mod throttle;
mod uniform;
mod uniform_codes;
mod withdrawal;
mod world;

use std::process::ExitCode;

use harness::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::default();
    login::add(&mut suite);
    withdrawal::add(&mut suite);
    lifetimes::add(&mut suite);
    ownership::add(&mut suite);
    confirmed_settings::add(&mut suite);
    enrolment::add(&mut suite);
    enrolment_limits::add(&mut suite);
    oathtool::add(&mut suite);
    backup_codes::add(&mut suite);
    backup_code_use::add(&mut suite);
    backup_code_races::add(&mut suite);
    purposes::add(&mut suite);
    disabling::add(&mut suite);
    operators::add(&mut suite);
    pin::add(&mut suite);
    throttle::add(&mut suite);
    proofs::add(&mut suite);
    uniform::add(&mut suite);
    uniform_codes::add(&mut suite);
    rehash::add(&mut suite);
    repeats::add(&mut suite);
    errors::add(&mut suite);
    hostile::add(&mut suite);
    listing::add(&mut suite);
    events::add(&mut suite);
    story::add(&mut suite);
    policy_file::add(&mut suite);
    edge::add(&mut suite);
    deadlines::add(&mut suite);
    mutual_tls::add(&mut suite);
    callers::add(&mut suite);
    rotation::add(&mut suite);
    dev_certs::add(&mut suite);
    rust_clients::add(&mut suite);
    exactly_once::add(&mut suite);
    counting::add(&mut suite);
    idempotency::add(&mut suite);
    races::add(&mut suite);
    crash::add(&mut suite);
    fail_closed::add(&mut suite);
    budgets::add(&mut suite);
    overload::add(&mut suite);
    key_files::add(&mut suite);
    secrets::add(&mut suite);
    model::add(&mut suite);
    suite.run()
}
