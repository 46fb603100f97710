//! Which stages an operation asks for, or why it is refused.
//!
//! Pure: the registry and the instant are arguments. A [`Policy`] is read from a TOML file, whose
//! language is described in the comments of [`DEFAULT_POLICY`], and is an ordered list of rules.
//! The first rule that matches an operation decides about it ([`Policy::rule`]); one that no rule
//! matches is refused. For a settings change the registry makes the paths, and a policy may only
//! add stages to those ([`Policy::add_to_settings`]).
//!
//! What a subject has switched on narrows what a rule allows, and never widens it.
//!
//! # Adding a condition
//! 1. Give [`Case`] what it looks at, and `Rule` a field; let `Rule::matches` compare them.
//! 2. Read its key in `file::rule`.
//! 3. Count it in `file::reach`, so that a rule that cannot be reached is still found.
//! 4. Say it in `explain`, and describe it in `default_policy.toml`.

mod decide;
mod error;
mod explain;
mod file;
mod policy;
mod words;

#[cfg(test)]
mod sample;

pub use decide::{Case, Missing, Operation, Ruling};
pub use error::PolicyError;
pub use policy::{DEFAULT_POLICY, Policy};
