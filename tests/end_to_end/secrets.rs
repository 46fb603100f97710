//! What nobody but its owner may see: in no log, no answer and no dump; sealed to its subject.

use std::fmt::{Debug, Write as _};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    App, BIN, Backend, Client, Person, app_proof, now, pin_proof, reason_of, v1, v1::Purpose,
};
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXLOWER, HEXUPPER};
use tonic::{Code, Status};

use crate::{
    campaign::{Gateways, confirm, enrolled, gives_code, gives_pin, login, payout},
    harness::Suite,
    ledger::Ledger,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "secrets::no_pin_code_or_seed_is_in_logs_errors_or_the_database",
        canaries,
    );
    suite.on_each_backend_with(
        &[BIN],
        "secrets::a_sealed_part_of_another_subject_does_not_open",
        moved,
    );
}

/// What must not be found, in every form that it could be written in.
#[derive(Default)]
pub(crate) struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    pub(crate) fn add(&mut self, name: &str, secret: &[u8]) {
        let mut list = String::new();
        for byte in secret {
            let _ = write!(list, "{byte}, ");
        }
        let list = list.trim_end_matches(", ").to_owned();
        self.0.push((name.to_owned(), secret.to_vec()));
        for (form, text) in [
            ("hexadecimal", HEXLOWER.encode(secret)),
            ("upper hexadecimal", HEXUPPER.encode(secret)),
            ("base32", BASE32_NOPAD.encode(secret)),
            ("base64", BASE64_NOPAD.encode(secret)),
            ("a list", list),
        ] {
            // Base64 of a text within a longer one has other last characters.
            let length = if form == "base64" {
                text.len() / 4 * 4
            } else {
                text.len()
            };
            let text = text.as_bytes()[..length].to_vec();
            self.0.push((format!("{name} in {form}"), text));
        }
    }

    fn of_app(&mut self, app: &App) -> Result<()> {
        let seed = BASE32_NOPAD.decode(app.secret_base32.as_bytes())?;
        self.add("the seed", &seed);
        self.add("the seed's text", app.secret_base32.as_bytes());
        Ok(())
    }

    /// That none of them is there; and that `sign` is, so that the search is one in the right place.
    pub(crate) fn are_missing_in(&self, place: &str, text: &[u8], sign: &str) -> Result<()> {
        ensure!(
            is_in(sign.as_bytes(), text),
            "{place} is not what it should be"
        );
        let found: Vec<&String> = self
            .0
            .iter()
            .filter(|(_, secret)| is_in(secret, text))
            .map(|(name, _)| name)
            .collect();
        ensure!(found.is_empty(), "{place} shows {found:?}");
        Ok(())
    }
}

