//! The default policy, as the table beside it says.

use std::collections::HashSet;

use countersign_security_identifiers::{AuthenticatorRef, Kind, Obstacle, Purpose, PurposeSet};

use crate::{
    Case, Operation, Policy, Ruling,
    sample::{self, Condition, Enrolled, Model, NOW},
};

const TABLE: &str = include_str!("../default_policy_table.md");

/// Payment methods that stand for all there are.
const METHODS: [&str; 3] = ["", "card", "crypto"];

/// One row, with where it stands.
struct Row {
    line: usize,
    cells: Vec<&'static str>,
}

/// A row, or a part of one, with everything decided that it leaves open.
struct Situation<'r> {
    row: &'r Row,
    operation: Operation<'static>,
    pin: Option<Condition>,
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = (1..)
        .zip(TABLE.lines())
        .filter(|(_, line)| line.starts_with('|'))
        .map(|(line, text)| {
            let cells = text.trim_matches('|').split('|').map(str::trim);
            let cells: Vec<&str> = cells.collect();
            Row { line, cells }
        })
        .filter(|row| !row.is_head())
        .collect();
    assert!(rows.len() > 50, "{} rows are read", rows.len());
    rows
}

impl Row {
    fn is_head(&self) -> bool {
        self.cells[0] == "operation" || self.cells[0].starts_with("--")
    }

    fn situations(&self) -> Vec<Situation<'_>> {
        let operations: Vec<Operation<'static>> = match (self.cells[0], self.cells[1]) {
            ("login", "-") => vec![Operation::Login],
            ("custom", "-") => vec![Operation::Custom { kind: "transfer" }],
            ("withdrawal", "any") => METHODS
                .map(|payment_method| Operation::Withdrawal { payment_method })
                .to_vec(),
            other => panic!("line {}: {other:?} is no operation", self.line),
        };
        let pins = match self.cells[2] {
            "yes" => vec![Some(Condition::Sound)],
            "no" => vec![None],
            "either" => vec![None, Some(Condition::Sound)],
            "locked" => vec![Some(Condition::Locked)],
            "capped" => vec![Some(Condition::Capped)],
            other => panic!("line {}: {other:?} is no PIN", self.line),
        };
        let of_operation = |operation| {
            let situation = move |pin: &Option<Condition>| Situation {
                row: self,
                operation,
                pin: *pin,
            };
            pins.iter().map(situation).collect::<Vec<_>>()
        };
        operations.into_iter().flat_map(of_operation).collect()
    }

    fn enrolled(&self) -> Vec<&'static str> {
        listed(self.cells[3])
    }

    fn switched_on(&self) -> Vec<&'static str> {
        listed(self.cells[4])
    }

    fn identifier(&self, name: &str, purpose: Purpose) -> Enrolled {
        let here: PurposeSet = [purpose].into_iter().collect();
        let elsewhere: PurposeSet = Purpose::ALL.into_iter().collect();
        let elsewhere = elsewhere.without(here);
        let words = name.strip_prefix("second ").unwrap_or(name);
        let (condition, words) = match words.split_once(' ') {
            Some(("locked", rest)) => (Condition::Locked, rest),
            Some(("capped", rest)) => (Condition::Capped, rest),
            _ => (Condition::Sound, words),
        };
        let model = match words {
            "app" => Model::App,
            "number" => Model::Number,
            "codes" => Model::Codes(10),
            "last code" => Model::Codes(1),
            "spent codes" => Model::Codes(0),
            other => panic!("line {}: {other:?} is no identifier", self.line),
        };
        let mut on = PurposeSet::NONE;
        for switched in self.switched_on() {
            match switched.strip_suffix(" elsewhere") {
                Some(other) if other == name => on = on.with(elsewhere),
                None if switched == name => on = on.with(here),
                _ => {}
            }
        }
        Enrolled {
            model,
            condition,
            on,
        }
    }
}

