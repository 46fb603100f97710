//! Confirmations, from Create to Redeem, and what any request leads to.

use std::collections::{BTreeMap, BTreeSet};

use countersign_testkit::v1::{ConfirmationState, Purpose};

use super::{
    super::{
        request::Request,
        throttle::{ATTEMPTS, CONFIRMATION_LIFE, PENDING_CONFIRMATIONS},
    },
    Answer, Confirmation, Drawn, Millis, Operation, OptionView, Path, Proofs, Refusal, Said,
    StageView, State, Subject, View, Who,
    proofs::{Aim, Standing, Verdict},
    refused,
};

impl Operation {
    /// The purpose whose switches and throttles apply.
    pub(crate) const fn purpose(&self) -> Purpose {
        match self {
            Self::Login(_) => Purpose::Login,
            Self::Withdrawal(_) => Purpose::Withdrawal,
            Self::Custom(_) | Self::Settings(_) => Purpose::Other,
        }
    }
}

impl Confirmation {
    /// Its state: that its time is over shows by the time alone.
    pub(crate) const fn state(&self, now: Millis) -> ConfirmationState {
        let (state, until) = self.state;
        match state {
            ConfirmationState::Pending | ConfirmationState::Approved if until <= now => {
                ConfirmationState::Expired
            }
            state => state,
        }
    }

    /// The stages that are still open, along its first path.
    pub(crate) fn open_stages(&self) -> Vec<&BTreeSet<Who>> {
        let is_open = |stage: &&BTreeSet<Who>| !self.is_passed(stage);
        self.paths
            .iter()
            .take(1)
            .flatten()
            .filter(is_open)
            .collect()
    }

    /// The next moment at which it changes by itself.
    pub(crate) const fn ends(&self) -> Millis {
        self.state.1
    }

    /// That every stage of it was passed, and that it is there to be used.
    pub(super) fn require_approved(&self, now: Millis) -> Result<(), Refusal> {
        Err(Refusal::new(match self.state(now) {
            ConfirmationState::Approved => return Ok(()),
            ConfirmationState::Redeemed => "ALREADY_REDEEMED",
            ConfirmationState::Expired => "CONFIRMATION_EXPIRED",
            _ => "CONFIRMATION_NOT_APPROVED",
        }))
    }

    /// It permits its operation, once.
    pub(super) const fn consume(&mut self, now: Millis) {
        self.state = (ConfirmationState::Redeemed, now);
    }

    fn is_passed(&self, stage: &BTreeSet<Who>) -> bool {
        stage.iter().any(|who| self.passed.contains_key(who))
    }

    fn knows(&self, who: &Who) -> bool {
        self.paths.iter().flatten().any(|stage| stage.contains(who))
    }

    /// Whether the proofs go on along a path: each is for a stage that is passed, or for one
    /// before which none stays open.
    fn goes_on_with(&self, given: &BTreeSet<Who>) -> bool {
        let goes_on = |path: &Path| {
            let reached: BTreeSet<&Who> = path
                .iter()
                .take_while(|stage| self.is_passed(stage) || !stage.is_disjoint(given))
                .flatten()
                .collect();
            given.iter().all(|who| reached.contains(who))
        };
        self.paths.iter().any(goes_on)
    }
}

impl Subject {
    /// What a request is answered, and what it does.
    pub(crate) fn answer(&mut self, request: &Request, drawn: Drawn, now: Millis) -> Said {
        self.prune(now);
        let said = match request {
            Request::Settings(asked) => self.change(asked, drawn, now),
            Request::Finish { list, by_stranger } => self.finish(list, *by_stranger, now),
            Request::Begin { label } => self.begin(label, drawn, now),
            Request::Create {
                operation,
                redeem_on_approval,
            } => self.create(operation, *redeem_on_approval, drawn, now),
            Request::Submit { id, proofs } => self.submit(id, proofs, now),
            Request::Redeem { id, operation } => self.redeem(id, operation, now),
            Request::Cancel { id } => self.cancel(id, now),
            Request::Unlock | Request::OperatorDisable { .. } | Request::ResetPin => {
                self.operate(request)
            }
        };
        let said = said.unwrap_or_else(|Refusal(answer)| Said::unwritten(answer));
        self.is_known |= said.is_written;
        self.writes += usize::from(said.is_written);
        said
    }

