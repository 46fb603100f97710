//! What is counted of requests, for Prometheus.
//!
//! No label ever has a value without bounds: a method is one of ours or `unknown`, and of callers
//! the first few have their names. Nothing here tells of a subject.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use countersign_mfa::Caller;
use metrics::{
    Gauge, SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tonic::Code;

use crate::{outcome::code_name, target::Target};

/// How many callers have a label of their own. A table of callers is shorter; where callers are
/// taken at their word they can call themselves anything.
const MOST_CALLERS: usize = 64;

/// The longest name that is a label, in bytes.
const LONGEST_CALLER: usize = 256;

/// Upper bounds of what a request takes, in seconds: from one round trip to the longest deadline that
/// can be configured.
const DURATIONS: [f64; 15] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Upper bounds of a wait for a turn, in seconds: hardly any, to as long as there is patience.
const WAITS: [f64; 10] = [
    0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5,
];

const IN_FLIGHT: &str = "countersign_requests_in_flight";

/// Reasons of errors that say that there was no room.
const NO_ROOM: [(&str, &str); 5] = [
    ("SERVER_BUSY", "server_busy"),
    ("SUBJECT_BUSY", "subject_busy"),
    ("HASH_POOL_BUSY", "hash_pool_busy"),
    ("CALLER_BUSY", "caller_busy"),
    ("TOO_MANY_WATCHERS", "too_many_watchers"),
];

/// The metrics of this process. There are none until this is made.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) page: PrometheusHandle,
    callers: Arc<Mutex<HashSet<Arc<str>>>>,
    /// Whether nobody else gets a label.
    is_closed: bool,
}

