//! What is counted of providers, for Prometheus. Their names are the configuration's.

use countersign_mfa::ports::sms::{ProviderName, Submission};
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// Every outcome of a submission.
const OUTCOMES: [&str; 7] = [
    "accepted",
    "unreachable",
    "throttled",
    "refused",
    "bad_number",
    "cut",
    "timed_out",
];

/// The counters of a provider.
pub(crate) struct Counts {
    submissions: [Counter; OUTCOMES.len()],
    up: Gauge,
}

impl Counts {
    /// All at zero, and up.
    pub(crate) fn new(provider: &ProviderName) -> Self {
        let label = || provider.as_str().to_owned();
        let counts = Self {
            submissions: OUTCOMES.map(|outcome| {
                let name = "countersign_sms_submissions_total";
                let counter = counter!(name, "provider" => label(), "outcome" => outcome);
                counter.absolute(0);
                counter
            }),
            up: gauge!("countersign_sms_provider_up", "provider" => label()),
        };
        counts.up(true);
        counts
    }

    /// Counts a submission.
    pub(crate) fn submitted(&self, outcome: &Submission) {
        let place = match outcome {
            Submission::Accepted { .. } => 0,
            Submission::Unreachable(_) => 1,
            Submission::Throttled(_) => 2,
            Submission::Refused(_) => 3,
            Submission::BadNumber(_) => 4,
            Submission::Cut(_) => 5,
            Submission::TimedOut => 6,
        };
        self.submissions[place].increment(1);
    }

    /// Whether the provider is tried in its turn, or put last.
    pub(crate) fn up(&self, is_up: bool) {
        self.up.set(u32::from(is_up));
    }
}

/// Counts a webhook that has come.
pub(crate) fn webhook(provider: &str, outcome: &'static str) {
    let provider = provider.to_owned();
    counter!("countersign_sms_webhooks_total", "provider" => provider, "outcome" => outcome)
        .increment(1);
}

/// Says what is counted.
pub(crate) fn describe() {
    describe_counter!(
        "countersign_sms_submissions_total",
        Unit::Count,
        "Messages that were given to a provider, and what came of it."
    );
    describe_gauge!(
        "countersign_sms_provider_up",
        Unit::Count,
        "Whether a provider is tried in its turn: 0 where failures in a row have put it last."
    );
    describe_counter!(
        "countersign_sms_webhooks_total",
        Unit::Count,
        "Requests to the webhooks of providers, and what became of them."
    );
}
