//! The same story through each kind of carrier, which the gateway finds by its configuration alone.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, SMSC, Smsc, free_port, now, pin_proof,
    v1::{ConfirmationState, DeliveryState, Purpose},
};
use data_encoding::HEXLOWER;
use futures::future::try_join;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    campaign::{login, payout},
    harness::Suite,
    sms_http::{HttpCarrier, Manner, WEBHOOK_SECRET, report},
    sms_process::{Asker, Bank, Texts, code_in, folder, nth_text, number, send_code, smpp},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(&[BIN, SMSC], "sms_carriers::over_smpp", over_smpp);
    suite.with(&[BIN], "sms_carriers::over_http", over_http);
    suite.with(&[BIN], "sms_carriers::into_a_folder", into_a_folder);
    suite.with(
        &[BIN],
        "sms_carriers::a_webhook_counts_once_while_it_is_fresh_and_signed",
        webhooks,
    );
}

const BOTH: &[Purpose] = &[Purpose::Login, Purpose::Withdrawal];

/// What the texts of the story say before and behind their code, in one language.
struct Language {
    locale: &'static str,
    enrolment: [&'static str; 2],
    login: [&'static str; 2],
    withdrawal: [&'static str; 2],
}

const ENGLISH: Language = Language {
    locale: "en",
    enrolment: [
        "",
        " is your Countersign code to add this phone. Never tell it to anyone.",
    ],
    login: [
        "",
        " is your Countersign login code. Never tell it to anyone.",
    ],
    withdrawal: [
        "Countersign: withdrawal 25 EUR to ...2051. Code ",
        ". Never tell it to anyone.",
    ],
};
const RUSSIAN: Language = Language {
    locale: "ru",
    enrolment: [
        "",
        " — код Countersign для привязки телефона. Никому его не говорите.",
    ],
    login: ["", " — код входа в Countersign. Никому его не говорите."],
    withdrawal: [
        "Countersign: вывод 25 EUR → …2051. Код ",
        " никому не говорите",
    ],
};

impl Language {
    /// That a text is this one and no other, around its code, which is returned.
    fn code(text: &str, [before, behind]: [&str; 2]) -> Result<String> {
        let code = code_in(text)?;
        let expected = format!("{before}{code}{behind}");
        ensure!(text == expected, "{text:?}, not {expected:?}");
        Ok(code)
    }
}

/// Enrols a phone, logs in and withdraws by the codes that come to it. `arrived` is what becomes of
/// a message that a carrier took, and `report` makes that known where the carrier does not.
async fn story<F>(
    bank: &Bank,
    carrier: &impl Texts,
    (number, language): (&str, &Language),
    arrived: DeliveryState,
    report: impl Fn(usize) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let client = &bank.client;
    let (person, phone) = bank.phoned(carrier, number, language.locale, BOTH).await?;
    let text = nth_text(carrier, number, 1).await?;
    Language::code(&text, language.enrolment)?;

    let open = person.open(client, login()).await?;
    let asker = Asker {
        person: person.clone(),
        phone: phone.clone(),
        open,
        before: 1,
    };
    send_code(&bank.client, &asker).await?;
    let text = nth_text(carrier, number, 2).await?;
    let code = Language::code(&text, language.login)?;
    report(2).await?;
    bank.delivery_becomes(&asker, arrived).await?;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    ensure!(!bank.takes(&asker, wrong).await?, "a wrong code is taken");
    let seen = person.get(client, &asker.open.confirmation_id).await?;
    ensure!(seen.attempts_left == 4, "{} left", seen.attempts_left);
    ensure!(bank.takes(&asker, &code).await?, "the code is not taken");
    let id = &asker.open.confirmation_id;
    let redeemed = person.redeem(client, id, login()).await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed);

    let open = person.open(client, payout(25)).await?;
    let id = open.confirmation_id.clone();
    person
        .submit(client, &id, vec![pin_proof(&person.pin)])
        .await?;
    let asker = Asker {
        open,
        before: 2,
        ..asker
    };
    send_code(&bank.client, &asker).await?;
    let text = nth_text(carrier, number, 3).await?;
    let code = Language::code(&text, language.withdrawal)?;
    report(3).await?;
    bank.delivery_becomes(&asker, arrived).await?;
    ensure!(bank.takes(&asker, &code).await?, "the code is not taken");
    person.redeem(client, &id, payout(25)).await?;
    ensure!(carrier.texts_to(number).len() == 3, "more than was asked");
    Ok(())
}

/// For carriers that report by themselves, or never.
async fn nothing(_: usize) -> Result<()> {
    Ok(())
}

async fn over_smpp(backend: Backend) -> Result<()> {
    let (smsc, folder) = (Smsc::start().await?, folder()?);
    smsc.tell(&json!({ "receipts": { "stat": "DELIVRD" } }))
        .await?;
    let provider = smpp("first", &smsc, folder.path(), "")?;
    let bank = Bank::start(backend, "", &provider).await?;
    smsc.until("bound", |smsc| smsc.binds() == 1).await?;
    let bind = &smsc.all("bind")[0];
    ensure!(bind["interface_version"] == 0x34, "{bind}");
    let story = |who, language| {
        let bank = &bank;
        let smsc = &smsc;
        async move {
            let number = number(who);
            let who = (&*number, language);
            story(bank, smsc, who, DeliveryState::Delivered, nothing).await
        }
    };
    try_join(story(1, &ENGLISH), story(2, &RUSSIAN)).await?;
    // Russian texts need the other alphabet, and more than one part where they are long.
    let codings: Vec<u64> = smsc
        .all("submit")
        .iter()
        .filter_map(|submit| submit["data_coding"].as_u64())
        .collect();
    ensure!(codings.contains(&0) && codings.contains(&8), "{codings:?}");
    ensure!(codings.len() > 6, "no text had several parts");
    ensure!(smsc.all("error").is_empty(), "{:?}", smsc.all("error"));
    bank.counted("state = 'DELIVERED'", 6).await?;
    ensure!(bank.states().await? == "DELIVERED|6");
    Ok(())
}

/// The headers that a report of the carrier's is signed with, as if made so many seconds ago.
fn signed(body: &str, secret: &str, seconds_ago: i64) -> Result<String> {
    let made_at = now().as_millis() / 1_000 - seconds_ago;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(format!("{made_at}.{body}").as_bytes());
    let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
    Ok(format!(
        "X-Timestamp: {made_at}\r\nX-Signature: {signature}\r\n"
    ))
}

/// A gateway that speaks to an HTTP carrier, and where that reports to.
async fn with_webhooks(carrier: &HttpCarrier) -> Result<(Bank, u16)> {
    let (folder, port) = (folder()?, free_port()?);
    let webhooks = format!("[sms.webhooks]\nlisten = \"127.0.0.1:{port}\"\n");
    let provider = carrier.provider("aggregator", folder.path(), "")?;
    let providers = format!("{webhooks}{provider}");
    let bank = Bank::start(Backend::Sqlite, "", &providers).await?;
    Ok((bank, port))
}

async fn over_http() -> Result<()> {
    let carrier = HttpCarrier::start(Manner::Accepts).await?;
    let (bank, port) = with_webhooks(&carrier).await?;
    let story = |who, language| {
        let (bank, carrier) = (&bank, &carrier);
        async move {
            let number = number(who);
            let report = |nth: usize| {
                let given = carrier.given_to(&number)[nth - 1].clone();
                async move {
                    let body = json!({ "id": given.id, "state": "delivered" }).to_string();
                    let headers = signed(&body, WEBHOOK_SECRET, 0)?;
                    let status = report(port, "/sms/aggregator", &headers, &body).await?;
                    ensure!(status == 204, "{status}");
                    Ok(())
                }
            };
            let who = (&*number, language);
            story(bank, carrier, who, DeliveryState::Delivered, report).await
        }
    };
    try_join(story(1, &ENGLISH), story(2, &RUSSIAN)).await?;
    for given in carrier.given() {
        ensure!(given.authorization == "Bearer a-token-of-the-carrier");
        ensure!(given.reference.len() == 36, "{}", given.reference);
    }
    // Nobody was to report that the numbers were enrolled.
    ensure!(bank.states().await? == "DELIVERED|4 SENT|2");
    Ok(())
}

async fn webhooks() -> Result<()> {
    let carrier = HttpCarrier::start(Manner::Accepts).await?;
    let (bank, port) = with_webhooks(&carrier).await?;
    let people = bank.people(&carrier, 1..2).await?;
    let asker = bank.askers(&carrier, &people).await?.remove(0);
    send_code(&bank.client, &asker).await?;
    nth_text(&carrier, &asker.phone.number, 2).await?;
    bank.delivery_becomes(&asker, DeliveryState::Sent).await?;
    let given = carrier.given_to(&asker.phone.number)[1].clone();
    let body = |state: &str| json!({ "id": given.id, "state": state }).to_string();
    let send = |headers: String, body: String| async move {
        report(port, "/sms/aggregator", &headers, &body).await
    };
    let failed = body("failed");
    let events = || bank.database.query("SELECT count(*) FROM event");
    let before = events()?;
    for (what, headers, expected) in [
        ("unsigned", String::new(), 403),
        ("of another's", signed(&failed, "another secret", 0)?, 403),
        (
            "for another body",
            signed(&body("delivered"), WEBHOOK_SECRET, 0)?,
            403,
        ),
        ("old", signed(&failed, WEBHOOK_SECRET, 301)?, 403),
        ("of tomorrow", signed(&failed, WEBHOOK_SECRET, -310)?, 403),
    ] {
        let status = send(headers, failed.clone()).await?;
        ensure!(status == expected, "{what}: {status}");
    }
    let status = report(port, "/sms/nobody", "", &failed).await?;
    ensure!(status == 404, "{status}");
    let delivered = body("delivered");
    let headers = signed(&delivered, WEBHOOK_SECRET, 0)?;
    ensure!(send(headers.clone(), delivered.clone()).await? == 204);
    // By now what was refused would have been noted before it.
    bank.delivery_becomes(&asker, DeliveryState::Delivered)
        .await?;
    let after = events()?;
    ensure!(
        after.parse::<u32>()? == before.parse::<u32>()? + 1,
        "{before} events, then {after}"
    );
    ensure!(send(headers, delivered).await? == 409);
    // What arrived stays so, whatever is said of it later.
    let headers = signed(&failed, WEBHOOK_SECRET, 0)?;
    ensure!(send(headers, failed).await? == 204);
    let log = "a webhook was refused";
    ensure!(bank.gateway.log().matches(log).count() == 5);
    let (code, _) = asker.code(&carrier)?;
    ensure!(bank.takes(&asker, &code).await?, "the code is not taken");
    ensure!(bank.states().await? == "DELIVERED|1 SENT|1");
    ensure!(events()?.parse::<u32>()? == after.parse::<u32>()? + 1);
    Ok(())
}

/// A folder as a carrier: the messages in it, in the order in which they were written.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Texts for Folder {
    fn texts_to(&self, number: &str) -> Vec<String> {
        let read = || -> Result<Vec<String>> {
            let mut found = Vec::new();
            for entry in fs::read_dir(&self.0)? {
                let path = entry?.path();
                if path.extension().is_some_and(|end| end == "json") {
                    let message: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
                    if message["number"] == number {
                        let written = fs::metadata(&path)?.modified()?;
                        let text = message["text"].as_str().context("a text")?.to_owned();
                        found.push((written, text));
                    }
                }
            }
            found.sort();
            Ok(found.into_iter().map(|(_, text)| text).collect())
        };
        read().unwrap_or_default()
    }
}

async fn into_a_folder() -> Result<()> {
    let folder = folder()?;
    let messages = Folder(folder.path().join("messages"));
    let path = messages.0.display();
    let provider = format!("[sms.providers.staging]\nkind = \"file\"\ndirectory = \"{path}\"\n");
    let bank = Bank::start(Backend::Sqlite, "", &provider).await?;
    let story = |who, language| {
        let (bank, messages) = (&bank, &messages);
        async move {
            let number = number(who);
            let who = (&*number, language);
            story(bank, messages, who, DeliveryState::Sent, nothing).await
        }
    };
    try_join(story(1, &ENGLISH), story(2, &RUSSIAN)).await?;
    bank.counted("state = 'SENT'", 6).await?;
    ensure!(bank.states().await? == "SENT|6");
    Ok(())
}
