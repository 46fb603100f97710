//! The numbers, all of them settings; the defaults are the design's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use countersign_pin::PinRules;
use countersign_policy::Policy;
use countersign_primitives::{HashCost, ThrottleRules};
use countersign_security_identifiers::Limits;

use crate::{Caller, SmsSettings};

/// Everything about the use cases that an operator may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name that authenticator apps show above the account.
    pub issuer: String,
    /// How long a PIN may be.
    pub pin: PinRules,
    /// The cost of new Argon2id hashes; a PIN is hashed anew at its next success when it changes.
    pub hash_cost: HashCost,
    /// How many codes a new list of backup codes has: at most
    /// [`countersign_backup_codes::MAX_CODES`].
    pub backup_codes: usize,
    /// Which operation takes which stages.
    pub policy: Policy,
    /// When failures lock and disable.
    pub throttle: ThrottleRules,
    /// How much one subject may have.
    pub limits: Limits,
    /// How long a confirmation may stay pending.
    pub approve_within: Duration,
    /// How long an approved confirmation may wait to be redeemed.
    pub redeem_within: Duration,
    /// Rejected calls that one confirmation survives, less one.
    pub attempts: u32,
    /// How long a request id is remembered.
    pub request_life: Duration,
    /// Who may act on whose confirmations, beside its own.
    pub grants: Grants,
    /// Codes sent by SMS; none are sent where it is `None`.
    pub sms: Option<Arc<SmsSettings>>,
    /// How many requests may be at work at once, those not counted whose PIN is being hashed.
    pub requests_at_once: usize,
}

/// Callers that may get, prove, cancel and redeem what other callers created. Nobody may, but those
/// that are named here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<Caller, BTreeSet<String>>);

impl Grants {
    /// Lets a caller act on the confirmations of another one.
    pub fn add(&mut self, caller: Caller, creator: &Caller) {
        let creators = self.0.entry(caller).or_default();
        creators.insert(creator.as_str().to_owned());
    }

    /// Whether a caller may act on what the creator of this name created.
    pub(crate) fn allow(&self, caller: &Caller, creator: &str) -> bool {
        let is_granted = |creators: &BTreeSet<String>| creators.contains(creator);
        caller.as_str() == creator || self.0.get(caller).is_some_and(is_granted)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "Countersign".to_owned(),
            pin: PinRules::default(),
            hash_cost: HashCost::OWASP,
            backup_codes: 10,
            policy: Policy::default(),
            throttle: ThrottleRules::default(),
            limits: Limits::default(),
            approve_within: Duration::from_secs(5 * 60),
            redeem_within: Duration::from_secs(5 * 60),
            attempts: 5,
            request_life: Duration::from_secs(24 * 60 * 60),
            grants: Grants::default(),
            sms: None,
            requests_at_once: 128,
        }
    }
}
