//! What the tests of SMS share: numbers, people who have phones, and what is waited for.

use std::{fmt::Debug, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    App, Backend, CarriedMessage, FakeCarrier, Options, Person, Phone, Rates, SmsSettings,
    Submission, TestPlatform, cheap, new_request_id, pin_proof, reason_of, retry_after, sms, v1,
    v1::{DeliveryState, Purpose},
};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::{StatusExt, pb};

use crate::world::{HOUR, World, accepted, refused, settings};

/// How long the next message has to wait for the first one.
pub(crate) const FIRST_WAIT: u64 = 30;
/// Everything that an identifier can be on for.
pub(crate) const ALL: &[Purpose] = &[Purpose::Login, Purpose::Withdrawal, Purpose::Other];

/// A mobile number of its own for each of ten million.
pub(crate) fn number(n: u32) -> String {
    format!("+7912{n:07}")
}

/// A platform with these settings of SMS.
pub(crate) fn with_sms(change: impl FnOnce(&mut SmsSettings)) -> Options {
    let mut settings = sms();
    change(&mut settings);
    let mut cheap = cheap();
    cheap.sms = Some(Arc::new(settings));
    Options {
        settings: cheap,
        ..Options::default()
    }
}

/// A platform whose limits nobody here reaches.
pub(crate) fn unlimited() -> Options {
    with_sms(|sms| {
        let most = Rates {
            hour: 1_000_000,
            day: 1_000_000,
        };
        let part = Rates {
            hour: 999_999,
            day: 999_999,
        };
        let spend = &mut sms.spend;
        (spend.subject, spend.number, spend.prefix) = (most, most, most);
        (spend.country, spend.caller, spend.total) = (most, most, most);
        spend.enrolments = part;
        spend.conversion.enough = 1_000_000;
        spend.conversion.latest = 1_000_000;
    })
}

impl World {
    /// Who carries its messages.
    pub(crate) fn carrier(&self) -> &FakeCarrier {
        &self.platform.carrier
    }

    /// Somebody with a PIN and a phone, to which a message may be sent at once.
    pub(crate) async fn phoned(
        &self,
        number: &str,
        purposes: &[Purpose],
    ) -> Result<(Person, Phone)> {
        let person = self.somebody().await?;
        let phone = person
            .enrol_phone(&self.client, self.carrier(), number, purposes)
            .await?;
        self.pass(FIRST_WAIT);
        Ok((person, phone))
    }

    /// The code of the newest message to a phone, after so many that it had before.
    pub(crate) async fn code_after(&self, phone: &Phone, before: usize) -> String {
        let message = self.carrier().nth_message_to(&phone.number, before + 1);
        message.await.code()
    }

    /// Has a code sent and returns it.
    pub(crate) async fn sent(
        &self,
        person: &Person,
        confirmation: &v1::Confirmation,
        phone: &Phone,
    ) -> Result<String> {
        let before = self.carrier().messages_to(&phone.number).len();
        person
            .send_code(&self.client, confirmation, Some(phone))
            .await?;
        Ok(self.code_after(phone, before).await)
    }

    /// Whether a code of a phone passes a confirmation.
    pub(crate) async fn takes(
        &self,
        person: &Person,
        confirmation: &v1::Confirmation,
        phone: &Phone,
        code: &str,
    ) -> Result<bool> {
        let id = &confirmation.confirmation_id;
        let proofs = vec![phone.proof(code)];
        Ok(accepted(&person.submit(&self.client, id, proofs).await?))
    }

    /// A code of the right form that was sent to nobody here.
    pub(crate) fn unsent_code(&self) -> String {
        let sent: Vec<String> = self
            .carrier()
            .messages()
            .iter()
            .map(CarriedMessage::code)
            .collect();
        let mut codes = (0..).map(|n: u32| format!("{n:06}"));
        codes.find(|code| !sent.contains(code)).unwrap_or_default()
    }

    /// The facts of somebody's last event that has this one among them. A carrier's answer may come
    /// after it.
    pub(crate) fn last_event_with(&self, person: &Person, fact: &str) -> Result<String> {
        let facts = self.facts(person)?;
        let mut events = facts.lines().rev();
        let last = events.find(|event| event.contains(fact));
        Ok(last
            .with_context(|| format!("no {fact}: {facts}"))?
            .to_owned())
    }

