//! Reads authenticator apps from a file: `otpauth` URIs, or CSV.
//!
//! Nothing that is said of a record shows its secret.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
};

use anyhow::{Result, anyhow, bail, ensure};
use countersign_mfa::ImportTotp;
use countersign_primitives::{Label, SubjectId};
use countersign_security_identifiers::PurposeSet;
use countersign_totp::{Algorithm, Authenticator, Digits, require_period};
use csv::{ReaderBuilder, StringRecord, Terminator, Trim};

const SCHEME: &str = "otpauth://";
/// A byte order mark, which some programs write before the first line.
const MARK: &str = "\u{feff}";
/// The longest name of a column that is repeated.
const LONGEST_NAME: usize = 16;
/// The longest line: far more than any record.
const LONGEST_LINE: u64 = 64 * 1024;
const COLUMNS: [&str; 7] = [
    "subject",
    "secret",
    "otpauth",
    "label",
    "algorithm",
    "digits",
    "period",
];

/// What is in a file.
#[derive(Default)]
pub(super) struct Records {
    /// The apps of each subject, subjects and apps in the order of the file.
    pub(super) subjects: Vec<AppsOfSubject>,
    /// The records that are not taken over.
    pub(super) refusals: Vec<Refusal>,
    places: HashMap<SubjectId, usize>,
    /// The first line of each seed, and whose it is.
    seeds: HashMap<[u8; 32], (u64, SubjectId)>,
}

/// The apps of one subject.
#[derive(Debug)]
pub(super) struct AppsOfSubject {
    pub(super) subject: SubjectId,
    pub(super) apps: Vec<ImportTotp>,
    /// The line of each app.
    pub(super) lines: Vec<u64>,
}

/// A record that is not taken over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) line: u64,
    /// Where it can be read.
    pub(super) subject: Option<SubjectId>,
    pub(super) why: String,
}

/// Whose app a record is, and the app; or why it is refused.
type Parsed = Result<(SubjectId, ImportTotp), Refused>;

/// Why a record is refused, and whose it is, where that can be read.
struct Refused {
    subject: Option<SubjectId>,
    why: String,
}

impl Refused {
    /// A record of nobody known.
    fn of_nobody(why: impl Into<String>) -> Self {
        Self {
            subject: None,
            why: why.into(),
        }
    }
}

/// How the apps stand in a file.
enum Form {
    Uris,
    Csv(Columns),
}

/// Reads a file whose apps are to be switched on for these purposes. A line is a record, whatever
/// stands in it: so a quote that is missing takes no other record with it.
///
/// # Errors
/// Where the file cannot be read, and where it has no header that can be understood.
pub(super) fn read(input: impl Read, purposes: PurposeSet) -> Result<Records> {
    let mut records = Records::default();
    let mut form = None;
    let mut input = BufReader::new(input);
    for number in 1.. {
        let mut line = Vec::new();
        let mut rest = input.by_ref().take(LONGEST_LINE);
        if rest.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        ensure!(
            line.ends_with(b"\n") || rest.limit() > 0,
            "line {number} is longer than {LONGEST_LINE} bytes"
        );
        let Ok(line) = str::from_utf8(&line) else {
            records.refuse(number, Refused::of_nobody("it is not UTF-8"));
            continue;
        };
        let line = line.trim_start_matches(MARK).trim();
        match &form {
            _ if line.is_empty() || line.starts_with('#') => {}
            Some(Form::Csv(columns)) => records.add(number, columns.parse(line, purposes)),
            Some(Form::Uris) => records.add(number, of_uri(line, purposes)),
            None if is_uri(line) => {
                form = Some(Form::Uris);
                records.add(number, of_uri(line, purposes));
            }
            None => form = Some(Form::Csv(Columns::of(line)?)),
        }
    }
    records.subjects.retain(|of_one| !of_one.apps.is_empty());
    Ok(records)
}

fn is_uri(line: &str) -> bool {
    let begin = line.get(..SCHEME.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(SCHEME))
}

impl Records {
    fn add(&mut self, line: u64, parsed: Parsed) {
        let (subject, app) = match parsed {
            Ok(record) => record,
            Err(refused) => return self.refuse(line, refused),
        };
        let seed = app.authenticator.seed_digest();
        if let Some((twin, owner)) = self.seeds.get(&seed).cloned() {
            if owner != subject {
                self.withdraw(&owner, twin, line);
            }
            let why = format!("the same secret stands in line {twin} already");
            let subject = Some(subject);
            return self.refuse(line, Refused { subject, why });
        }
        self.seeds.insert(seed, (line, subject.clone()));
        let next = self.subjects.len();
        let place = *self.places.entry(subject.clone()).or_insert(next);
        if place == next {
            return self.subjects.push(AppsOfSubject {
                subject,
                apps: vec![app],
                lines: vec![line],
            });
        }
        let known = &mut self.subjects[place];
        known.apps.push(app);
        known.lines.push(line);
    }

    /// Refuses a record that was taken: its secret is another subject's too. Nobody can tell which
    /// of them is right, and each would have the other's codes.
    fn withdraw(&mut self, owner: &SubjectId, line: u64, twin: u64) {
        let known = self
            .places
            .get(owner)
            .map(|place| &mut self.subjects[*place]);
        let Some(known) = known else { return };
        if let Some(place) = known.lines.iter().position(|other| *other == line) {
            known.lines.remove(place);
            known.apps.remove(place);
            let why = format!("the same secret stands in line {twin}, for another subject");
            let subject = Some(owner.clone());
            self.refuse(line, Refused { subject, why });
        }
    }

    fn refuse(&mut self, line: u64, Refused { subject, why }: Refused) {
        self.refusals.push(Refusal { line, subject, why });
    }
}

