//! What is told to those who watch a gateway: metrics and traces. Both are off until asked for.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tonic::codegen::http::Uri;

use super::{Config, check::Violations};

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metrics {
    /// An address and a port; empty for none.
    listen: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Traces {
    /// Where traces are sent to; empty for nowhere.
    endpoint: String,
    sample: f64,
}

/// Where traces are sent to, and how many.
#[derive(Debug)]
pub(crate) struct TraceTarget<'a> {
    /// A collector that takes OTLP over gRPC: `http://127.0.0.1:4317`.
    pub(crate) endpoint: &'a str,
    /// Which part of the traces that begin here is sent: 0 to 1.
    pub(crate) sample: f64,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            sample: 1.0,
        }
    }
}

impl Metrics {
    /// Where the pages for operators are shown, if anywhere.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}

impl Traces {
    /// Where traces are sent to, if anywhere.
    pub(crate) fn target(&self) -> Option<TraceTarget<'_>> {
        (!self.endpoint.is_empty()).then_some(TraceTarget {
            endpoint: &self.endpoint,
            sample: self.sample,
        })
    }
}

impl Config {
    pub(super) fn check_observed(&self, found: &mut Violations) {
        let listen = self.metrics.listen();
        if listen.is_none() && !self.metrics.listen.is_empty() {
            found.add(
                "metrics.listen",
                "must be an address and a port such as 127.0.0.1:9464, or be left out",
            );
        }
        if listen.is_some_and(|address| address.port() != 0 && address == self.listen) {
            found.add("metrics.listen", "must be another address than `listen`");
        }
        let is_http = |endpoint: &str| {
            endpoint.parse::<Uri>().is_ok_and(|uri| {
                // A password there would stand in logs and in `config check`.
                let has_user = uri.authority().is_some_and(|at| at.as_str().contains('@'));
                uri.scheme_str() == Some("http")
                    && uri.host().is_some()
                    && uri.path() == "/"
                    && !has_user
            })
        };
        if !self.traces.endpoint.is_empty() && !is_http(&self.traces.endpoint) {
            found.add(
                "traces.endpoint",
                "must be like http://127.0.0.1:4317, or be left out: a collector beside the \
                 gateway, which is spoken to without TLS",
            );
        }
        // Anything but a number between them, such as what is no number.
        if !(0.0..=1.0).contains(&self.traces.sample) {
            found.add("traces.sample", "must be from 0 to 1");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parsed(more: &str) -> anyhow::Result<Config> {
        let text = format!(
            "insecure = true\n[database]\nurl = 'sqlite:c.db'\n[keys]\nfile = 'keys.toml'\n{more}"
        );
        Config::parse(&text, Path::new(""))
    }

    #[test]
    fn nothing_is_told_unless_it_is_asked_for() {
        let config = parsed("").unwrap();
        assert!(!config.reflection);
        assert_eq!(config.metrics.listen(), None);
        assert!(config.traces.target().is_none());
    }

    #[test]
    fn what_is_asked_for_is_told() {
        let config = parsed(
            "[metrics]\nlisten = '[::1]:9464'\n[traces]\nendpoint = 'http://collector:4317'\n\
             sample = 0.25",
        );
        let config = config.unwrap();
        assert_eq!(config.metrics.listen(), "[::1]:9464".parse().ok());
        let target = config.traces.target().unwrap();
        assert_eq!(target.endpoint, "http://collector:4317");
        assert!((target.sample - 0.25).abs() < f64::EPSILON);
        for (sample, expected) in [("0", 0.0), ("1", 1.0)] {
            let config = parsed(&format!("[traces]\nsample = {sample}")).unwrap();
            assert!((config.traces.sample - expected).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn what_cannot_be_told_is_an_error_that_says_what_would_be_right() {
        for (more, key) in [
            ("[metrics]\nlisten = 'localhost'", "metrics.listen"),
            ("[metrics]\nlisten = '9464'", "metrics.listen"),
            ("[metrics]\nlisten = '127.0.0.1:50051'", "metrics.listen"),
            ("[traces]\nendpoint = '127.0.0.1:4317'", "traces.endpoint"),
            (
                "[traces]\nendpoint = 'https://collector:4317'",
                "traces.endpoint",
            ),
            (
                "[traces]\nendpoint = 'http://collector/v1/traces'",
                "traces.endpoint",
            ),
            (
                "[traces]\nendpoint = 'http://user:secret@collector:4317'",
                "traces.endpoint",
            ),
            ("[traces]\nsample = 1.5", "traces.sample"),
            ("[traces]\nsample = -0.1", "traces.sample"),
            ("[traces]\nsample = nan", "traces.sample"),
        ] {
            let error = parsed(more).unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{key}` must be")),
                "{more}: {error}"
            );
        }
    }
}
