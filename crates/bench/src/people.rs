//! People by the hundred thousand: made by the real use cases, loaded in bulk.

use std::{fmt::Write as _, thread};

use anyhow::{Context, Result, anyhow};
use countersign_keyring::Keyring;
use countersign_mfa::{
    Settings,
    ports::{Change, SubjectRow},
};
use countersign_primitives::{Clock, SubjectId, SystemClock, Timestamp};
use countersign_workload::{Maker, after};

use crate::{crowd::Ready, gateway::CALLER, server::Server};

/// The number of the first subject; all have as many digits.
pub(crate) const FIRST: u64 = 1_000_000_000_000;

/// How many people, and with how much of a past.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) people: u64,
    /// Earlier logins of each: a finished confirmation and two events.
    pub(crate) logins: u64,
    /// Confirmations of each that await a code.
    pub(crate) open: u64,
}

/// A row of each table, as text for COPY.
#[derive(Default)]
struct Rows {
    subject: String,
    confirmation: String,
    event: String,
    request: String,
    identifier: String,
}

/// The settings of the gateways under test.
pub(crate) fn settings() -> Settings {
    Settings {
        approve_within: std::time::Duration::from_secs(3600),
        ..Settings::default()
    }
}

/// Makes people and loads them into an empty database with the product's schema.
pub(crate) fn load(
    server: &Server,
    database: &str,
    keyring: &Keyring,
    size: Size,
) -> Result<Vec<Ready>> {
    let workers = thread::available_parallelism()?.get() as u64;
    let ready = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|worker| {
                let numbers = size.people * worker / workers..size.people * (worker + 1) / workers;
                scope.spawn(move || load_some(server, database, keyring, size, numbers))
            })
            .collect();
        let mut ready = Vec::new();
        for worker in workers {
            let some = worker.join().map_err(|_| anyhow!("a loader panicked"))??;
            ready.extend(some);
        }
        anyhow::Ok(ready)
    })?;
    server.sql(database, "VACUUM (ANALYZE)")?;
    server.sql(database, "CHECKPOINT")?;
    Ok(ready)
}

fn load_some(
    server: &Server,
    database: &str,
    keyring: &Keyring,
    size: Size,
    numbers: std::ops::Range<u64>,
) -> Result<Vec<Ready>> {
    const BATCH: u64 = 2000;
    let mut maker = Maker::new(keyring.clone(), settings(), CALLER)?;
    let mut ready = Vec::new();
    let mut psql = server.psql(database)?;
    let mut next = numbers.start;
    while next < numbers.end {
        let end = numbers.end.min(next + BATCH);
        let mut rows = Rows::default();
        for number in next..end {
            somebody(&mut maker, number, size, &mut rows, &mut ready)?;
        }
        if let Err(error) = rows.send(psql.input()?) {
            // Where psql has ended, what it said tells more than the pipe it broke.
            psql.finish()?;
            return Err(error);
        }
        next = end;
    }
    psql.finish()?;
    Ok(ready)
}

/// Makes one person, with rows and confirmations.
fn somebody(
    maker: &mut Maker,
    number: u64,
    size: Size,
    rows: &mut Rows,
    ready: &mut Vec<Ready>,
) -> Result<()> {
    let now = SystemClock.now();
    let subject = SubjectId::parse((FIRST + number).to_string())?;
    let (person, mut row) = maker.person(subject, now)?;
    let id = hex(person.identifier.as_bytes());
    writeln!(
        rows.identifier,
        "{}\t{id}\tTOTP\tAuthenticator app\tENABLED\t{now}\t{now}\t\\N",
        person.subject.as_str(),
        now = now.as_millis()
    )?;
    for login in 0..size.logins {
        // Its bytes are those of a login that is open, which nobody asks for again.
        let past = Timestamp::from_millis(now.as_millis() - 86_400_000);
        let opened = maker.open(&person, row.clone(), past)?;
        row.version = 5 + 2 * i64::try_from(login)?;
        rows.confirmation(&opened.change, "REDEEMED")?;
        rows.event(&opened.change, row.version - 1)?;
        rows.event(&opened.change, row.version)?;
    }
    for turn in 0..i64::try_from(size.open)? {
        let opened = maker.open(&person, row.clone(), now)?;
        row = after(&row, &opened.change);
        rows.confirmation(&opened.change, "PENDING")?;
        rows.event(&opened.change, row.version)?;
        rows.request(&opened.change)?;
        // A code counts a step before and after its own: three at any time.
        let shift = turn - i64::from(size.open > 1);
        ready.push(Ready::new(&person, opened.confirmation, shift));
    }
    rows.subject(person.subject.as_str(), &row, now)
}

impl Rows {
    fn subject(&mut self, subject: &str, row: &SubjectRow, now: Timestamp) -> Result<()> {
        writeln!(
            self.subject,
            "{subject}\t{}\t{}\t{}\t{}",
            row.version,
            now.as_millis(),
            hex(&row.secrets),
            hex(&row.counters)
        )?;
        Ok(())
    }

    fn confirmation(&mut self, change: &Change, state: &str) -> Result<()> {
        let confirmation = change.confirmation.as_ref().context("no confirmation")?;
        writeln!(
            self.confirmation,
            "{}\t{}\t{}\t{state}\t{}",
            change.subject.as_str(),
            hex(confirmation.id.as_bytes()),
            confirmation.created_at.as_millis(),
            hex(&confirmation.body)
        )?;
        Ok(())
    }

    fn event(&mut self, change: &Change, version: i64) -> Result<()> {
        writeln!(
            self.event,
            "{}\t{version}\t{}\t{}\t{}\t{}",
            change.subject.as_str(),
            change.now.as_millis(),
            change.event.caller.as_str(),
            change.event.method.name(),
            change.event.facts.replace('\\', "\\\\")
        )?;
        Ok(())
    }

    fn request(&mut self, change: &Change) -> Result<()> {
        let request = change.request.as_ref().context("no request")?;
        writeln!(
            self.request,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            change.subject.as_str(),
            request.key.caller.as_str(),
            request.key.method.name(),
            hex(request.key.id.as_bytes()),
            hex(&request.record.mac),
            hex(&request.record.answer),
            request.expires_at.as_millis()
        )?;
        Ok(())
    }

    fn send(&self, to: &mut impl std::io::Write) -> Result<()> {
        for (table, rows) in [
            ("subject", &self.subject),
            ("confirmation", &self.confirmation),
            ("event", &self.event),
            ("request", &self.request),
            ("identifier", &self.identifier),
        ] {
            writeln!(to, "COPY {table} FROM STDIN;\n{rows}\\.")?;
        }
        Ok(())
    }
}

/// Bytes as COPY reads them.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 + 2 * bytes.len());
    text.push_str("\\\\x");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
