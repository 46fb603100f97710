//! The part of the story that is about codes sent by SMS.

use std::time::Duration;

use anyhow::Result;
use countersign_client::{
    new_request_id, retry_after,
    v1::{self, ConfirmationState},
};
use tonic::Status;

use super::{
    super::{
        super::dev_inbox::has_no_inbox,
        app::Who,
        calls::{
            Answer, Service, Verdict, login, proof_by_code, proof_by_pin, sms::disabling,
            withdrawal,
        },
        terminal::Terminal,
    },
    Created, PIN, Story, TRIES, accepted, accepted_in, in_state, open, rejected,
};

/// What stands first in each message, so that a message of somebody else's is known.
const WORD: &str = "Bluebird";
/// How often it is looked whether a message has come, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 200;

/// A phone, and the messages that came to it.
struct Phone {
    who: Who,
    number: String,
    identifier: String,
    /// The code of the message that came last.
    code: String,
    /// How many messages have come.
    came: usize,
}

impl Story {
    /// Codes come by SMS: to enrol a phone, for a login, for a withdrawal, and to disable the phone.
    /// Only a server for development shows what it would have sent.
    pub(super) async fn send_codes(&self, who: Who, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The personal area: codes by SMS");
        let number = fictional_number();
        match self.service(&self.personal_area).inbox(&number).await {
            Err(status) if has_no_inbox(&status) => {
                terminal.note(
                    "This part needs `countersign dev`, whose inbox shows what would have been",
                );
                terminal.note("sent: this server has none, so it is left out.");
                return Ok(());
            }
            answer => {
                let what = "the inbox of `countersign dev` is there, in the place of phones";
                terminal.require(what, "a list", answer, Some)?;
            }
        }
        let mut phone = self.enrol_phone(number, who, terminal).await?;
        self.log_in_by_sms(&mut phone, terminal).await?;
        self.withdraw_by_sms(&mut phone, terminal).await?;
        self.disable_phone(&mut phone, terminal).await
    }

    async fn enrol_phone(
        &self,
        number: String,
        who: Who,
        terminal: &mut Terminal,
    ) -> Result<Phone> {
        let service = self.service(&self.personal_area);
        let answer = service.begin_sms(&number, WORD).await;
        let what = format!("the phone {number} is to be enrolled: a code is sent to it");
        let begun = terminal.require(&what, "a code that is sent", answer, |begun| {
            begun.sent_code.is_some().then_some(begun)
        })?;
        let mut phone = Phone {
            who,
            number,
            identifier: begun.identifier_id,
            code: String::new(),
            came: 0,
        };
        let what = format!("its message begins with \"{WORD}\", the word that the person chose");
        phone.receives(&service, &what, &[WORD], terminal).await?;
        let answer = service.begin_sms(&phone.number, WORD).await;
        too_soon("it is not sent again at once", answer, terminal);
        let confirm = async |code: &str| {
            let proofs = vec![proof_by_pin(PIN)];
            service.confirm_sms(&phone.identifier, code, proofs).await
        };
        let wrong = phone.wrong_code();
        let answer = confirm(&wrong).await;
        let what = format!("the wrong code {wrong} does not enable it");
        terminal.require(&what, "rejected", answer, |verdict| {
            (verdict == Verdict::Rejected).then_some(())
        })?;
        let mut tries = 1;
        loop {
            let code = phone.typed(terminal).await?;
            let answer = confirm(&code).await;
            if phone.may_mistype(tries, matches!(answer, Ok(Verdict::Rejected)), terminal) {
                tries += 1;
                continue;
            }
            let what = format!("the code {code} and the PIN enable it, for logins and withdrawals");
            terminal.require(&what, "done", answer, accepted)?;
            return Ok(phone);
        }
    }

