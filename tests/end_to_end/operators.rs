//! What operators do beside unlocking: take apps over, make a restored database safe, erase people.

mod commands;
mod doctor;
mod erase;
mod import;
mod restore;

use crate::harness::Suite;

/// Every table of subjects.
const TABLES: [&str; 7] = [
    "subject",
    "confirmation",
    "event",
    "request",
    "identifier",
    "message",
    "number_user",
];

/// What subjects share.
const SHARED: &str = "spend";

/// Adds the tests of this folder.
pub(crate) fn add(suite: &mut Suite) {
    import::add(suite);
    restore::add(suite);
    erase::add(suite);
    commands::add(suite);
    doctor::add(suite);
}
