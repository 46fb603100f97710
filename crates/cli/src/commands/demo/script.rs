//! The story: three services and one account holder.

mod backup_codes;
mod sms;

use std::fmt::Debug;

use anyhow::{Result, bail};
use countersign_client::{
    Client, reason,
    v1::{self, ConfirmationState, confirmation_service_create_response::Outcome as Created},
};

use self::backup_codes::Codes;
use super::{
    app::{App, Who},
    calls::{
        Answer, Service, Verdict, login, proof_by_code, proof_by_pin, stages, status_in_words,
        withdrawal,
    },
    terminal::Terminal,
};

const PIN: &str = "27491358";
const WEAK_PIN: &str = "123456";
/// How often a person may type a code.
const TRIES: u32 = 3;

/// Who plays, and about whom.
pub(super) struct Story {
    pub(super) subject: String,
    pub(super) personal_area: Client,
    pub(super) logins: Client,
    pub(super) withdrawals: Client,
}

/// The authenticator app, once it is enrolled.
struct Enrolled {
    identifier: String,
    app: App,
}

impl Story {
    /// Plays it to the end, or to a step without which it cannot go on.
    pub(super) async fn play(&self, who: Who, terminal: &mut Terminal) -> Result<()> {
        terminal.say(format!(
            "The account holder of this run is {}.",
            self.subject
        ));
        if who == Who::Demo {
            terminal.note(
                "The demo plays the authenticator app too. It takes the codes of the last half",
            );
            terminal.note(
                "minute, of this one and of the next, which all count: clocks may differ a little.",
            );
        }
        self.before_enrolment(terminal).await?;
        self.choose_pin(terminal).await?;
        let codes = self.print_codes(terminal).await?;
        let mut enrolled = self.enrol(who, &codes, terminal).await?;
        self.log_in(&mut enrolled, terminal).await?;
        self.withdraw(&mut enrolled, terminal).await?;
        self.log_in_with_codes(&codes, terminal).await?;
        self.use_codes_up(&codes, terminal).await?;
        let codes = self.replace_codes(&codes, terminal).await?;
        self.lose_the_phone(&enrolled.identifier, &codes, terminal)
            .await?;
        self.disable_codes(&codes, terminal).await?;
        self.send_codes(who, terminal).await?;
        self.look_back(terminal).await
    }

    async fn before_enrolment(&self, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("Nothing is enrolled yet");
        let answer = self.service(&self.logins).create(login()).await;
        let what = "a login needs no proof";
        terminal.require(what, "NOT_REQUIRED", answer, |response| {
            match response.outcome {
                Some(Created::NotRequired(_)) => Some(()),
                _ => None,
            }
        })?;
        let answer = self
            .service(&self.withdrawals)
            .create(withdrawal(250))
            .await;
        let what = "a withdrawal needs a PIN and an authenticator to be enrolled first";
        terminal.require(
            what,
            "ENROLMENT_REQUIRED",
            answer,
            |response| match response.outcome {
                Some(Created::EnrolmentRequired(missing)) if missing.pin => Some(()),
                _ => None,
            },
        )
    }

    async fn choose_pin(&self, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The personal area: a PIN");
        let service = self.service(&self.personal_area);
        let answer = service.set_pin(WEAK_PIN).await;
        terminal.refuse(
            &format!("the PIN {WEAK_PIN} is refused"),
            "INVALID_FIELD",
            answer,
        );
        let answer = service.set_pin(PIN).await;
        terminal.require(&format!("the PIN {PIN} is set"), "done", answer, accepted)
    }

