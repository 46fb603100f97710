//! From commands to requests: whom they mean, which proofs are needed, and what is typed.

use std::collections::BTreeSet;

use countersign_testkit::{
    Timestamp, new_request_id,
    v1::{ConfirmationState, Purpose},
};

use super::{
    command::{Command, Flaw, Given, Kind, Pick, Purposes, Stages, Typed},
    player::Player,
    reference::{Confirmation, Enrolled, Path, code_of},
    request::{Change, Operation, Proofs, Request, Who},
    throttle::STEP,
};

/// PINs that may be chosen.
const PINS: [&str; 4] = ["850374", "274901", "68105437", "937150"];

/// What is done in place of going on with a confirmation, where there is none yet.
const FIRST_OF_ALL: Command = Command::Create {
    kind: Kind::Withdrawal(0),
};

impl Player<'_> {
    /// The request that a command means now.
    pub(crate) fn request(&self, command: &Command) -> Option<Request> {
        let pin = |pick: Pick| PINS[usize::from(pick) % PINS.len()].to_owned();
        Some(match command {
            Command::SetPin { pin: new, given } => {
                self.settings(Change::FirstPin, pin(*new), *given)
            }
            Command::ChangePin { pin: new, given } => {
                self.settings(Change::OtherPin, pin(*new), *given)
            }
            Command::Begin { label } => Request::Begin {
                label: ["", "phone", "tablet", "key"][usize::from(*label) % 4].to_owned(),
            },
            Command::Confirm {
                app,
                code,
                purposes,
                given,
            } => {
                let id = self.pending(*app);
                let typed = self.typed(&Who::App(id.clone()), *code);
                let purposes = set(*purposes);
                self.settings(Change::Enable { id, purposes }, typed, *given)
            }
            Command::Switch {
                app,
                on,
                off,
                given,
            } => {
                let (id, on, off) = (self.counting(*app), set(*on), set(*off));
                self.settings(Change::Switch { id, on, off }, String::new(), *given)
            }
            Command::Disable {
                app,
                confirm_last,
                given,
            } => {
                let (id, confirm_last) = (self.counting(*app), *confirm_last);
                self.settings(Change::Disable { id, confirm_last }, String::new(), *given)
            }
            Command::Create { kind } => Request::Create {
                operation: self.operation(*kind),
                redeem_on_approval: matches!(kind, Kind::LoginAtOnce),
            },
            Command::Submit {
                confirmation,
                given,
                stages,
            } => match self.submit(*confirmation, *given, *stages) {
                Some(submit) => submit,
                None => return self.request(&FIRST_OF_ALL),
            },
            Command::Redeem { confirmation, same } => {
                let Some(found) = self.recent(*confirmation, ConfirmationState::Approved) else {
                    return self.request(&FIRST_OF_ALL);
                };
                let operation = if *same {
                    found.operation.clone()
                } else {
                    other_than(&found.operation)
                };
                let id = found.id.clone();
                Request::Redeem { id, operation }
            }
            Command::Cancel { confirmation } => Request::Cancel {
                id: self
                    .recent(*confirmation, ConfirmationState::Pending)
                    .map_or_else(new_request_id, |found| found.id.clone()),
            },
            Command::Unlock => Request::Unlock,
            Command::OperatorDisable { app } => Request::OperatorDisable {
                id: self.counting(*app),
            },
            Command::ResetPin => Request::ResetPin,
            Command::Wait(_) | Command::Restart | Command::Repeat | Command::Story(_) => {
                return None;
            }
        })
    }

    fn settings(&self, change: Change, typed: String, given: Given) -> Request {
        let paths = self.model.paths_of(&change, self.world.now());
        let proofs = self.proofs(&paths, given);
        Request::Settings {
            change,
            typed,
            proofs,
        }
    }

    fn submit(&self, confirmation: Pick, given: Given, stages: Stages) -> Option<Request> {
        let found = self.recent(confirmation, ConfirmationState::Pending)?;
        let open: Path = {
            let mut open = found.open_stages().into_iter().cloned();
            match stages {
                Stages::Next => open.take(1).collect(),
                Stages::All => open.collect(),
                Stages::Last => open.next_back().into_iter().collect(),
            }
        };
        let mut proofs = self.proofs(&[open], given);
        if proofs.is_empty() {
            proofs.push((Who::Pin, self.typed(&Who::Pin, Typed::Right)));
        }
        let id = found.id.clone();
        Some(Request::Submit { id, proofs })
    }

    fn operation(&self, kind: Kind) -> Operation {
        match kind {
            Kind::Login | Kind::LoginAtOnce => Operation::Login(0),
            Kind::Withdrawal(number) => Operation::Withdrawal(number),
            Kind::Custom => Operation::Custom(0),
            Kind::SetPin => Operation::Settings(Change::FirstPin),
            Kind::ChangePin => Operation::Settings(Change::OtherPin),
            Kind::Enable(app) => Operation::Settings(Change::Enable {
                id: self.pending(app),
                purposes: set(app),
            }),
            Kind::Switch(app, on, off) => Operation::Settings(Change::Switch {
                id: self.counting(app),
                on: set(on),
                off: set(off),
            }),
            Kind::Disable(app, confirm_last) => Operation::Settings(Change::Disable {
                id: self.counting(app),
                confirm_last,
            }),
        }
    }

    /// The proofs of one of these paths, but for the flaw.
    fn proofs(&self, paths: &[Path], given: Given) -> Proofs {
        let pick = usize::from(given.pick);
        let mut whose: Vec<Who> = Vec::new();
        for stage in paths
            .get(pick / 4 % paths.len().max(1))
            .into_iter()
            .flatten()
        {
            let options: Vec<&Who> = stage.iter().collect();
            if !whose.iter().any(|who| stage.contains(who)) {
                whose.push(options[pick % options.len()].clone());
            }
        }
        let mut typed: Vec<(Who, Typed)> =
            whose.into_iter().map(|who| (who, Typed::Right)).collect();
        let mut more = |who: Who, how: Typed| {
            if typed.iter().all(|(other, _)| *other != who) {
                typed.push((who, how));
            }
        };
        match given.flaw {
            Flaw::None => {}
            Flaw::More(pick, how) => {
                let apps = &self.model.apps;
                if let Some(app) = apps.get(usize::from(pick) % apps.len().max(1)) {
                    more(app.who(), how);
                }
            }
            Flaw::MorePin(how) => more(Who::Pin, how),
            Flaw::Stranger => more(Who::App(new_request_id()), Typed::Right),
            Flaw::Bare => typed.clear(),
            Flaw::Each(how) => typed.iter_mut().for_each(|(_, typed)| *typed = how),
            Flaw::One(pick, how) => {
                let which = usize::from(pick) % typed.len().max(1);
                if let Some((_, typed)) = typed.get_mut(which) {
                    *typed = how;
                }
            }
            Flaw::Less(pick) => {
                if !typed.is_empty() {
                    typed.remove(usize::from(pick) % typed.len());
                }
            }
        }
        typed.truncate(4);
        typed
            .into_iter()
            .map(|(who, how)| {
                let typed = self.typed(&who, how);
                (who, typed)
            })
            .collect()
    }

    /// What is typed. A player who does not have an app types what is wrong for sure, or a code
    /// that was seen and is burned.
    fn typed(&self, who: &Who, how: Typed) -> String {
        match who {
            Who::Pin => self.typed_pin(how),
            Who::App(id) => self.model.app(id).map_or_else(
                || "000000".to_owned(),
                |app| {
                    let has_app = !self.foreign.contains(id);
                    match how {
                        Typed::Malformed | Typed::Wrong | Typed::Burned => {
                            self.typed_code(app, how)
                        }
                        how if has_app => self.typed_code(app, how),
                        _ => self.typed_code(app, Typed::Wrong),
                    }
                },
            ),
        }
    }

    fn typed_pin(&self, how: Typed) -> String {
        let right = self
            .model
            .pin
            .as_ref()
            .map_or(PINS[0], |pin| pin.digits.as_str());
        let other = PINS
            .into_iter()
            .find(|pin| *pin != right)
            .unwrap_or_default();
        match how {
            Typed::Wrong | Typed::Burned | Typed::TooEarly => other.to_owned(),
            Typed::Malformed => format!("{}x", &right[1..]),
            Typed::Spaced => format!("{} {}", &right[..3], &right[3..]),
            Typed::Right | Typed::Earlier | Typed::Present | Typed::Next => right.to_owned(),
        }
    }

    fn typed_code(&self, app: &Enrolled, how: Typed) -> String {
        let now = self.world.now();
        let step = now / STEP;
        let first_unused = (step - 1)
            .max(app.last_step.map_or(0, |last| last + 1))
            .min(step + 1);
        let code = |step| code_of(&app.app, step);
        match how {
            Typed::Right => code(first_unused),
            Typed::Spaced => {
                let code = code(first_unused);
                format!(" {} {}-", &code[..3], &code[3..])
            }
            Typed::Wrong => app.app.wrong_code(Timestamp::from_millis(now)),
            Typed::Malformed => format!("{}x", &code(first_unused)[1..]),
            Typed::Burned => code(app.last_step.unwrap_or(step - 2)),
            Typed::Earlier => code(step - 1),
            Typed::Present => code(step),
            Typed::Next => code(step + 1),
            Typed::TooEarly => code(step + 2),
        }
    }

    /// The latest enrolment; now and then any app there ever was.
    fn pending(&self, pick: Pick) -> String {
        let now = self.world.now();
        let pending: Vec<&Enrolled> = self
            .model
            .apps
            .iter()
            .rev()
            .filter(|app| app.is_pending(now))
            .collect();
        self.one_of(&pending, pick)
    }

    /// An app that counts; now and then any app there ever was.
    fn counting(&self, pick: Pick) -> String {
        let counting: Vec<&Enrolled> = self.model.counting().collect();
        self.one_of(&counting, pick)
    }

    fn one_of(&self, likely: &[&Enrolled], pick: Pick) -> String {
        let pick = usize::from(pick);
        let ever: Vec<&Enrolled> = self.model.apps.iter().chain(&self.model.gone).collect();
        let from = if pick % 8 == 7 || likely.is_empty() {
            &ever
        } else {
            likely
        };
        let found = from.get(pick / 8 % from.len().max(1));
        found.map_or_else(new_request_id, |app| app.id().to_owned())
    }

    /// The latest confirmation in a state, if there is one; else, and for other picks, one of the
    /// latest in whatever state.
    fn recent(&self, pick: Pick, state: ConfirmationState) -> Option<&Confirmation> {
        let now = self.world.now();
        let latest = self.model.confirmations.iter().rev();
        let is_likely = |found: &&Confirmation| pick == 0 && found.state(now) == state;
        let back = usize::from(pick) % self.model.confirmations.len().max(1);
        latest.clone().find(is_likely).or(latest.clone().nth(back))
    }
}

/// The purposes of these bits.
fn set(bits: Purposes) -> BTreeSet<Purpose> {
    [Purpose::Login, Purpose::Withdrawal, Purpose::Other]
        .into_iter()
        .zip(0..)
        .filter(|(_, bit)| bits >> bit & 1 == 1)
        .map(|(purpose, _)| purpose)
        .collect()
}

/// An operation of the same kind that differs in one detail.
fn other_than(operation: &Operation) -> Operation {
    match operation {
        Operation::Login(number) => Operation::Login(number + 1),
        Operation::Withdrawal(number) => Operation::Withdrawal(number + 1),
        Operation::Custom(number) => Operation::Custom(number + 1),
        Operation::Settings(_) => Operation::Settings(Change::FirstPin),
    }
}
