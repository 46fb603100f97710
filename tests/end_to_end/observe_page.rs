//! A page for Prometheus, read as strictly as it can be.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

/// What a page has: each series with its value.
#[derive(Debug)]
pub(crate) struct Series(BTreeMap<String, f64>);

impl Series {
    /// The value of a series.
    pub(crate) fn get(&self, series: &str) -> Result<f64> {
        let value = self.0.get(series).copied();
        value.with_context(|| format!("there is no {series}"))
    }

    /// The series of a metric that are not zero, as `labels value`.
    pub(crate) fn of(&self, metric: &str) -> BTreeSet<String> {
        let start = format!("{metric}{{");
        let series = self.0.iter().filter(|(_, value)| **value != 0.0);
        series
            .filter_map(|(name, value)| {
                let labels = name.strip_prefix(&start)?.strip_suffix('}')?;
                Some(format!("{} {value}", labels.replace('"', "")))
            })
            .collect()
    }
}

/// Reads a page as Prometheus does, and more strictly: each metric has its help and its type before
/// its series, no series comes twice, and the buckets of a histogram only grow.
pub(crate) fn read(page: &str) -> Result<Series> {
    let mut series = BTreeMap::new();
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeMap::new());
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (metric, text) = help.split_once(' ').context("a text")?;
            ensure!(text.ends_with('.'), "{line}");
            ensure!(helped.insert(metric.to_owned()), "twice: {line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (metric, kind) = kind.split_once(' ').context("a type")?;
            ensure!(helped.contains(metric), "no help: {line}");
            ensure!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            ensure!((kind == "counter") == metric.ends_with("_total"), "{line}");
            let again = typed.insert(metric.to_owned(), kind.to_owned());
            ensure!(again.is_none(), "twice: {line}");
        } else {
            let (name, value) = line.rsplit_once(' ').context("a value")?;
            let value: f64 = value.parse()?;
            ensure!(value >= 0.0, "{line}");
            let metric = well_formed(name)?;
            let of_histogram = ["_bucket", "_sum", "_count"]
                .into_iter()
                .filter_map(|suffix| metric.strip_suffix(suffix))
                .any(|metric| typed.get(metric).is_some_and(|kind| kind == "histogram"));
            let is_plain = typed.get(metric).is_some_and(|kind| kind != "histogram");
            ensure!(is_plain || of_histogram, "no type: {line}");
            let again = series.insert(name.to_owned(), value);
            ensure!(again.is_none(), "twice: {line}");
        }
    }
    let has_series = |metric: &String| {
        let starts = |name: &String| name.starts_with(metric.as_str());
        series.keys().any(starts)
    };
    ensure!(typed.keys().all(has_series), "{typed:?}");
    buckets_grow(page, &series)?;
    Ok(Series(series))
}

/// The name of a series' metric, if its labels are right.
fn well_formed(series: &str) -> Result<&str> {
    let is_name = |name: &str| {
        let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.bytes().all(fit)
    };
    let (metric, labels) = match series.split_once('{') {
        None => (series, None),
        Some((metric, rest)) => (metric, Some(rest.strip_suffix('}').context("an end")?)),
    };
    ensure!(
        is_name(metric) && metric.starts_with("countersign_"),
        "{series}"
    );
    for label in labels.into_iter().flat_map(|labels| labels.split(',')) {
        let (name, value) = label.split_once('=').context("a label")?;
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        let value = value.context("quotes")?;
        let is_plain = !value.contains(['"', '\\', '\n', '{', '}']);
        ensure!(is_name(name) && is_plain, "{series}");
    }
    Ok(metric)
}

fn buckets_grow(page: &str, series: &BTreeMap<String, f64>) -> Result<()> {
    let mut last = ("", 0.0);
    for line in page.lines().filter(|line| line.contains("_bucket{")) {
        let (name, value) = line.rsplit_once(' ').context("a value")?;
        let (of, bound) = name.rsplit_once("le=").context("a bound")?;
        let value: f64 = value.parse()?;
        ensure!(of != last.0 || value >= last.1, "{line}");
        if bound == "\"+Inf\"}" {
            let count = of.replace("_bucket{", "_count{");
            let count = match count.trim_end_matches(',') {
                none if none.ends_with('{') => none.trim_end_matches('{').to_owned(),
                some => format!("{some}}}"),
            };
            ensure!(series.get(&count) == Some(&value), "{line}");
        }
        last = (of, value);
    }
    Ok(())
}