    async fn enrol(&self, who: Who, codes: &Codes, terminal: &mut Terminal) -> Result<Enrolled> {
        terminal.chapter("The personal area: an authenticator app");
        let service = self.service(&self.personal_area);
        let answer = service.begin_totp().await;
        let what = "an enrolment begins: the app scans this, or is given the key";
        let begun = terminal.require(what, "a secret", answer, |begun| {
            (!begun.secret_base32.is_empty()).then_some(begun)
        })?;
        terminal.draw_qr(&begun.otpauth_uri)?;
        terminal.say(format!("    key  {}\n", grouped(&begun.secret_base32)));

        let (mut app, identifier) = (App::new(who, &begun.secret_base32)?, begun.identifier_id);
        let mut tries = 1;
        loop {
            let code = app.fresh_code(terminal).await?;
            // A backup code that a mistyped one stood beside is not used up.
            let proofs = vec![proof_by_pin(PIN), codes.proof(1)];
            let answer = service.confirm_totp(&identifier, &code, proofs).await;
            if app.is_typed() && tries < TRIES && matches!(answer, Ok(Verdict::Rejected)) {
                terminal.note("that code was not accepted: try the next one");
                tries += 1;
                continue;
            }
            let what = format!(
                "its code {code}, the PIN and the backup code {} enable it, for logins and withdrawals",
                codes.shown(1)
            );
            terminal.require(&what, "done", answer, accepted)?;
            return Ok(Enrolled { identifier, app });
        }
    }

    async fn log_in(&self, enrolled: &mut Enrolled, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The login service: a code of the app confirms a login");
        let service = self.service(&self.logins);
        let id = open(&service, "a login", login(), terminal).await?;
        let wrong = enrolled.app.wrong_code();
        let answer = service.submit(&id, enrolled.proof(&wrong)).await;
        let what = format!("the wrong code {wrong} is rejected");
        terminal.require(&what, "rejected", answer, rejected)?;
        approve(&service, &id, enrolled, terminal).await?;
        let answer = service.redeem(&id, login()).await;
        let redeemed = in_state(ConfirmationState::Redeemed);
        terminal.require(
            "it is redeemed: the person is in",
            "REDEEMED",
            answer,
            redeemed,
        )?;
        let answer = service.redeem(&id, login()).await;
        terminal.refuse("it is redeemed once only", "ALREADY_REDEEMED", answer);

        let id = open(&service, "another login", login(), terminal).await?;
        let used = enrolled.app.used_code().to_owned();
        let answer = service.submit(&id, enrolled.proof(&used)).await;
        let what = format!("the code {used} is rejected: it was used a moment ago");
        terminal.require(&what, "rejected", answer, rejected)?;
        let answer = service.cancel(&id).await;
        let cancelled = in_state(ConfirmationState::Cancelled);
        terminal.require("that login is cancelled", "CANCELLED", answer, cancelled)
    }

    async fn withdraw(&self, enrolled: &mut Enrolled, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The withdrawal service: the PIN and a code of the app confirm 250 EUR");
        let service = self.service(&self.withdrawals);
        let id = open(
            &service,
            "a withdrawal of 250 EUR",
            withdrawal(250),
            terminal,
        )
        .await?;
        let answer = service.submit(&id, proof_by_pin(PIN)).await;
        let what = format!("the PIN {PIN} passes the first stage; a code is still missing");
        let expected = "accepted and PENDING";
        terminal.require(
            &what,
            expected,
            answer,
            accepted_in(ConfirmationState::Pending),
        )?;
        approve(&service, &id, enrolled, terminal).await?;

        let answer = self
            .service(&self.logins)
            .redeem(&id, withdrawal(250))
            .await;
        let what = "the login service cannot redeem what is not its own";
        terminal.refuse(what, "CONFIRMATION_NOT_FOUND", answer);
        let answer = service.redeem(&id, withdrawal(9250)).await;
        let what = "9250 EUR are refused: 250 EUR were confirmed";
        terminal.refuse(what, "OPERATION_MISMATCH", answer);
        let answer = service.redeem(&id, withdrawal(250)).await;
        let redeemed = in_state(ConfirmationState::Redeemed);
        terminal.require(
            "250 EUR are redeemed: they may go out",
            "REDEEMED",
            answer,
            redeemed,
        )?;
        let answer = service.redeem(&id, withdrawal(250)).await;
        terminal.refuse("they go out once only", "ALREADY_REDEEMED", answer);
        Ok(())
    }

