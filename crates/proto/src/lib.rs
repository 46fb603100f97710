//! The wire: code generated from `proto/countersign/v1`, checked in.
//!
//! `tests/fresh.rs` proves that it is what the generator makes of the proto files, and writes it
//! anew with `COUNTERSIGN_REGENERATE=1 cargo test -p countersign-proto`. Messages that hold a code,
//! a PIN or a seed have a `Debug` of their own, which shows none of it.

mod redact;

/// The messages and services of the package `countersign.v1`, for clients and servers.
#[allow(
    clippy::allow_attributes,
    reason = "generated code; an expectation would fail wherever the generator needs less"
)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    rustdoc::all,
    reason = "generated code"
)]
pub mod v1 {
    // Included, not a module of its own: rustfmt would follow that, and formatted anew the code is
    // no longer what the generator makes.
    include!("gen/countersign.v1.rs");
}

/// The description of every service, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/countersign_descriptor.bin");