    async fn log_in_by_sms(&self, phone: &mut Phone, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The login service: a code by SMS confirms a login");
        let service = self.service(&self.logins);
        let id = open(&service, "a login", login(), terminal).await?;
        phone.is_sent_a_code(&service, &id, &[], terminal).await?;
        let answer = service.send_code(&id).await;
        too_soon("it is not sent again at once", answer, terminal);
        let wrong = phone.wrong_code();
        let answer = service.submit(&id, phone.proof(&wrong)).await;
        let what = format!("the wrong code {wrong} is rejected");
        terminal.require(&what, "rejected", answer, rejected)?;
        phone.approves(&service, &id, terminal).await?;
        let answer = service.redeem(&id, login()).await;
        let redeemed = in_state(ConfirmationState::Redeemed);
        let what = "it is redeemed: the person is in";
        terminal.require(what, "REDEEMED", answer, redeemed)?;

        let id = open(&service, "another login", login(), terminal).await?;
        let answer = service.submit(&id, phone.proof(&phone.code)).await;
        let what = format!(
            "the code {} is rejected: it was used a moment ago",
            phone.code
        );
        terminal.require(&what, "rejected", answer, rejected)?;
        let answer = service.cancel(&id).await;
        let cancelled = in_state(ConfirmationState::Cancelled);
        terminal.require("that login is cancelled", "CANCELLED", answer, cancelled)
    }

    async fn withdraw_by_sms(&self, phone: &mut Phone, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The withdrawal service: the message says what its code confirms");
        let service = self.service(&self.withdrawals);
        let what = "a withdrawal of 250 EUR";
        let id = open(&service, what, withdrawal(250), terminal).await?;
        let answer = service.submit(&id, proof_by_pin(PIN)).await;
        let pending = accepted_in(ConfirmationState::Pending);
        let what = format!("the PIN {PIN} passes the first stage; a code is still missing");
        terminal.require(&what, "accepted and PENDING", answer, pending)?;
        // Of a long destination the message shows the end.
        let says = ["250 EUR", "...3000"];
        phone.is_sent_a_code(&service, &id, &says, terminal).await?;
        phone.approves(&service, &id, terminal).await?;
        let answer = service.redeem(&id, withdrawal(250)).await;
        let redeemed = in_state(ConfirmationState::Redeemed);
        let what = "250 EUR are redeemed: they may go out";
        terminal.require(what, "REDEEMED", answer, redeemed)
    }

    async fn disable_phone(&self, phone: &mut Phone, terminal: &mut Terminal) -> Result<()> {
        terminal.chapter("The personal area: a code sent to the phone disables it");
        let service = self.service(&self.personal_area);
        let what = "the change";
        let change = disabling(&phone.identifier);
        let id = open(&service, what, change, terminal).await?;
        phone.is_sent_a_code(&service, &id, &[], terminal).await?;
        phone.approves(&service, &id, terminal).await?;
        let answer = service.disable_sms(&phone.identifier, &id).await;
        let what = "the phone is disabled by that confirmation";
        terminal.require(what, "done", answer, accepted)?;
        let answer = self.service(&self.logins).create(login()).await;
        let what = "a login needs no proof again: nothing is switched on";
        terminal.require(what, "NOT_REQUIRED", answer, |response| {
            matches!(response.outcome, Some(Created::NotRequired(_))).then_some(())
        })
    }
}

impl Phone {
    /// Has a code sent for a confirmation, once one may be, and waits for the message that says this.
    async fn is_sent_a_code(
        &mut self,
        service: &Service,
        id: &str,
        says: &[&str],
        terminal: &mut Terminal,
    ) -> Result<()> {
        let mut answer = service.send_code(id).await;
        if let Err(status) = &answer
            && is_too_soon(status)
        {
            let wait = retry_after(status).unwrap_or_default();
            let seconds = wait.as_millis().div_ceil(1000);
            terminal.note(&format!(
                "… waits {seconds} s until this number may be sent the next message"
            ));
            tokio::time::sleep(wait).await;
            answer = service.send_code(id).await;
        }
        let masked = match &answer {
            Ok(sent) => sent.masked_number.clone(),
            Err(_) => "the phone".to_owned(),
        };
        let what = format!("a code is sent to {masked}, which is all that the caller is shown");
        terminal.require(&what, "a code that is sent", answer, Some)?;
        let what = if says.is_empty() {
            "the message comes".to_owned()
        } else {
            "the message comes, with amount, currency and destination".to_owned()
        };
        let says = [&[WORD], says].concat();
        self.receives(service, &what, &says, terminal).await
    }

    /// Waits for a message, shows it as the phone would, and looks for these words in it.
    async fn receives(
        &mut self,
        service: &Service,
        what: &str,
        says: &[&str],
        terminal: &mut Terminal,
    ) -> Result<()> {
        let answer = self.next_message(service).await;
        let expected = format!("a message with {} and a code", says.join(", "));
        let (text, code) = terminal.require(what, &expected, answer, |message| {
            let code = code_of(&message.text)?;
            let says_all = says.iter().all(|part| message.text.contains(part));
            says_all.then_some((message.text, code))
        })?;
        terminal.say(format!("\n    {}", self.number));
        for line in text.lines() {
            terminal.say(format!("    {line}"));
        }
        terminal.say("");
        self.code = code;
        Ok(())
    }

