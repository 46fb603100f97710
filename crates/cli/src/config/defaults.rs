//! What is in force where a configuration says nothing: the numbers of the design.

use super::*;

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            insecure: false,
            tls: None,
            callers: BTreeMap::new(),
            issuer: Settings::default().issuer,
            database: Database::default(),
            keys: Keys::default(),
            policy: Policy::default(),
            pin: Pin::default(),
            backup_codes: BackupCodes::default(),
            hash: Hash::default(),
            throttle: Throttle::default(),
            confirmation: Confirmation::default(),
            limits: Limits::default(),
            sms: Sms::default(),
            retention: Retention::default(),
            reflection: false,
            log: Log::default(),
            metrics: Metrics::default(),
            traces: Traces::default(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: SecretString::from(""),
            max_connections: 16,
        }
    }
}

impl Default for Pin {
    fn default() -> Self {
        let min_digits = Settings::default().pin.min_digits;
        Self { min_digits }
    }
}

impl Default for BackupCodes {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            codes: settings.backup_codes,
            finish_within_seconds: settings.limits.code_list_life.as_secs(),
        }
    }
}

impl Default for Hash {
    fn default() -> Self {
        let HashCost {
            memory_kib,
            passes,
            lanes,
        } = Settings::default().hash_cost;
        Self {
            memory_kib,
            passes,
            lanes,
            threads: Self::default_threads(),
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        let rules = ThrottleRules::default();
        Self {
            failures_per_lock: rules.failures_per_lock,
            first_lock_seconds: rules.first_lock.as_secs(),
            longest_lock_seconds: rules.longest_lock.as_secs(),
            cap: rules.cap,
            warn_at: None,
        }
    }
}

impl Default for Confirmation {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            approve_within_seconds: settings.approve_within.as_secs(),
            redeem_within_seconds: settings.redeem_within.as_secs(),
            attempts: settings.attempts,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let limits = Settings::default().limits;
        Self {
            identifiers: limits.identifiers,
            authenticators: limits.authenticators,
            phone_numbers: limits.numbers,
            pending_enrolments: limits.pending_enrolments,
            pending_confirmations: limits.pending_confirmations,
            enrolment_seconds: limits.enrolment_life.as_secs(),
            enrolment_failures_per_hour: limits.enrolment_failures,
            requests_at_once: Settings::default().requests_at_once,
            caller_requests_at_once: None,
            caller_requests_per_second: CALLER_REQUESTS_PER_SECOND,
            request_seconds: REQUEST.as_secs(),
            drain_seconds: DRAIN.as_secs(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            request_ids_hours: 24,
            confirmations_days: 30,
        }
    }
}
