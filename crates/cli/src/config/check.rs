//! Which values a configuration may have.

use std::{fmt::Display, ops::RangeInclusive};

use countersign_primitives::ExposeSecret;

use super::Config;

/// The most memory for one hash, in KiB: each hashing thread keeps as much. More is a slip.
const MOST_HASH_MEMORY: u32 = 1024 * 1024;

impl Config {
    /// Everything that is wrong, each with its key and what would be right.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut found = Violations::default();
        self.check_places(&mut found);
        self.check_callers(&mut found);
        self.check_hash(&mut found);
        self.check_throttle(&mut found);
        found.within("pin.min_digits", self.pin.min_digits, 6..=12);
        // One is reserved, and a list has room for 32.
        found.within("backup_codes.codes", self.backup_codes.codes, 5..=32);
        let finish = self.backup_codes.finish_within_seconds;
        found.within("backup_codes.finish_within_seconds", finish, 60..=3600);
        let confirmation = &self.confirmation;
        let (approve, redeem) = (
            confirmation.approve_within_seconds,
            confirmation.redeem_within_seconds,
        );
        found.within("confirmation.approve_within_seconds", approve, 30..=3600);
        found.within("confirmation.redeem_within_seconds", redeem, 30..=3600);
        // PSD2 allows five failures in a row, RTS article 4(3)(b).
        found.within("confirmation.attempts", confirmation.attempts, 1..=5);
        let limits = &self.limits;
        found.within("limits.identifiers", limits.identifiers, 1..=16);
        found.within("limits.authenticators", limits.authenticators, 1..=16);
        found.within(
            "limits.requests_at_once",
            limits.requests_at_once,
            16..=100_000,
        );
        found.within(
            "limits.caller_requests_at_once",
            limits.share(),
            1..=limits.requests_at_once,
        );
        found.within("limits.request_seconds", limits.request_seconds, 1..=60);
        found.within("limits.drain_seconds", limits.drain_seconds, 0..=600);
        found.within(
            "limits.pending_enrolments",
            limits.pending_enrolments,
            1..=100,
        );
        found.within(
            "limits.pending_confirmations",
            limits.pending_confirmations,
            1..=100,
        );
        found.within(
            "limits.enrolment_seconds",
            limits.enrolment_seconds,
            60..=3600,
        );
        let failures = limits.enrolment_failures_per_hour;
        found.within("limits.enrolment_failures_per_hour", failures, 1..=100);
        let retention = &self.retention;
        found.within(
            "retention.request_ids_hours",
            retention.request_ids_hours,
            1..=168,
        );
        found.within(
            "retention.confirmations_days",
            retention.confirmations_days,
            1..=3650,
        );
        self.check_sms(&mut found);
        self.check_observed(&mut found);
        found.0
    }

    fn check_places(&self, found: &mut Violations) {
        let url = self.database.url.expose_secret();
        if url.is_empty() {
            found.add(
                "database.url",
                "must be given: `postgres://…` or `sqlite:PATH`",
            );
        } else if !["postgres://", "postgresql://", "sqlite:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            found.add("database.url", "must begin with `postgres://` or `sqlite:`");
        }
        found.within(
            "database.max_connections",
            self.database.max_connections,
            1..=1000,
        );
        if self.keys.file.as_os_str().is_empty() {
            found.add(
                "keys.file",
                "must be given: the path of what `countersign keys init` wrote",
            );
        }
        if self.policy.names_no_file() {
            found.add(
                "policy.file",
                "must be the path of a policy, or be left out for the built-in one",
            );
        }
        let is_plain = !self.issuer.chars().any(char::is_control);
        if !(1..=64).contains(&self.issuer.trim().len()) || !is_plain {
            found.add(
                "issuer",
                "must have 1 to 64 bytes and no control characters",
            );
        }
    }

    fn check_hash(&self, found: &mut Violations) {
        let hash = &self.hash;
        if !hash.cost().is_possible() {
            found.add(
                "hash",
                "is a cost that Argon2 cannot run at: memory_kib must be at least 8 for each \
                 lane, passes and lanes at least 1",
            );
        }
        found.within("hash.memory_kib", hash.memory_kib, 8..=MOST_HASH_MEMORY);
        found.within("hash.passes", hash.passes, 1..=64);
        found.within("hash.lanes", hash.lanes, 1..=64);
        found.within("hash.threads", hash.threads.get(), 1..=1024);
    }

    fn check_throttle(&self, found: &mut Violations) {
        let throttle = &self.throttle;
        // PSD2, RTS article 4(3)(b): at most five failures in a row before a block.
        found.within(
            "throttle.failures_per_lock",
            throttle.failures_per_lock,
            1..=5,
        );
        let (first, longest) = (throttle.first_lock_seconds, throttle.longest_lock_seconds);
        found.within("throttle.first_lock_seconds", first, 1..=86_400);
        found.within(
            "throttle.longest_lock_seconds",
            longest,
            first.min(86_400)..=86_400,
        );
        // NIST SP 800-63B-4 §3.2.2: at most one hundred failures in a row.
        let least_cap = throttle.failures_per_lock.min(100);
        found.within("throttle.cap", throttle.cap, least_cap..=100);
        if let Some([early, late]) = throttle.warn_at
            && !(0 < early && early < late && late < throttle.cap)
        {
            let rule = "must be two numbers, the smaller first, both below throttle.cap";
            found.add("throttle.warn_at", rule);
        }
    }
}

#[derive(Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    pub(super) fn add(&mut self, key: &str, rule: impl Display) {
        self.0.push(format!("`{key}` {rule}"));
    }

    pub(super) fn within<T: PartialOrd + Display>(
        &mut self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            let (least, most) = (range.start(), range.end());
            self.add(
                key,
                format!("must be from {least} to {most}, and is {value}"),
            );
        }
    }
}