/// Requests cannot be counted.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be collected")]
pub struct MetricsError(#[source] BuildError);

impl Metrics {
    /// Begins to collect: what was made before, such as a platform, stays uncounted.
    ///
    /// # Errors
    /// When this process collects already.
    pub fn collect() -> Result<Self, MetricsError> {
        let builder = || {
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".into()), &DURATIONS)?
                .set_buckets_for_metric(Matcher::Suffix("_wait_seconds".into()), &WAITS)?
                .install_recorder()
        };
        let page = builder().map_err(MetricsError)?;
        describe();
        gauge!("countersign_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        gauge!(IN_FLIGHT).set(0.0);
        for (_, reason) in NO_ROOM {
            counter!("countersign_requests_refused_total", "reason" => reason).absolute(0);
        }
        Ok(Self {
            page,
            callers: Arc::default(),
            is_closed: false,
        })
    }

    /// Counts a request that has come, until what is returned is dropped.
    pub(crate) fn came() -> InFlight {
        let gauge = gauge!(IN_FLIGHT);
        gauge.increment(1.0);
        InFlight(gauge)
    }

    /// Counts a request that has ended. Streams take as long as they are wanted: their time is no
    /// measure of anything.
    pub(crate) fn ended(
        &self,
        target: &Target,
        caller: Option<&Caller>,
        code: Code,
        reason: Option<&str>,
        took: Duration,
    ) {
        let method = match target {
            Target::Ours(row) => row.name,
            Target::Unknown(_) => "unknown",
            Target::Standard(_) => return,
        };
        let caller = self.label(caller);
        counter!(
            "countersign_requests_total",
            "method" => method,
            "caller" => caller.clone(),
            "code" => code_name(code),
        )
        .increment(1);
        if !target.is_stream() {
            let name = "countersign_request_duration_seconds";
            histogram!(name, "method" => method, "caller" => caller).record(took);
        }
        let no_room = NO_ROOM
            .into_iter()
            .find(|(known, _)| Some(*known) == reason);
        if let Some((_, reason)) = no_room {
            counter!("countersign_requests_refused_total", "reason" => reason).increment(1);
        }
    }

    /// With labels for these callers and for nobody else.
    pub(crate) fn for_callers<'a>(self, names: impl Iterator<Item = &'a str>) -> Self {
        let names = names
            .filter(|name| name.len() <= LONGEST_CALLER)
            .map(Arc::from);
        Self {
            callers: Arc::new(Mutex::new(names.collect())),
            is_closed: true,
            ..self
        }
    }

    /// What a caller is called.
    fn label(&self, caller: Option<&Caller>) -> SharedString {
        let Some(caller) = caller.map(Caller::as_str) else {
            return SharedString::const_str("unknown");
        };
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = callers.get(caller) {
            return SharedString::from_shared(Arc::clone(known));
        }
        if self.is_closed || callers.len() >= MOST_CALLERS || caller.len() > LONGEST_CALLER {
            return SharedString::const_str("other");
        }
        let new = Arc::<str>::from(caller);
        callers.insert(Arc::clone(&new));
        SharedString::from_shared(new)
    }
}

/// A request that is at work.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn describe() {
    describe_gauge!(
        "countersign_build_info",
        Unit::Count,
        "The version that runs; always 1."
    );
    describe_counter!(
        "countersign_requests_total",
        Unit::Count,
        "Requests and streams that have ended, without those of health and reflection."
    );
    describe_histogram!(
        "countersign_request_duration_seconds",
        Unit::Seconds,
        "From when a request came until it was answered; streams are left out."
    );
    describe_gauge!(IN_FLIGHT, Unit::Count, "Requests that are being answered.");
    describe_counter!(
        "countersign_requests_refused_total",
        Unit::Count,
        "Requests that were told to come again since there was no room for them, and where."
    );
    describe_gauge!(
        "countersign_database_up",
        Unit::Count,
        "Whether the database answered when it was last asked: 1 or 0."
    );
    describe_gauge!(
        "countersign_database_connections_open",
        Unit::Count,
        "Open connections to the database."
    );
    describe_gauge!(
        "countersign_database_connections_busy",
        Unit::Count,
        "Connections to the database that are in use."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_few_values_whatever_callers_call_themselves() {
        // The one test of this crate that collects: a process does so once.
        let metrics = Metrics::collect().unwrap();
        assert!(Metrics::collect().is_err());
        let took = Duration::from_millis(3);
        let long = "x".repeat(LONGEST_CALLER + 1);
        for number in 0..1000 {
            let caller = Caller::parse(&format!("caller-{number}")).unwrap();
            let target = Target::at(&format!("/method-{number}"));
            metrics.ended(&target, Some(&caller), Code::Unimplemented, None, took);
        }
        let set = Target::at("/countersign.v1.PinService/Set");
        let caller = Caller::parse(&long).unwrap();
        metrics.ended(&set, Some(&caller), Code::Ok, None, took);
        metrics.ended(
            &set,
            None,
            Code::ResourceExhausted,
            Some("SERVER_BUSY"),
            took,
        );
        let health = Target::at("/grpc.health.v1.Health/Check");
        metrics.ended(&health, None, Code::Ok, None, took);

        let page = metrics.page.render();
        let lines = |name: &str| page.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(lines("countersign_requests_total{"), MOST_CALLERS + 3);
        assert_eq!(
            lines("countersign_request_duration_seconds_bucket{"),
            (MOST_CALLERS + 3) * (DURATIONS.len() + 1)
        );
        for line in [
            "countersign_requests_total{method=\"unknown\",caller=\"caller-63\",code=\"UNIMPLEMENTED\"} 1",
            "countersign_requests_total{method=\"unknown\",caller=\"other\",code=\"UNIMPLEMENTED\"} 936",
            "countersign_requests_total{method=\"PinService.Set\",caller=\"other\",code=\"OK\"} 1",
            "countersign_requests_total{method=\"PinService.Set\",caller=\"unknown\",code=\"RESOURCE_EXHAUSTED\"} 1",
            "countersign_requests_refused_total{reason=\"server_busy\"} 1",
            "countersign_requests_refused_total{reason=\"hash_pool_busy\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}:\n{page}");
        }
        let busy = Metrics::came();
        let in_flight = |count: u32| {
            let line = format!("countersign_requests_in_flight {count}");
            let page = metrics.page.render();
            assert!(page.lines().any(|found| found == line), "{line}:\n{page}");
        };
        in_flight(1);
        drop(busy);
        in_flight(0);
    }
}