    fn create(
        &mut self,
        operation: &Operation,
        redeem_on_approval: bool,
        drawn: Drawn,
        now: Millis,
    ) -> Result<Said, Refusal> {
        let purpose = operation.purpose();
        let paths = match operation {
            Operation::Login(_) | Operation::Custom(_) => {
                let on = self.on_for(purpose);
                if on.is_empty() {
                    return Ok(Said::written(Answer::NotRequired));
                }
                vec![vec![on]]
            }
            Operation::Withdrawal(_) => {
                let on = self.on_for(purpose);
                let code = if on.is_empty() { self.existing() } else { on };
                if self.pin.is_none() || code.is_empty() {
                    return Ok(Said::written(Answer::EnrolmentRequired {
                        pin: self.pin.is_none(),
                        identifier: code.is_empty(),
                    }));
                }
                vec![vec![[Who::Pin].into(), code]]
            }
            Operation::Settings(change) => self.paths(change, now)?,
        };
        match self.free_at(&paths, purpose.into(), now) {
            Some(at) if at <= now => {}
            later => return Ok(Said::written(Answer::Denied { retry_at: later })),
        }
        if paths.iter().any(Vec::is_empty) {
            return Ok(Said::written(Answer::NotRequired));
        }
        let mut pending: Vec<Millis> = self
            .confirmations
            .iter()
            .filter(|other| other.state(now) == ConfirmationState::Pending)
            .map(Confirmation::ends)
            .collect();
        pending.sort_unstable();
        if pending.len() >= PENDING_CONFIRMATIONS {
            let reason = "TOO_MANY_PENDING_CONFIRMATIONS";
            return Err(Refusal::for_now(reason, pending[0] - now));
        }
        let offer = |who: &Who| {
            let view = OptionView {
                usable: self.standing(who, purpose.into(), now) == Standing::Usable,
                usable_from: self.usable_from(who, now),
            };
            (who.clone(), view)
        };
        self.confirmations.push(Confirmation {
            id: drawn.id.clone(),
            operation: operation.clone(),
            redeem_on_approval,
            state: (ConfirmationState::Pending, now + CONFIRMATION_LIFE),
            attempts_left: ATTEMPTS,
            offered: paths.iter().flatten().flatten().map(offer).collect(),
            paths,
            passed: BTreeMap::new(),
        });
        Ok(Said::written(Answer::Opened(self.view(&drawn.id, now)?)))
    }

    fn submit(&mut self, id: &str, proofs: &Proofs, now: Millis) -> Result<Said, Refusal> {
        let open = self.confirmation(id)?;
        match open.state(now) {
            ConfirmationState::Pending => {}
            ConfirmationState::Expired => return Err(Refusal::new("CONFIRMATION_EXPIRED")),
            _ => return Err(Refusal::new("CONFIRMATION_NOT_PENDING")),
        }
        let aim = Aim::from(open.operation.purpose());
        let given: BTreeSet<Who> = proofs.iter().map(|(who, _)| who.clone()).collect();
        self.require_to_spare(given.iter(), aim, now)?;
        let goes_on = open.goes_on_with(&given);
        if !goes_on && given.iter().all(|who| open.knows(who)) {
            return Err(Refusal::new("WRONG_STAGE"));
        }
        let verdicts = self.look(proofs, aim, now);
        let accepted = goes_on && verdicts.iter().all(Verdict::is_right);
        if accepted {
            self.use_up(proofs, &verdicts, aim);
        } else {
            self.count(proofs, &verdicts, aim, now);
        }
        let changed = self.changed_since(&self.confirmation(id)?.passed);
        let pin = self.pin.as_ref().map_or(0, |pin| pin.number);
        let open = self.confirmation_mut(id)?;
        if accepted {
            // A stage that was passed by what has changed since is open again.
            open.passed.retain(|who, _| !changed.contains(who));
            let number = |who: &Who| if *who == Who::Pin { pin } else { 0 };
            let passed = given.into_iter().map(|who| (who.clone(), number(&who)));
            open.passed.extend(passed);
            let is_walked = |path: &Path| path.iter().all(|stage| open.is_passed(stage));
            if open.paths.iter().any(is_walked) {
                open.state = if open.redeem_on_approval {
                    (ConfirmationState::Redeemed, now)
                } else {
                    (ConfirmationState::Approved, now + CONFIRMATION_LIFE)
                };
            }
        } else {
            open.attempts_left -= 1;
            if open.attempts_left == 0 {
                open.state = (ConfirmationState::Failed, now);
            }
        }
        let after = self.view(id, now)?;
        Ok(Said::written(Answer::Submitted { accepted, after }))
    }

    fn redeem(&mut self, id: &str, operation: &Operation, now: Millis) -> Result<Said, Refusal> {
        let found = self.confirmation(id)?;
        if matches!(found.operation, Operation::Settings(_)) {
            return Err(Refusal::new("NOT_REDEEMABLE"));
        }
        found.require_approved(now)?;
        if let Some(reason) = self.objection(found, operation) {
            return Ok(Said::written(refused(reason)));
        }
        self.confirmation_mut(id)?.consume(now);
        Ok(Said::written(Answer::Now(self.view(id, now)?)))
    }

