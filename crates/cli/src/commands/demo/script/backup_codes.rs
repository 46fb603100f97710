//! The part of the story that is about backup codes.

use anyhow::Result;
use countersign_client::v1::{self, ConfirmationState};

use super::{
    super::{
        calls::{Verdict, login, proof_by_code, proof_by_pin, withdrawal},
        terminal::Terminal,
    },
    Created, PIN, Story, accepted, accepted_in, in_state, open,
};

/// How many events are shown in the end.
const EVENTS: i32 = 6;

/// A printed list.
pub(super) struct Codes(v1::BackupCodeList);

impl Codes {
    /// A proof by the code with this number, from 1.
    pub(super) fn proof(&self, number: usize) -> v1::Proof {
        self.typed(self.shown(number))
    }

    /// The code with this number, as it is printed.
    pub(super) fn shown(&self, number: usize) -> &str {
        self.0.codes.get(number - 1).map_or("", String::as_str)
    }

    fn typed(&self, typed: &str) -> v1::Proof {
        proof_by_code(&self.0.identifier_id, typed)
    }

    fn count(&self) -> usize {
        self.0.codes.len()
    }
}

impl Story {
    /// Backup codes are made, printed, finished, and switched on.
    pub(super) async fn print_codes(&self, terminal: &mut Terminal) -> Result<Codes> {
        terminal.chapter("The personal area: backup codes");
        let service = self.service(&self.personal_area);
        let answer = service.enable_codes(vec![proof_by_pin(PIN)]).await;
        let what = "the PIN makes a list of codes, shown once";
        let codes = Codes(terminal.require(what, "a list", answer, |list| list)?);
        terminal.print_codes(&codes.0.codes);
        let answer = service.finish_codes(&codes.0.list_id).await;
        let what = "it is printed, and Finish puts it in force";
        terminal.require(what, "every code left", answer, all_of(&codes))?;
        let answer = service
            .switch_on(&codes.0.identifier_id, codes.proof(2))
            .await;
        let what = format!(
            "the code {} switches them on for logins and withdrawals",
            codes.shown(2)
        );
        terminal.require(&what, "done", answer, accepted)?;
        Ok(codes)
    }

    /// A login with a code, however it is typed, and once.
    pub(super) async fn log_in_with_codes(
        &self,
        codes: &Codes,
        terminal: &mut Terminal,
    ) -> Result<()> {
        terminal.chapter("The login service: a backup code does as well");
        let service = self.service(&self.logins);
        let id = open(&service, "a login", login(), terminal).await?;
        let typed = codes.shown(3).to_lowercase().replace('-', " ");
        let answer = service.submit(&id, codes.typed(&typed)).await;
        let what = format!(
            "the code {} is accepted, typed as \"{typed}\"",
            codes.shown(3)
        );
        let approved = accepted_in(ConfirmationState::Approved);
        terminal.require(&what, "accepted and APPROVED", answer, approved)?;
        let id = open(&service, "another login", login(), terminal).await?;
        let answer = service.submit(&id, codes.proof(3)).await;
        let what = format!("the code {} is rejected: it is crossed out", codes.shown(3));
        terminal.require(&what, "rejected", answer, super::rejected)?;
        let answer = service.cancel(&id).await;
        let cancelled = in_state(ConfirmationState::Cancelled);
        terminal.require("that login is cancelled", "CANCELLED", answer, cancelled)
    }

    /// All codes but the last are used up, which is refused for a withdrawal.
    pub(super) async fn use_codes_up(&self, codes: &Codes, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The last code is not spent");
        let service = self.service(&self.logins);
        let last = codes.count();
        let mut confirmed = 0;
        for number in 4..last {
            let answer = service.create(login()).await;
            let created = answer.ok().and_then(|answer| answer.outcome);
            let Some(Created::Confirmation(login)) = created else {
                break;
            };
            let id = login.confirmation_id;
            match service.submit(&id, codes.proof(number)).await {
                Ok((Verdict::Accepted, _)) => confirmed += 1,
                Ok((Verdict::Rejected, _)) | Err(_) => break,
            }
        }
        let what = format!("{} more logins use up all codes but one", last - 4);
        let all = (confirmed == last - 4).then_some(()).ok_or_else(|| {
            tonic::Status::internal(format!("only {confirmed} of them were accepted"))
        });
        terminal.require(&what, "accepted", all, Some)?;

        let service = self.service(&self.withdrawals);
        let what = "a withdrawal of 90 EUR";
        let id = open(&service, what, withdrawal(90), terminal).await?;
        let answer = service.submit(&id, proof_by_pin(PIN)).await;
        let pending = accepted_in(ConfirmationState::Pending);
        let what = format!("the PIN {PIN} passes the first stage");
        terminal.require(&what, "accepted and PENDING", answer, pending)?;
        let answer = service.submit(&id, codes.proof(last)).await;
        let what = format!("the last code {} is refused", codes.shown(last));
        terminal.refuse(&what, "LAST_CODE_RESERVED", answer);
        let answer = service.cancel(&id).await;
        let cancelled = in_state(ConfirmationState::Cancelled);
        terminal.require(
            "that withdrawal is cancelled",
            "CANCELLED",
            answer,
            cancelled,
        )
    }