fn listed(cell: &'static str) -> Vec<&'static str> {
    match cell {
        "nothing" => Vec::new(),
        names => names.split(", ").collect(),
    }
}

impl Situation<'_> {
    /// What is decided, in the words of the table.
    fn decided(&self) -> String {
        let names = self.row.enrolled();
        for switched in self.row.switched_on() {
            let name = switched.trim_end_matches(" elsewhere");
            assert!(names.contains(&name), "line {}: {name}", self.row.line);
        }
        let purpose = self.operation.purpose();
        let identifiers: Vec<Enrolled> = names
            .iter()
            .map(|name| self.row.identifier(name, purpose))
            .collect();
        let registry = sample::registry(self.pin, &identifiers);
        let case = Case {
            caller: "any-service",
            operation: self.operation,
        };
        said(Policy::default().rule(&case, &registry, NOW), &names)
    }
}

fn said(ruling: Ruling, names: &[&str]) -> String {
    match ruling {
        Ruling::NotRequired => "no proof".to_owned(),
        Ruling::Refused => "refused".to_owned(),
        Ruling::Denied(Obstacle::TemporarilyLocked { .. }) => "denied: locked".to_owned(),
        Ruling::Denied(Obstacle::RecoveryRequired) => "denied: recovery".to_owned(),
        Ruling::EnrolmentRequired(missing) => {
            let word = |kind: &Kind| match kind {
                Kind::Totp => "app",
                Kind::Sms => "number",
                Kind::BackupCodes => "codes",
            };
            let mut parts = Vec::new();
            if missing.pin {
                parts.push("PIN".to_owned());
            }
            if !missing.kinds.is_empty() {
                let kinds: Vec<&str> = missing.kinds.iter().map(word).collect();
                parts.push(kinds.join(" or "));
            }
            format!("enrol {}", parts.join(" and "))
        }
        Ruling::Required(paths) => {
            let name = |option: &AuthenticatorRef| match option {
                AuthenticatorRef::Pin => "PIN",
                AuthenticatorRef::Identifier(id) => names[usize::from(id.as_bytes()[0]) - 1],
            };
            let [path] = &paths[..] else {
                panic!("{paths:?}");
            };
            let stages: Vec<String> = path
                .stages
                .iter()
                .map(|stage| {
                    stage
                        .options
                        .iter()
                        .map(name)
                        .collect::<Vec<_>>()
                        .join(" or ")
                })
                .collect();
            stages.join(", then ")
        }
    }
}

#[test]
fn the_default_policy_decides_as_its_table_says() {
    for row in rows() {
        for situation in row.situations() {
            let (operation, pin) = (situation.operation, situation.pin);
            assert_eq!(
                situation.decided(),
                row.cells[5],
                "line {}: {operation:?}, PIN {pin:?}",
                row.line
            );
        }
    }
}

#[test]
fn the_table_has_every_combination_of_an_app_and_codes_once() {
    let mut seen = HashSet::new();
    let rows = rows();
    for row in &rows {
        let (enrolled, on) = (row.cells[3], row.cells[4]);
        for situation in row.situations() {
            let key = format!(
                "{:?} {:?} {enrolled} {on}",
                situation.operation, situation.pin
            );
            assert!(seen.insert(key.clone()), "line {}: again {key}", row.line);
        }
    }
    let methods = METHODS.map(|payment_method| Operation::Withdrawal { payment_method });
    let others = [Operation::Login, Operation::Custom { kind: "transfer" }];
    for operation in others.into_iter().chain(methods) {
        for pin in [None, Some(Condition::Sound)] {
            for (enrolled, on) in [
                ("nothing", "nothing"),
                ("app", "nothing"),
                ("app", "app"),
                ("number", "nothing"),
                ("number", "number"),
                ("codes", "nothing"),
                ("codes", "codes"),
                ("app, codes", "nothing"),
                ("app, codes", "app"),
                ("app, codes", "codes"),
                ("app, codes", "app, codes"),
            ] {
                let key = format!("{operation:?} {pin:?} {enrolled} {on}");
                assert!(seen.contains(&key), "{key} is missing");
            }
        }
    }
}