    async fn next_message(&mut self, service: &Service) -> Answer<v1::InboxMessage> {
        for _ in 0..LOOKS {
            let messages = service.inbox(&self.number).await?;
            if messages.len() > self.came {
                self.came = messages.len();
                let newest = messages.into_iter().next();
                return newest.ok_or_else(|| Status::internal("no message"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Status::deadline_exceeded("no message came"))
    }

    /// Submits the code that came, and another where a person mistypes, until it is approved.
    async fn approves(&self, service: &Service, id: &str, terminal: &mut Terminal) -> Result<()> {
        let mut tries = 1;
        loop {
            let code = self.typed(terminal).await?;
            let answer = service.submit(id, self.proof(&code)).await;
            let is_rejected = matches!(answer, Ok((Verdict::Rejected, _)));
            if self.may_mistype(tries, is_rejected, terminal) {
                tries += 1;
                continue;
            }
            let what = format!("the code {code} is accepted, which approves it");
            let approved = accepted_in(ConfirmationState::Approved);
            return terminal.require(&what, "accepted and APPROVED", answer, approved);
        }
    }

    /// The code as it is given back: by the demo, or by whoever reads the message above.
    async fn typed(&self, terminal: &Terminal) -> Result<String> {
        match self.who {
            Who::Demo => Ok(self.code.clone()),
            Who::Person => terminal.ask("the code in the message above").await,
        }
    }

    fn may_mistype(&self, tries: u32, is_rejected: bool, terminal: &Terminal) -> bool {
        let again = self.who == Who::Person && tries < TRIES && is_rejected;
        if again {
            terminal.note("that code was not accepted: type it once more");
        }
        again
    }

    /// A code that is not the one that was sent.
    fn wrong_code(&self) -> String {
        let wrong = if self.code == "000000" {
            "000001"
        } else {
            "000000"
        };
        wrong.to_owned()
    }

    fn proof(&self, code: &str) -> v1::Proof {
        proof_by_code(&self.identifier, code)
    }
}

/// A step that must be refused since a message went out a moment ago, with how long to wait.
fn too_soon<T: std::fmt::Debug>(what: &str, answer: Answer<T>, terminal: &mut Terminal) {
    let wait = answer.as_ref().err().and_then(retry_after);
    let what = match wait {
        Some(wait) => format!("{what}, but in {} s", wait.as_millis().div_ceil(1000)),
        None => what.to_owned(),
    };
    terminal.refuse(&what, "SEND_TOO_SOON", answer);
}

fn is_too_soon(status: &Status) -> bool {
    countersign_client::reason(status).as_deref() == Some("SEND_TOO_SOON")
}

/// The code in a message: the last six digits that stand by themselves. What it confirms stands before
/// it, and the end of a destination may look like a code.
fn code_of(text: &str) -> Option<String> {
    let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = text.split(|character: char| !character.is_alphanumeric());
    words.rfind(is_code).map(ToOwned::to_owned)
}

/// One of a hundred mobile numbers that Germany keeps for films, and that are nobody's.
fn fictional_number() -> String {
    let random = new_request_id();
    let mut digits: String = random
        .chars()
        .filter(char::is_ascii_digit)
        .take(2)
        .collect();
    while digits.len() < 2 {
        digits.push('0');
    }
    format!("+491713920{digits:0>3}")
}

#[cfg(test)]
mod tests {
    use countersign_sms_codes::{Countries, PhoneNumber};

    use super::*;

    #[test]
    fn the_code_of_a_message_is_found_beside_other_digits() {
        let text =
            "Bluebird. Demo: withdrawal 250.00 EUR to DE89 3700 0440 5320 1300. Code 123456.";
        assert_eq!(code_of(text).as_deref(), Some("123456"));
        let text = "Demo: withdrawal 250 EUR to DE89370400440532013000.";
        assert_eq!(code_of(text), None);
    }

    #[test]
    fn a_fictional_number_is_a_mobile_number_that_codes_can_be_sent_to() {
        for _ in 0..20 {
            let number = fictional_number();
            let parsed = PhoneNumber::parse(&number, &Countries::All).unwrap();
            assert_eq!(parsed.e164(), number);
        }
    }
}