    /// The last code makes another list, and the old one is void.
    pub(super) async fn replace_codes(
        &self,
        codes: &Codes,
        terminal: &mut Terminal,
    ) -> Result<Codes> {
        terminal.chapter("The personal area: more codes");
        let service = self.service(&self.personal_area);
        let last = codes.count();
        let answer = service
            .create_more_codes(&codes.0.identifier_id, codes.proof(last))
            .await;
        let what = format!("the last code {} makes another list", codes.shown(last));
        let next = Codes(terminal.require(&what, "a list", answer, |list| list)?);
        terminal.print_codes(&next.0.codes);
        let answer = service.finish_codes(&next.0.list_id).await;
        let what = "Finish puts it in force; in the same moment the old list is void";
        terminal.require(what, "every code left", answer, all_of(&next))?;

        let service = self.service(&self.logins);
        let id = open(&service, "a login", login(), terminal).await?;
        let answer = service.submit(&id, codes.proof(last)).await;
        let what = format!("the code {} of the old list is rejected", codes.shown(last));
        terminal.require(&what, "rejected", answer, super::rejected)?;
        let answer = service.submit(&id, next.proof(1)).await;
        let what = format!("the code {} of the new one is accepted", next.shown(1));
        let approved = accepted_in(ConfirmationState::Approved);
        terminal.require(&what, "accepted and APPROVED", answer, approved)?;
        Ok(next)
    }

    /// The app is gone with the phone: the PIN and a code disable it.
    pub(super) async fn lose_the_phone(
        &self,
        app: &str,
        codes: &Codes,
        terminal: &mut Terminal,
    ) -> Result<()> {
        terminal.chapter("The personal area: the phone is lost");
        let service = self.service(&self.personal_area);
        let answer = service.disable_totp(app, vec![proof_by_pin(PIN)]).await;
        let what = "the PIN alone does not disable the app";
        terminal.refuse(what, "STEP_UP_REQUIRED", answer);
        let proofs = vec![proof_by_pin(PIN), codes.proof(2)];
        let answer = service.disable_totp(app, proofs).await;
        let what = format!("the PIN and the backup code {} do", codes.shown(2));
        terminal.require(&what, "done", answer, accepted)
    }

    pub(super) async fn disable_codes(&self, codes: &Codes, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The personal area: the codes are disabled");
        let service = self.service(&self.personal_area);
        let id = &codes.0.identifier_id;
        let answer = service.disable_codes(id, false, codes.proof(3)).await;
        let what = "nothing would be left: that has to be said";
        terminal.refuse(what, "LAST_IDENTIFIER", answer);
        let answer = service.disable_codes(id, true, codes.proof(3)).await;
        let what = format!(
            "it is said, and the code {} disables the codes",
            codes.shown(3)
        );
        terminal.require(&what, "done", answer, accepted)?;
        let answer = self.service(&self.logins).create(login()).await;
        let what = "a login needs no proof again: nothing is switched on";
        terminal.require(what, "NOT_REQUIRED", answer, |response| {
            matches!(response.outcome, Some(Created::NotRequired(_))).then_some(())
        })
    }

    /// What the person may read of all this.
    pub(super) async fn look_back(&self, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The personal area: what happened, the latest first");
        let answer = self.service(&self.personal_area).events(EVENTS).await;
        let what = "the subject's events are listed, without a secret";
        let events = terminal.require(what, "events", answer, |events| {
            (!events.is_empty()).then_some(events)
        })?;
        for event in events {
            let facts = event.facts.iter().map(|fact| fact.text.as_str());
            let facts = facts.collect::<Vec<_>>().join("; ");
            terminal.note(&format!("#{} by {}: {facts}", event.number, event.caller));
        }
        Ok(())
    }
}

/// Whether every code of a list is left.
fn all_of(codes: &Codes) -> impl FnOnce(i32) -> Option<()> {
    let count = codes.count();
    move |left| (usize::try_from(left) == Ok(count)).then_some(())
}
