//! Bad input, driven by the descriptors: every field of every request with everything that can be
//! wrong with it, and bytes that are no request at all.

mod bad;
mod baseline;
mod free;
mod gateway;
mod transport;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use countersign_testkit::{BIN, Backend};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor};

use self::{
    bad::{Bad, Place, places},
    baseline::{Baseline, baselines, path},
    free::FREE,
    gateway::{Answer, Gateway},
};
use crate::harness::Suite;

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "bad_input::every_bad_field_of_every_request_is_named_and_nothing_is_stored",
        each,
    );
    suite.on_each_backend_with(
        &[BIN],
        "bad_input::all_that_is_bad_in_a_request_is_named_at_once",
        at_once,
    );
    suite.on_each_backend_with(
        &[BIN],
        "bad_input::what_is_no_request_is_refused_and_the_process_lives",
        transport::refused,
    );
}

/// The most failures that are told.
const TOLD: usize = 40;

/// A request that is bad in one place.
struct Trial {
    method: String,
    place: Place,
    bad: Bad,
    bytes: Vec<u8>,
}

impl Trial {
    fn name(&self) -> String {
        format!("{} {}: {}", self.method, self.place.path, self.bad.name)
    }

    /// What is wrong with the answer, if anything.
    fn judge(&self, answer: &Answer) -> Option<String> {
        let name = self.name();
        match answer {
            Answer::Refused(fields) if self.bad.is_unreadable => {
                // Another value of the same wire type can be read; then the field is named.
                let is_named = fields.iter().all(|field| field == &self.place.path);
                (!is_named).then(|| format!("{name}: {fields:?} are named"))
            }
            Answer::Refused(fields) => {
                // A whole that makes no sense is named where its parts are right.
                let is_it = |field: &String| {
                    is_within(field, &self.place.path) || is_within(&self.place.path, field)
                };
                let is_named = !fields.is_empty() && fields.iter().all(is_it);
                (!is_named).then(|| format!("{name}: {fields:?} are named"))
            }
            Answer::Other(other) => Some(format!(
                "{name}: it is not refused, but {other} (if any value is right, {} needs a row in \
                 free.rs)",
                self.place.name
            )),
        }
    }
}

/// Whether a path is another one, or a part of it.
fn is_within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']) || whole.is_empty())
}

/// Every trial, each once for a method.
fn trials(baselines: &[Baseline]) -> Vec<Trial> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for Baseline { method, message } in baselines {
        for place in places(message) {
            for bad in place.bads() {
                let key = (
                    path(method),
                    place.path.clone(),
                    place.name.clone(),
                    bad.name,
                );
                if !seen.insert(key) {
                    continue;
                }
                let mut spoilt = message.clone();
                let suffix = place.spoil(&mut spoilt, &bad);
                let mut bytes = spoilt.encode_to_vec();
                bytes.extend(suffix);
                all.push(Trial {
                    method: path(method),
                    place: place.clone(),
                    bad,
                    bytes,
                });
            }
        }
    }
    all
}

/// That every field of every message that a request can hold has a trial, and every method.
fn require_all(baselines: &[Baseline], trials: &[Trial]) -> Result<()> {
    let tried: BTreeSet<&str> = trials
        .iter()
        .map(|trial| trial.place.name.as_str())
        .collect();
    let mut messages: Vec<MessageDescriptor> = Vec::new();
    messages.extend(baselines.iter().map(|baseline| baseline.method.input()));
    let mut seen = BTreeSet::new();
    while let Some(message) = messages.pop() {
        if !seen.insert(message.full_name().to_owned()) {
            continue;
        }
        for field in message.fields() {
            let name = format!("{}.{}", message.name(), field.name());
            let is_tried = tried.contains(name.as_str());
            match field.kind() {
                // One without fields can be wrong in nothing but which it is.
                Kind::Message(inner) if !field.is_map() => {
                    ensure!(is_tried || inner.fields().len() == 0, "{name} is not tried");
                    messages.push(inner);
                }
                _ => ensure!(is_tried, "{name} is not tried"),
            }
        }
    }
    Ok(())
}