    /// The states of all messages in the database, in the order of their names.
    pub(crate) fn message_states(&self) -> Result<String> {
        let sql = "SELECT state, count(*) FROM message GROUP BY state ORDER BY state";
        Ok(self.database.query(sql)?.replace('\n', " "))
    }

    /// How many rows of each kind a request could have left.
    pub(crate) fn all_rows(&self) -> Result<String> {
        let count = |table| format!("(SELECT count(*) FROM {table})");
        let tables = [
            "subject",
            "event",
            "request",
            "message",
            "spend",
            "number_user",
        ];
        let counts: Vec<String> = tables.map(count).into();
        self.database
            .query(&format!("SELECT {}", counts.join(", ")))
    }

    /// Waits until the states of all messages are these, such as `DELIVERED|1 SENT|2`.
    pub(crate) async fn states_become(&self, expected: &str) -> Result<()> {
        let mut states = String::new();
        for _ in 0..3_000 {
            states = self.message_states()?;
            if states == expected {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("messages are {states}, not {expected}")
    }

    /// Where the message of a confirmation is, once it is there.
    pub(crate) async fn delivery_becomes(
        &self,
        person: &Person,
        confirmation: &v1::Confirmation,
        expected: DeliveryState,
    ) -> Result<()> {
        let mut state = None;
        for _ in 0..3_000 {
            let id = &confirmation.confirmation_id;
            let seen = person.get(&self.client, id).await?;
            state = seen.sent_code.map(|sent| sent.delivery_state());
            if state == Some(expected) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the message is {state:?}, not {expected:?}")
    }

    /// That nobody was sent anything since there were so many messages: what comes now is one that
    /// was asked for after whatever was wrong.
    pub(crate) async fn nothing_was_sent_since(&self, before: usize) -> Result<()> {
        self.pass(HOUR);
        let last = number(9_999_999);
        let already = self.carrier().messages_to(&last).len();
        let probe = self.somebody().await?;
        probe.begin_phone(&self.client, &last).await?;
        self.carrier().nth_message_to(&last, already + 1).await;
        let now = self.carrier().messages();
        ensure!(
            now.len() == before + 1,
            "sent meanwhile: {:?}",
            &now[before..]
        );
        Ok(())
    }
}

/// That a message was refused for a while, and for how many seconds.
pub(crate) fn refused_for<T: Debug>(answer: Result<T, Status>, reason: &str) -> Result<u64> {
    let status = refused(answer, Code::ResourceExhausted, reason)?;
    let wait = retry_after(&status).with_context(|| format!("no RetryInfo: {status:?}"))?;
    Ok(wait.as_secs())
}

/// The limit that refused a message, the seconds to wait, and what would do in place of its code.
pub(crate) fn limit_of<T: Debug>(
    answer: Result<T, Status>,
) -> Result<(String, u64, Vec<v1::StageOption>)> {
    let status = refused(answer, Code::ResourceExhausted, "SEND_LIMIT_REACHED")?;
    let quota = status.get_details_quota_failure().context("QuotaFailure")?;
    let [violation] = &quota.violations[..] else {
        bail!("not one limit: {quota:?}");
    };
    let wait = retry_after(&status).context("RetryInfo")?;
    let details = pb::Status::decode(status.details())?.details;
    let ours = |url: &str| url.ends_with("/countersign.v1.SendRefused");
    let detail = details.iter().find(|detail| ours(&detail.type_url));
    let detail = detail.context("SendRefused")?;
    let others = v1::SendRefused::decode(detail.value.as_slice())?.other_options;
    Ok((violation.subject.clone(), wait.as_secs(), others))
}

/// Whether a call of many at once was refused since the subject or the server is busy.
pub(crate) fn is_busy(status: &Status) -> bool {
    let busy = ["SUBJECT_BUSY", "SERVER_BUSY", "CALLER_BUSY"];
    busy.contains(&reason_of(status).as_str())
}

/// A carrier that cannot be reached.
pub(crate) fn unreachable(_: &CarriedMessage) -> Submission {
    Submission::Unreachable("no route".to_owned())
}

/// Somebody whose phone and app are both on for these purposes. Time passes.
pub(crate) async fn with_app_and_phone(
    world: &World,
    number: &str,
    purposes: &[Purpose],
) -> Result<(Person, App, Phone)> {
    let (person, app) = world.owner(purposes).await?;
    let before = world.carrier().messages_to(number).len();
    let phone = person.begin_phone(&world.client, number).await?;
    let code = world.code_after(&phone, before).await;
    world.pass(FIRST_WAIT);
    let proofs = vec![pin_proof(&person.pin), world.right(&app)];
    let done = person.confirm_phone(&world.client, &phone, &code, purposes, proofs);
    done.await?.context("the number was not enabled")?;
    world.pass(FIRST_WAIT * 2);
    Ok((person, app, phone))
}

/// Two platforms over one database, with one clock and one carrier.
pub(crate) async fn two_gateways(
    backend: Backend,
    options: fn() -> Options,
) -> Result<(World, TestPlatform)> {
    let world = World::with(backend, options()).await?;
    let second = Options {
        seed: 2,
        carrier: world.carrier().clone(),
        ..options()
    };
    let clock = &world.platform.clock;
    let second = TestPlatform::start(&world.database, clock, second).await?;
    Ok((world, second))
}

/// The settings change that ends the enrolment of a phone.
pub(crate) fn enable(id: &str, purposes: &[Purpose]) -> v1::operation::Operation {
    let purposes = purposes.iter().map(|purpose| (*purpose).into()).collect();
    settings(v1::settings_change::Change::EnableSms(
        v1::EnableSmsChange {
            identifier_id: id.to_owned(),
            purposes,
        },
    ))
}

/// Ends the enrolment of a phone by a confirmation.
pub(crate) async fn confirm_by(
    person: &Person,
    world: &World,
    phone: &Phone,
    code: &str,
    confirmation: &str,
) -> Result<Option<v1::SecurityIdentifier>, Status> {
    use v1::sms_service_confirm_enable_request::Authorization;
    use v1::sms_service_confirm_enable_response::Outcome;
    let request = v1::SmsServiceConfirmEnableRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        identifier_id: phone.id.clone(),
        code: code.to_owned(),
        purposes: Vec::new(),
        authorization: Some(Authorization::ConfirmationId(confirmation.to_owned())),
    };
    let answer = world.client.sms().confirm_enable(request).await?;
    Ok(match answer.into_inner().outcome {
        Some(Outcome::Done(done)) => Some(done),
        Some(Outcome::Rejected(_)) | None => None,
    })
}

/// Disables a phone, authorized like this.
pub(crate) async fn disable(
    person: &Person,
    world: &World,
    phone: &Phone,
    confirm_last: bool,
    authorization: v1::sms_service_disable_request::Authorization,
) -> Result<Option<v1::SecurityIdentifier>, Status> {
    use v1::sms_service_disable_response::Outcome;
    let request = v1::SmsServiceDisableRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        identifier_id: phone.id.clone(),
        confirm_last,
        authorization: Some(authorization),
    };
    let answer = world.client.sms().disable(request).await?;
    Ok(match answer.into_inner().outcome {
        Some(Outcome::Done(done)) => Some(done),
        Some(Outcome::Rejected(_)) | None => None,
    })
}

/// Disables somebody's only phone by a code that is sent to it.
pub(crate) async fn disable_last(world: &World, person: &Person, phone: &Phone) -> Result<()> {
    use v1::sms_service_disable_request::Authorization;
    let change = v1::settings_change::Change::DisableIdentifier(v1::DisableIdentifierChange {
        identifier_id: phone.id.clone(),
        confirm_last: true,
    });
    let open = person.open(&world.client, settings(change)).await?;
    let code = world.sent(person, &open, phone).await?;
    ensure!(world.takes(person, &open, phone, &code).await?);
    let by = Authorization::ConfirmationId(open.confirmation_id);
    let done = disable(person, world, phone, true, by).await?;
    ensure!(done.is_some(), "it was not disabled");
    Ok(())
}