fn is_in(part: &[u8], all: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

async fn canaries(backend: Backend) -> Result<()> {
    let gateways = Gateways::start_tracing(backend).await?;
    let client = gateways.client(0);
    let mut canaries = Canaries::default();
    let anna = Person {
        pin: "739105284617".to_owned(),
        ..Person::new()
    };
    canaries.add("the PIN", anna.pin.as_bytes());
    anna.set_pin(client).await?;
    let begin = v1::TotpServiceBeginEnableRequest {
        digits: 8,
        ..Default::default()
    };
    let begun = anna.begin_enable(client, begin).await?;
    let app = App::told(&begun)?;
    canaries.of_app(&app)?;
    canaries.add("the URI", b"otpauth://");
    canaries.add("the QR code", begun.qr_png.get(..64).context("a picture")?);
    confirm(&anna, client, &app, &[Purpose::Login], None).await?;
    let at = now();
    let wrong = app.wrong_code(at).replace('0', "7");
    for code in [
        app.earlier_code(at),
        app.code(at),
        app.next_code(at),
        wrong.clone(),
    ] {
        canaries.add("a code", code.as_bytes());
    }
    canaries.add("a wrong PIN", b"620485917362");

    let mut said = Vec::new();
    let login_id = anna.open(client, login()).await?.confirmation_id;
    gives_code(&anna, client, &login_id, &app, &wrong).await?;
    ensure!(gives_code(&anna, client, &login_id, &app, &app.code(at)).await?);
    let payout_id = anna.open(client, payout(1)).await?.confirmation_id;
    let early = vec![app_proof(&app, &app.next_code(at))];
    said.push(anna.submit(client, &payout_id, early).await.err());
    gives_pin(&anna, client, &payout_id, "620485917362").await?;
    ensure!(gives_pin(&anna, client, &payout_id, &anna.pin).await?);
    said.extend(refused(&anna, client, &app).await);
    said.extend(with_backup_codes(client, &mut canaries).await?);
    anna.list(client).await?;
    said.push(fails_inside(&gateways, &anna, &app).await?);

    for status in said {
        let status = status.context("an error was expected")?;
        let text = [status.message().as_bytes(), status.details()].concat();
        canaries.are_missing_in("an error", &text, "countersign")?;
    }
    canaries.are_missing_in(
        "the log",
        gateways.log().as_bytes(),
        "a request was answered",
    )?;
    canaries.are_missing_in("the database", &gateways.database.dump()?, &anna.subject)
}

/// Somebody who prints codes, uses some, and gives some where they are refused.
async fn with_backup_codes(
    client: &Client,
    canaries: &mut Canaries,
) -> Result<Vec<Option<Status>>> {
    let (boris, codes) = Person::with_codes(client, &[Purpose::Login]).await?;
    for code in &codes.codes {
        canaries.add("a backup code", code.as_bytes());
        let plain = code.replace('-', "");
        canaries.add("a backup code without dashes", plain.as_bytes());
    }
    let wrong = "7K3QX-2M9TA-0VJ4C";
    canaries.add("a wrong backup code", wrong.as_bytes());
    let id = boris.open(client, login()).await?.confirmation_id;
    boris.submit(client, &id, vec![codes.typed(wrong)]).await?;
    boris.submit(client, &id, vec![codes.proof(1)]).await?;
    let more = boris
        .create_more(client, &codes, vec![codes.proof(2)])
        .await?;
    let more = more.context("a list")?;
    canaries.add("a backup code that waits", more.codes[3].as_bytes());
    boris.events(client).await?;
    let second = boris.enable_codes(client, vec![codes.proof(3)]).await;
    let late = boris.submit(client, &id, vec![codes.proof(4)]).await;
    Ok(vec![second.err(), late.err()])
}

/// A request whose change the database refuses.
async fn fails_inside(gateways: &Gateways, anna: &Person, app: &App) -> Result<Option<Status>> {
    gateways
        .database
        .query("ALTER TABLE event RENAME TO elsewhere")?;
    let proofs = vec![pin_proof(&anna.pin), app_proof(app, &app.next_code(now()))];
    let answer = anna
        .change_pin(gateways.client(0), "94620571", proofs)
        .await;
    gateways
        .database
        .query("ALTER TABLE elsewhere RENAME TO event")?;
    let status = answer.err().context("an error was expected")?;
    ensure!(status.code() == Code::Internal, "{status:?}");
    Ok(Some(status))
}

/// Requests that are refused while they hold secrets.
async fn refused(anna: &Person, client: &Client, app: &App) -> Vec<Option<Status>> {
    let at = now();
    let too_long = anna.pin.repeat(2);
    let stranger = Person {
        subject: "x".repeat(200),
        ..anna.clone()
    };
    let both = || vec![pin_proof(&anna.pin), app_proof(app, &app.next_code(at))];
    let twice = vec![pin_proof(&anna.pin), pin_proof(&anna.pin)];
    vec![
        anna.set_first_pin(client, &anna.pin, both()).await.err(),
        anna.change_pin(client, &too_long, both()).await.err(),
        anna.change_pin(client, "94620571", vec![pin_proof(&anna.pin)])
            .await
            .err(),
        anna.change_pin(client, "94620571", twice).await.err(),
        stranger.change_pin(client, "94620571", both()).await.err(),
        anna.disable(client, app, false, both()).await.err(),
    ]
}

async fn moved(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    let client = gateways.client(0);
    let (anna, app) = enrolled(client, &[Purpose::Login]).await?;
    let (boris, _) = enrolled(client, &[Purpose::Login]).await?;
    let sealed = |of: &Person| {
        let subject = &of.subject;
        let sql = format!("SELECT secrets FROM subject WHERE subject_id = '{subject}'");
        gateways.database.query(&sql)
    };
    let replace = |bytes: &str| {
        let bytes = bytes.trim_start_matches("\\x");
        let literal = match backend {
            Backend::Sqlite => format!("x'{bytes}'"),
            Backend::Postgres => format!("'\\x{bytes}'"),
        };
        let subject = &boris.subject;
        let sql = format!("UPDATE subject SET secrets = {literal} WHERE subject_id = '{subject}'");
        gateways.database.query(&sql)
    };
    let before = sealed(&boris)?;
    let last = if before.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{last}", &before[..before.len() - 1]);

    for other in [sealed(&anna)?, changed] {
        replace(&other)?;
        require_internal(boris.create(client, login()).await)?;
        require_internal(boris.list(client).await)?;
        let proofs = vec![pin_proof(&anna.pin)];
        require_internal(boris.change_pin(client, "94620571", proofs).await)?;
        let proofs = vec![app_proof(&app, &app.code(now()))];
        require_internal(boris.disable(client, &app, true, proofs).await)?;
    }
    replace(&before)?;
    for somebody in [&anna, &boris] {
        somebody.open(client, login()).await?;
    }
    Ledger::read(&gateways.database)?;
    Ok(())
}

fn require_internal<T: Debug>(answer: Result<T, Status>) -> Result<()> {
    match answer {
        Err(status) if status.code() == Code::Internal => {
            ensure!(reason_of(&status) == "INTERNAL" && status.message() == "an internal error");
            Ok(())
        }
        other => bail!("not an internal error: {other:?}"),
    }
}