/// The right requests of what `serve` has: DevService is of `dev` alone.
fn served(pool: &DescriptorPool) -> Vec<Baseline> {
    let mut all = baselines(pool);
    all.retain(|baseline| baseline.method.parent_service().name() != "DevService");
    all
}

async fn each(backend: Backend) -> Result<()> {
    let gateway = Gateway::start(backend).await?;
    let baselines = served(&gateway.pool);
    let trials = trials(&baselines);
    require_all(&baselines, &trials)?;
    let find = |trial: &Trial| free::find(&trial.place.name, trial.bad.name);
    let (free, bad): (Vec<_>, Vec<_>) = trials.iter().partition(|trial| find(trial).is_some());

    let before = gateway.rows()?;
    let mut wrong = Vec::new();
    for trial in &bad {
        let answer = gateway.call(&trial.method, trial.bytes.clone()).await;
        wrong.extend(trial.judge(&answer));
    }
    if wrong.is_empty() {
        ensure!(gateway.rows()? == before, "bad input was stored");
    }
    // What is listed as free must be so, or the list hides what it should not.
    let mut rows = BTreeMap::new();
    for trial in &free {
        let answer = gateway.call(&trial.method, trial.bytes.clone()).await;
        let is_right = matches!(answer, Answer::Other(_));
        *rows.entry(find(trial)).or_insert(false) |= is_right;
    }
    for (number, free) in FREE.iter().enumerate() {
        if rows.get(&Some(number)) != Some(&true) {
            wrong.push(format!("{} is not free ({})", free.field, free.reason));
        }
    }
    for Baseline { method, message } in &baselines {
        let answer = gateway.call(&path(method), message.encode_to_vec()).await;
        if let Answer::Refused(fields) = answer {
            wrong.push(format!(
                "{}: a right request: {fields:?}: {message}",
                path(method)
            ));
        }
    }
    let told = wrong
        .iter()
        .take(TOLD)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    ensure!(
        wrong.is_empty(),
        "{} of {}:\n{told}",
        wrong.len(),
        trials.len()
    );
    gateway.require_alive().await
}

async fn at_once(backend: Backend) -> Result<()> {
    let gateway = Gateway::start(backend).await?;
    let before = gateway.rows()?;
    let baselines = served(&gateway.pool);
    let mut most = 0;
    for Baseline { method, message } in &baselines {
        let method = path(method);
        // One thing that is wrong at each place whose parts are not tried themselves.
        let mut spoilt: DynamicMessage = message.clone();
        let mut expected = BTreeSet::new();
        for place in places(message).into_iter().filter(Place::is_leaf) {
            for bad in place.bads() {
                if bad.is_unreadable || free::find(&place.name, bad.name).is_some() {
                    continue;
                }
                let mut alone = message.clone();
                place.spoil(&mut alone, &bad);
                let Answer::Refused(fields) = gateway.call(&method, alone.encode_to_vec()).await
                else {
                    continue;
                };
                expected.extend(fields);
                place.spoil(&mut spoilt, &bad);
                break;
            }
        }
        let answer = gateway.call(&method, spoilt.encode_to_vec()).await;
        let Answer::Refused(fields) = answer else {
            anyhow::bail!("{method}: all is bad, and it is not refused: {spoilt}");
        };
        let told: BTreeSet<_> = fields.iter().cloned().collect();
        ensure!(
            fields.len() == told.len(),
            "{method}: named twice: {fields:?}"
        );
        ensure!(
            told == expected,
            "{method}: {told:?} are named, and alone it was {expected:?}: {spoilt}"
        );
        most = most.max(told.len());
    }
    ensure!(most >= 5, "never more than {most} fields at once");
    ensure!(gateway.rows()? == before, "bad input was stored");
    gateway.require_alive().await
}