    fn service(&self, client: &Client) -> Service {
        Service::new(client, &self.subject)
    }
}

/// Asks for a confirmation, and shows what it takes.
async fn open(
    service: &Service,
    what: &str,
    operation: v1::Operation,
    terminal: &mut Terminal,
) -> Result<String> {
    let answer = service.create(operation).await;
    let takes = match &answer {
        Ok(v1::ConfirmationServiceCreateResponse {
            outcome: Some(Created::Confirmation(confirmation)),
        }) => stages(confirmation),
        _ => "a code".to_owned(),
    };
    let what = format!("{what} takes {takes}");
    terminal.require(&what, "a confirmation", answer, |response| {
        match response.outcome {
            Some(Created::Confirmation(confirmation)) => Some(confirmation.confirmation_id),
            _ => None,
        }
    })
}

/// Submits a code, and another where a person mistypes, until the confirmation is approved.
async fn approve(
    service: &Service,
    id: &str,
    enrolled: &mut Enrolled,
    terminal: &mut Terminal,
) -> Result<()> {
    let mut tries = 1;
    loop {
        let code = enrolled.app.fresh_code(terminal).await?;
        let answer = service.submit(id, enrolled.proof(&code)).await;
        let is_rejected = matches!(answer, Ok((Verdict::Rejected, _)));
        if enrolled.app.is_typed() && tries < TRIES && is_rejected {
            terminal.note("that code was not accepted: try the next one");
            tries += 1;
            continue;
        }
        let what = format!("the code {code} is accepted, which approves it");
        let approved = accepted_in(ConfirmationState::Approved);
        return terminal.require(&what, "accepted and APPROVED", answer, approved);
    }
}

impl Enrolled {
    fn proof(&self, code: &str) -> v1::Proof {
        proof_by_code(&self.identifier, code)
    }
}

impl Terminal {
    /// A step that must have an answer in which `read` finds something. Without it the story
    /// cannot go on.
    fn require<T: Debug, U>(
        &mut self,
        what: &str,
        expected: &str,
        answer: Answer<T>,
        read: impl FnOnce(T) -> Option<U>,
    ) -> Result<U> {
        let answered = match &answer {
            Ok(answer) => format!("{answer:?}"),
            Err(status) => status_in_words(status),
        };
        if let Some(found) = answer.ok().and_then(read) {
            self.pass(what);
            return Ok(found);
        }
        self.fail(what, expected, &answered);
        bail!(
            "the story cannot go on without this step, after {} that were right",
            self.passed()
        )
    }

    /// A step that must be refused, for this reason.
    fn refuse<T: Debug>(&mut self, what: &str, expected: &str, answer: Answer<T>) {
        match answer {
            Err(status) if reason(&status).as_deref() == Some(expected) => {
                self.pass(&format!("{what}: {}", status_in_words(&status)));
            }
            Err(status) => self.fail(what, expected, &status_in_words(&status)),
            Ok(answer) => self.fail(what, expected, &format!("{answer:?}")),
        }
    }
}

fn accepted(verdict: Verdict) -> Option<()> {
    (verdict == Verdict::Accepted).then_some(())
}

fn rejected((verdict, confirmation): (Verdict, v1::Confirmation)) -> Option<()> {
    let is_pending = confirmation.state() == ConfirmationState::Pending;
    (verdict == Verdict::Rejected && is_pending).then_some(())
}

fn accepted_in(state: ConfirmationState) -> impl FnOnce((Verdict, v1::Confirmation)) -> Option<()> {
    move |(verdict, confirmation)| {
        (verdict == Verdict::Accepted && confirmation.state() == state).then_some(())
    }
}

fn in_state(state: ConfirmationState) -> impl FnOnce(v1::Confirmation) -> Option<()> {
    move |confirmation| (confirmation.state() == state).then_some(())
}

/// A key in groups of four, as people type it.
fn grouped(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    let groups = characters
        .chunks(4)
        .map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_in_groups_of_four() {
        assert_eq!(grouped("ABCDEFGHIJ"), "ABCD EFGH IJ");
    }
}
