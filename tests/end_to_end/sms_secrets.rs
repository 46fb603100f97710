//! What nobody but its owner may see of SMS: numbers, words, codes and texts are in no log, no error and
//! no dump, while messages are sent and while one waits.

use std::{fs, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    BIN, Backend, Client, Database, Person, Phone, pin_proof, reason_of, v1,
    v1::{Purpose, operation::Operation},
};
use tempfile::TempDir;
use tokio::time::sleep;
use tonic::Status;

use crate::{
    campaign::{is_accepted, login},
    harness::Suite,
    secrets::Canaries,
    sms_carriers::Folder,
    sms_process::{Bank, Texts, code_in},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "sms_secrets::no_number_word_code_or_text_is_in_logs_errors_or_the_database",
        canaries,
    );
}

const NUMBER: &str = "+79127345098";
const WORD: &str = "Kingfisher";
const DESTINATION: &str = "CANARY7788ACCOUNT9900";

async fn canaries(backend: Backend) -> Result<()> {
    let folder = TempDir::new()?;
    let messages = Folder(folder.path().join("messages"));
    let provider = format!(
        "[sms.providers.staging]\nkind = \"file\"\ndirectory = \"{}\"\n",
        messages.0.display()
    );
    let database = Database::fresh(backend).await?;
    let bank = Bank::logging(database, "", &provider, "trace").await?;
    let client = &bank.client;
    let (anna, phone) = enrolled(client, &messages).await?;
    let mut said = logs_in(client, &messages, &anna, &phone).await?;

    let payout = Operation::Withdrawal(v1::Withdrawal {
        source_account: "main".to_owned(),
        amount: Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units: 25,
            nanos: 0,
        }),
        destination: DESTINATION.to_owned(),
        payment_method: "sepa".to_owned(),
    });
    let open = anna.open(client, payout).await?;
    let early = anna.send_code(client, &open, None).await;
    said.push(early.err());
    anna.submit(client, &open.confirmation_id, vec![pin_proof(&anna.pin)])
        .await?;
    wait(|| anna.send_code(client, &open, None)).await?;
    bank.counted("state = 'SENT'", 3).await?;
    let texts = messages.texts_to(NUMBER);
    // Another one has nowhere to go, and waits in the database.
    fs::rename(&messages.0, folder.path().join("elsewhere"))?;
    fs::write(&messages.0, "in the way")?;
    let waits = anna.open(client, login()).await?;
    wait(|| anna.send_code(client, &waits, None)).await?;
    bank.counted("body IS NOT NULL", 1).await?;

    let mut canaries = Canaries::default();
    let digits = NUMBER.trim_start_matches('+');
    canaries.add("the number", digits.as_bytes());
    canaries.add("the number without its country", &digits.as_bytes()[1..]);
    canaries.add("the word", WORD.as_bytes());
    canaries.add("the destination", DESTINATION.as_bytes());
    canaries.add("a text", b"Never tell it to anyone");
    let mut codes = Vec::new();
    for text in &texts {
        ensure!(text.contains(WORD), "{text}");
        codes.push(code_in(text)?);
    }
    ensure!(codes.len() == 3, "{codes:?}");

    for status in said {
        let status = status.context("an error was expected")?;
        let text = [status.message().as_bytes(), status.details()].concat();
        missing(&canaries, &codes, "an error", &text, "countersign")?;
    }
    let log = bank.gateway.log();
    let sign = "a message was given to a provider";
    missing(&canaries, &codes, "the log", log.as_bytes(), sign)?;
    let dump = bank.database.dump()?;
    missing(&canaries, &codes, "the database", &dump, &anna.subject)
}

/// Somebody whose phone was enrolled with a word, after a wrong code.
async fn enrolled(client: &Client, messages: &Folder) -> Result<(Person, Phone)> {
    let anna = Person::new();
    anna.set_pin(client).await?;
    let request = v1::SmsServiceBeginEnableRequest {
        phone_number: NUMBER.to_owned(),
        locale: "en".to_owned(),
        word: WORD.to_owned(),
        ..Default::default()
    };
    let phone = Phone {
        id: anna.begin_sms(client, request).await?.identifier_id,
        number: NUMBER.to_owned(),
    };
    let code = code_in(&text(messages, 1).await?)?;
    let on = [Purpose::Login, Purpose::Withdrawal];
    let proofs = || vec![pin_proof(&anna.pin)];
    let wrong = other(&code);
    let rejected = anna.confirm_phone(client, &phone, &wrong, &on, proofs());
    ensure!(rejected.await?.is_none());
    let right = anna.confirm_phone(client, &phone, &code, &on, proofs());
    right.await?.context("enabled")?;
    Ok((anna, phone))
}

/// They log in, are refused a second message at once, and try a wrong code and a used one.
async fn logs_in(
    client: &Client,
    messages: &Folder,
    anna: &Person,
    phone: &Phone,
) -> Result<Vec<Option<Status>>> {
    let open = anna.open(client, login()).await?;
    wait(|| anna.send_code(client, &open, Some(phone))).await?;
    let soon = anna.send_code(client, &open, Some(phone)).await;
    let code = code_in(&text(messages, 2).await?)?;
    let id = &open.confirmation_id;
    let submit = async |code: &str| {
        let answer = anna.submit(client, id, vec![phone.proof(code)]).await?;
        is_accepted(&answer)
    };
    ensure!(!submit(&other(&code)).await?);
    ensure!(submit(&code).await?);
    let late = anna.submit(client, id, vec![phone.proof(&code)]).await;
    let inline = anna
        .change_pin(client, "94620571", vec![phone.proof(&code)])
        .await;
    Ok(vec![soon.err(), late.err(), inline.err()])
}

/// Asks again until the wait between messages is over.
async fn wait<T>(ask: impl AsyncFn() -> Result<T, Status>) -> Result<T> {
    for _ in 0..500 {
        match ask().await {
            Err(status) if reason_of(&status) == "SEND_TOO_SOON" => {
                sleep(Duration::from_millis(50)).await;
            }
            other => return Ok(other?),
        }
    }
    bail!("the wait did not end")
}

/// The nth text, once it is there.
async fn text(messages: &Folder, nth: usize) -> Result<String> {
    for _ in 0..500 {
        if let Some(text) = messages.texts_to(NUMBER).into_iter().nth(nth - 1) {
            return Ok(text);
        }
        sleep(Duration::from_millis(20)).await;
    }
    bail!("no text number {nth} came")
}

/// A code that is not this one.
fn other(code: &str) -> String {
    let turned = |digit: char| if digit == '9' { '0' } else { '9' };
    code.chars().map(turned).collect()
}

/// That no secret is there; and no code as a word of its own. Within longer numbers, such as instants,
/// six digits say nothing.
fn missing(
    canaries: &Canaries,
    codes: &[String],
    place: &str,
    text: &[u8],
    sign: &str,
) -> Result<()> {
    canaries.are_missing_in(place, text, sign)?;
    for word in text.split(|byte| !byte.is_ascii_alphanumeric()) {
        let is_code = |code: &String| code.as_bytes() == word;
        ensure!(!codes.iter().any(is_code), "{place} shows a code");
    }
    Ok(())
}
