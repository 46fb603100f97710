//! What a database says happened, read behind the product's back and checked against itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use countersign_testkit::Database;
use serde_json::Value;

/// The facts of all subjects, by subject and version.
pub(crate) struct Ledger {
    facts: BTreeMap<String, Vec<Vec<Value>>>,
}

impl Ledger {
    /// Reads it and checks that every change was written whole and once:
    /// - a subject at version n has the events 1 to n, and the records of n requests;
    /// - each confirmation's row is there and in the state that the last fact about it gave it,
    ///   and none was approved or redeemed twice;
    /// - each identifier ever enabled has its row, and it says whether it was disabled.
    pub(crate) fn read(database: &Database) -> Result<Self> {
        let mut ledger = Self {
            facts: BTreeMap::new(),
        };
        let sql = "SELECT subject_id, version, facts FROM event ORDER BY subject_id, version";
        for [subject, version, facts] in rows(database, sql)? {
            let events = ledger.facts.entry(subject.clone()).or_default();
            events.push(serde_json::from_str(&facts)?);
            let is_next = version.parse() == Ok(events.len());
            ensure!(is_next, "{subject}: a gap before event {version}");
        }
        ledger.check_versions(database)?;
        ledger.check_confirmations(database)?;
        ledger.check_identifiers(database)?;
        Ok(ledger)
    }

    /// How many changes a subject has had.
    pub(crate) fn changes(&self, subject: &str) -> usize {
        self.facts.get(subject).map_or(0, Vec::len)
    }

    /// The facts of this name about a subject, in order.
    pub(crate) fn facts<'a>(
        &'a self,
        subject: &str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        let events = self.facts.get(subject).into_iter().flatten();
        events.flatten().filter(move |fact| fact["fact"] == name)
    }

    /// How many facts of this name, and with this value of this field, there are of a subject.
    pub(crate) fn count(&self, subject: &str, name: &str, field: &str, value: &str) -> usize {
        let facts = self.facts(subject, name);
        facts.filter(|fact| fact[field] == value).count()
    }

    /// All subjects that anything happened to.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &str> {
        self.facts.keys().map(String::as_str)
    }

    fn check_versions(&self, database: &Database) -> Result<()> {
        let sql = "SELECT s.subject_id, s.version, count(r.request_id) FROM subject AS s \
            LEFT JOIN request AS r ON r.subject_id = s.subject_id GROUP BY s.subject_id, s.version";
        let subjects = rows(database, sql)?;
        ensure!(
            subjects.len() == self.facts.len(),
            "events without a subject"
        );
        for [subject, version, requests] in subjects {
            let changes = self.changes(&subject);
            ensure!(
                version.parse() == Ok(changes),
                "{subject} is at version {version} and has {changes} events"
            );
            ensure!(
                requests.parse() == Ok(changes),
                "{subject} has {changes} changes by {requests} requests"
            );
        }
        Ok(())
    }

    fn check_confirmations(&self, database: &Database) -> Result<()> {
        let sql = "SELECT subject_id, confirmation_id, state FROM confirmation";
        let mut found = BTreeMap::new();
        for [subject, id, state] in rows(database, sql)? {
            found.insert((subject, hexadecimal(&id)), state);
        }
        let mut told = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (subject, events) in &self.facts {
            for fact in events.iter().flatten() {
                let name = fact["fact"].as_str().unwrap_or_default();
                let state = match name {
                    "CONFIRMATION_CREATED" => "PENDING",
                    "APPROVED" | "FAILED" | "CANCELLED" | "REDEEMED" => name,
                    _ => continue,
                };
                let id = hexadecimal(fact["confirmation"].as_str().unwrap_or_default());
                let is_new = seen.insert((subject, id.clone(), state));
                ensure!(is_new, "{subject}: {id} became {state} twice");
                told.insert((subject.clone(), id), state.to_owned());
            }
        }
        ensure!(told == found, "confirmations are not as their events say");
        Ok(())
    }

    fn check_identifiers(&self, database: &Database) -> Result<()> {
        let sql = "SELECT subject_id, identifier_id, state FROM identifier";
        let mut found = BTreeMap::new();
        for [subject, id, state] in rows(database, sql)? {
            found.insert((subject, hexadecimal(&id)), state);
        }
        let mut told = BTreeMap::new();
        for (subject, events) in &self.facts {
            for fact in events.iter().flatten() {
                let (field, state) = match fact["fact"].as_str().unwrap_or_default() {
                    "ENABLED" => ("identifier", "ENABLED"),
                    "DISABLED" | "LOST_ACCESS" => ("identifier", "DISABLED"),
                    "DISABLED_BY_CAP" => ("authenticator", "CAPPED"),
                    _ => continue,
                };
                let id = hexadecimal(fact[field].as_str().unwrap_or_default());
                if id != "PIN" {
                    told.insert((subject.clone(), id), state.to_owned());
                }
            }
        }
        ensure!(told == found, "identifiers are not as their events say");
        Ok(())
    }
}

/// The rows of a query of so many columns, of which only the last may hold a bar.
fn rows<const N: usize>(database: &Database, sql: &str) -> Result<Vec<[String; N]>> {
    let printed = database.query(sql)?;
    let mut rows = Vec::new();
    for line in printed.lines() {
        let columns: Vec<String> = line.splitn(N, '|').map(str::to_owned).collect();
        let row = <[String; N]>::try_from(columns);
        rows.push(
            row.ok()
                .with_context(|| format!("not {N} columns: {line}"))?,
        );
    }
    Ok(rows)
}

/// An id as text or bytes, in the one form that both have in common.
fn hexadecimal(id: &str) -> String {
    id.trim_start_matches("\\x").replace('-', "")
}
