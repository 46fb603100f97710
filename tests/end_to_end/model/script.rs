//! From commands to requests: whom they mean, which proofs are needed, and what is typed.

use std::collections::BTreeSet;

use countersign_testkit::{
    new_request_id,
    v1::{ConfirmationState, Purpose},
};

use super::{
    command::{
        ANY_EVER, Command, Consume, Flaw, Given, Kind, Pick, Purposes, Stages, THE_CODES, Typed,
    },
    player::Player,
    reference::{Confirmation, Enrolled, Path},
    request::{By, Change, Factor, Operation, Proofs, Request, Settings, Who},
};

mod typed;

/// PINs that may be chosen.
const PINS: [&str; 4] = ["850374", "274901", "68105437", "937150"];

/// What is done in place of going on with a confirmation, where there is none yet.
const FIRST_OF_ALL: Command = Command::Create {
    kind: Kind::Withdrawal(0),
};

impl Player<'_> {
    /// The request that a command means now.
    pub(crate) fn request(&self, command: &Command) -> Option<Request> {
        Some(match command {
            Command::Begin { label } => Request::Begin {
                label: label_of(*label),
            },
            Command::Finish { back, by_stranger } => {
                let lists = &self.model.lists;
                let back = usize::from(*back) % lists.len().max(1);
                Request::Finish {
                    list: lists
                        .iter()
                        .rev()
                        .nth(back)
                        .map_or_else(new_request_id, Clone::clone),
                    by_stranger: *by_stranger,
                }
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
            Command::Consume(consume) => match self.consume(*consume) {
                Some(settings) => settings,
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
            Command::OperatorDisable { which } => Request::OperatorDisable {
                id: self.counting(*which),
            },
            Command::ResetPin => Request::ResetPin,
            Command::Wait(_) | Command::Restart | Command::Repeat | Command::Story(_) => {
                return None;
            }
            settings => return self.settings(settings),
        })
    }

    /// A change of settings with its proofs.
    fn settings(&self, command: &Command) -> Option<Request> {
        let (change, typed, given) = match command {
            Command::SetPin { pin, given } => (Change::FirstPin, pin_of(*pin), given),
            Command::ChangePin { pin, given } => (Change::OtherPin, pin_of(*pin), given),
            Command::Confirm {
                which,
                code,
                purposes,
                given,
            } => {
                let id = self.pending(*which);
                let typed = self.typed(&Who::Identifier(id.clone()), *code);
                let purposes = set(*purposes);
                (Change::EnableApp { id, purposes }, typed, given)
            }
            Command::EnableCodes { label, given } => (Change::EnableCodes, label_of(*label), given),
            Command::CreateMore { which, given } => {
                let id = self.counting(*which);
                (Change::MoreCodes { id }, String::new(), given)
            }
            Command::Switch {
                which,
                on,
                off,
                given,
            } => {
                let (id, on, off) = (self.counting(*which), set(*on), set(*off));
                (Change::Switch { id, on, off }, String::new(), given)
            }
            Command::Disable {
                which,
                confirm_last,
                given,
                ..
            } => {
                let (id, confirm_last) = (self.counting(*which), *confirm_last);
                (Change::Disable { id, confirm_last }, String::new(), given)
            }
            _ => return None,
        };
        let is_astray = matches!(
            command,
            Command::Disable {
                is_astray: true,
                ..
            }
        );
        let paths = self.model.paths_of(&change, self.world.now());
        Some(Request::Settings(Settings {
            service: self.service(&change, is_astray),
            by: By::Proofs(self.proofs(&paths, *given)),
            change,
            typed,
        }))
    }

    /// The service that disables identifiers of this kind, or another one.
    fn service(&self, change: &Change, is_astray: bool) -> Factor {
        let Change::Disable { id, .. } = change else {
            return Factor::App;
        };
        let is_set = self.model.set().is_some_and(|set| set.id == *id);
        if is_set == is_astray {
            Factor::App
        } else {
            Factor::Codes
        }
    }

    /// The settings change of a confirmation, by that confirmation.
    fn consume(&self, consume: Consume) -> Option<Request> {
        let found = self.recent_change(consume.confirmation)?;
        let change = match &found.operation {
            Operation::Settings(change) if consume.same => change.clone(),
            Operation::Settings(change) => change_other_than(change),
            Operation::Login(_) | Operation::Withdrawal(_) | Operation::Custom(_) => {
                Change::OtherPin
            }
        };
        let typed = match &change {
            Change::FirstPin | Change::OtherPin => pin_of(consume.pin),
            Change::EnableApp { id, .. } => self.typed(&Who::Identifier(id.clone()), consume.code),
            _ => String::new(),
        };
        Some(Request::Settings(Settings {
            service: self.service(&change, false),
            by: By::Confirmation {
                id: found.id.clone(),
                by_stranger: consume.by_stranger,
            },
            change,
            typed,
        }))
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
            Kind::Enable(which) => Operation::Settings(Change::EnableApp {
                id: self.pending(which),
                purposes: set(which),
            }),
            Kind::EnableCodes => Operation::Settings(Change::EnableCodes),
            Kind::Switch(which, on, off) => Operation::Settings(Change::Switch {
                id: self.counting(which),
                on: set(on),
                off: set(off),
            }),
            Kind::Disable(which, confirm_last) => Operation::Settings(Change::Disable {
                id: self.counting(which),
                confirm_last,
            }),
        }
    }

    /// The proofs of one of these paths, but for the flaw.
    fn proofs(&self, paths: &[Path], given: Given) -> Proofs {
        let pick = usize::from(given.pick);
        let path = paths.get(pick / 4 % paths.len().max(1));
        let paper = self.model.set().filter(|_| given.on_paper);
        let paper = paper.map(Enrolled::who);
        let mut whose: Vec<Who> = Vec::new();
        for stage in path.into_iter().flatten() {
            let options: Vec<&Who> = stage.iter().collect();
            if !whose.iter().any(|who| stage.contains(who)) {
                let picked = options[pick % options.len()].clone();
                let paper = paper.clone().filter(|paper| stage.contains(paper));
                whose.push(paper.unwrap_or(picked));
            }
        }
        let mut typed: Vec<(Who, Typed)> =
            whose.into_iter().map(|who| (who, Typed::Right)).collect();
        self.flaw(&mut typed, given.flaw);
        typed.truncate(4);
        typed
            .into_iter()
            .map(|(who, how)| {
                let typed = self.typed(&who, how);
                (who, typed)
            })
            .collect()
    }

    fn flaw(&self, typed: &mut Vec<(Who, Typed)>, flaw: Flaw) {
        let mut more = |who: Who, how: Typed| {
            if typed.iter().all(|(other, _)| *other != who) {
                typed.push((who, how));
            }
        };
        match flaw {
            Flaw::None => {}
            Flaw::More(pick, how) => {
                let all = &self.model.identifiers;
                if let Some(found) = all.get(usize::from(pick) % all.len().max(1)) {
                    more(found.who(), how);
                }
            }
            Flaw::MorePin(how) => more(Who::Pin, how),
            Flaw::Stranger => more(Who::Identifier(new_request_id()), Typed::Right),
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
    }

    /// The latest enrolment of an app; now and then any identifier there ever was.
    fn pending(&self, pick: Pick) -> String {
        let now = self.world.now();
        let is_pending = |found: &&Enrolled| found.is_pending(now) && found.factor() == Factor::App;
        let latest = self.model.identifiers.iter().rev();
        let pending: Vec<&Enrolled> = latest.filter(is_pending).collect();
        self.one_of(&pending, pick)
    }

    /// An identifier that counts; now and then any there ever was.
    fn counting(&self, pick: Pick) -> String {
        let counting: Vec<&Enrolled> = self.model.counting().collect();
        self.one_of(&counting, pick)
    }

    fn one_of(&self, likely: &[&Enrolled], pick: Pick) -> String {
        let ever = self.model.identifiers.iter().chain(&self.model.gone);
        let from: Vec<&Enrolled> = match pick % 8 {
            THE_CODES => self.model.set().into_iter().collect(),
            ANY_EVER => ever.collect(),
            _ if likely.is_empty() => ever.collect(),
            _ => likely.to_vec(),
        };
        let found = from.get(usize::from(pick) / 8 % from.len().max(1));
        found.map_or_else(new_request_id, |found| found.id.clone())
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

    /// The latest confirmation of a settings change, or another one as for [`Self::recent`].
    fn recent_change(&self, pick: Pick) -> Option<&Confirmation> {
        let is_change = |found: &&Confirmation| matches!(found.operation, Operation::Settings(_));
        let mut latest = self.model.confirmations.iter().rev();
        latest
            .find(|found| pick == 0 && is_change(found))
            .or_else(|| self.recent(pick, ConfirmationState::Approved))
    }
}

fn pin_of(pick: Pick) -> String {
    PINS[usize::from(pick) % PINS.len()].to_owned()
}

fn label_of(pick: Pick) -> String {
    ["", "phone", "tablet", "key"][usize::from(pick) % 4].to_owned()
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

/// A change that differs in one detail, where it has any.
fn change_other_than(change: &Change) -> Change {
    match change.clone() {
        Change::Switch { id, on, off } => Change::Switch {
            id,
            on: off,
            off: on,
        },
        Change::Disable { id, confirm_last } => Change::Disable {
            id,
            confirm_last: !confirm_last,
        },
        Change::EnableApp { id, purposes } => Change::EnableApp {
            id,
            purposes: if purposes.is_empty() {
                set(1)
            } else {
                BTreeSet::new()
            },
        },
        Change::OtherPin => Change::FirstPin,
        Change::FirstPin | Change::EnableCodes | Change::MoreCodes { .. } => Change::OtherPin,
    }
}