fn of_uri(uri: &str, purposes: PurposeSet) -> Parsed {
    let told =
        Authenticator::from_otpauth(uri).map_err(|error| Refused::of_nobody(error.to_string()))?;
    let subject = subject_of(&told.account)
        .map_err(|why| Refused::of_nobody(format!("the account's name: {why}")))?;
    match label_of(told.issuer.as_deref()) {
        Ok(label) => {
            let authenticator = told.authenticator;
            let app = ImportTotp {
                label,
                authenticator,
                purposes,
            };
            Ok((subject, app))
        }
        Err(why) => Err(Refused {
            subject: Some(subject),
            why: format!("the issuer: {why}"),
        }),
    }
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Result<StringRecord, &'static str> {
    if !line.matches('"').count().is_multiple_of(2) {
        return Err("a quote is missing");
    }
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::All)
        .buffer_capacity(line.len())
        .from_reader(line.as_bytes());
    let row = reader.into_records().next();
    row.and_then(Result::ok).ok_or("it is not CSV")
}

/// A subject's id. What could be a secret is none, and is not repeated: the columns may be swapped.
fn subject_of(text: &str) -> Result<SubjectId, String> {
    if Authenticator::from_base32(text, Algorithm::Sha1, Digits::Six).is_ok() {
        return Err(
            "what stands for the subject could be a secret: are two columns swapped?".into(),
        );
    }
    SubjectId::parse(text).map_err(|error| format!("a subject {error}"))
}

fn label_of(text: Option<&str>) -> Result<Option<Label>, String> {
    let label = text.map(Label::parse).transpose();
    label.map_err(|error| format!("a label {error}"))
}

/// Where a row has what.
struct Columns {
    count: usize,
    subject: usize,
    app: App,
    label: Option<usize>,
}

enum App {
    Otpauth(usize),
    Secret {
        secret: usize,
        algorithm: Option<usize>,
        digits: Option<usize>,
        period: Option<usize>,
    },
}

impl Columns {
    /// The columns that a header names, in any order.
    fn of(header: &str) -> Result<Self> {
        let header = fields(header).map_err(|why| anyhow!("the first line: {why}"))?;
        let names: Vec<String> = header.iter().map(str::to_lowercase).collect();
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        // Without a header the first line is a record, and must not be repeated.
        let Some(subject) = find("subject") else {
            bail!(
                "the first line names no column `subject`: it must be `otpauth://…`, or name the \
                 columns of a CSV file, which are {}",
                COLUMNS.join(", ")
            );
        };
        for (place, name) in names.iter().enumerate() {
            // A line that is longer than it seems may hold a secret.
            let shown = if name.chars().any(char::is_control) || name.len() > LONGEST_NAME {
                format!("number {}", place + 1)
            } else {
                format!("{name:?}")
            };
            ensure!(
                COLUMNS.contains(&name.as_str()),
                "the column {shown} is unknown: there can be {}",
                COLUMNS.join(", ")
            );
            ensure!(
                find(name) == Some(place),
                "the column `{name}` is there twice"
            );
        }
        let [algorithm, digits, period] = ["algorithm", "digits", "period"].map(find);
        let app = match (find("secret"), find("otpauth")) {
            (Some(secret), None) => App::Secret {
                secret,
                algorithm,
                digits,
                period,
            },
            (None, Some(uri)) => {
                ensure!(
                    algorithm.or(digits).or(period).is_none(),
                    "an `otpauth` URI has algorithm, digits and period itself: they can be no \
                     columns beside it"
                );
                App::Otpauth(uri)
            }
            (Some(_), Some(_)) => bail!("there can be a column `secret` or `otpauth`, not both"),
            (None, None) => bail!("there must be a column `secret` or `otpauth`"),
        };
        Ok(Self {
            count: names.len(),
            subject,
            app,
            label: find("label"),
        })
    }

    fn parse(&self, line: &str, purposes: PurposeSet) -> Parsed {
        let row = &fields(line).map_err(Refused::of_nobody)?;
        if row.len() != self.count {
            let (has, should) = (row.len(), self.count);
            let why = format!("it has {has} fields, and the first line {should}");
            return Err(Refused::of_nobody(why));
        }
        let subject = row.get(self.subject).unwrap_or_default();
        let subject = subject_of(subject).map_err(Refused::of_nobody)?;
        match self.app(row, purposes) {
            Ok(app) => Ok((subject, app)),
            Err(why) => Err(Refused {
                subject: Some(subject),
                why,
            }),
        }
    }

    fn app(&self, row: &StringRecord, purposes: PurposeSet) -> Result<ImportTotp, String> {
        let given = |column: Option<usize>| row.get(column?).filter(|field| !field.is_empty());
        let app = match self.app {
            App::Otpauth(uri) => Authenticator::from_otpauth(row.get(uri).unwrap_or_default())
                .map(|told| (told.authenticator, told.issuer)),
            App::Secret {
                secret,
                algorithm,
                digits,
                period,
            } => {
                let app = || {
                    require_period(given(period).unwrap_or("30"))?;
                    let algorithm = given(algorithm).map_or(Ok(Algorithm::Sha1), str::parse)?;
                    let digits = given(digits).map_or(Ok(Digits::Six), str::parse)?;
                    let secret = row.get(secret).unwrap_or_default();
                    Authenticator::from_base32(secret, algorithm, digits)
                };
                app().map(|app| (app, None))
            }
        };
        let (authenticator, issuer) = app.map_err(|error| error.to_string())?;
        Ok(ImportTotp {
            label: label_of(given(self.label).or(issuer.as_deref()))?,
            authenticator,
            purposes,
        })
    }
}

#[cfg(test)]
mod tests;