    /// Why an approved confirmation does not permit this operation, if it does not.
    pub(super) fn objection(
        &self,
        found: &Confirmation,
        operation: &Operation,
    ) -> Option<&'static str> {
        if *operation != found.operation {
            return Some("OPERATION_MISMATCH");
        }
        let has_changed = !self.changed_since(&found.passed).is_empty();
        has_changed.then_some("AUTHENTICATOR_CHANGED")
    }

    /// Those who gave a proof and are no longer what they were then.
    fn changed_since(&self, passed: &BTreeMap<Who, u32>) -> BTreeSet<Who> {
        let stands = |who: &Who, number: u32| match who {
            Who::Pin => {
                let pin = self.pin.as_ref();
                pin.is_some_and(|pin| !pin.is_capped && pin.number == number)
            }
            Who::Identifier(id) => {
                let found = self.identifier(id);
                found.is_some_and(|found| found.state == State::Enabled)
            }
        };
        let changed = passed.iter().filter(|(who, number)| !stands(who, **number));
        changed.map(|(who, _)| who.clone()).collect()
    }

    fn cancel(&mut self, id: &str, now: Millis) -> Result<Said, Refusal> {
        match self.confirmation(id)?.state(now) {
            ConfirmationState::Pending | ConfirmationState::Approved => {
                self.confirmation_mut(id)?.state = (ConfirmationState::Cancelled, now);
                Ok(Said::written(Answer::Now(self.view(id, now)?)))
            }
            ConfirmationState::Cancelled => Ok(Said::unwritten(Answer::Now(self.view(id, now)?))),
            ConfirmationState::Expired => Err(Refusal::new("CONFIRMATION_EXPIRED")),
            _ => Err(Refusal::new("CONFIRMATION_NOT_PENDING")),
        }
    }

    fn operate(&mut self, request: &Request) -> Result<Said, Refusal> {
        match request {
            Request::Unlock if self.is_known => self.unlock(),
            Request::OperatorDisable { id } if self.remove(id) => {}
            Request::ResetPin if self.pin.take().is_some() => self.void_waiting_lists(),
            Request::ResetPin => return Err(Refusal::new("PinNotSet")),
            _ => return Err(Refusal::new("IdentifierNotFound")),
        }
        Ok(Said::written(Answer::Done))
    }

    pub(super) fn confirmation(&self, id: &str) -> Result<&Confirmation, Refusal> {
        let missing = Refusal::new("CONFIRMATION_NOT_FOUND");
        self.confirmations
            .iter()
            .find(|other| other.id == id)
            .ok_or(missing)
    }

    pub(super) fn confirmation_mut(&mut self, id: &str) -> Result<&mut Confirmation, Refusal> {
        let missing = Refusal::new("CONFIRMATION_NOT_FOUND");
        self.confirmations
            .iter_mut()
            .find(|other| other.id == id)
            .ok_or(missing)
    }

    fn usable_from(&self, who: &Who, now: Millis) -> Option<Millis> {
        match who {
            Who::Pin => None,
            Who::Identifier(id) => self.identifier(id).and_then(|found| found.usable_from(now)),
        }
    }

    fn view(&self, id: &str, now: Millis) -> Result<View, Refusal> {
        Ok(self.shown(self.confirmation(id)?, now))
    }

    /// A confirmation as it is shown. What is usable is said as it was at Create: the answer to a
    /// proof must not tell a lock from a wrong code, nor an identifier that is gone.
    pub(crate) fn shown(&self, confirmation: &Confirmation, now: Millis) -> View {
        let option = |who: &Who| {
            let offered = confirmation.offered.get(who);
            let is_gone = matches!(who, Who::Identifier(id) if self.identifier(id).is_none());
            let usable_from = match offered {
                Some(offered) if is_gone => offered.usable_from.filter(|from| now < *from),
                _ => self.usable_from(who, now),
            };
            let usable = offered.is_some_and(|offered| offered.usable);
            (
                who.clone(),
                OptionView {
                    usable,
                    usable_from,
                },
            )
        };
        let stage = |stage: &BTreeSet<Who>| StageView {
            passed: confirmation.is_passed(stage),
            options: stage.iter().map(option).collect(),
        };
        let path = |path: &Path| path.iter().map(stage).collect();
        View {
            id: confirmation.id.clone(),
            state: confirmation.state(now),
            purpose: confirmation.operation.purpose(),
            attempts_left: confirmation.attempts_left,
            until: confirmation.ends(),
            paths: confirmation.paths.iter().map(path).collect(),
        }
    }
}
