//! What the tests of SMS through real processes share: a gateway with carriers, and people who have
//! phones.

use std::{fmt::Debug, future::Future, ops::RangeBounds, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    Backend, Client, Database, GatewayProcess, LOG, PASSWORD, Person, Phone, SYSTEM_ID, Smsc,
    free_port, new_request_id, pin_proof, retry_unavailable, v1,
    v1::{DeliveryState, Purpose},
};
use futures::future::try_join_all;
use tempfile::TempDir;
use tonic::{Response, Status};

use crate::{
    campaign::{CHEAP, is_accepted, login},
    world::MINUTE,
};

/// Limits that nobody here reaches.
const LIMITS: &str = "[sms]\nresend_seconds = 1\n[sms.limits]\n\
    prefix = { hour = 900000, day = 900000 }\ncountry = { hour = 900000, day = 900000 }\n\
    caller = { hour = 900000, day = 900000 }\nenrolments = { hour = 900000, day = 900000 }\n\
    total = { hour = 1000000, day = 1000000 }\n";

/// How often it is looked whether something is so, and for how long. Nothing takes nearly as long.
const LOOKS: u32 = 3_000;
const PAUSE: Duration = Duration::from_millis(20);

/// A gateway over a database, with carriers, and where their secrets are.
pub(crate) struct Bank {
    pub(crate) database: Database,
    pub(crate) gateway: GatewayProcess,
    pub(crate) client: Client,
    config: String,
    port: u16,
}

/// Where texts come to.
pub(crate) trait Texts {
    /// The texts to a number, in the order in which they came.
    fn texts_to(&self, number: &str) -> Vec<String>;
}

impl Texts for Smsc {
    fn texts_to(&self, number: &str) -> Vec<String> {
        Self::texts_to(self, number)
    }
}

/// Somebody with a phone, and a confirmation that a code may be sent for.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) person: Person,
    pub(crate) phone: Phone,
    pub(crate) open: v1::Confirmation,
    /// How many texts came to the phone before.
    pub(crate) before: usize,
}

impl Bank {
    /// A gateway with these providers, and what else is said of it: its settings first, since tables
    /// follow them.
    pub(crate) async fn start(backend: Backend, more: &str, providers: &str) -> Result<Self> {
        let database = Database::fresh(backend).await?;
        Self::over(database, more, providers).await
    }

    /// As [`Self::start`], over a database that is there.
    pub(crate) async fn over(database: Database, more: &str, providers: &str) -> Result<Self> {
        Self::logging(database, more, providers, LOG).await
    }

    /// As [`Self::over`], and what is logged is of choice too.
    pub(crate) async fn logging(
        database: Database,
        more: &str,
        providers: &str,
        log: &str,
    ) -> Result<Self> {
        let config = format!("{more}{CHEAP}{LIMITS}{providers}");
        let port = free_port()?;
        let url = database.url();
        let gateway = GatewayProcess::start_logging(&database, url, port, &config, log).await?;
        // It connects again by itself, also to the gateway's successor.
        let client = Client::connect_lazy(gateway.endpoint(), Some("test"))?;
        Ok(Self {
            database,
            gateway,
            client,
            config,
            port,
        })
    }

    /// Kills the gateway and lets its leases end, as if their time had passed.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.gateway.kill()?;
        self.end_leases().await
    }

    /// Starts the successor of a gateway that has ended, where it was.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        let (database, url) = (&self.database, self.database.url());
        let started = GatewayProcess::start_on(database, url, self.port, &self.config);
        self.gateway = started.await?;
        Ok(())
    }

    /// As [`Self::kill`], while another gateway over the same database is there already, which goes
    /// on.
    pub(crate) async fn kill_beside_another(&mut self) -> Result<()> {
        let port = free_port()?;
        let (database, url) = (&self.database, self.database.url());
        let other = GatewayProcess::start_on(database, url, port, &self.config).await?;
        self.kill().await?;
        self.client = Client::connect_lazy(other.endpoint(), Some("test"))?;
        (self.gateway, self.port) = (other, port);
        Ok(())
    }

    /// Somebody with a PIN and a phone, whose code came to a carrier.
    pub(crate) async fn phoned(
        &self,
        carrier: &impl Texts,
        number: &str,
        locale: &str,
        purposes: &[Purpose],
    ) -> Result<(Person, Phone)> {
        let person = Person::new();
        person.set_pin(&self.client).await?;
        let before = carrier.texts_to(number).len();
        let request = v1::SmsServiceBeginEnableRequest {
            phone_number: number.to_owned(),
            locale: locale.to_owned(),
            ..Default::default()
        };
        let begin = || person.begin_sms(&self.client, request.clone());
        let begun = retry_unavailable(5, begin).await?;
        let phone = Phone {
            id: begun.identifier_id,
            number: number.to_owned(),
        };
        let code = code_in(&nth_text(carrier, number, before + 1).await?)?;
        let proofs = vec![pin_proof(&person.pin)];
        let client = &self.client;
        let confirm = || person.confirm_phone(client, &phone, &code, purposes, proofs.clone());
        let done = retry_unavailable(5, confirm).await?;
        done.context("the number was not enabled")?;
        Ok((person, phone))
    }

    /// So many people with phones of their own, some at a time.
    pub(crate) async fn people(
        &self,
        carrier: &impl Texts,
        numbers: std::ops::Range<u32>,
    ) -> Result<Vec<(Person, Phone)>> {
        let mut people = Vec::new();
        let numbers: Vec<String> = numbers.map(number).collect();
        for some in numbers.chunks(16) {
            let phoned = some
                .iter()
                .map(|number| self.phoned(carrier, number, "en", &[Purpose::Login]));
            people.extend(try_join_all(phoned).await?);
        }
        Ok(people)
    }

    /// Each of them with a login to confirm.
    pub(crate) async fn askers(
        &self,
        carrier: &impl Texts,
        people: &[(Person, Phone)],
    ) -> Result<Vec<Asker>> {
        let asker = |(person, phone): &(Person, Phone)| {
            let (person, phone) = (person.clone(), phone.clone());
            async move {
                let open = person.open(&self.client, login()).await?;
                let before = carrier.texts_to(&phone.number).len();
                anyhow::Ok(Asker {
                    person,
                    phone,
                    open,
                    before,
                })
            }
        };
        try_join_all(people.iter().map(asker)).await
    }

    /// Where the message of somebody's confirmation is; unspecified where there is none.
    pub(crate) async fn delivery(&self, asker: &Asker) -> Result<DeliveryState> {
        let id = &asker.open.confirmation_id;
        let seen = retry_unavailable(5, || asker.person.get(&self.client, id)).await?;
        let sent = seen.sent_code;
        Ok(sent.map_or(DeliveryState::Unspecified, |sent| sent.delivery_state()))
    }

    /// Waits until the message of somebody's confirmation is in a state.
    pub(crate) async fn delivery_becomes(
        &self,
        asker: &Asker,
        expected: DeliveryState,
    ) -> Result<()> {
        let mut state = DeliveryState::Unspecified;
        for _ in 0..LOOKS {
            state = self.delivery(asker).await?;
            if state == expected {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!(
            "the message is {state:?}, not {expected:?}: {}",
            self.gateway.log()
        )
    }

    /// Whether a code passes somebody's confirmation.
    pub(crate) async fn takes(&self, asker: &Asker, code: &str) -> Result<bool> {
        let id = &asker.open.confirmation_id;
        let proofs = vec![asker.phone.proof(code)];
        let submit = || asker.person.submit(&self.client, id, proofs.clone());
        is_accepted(&retry_unavailable(5, submit).await?)
    }

    /// How many messages there are in each state, such as `DELIVERED|2 SENT|1`.
    pub(crate) async fn states(&self) -> Result<String> {
        let sql = "SELECT state, count(*) FROM message GROUP BY state ORDER BY state";
        Ok(self.database.query_slowly(sql).await?.replace('\n', " "))
    }

    /// How many messages one look finds where `sql` says.
    pub(crate) async fn count(&self, sql: &str) -> Result<usize> {
        let sql = format!("SELECT count(*) FROM message WHERE {sql}");
        Ok(self.database.query_slowly(&sql).await?.parse()?)
    }

    /// Waits until so many messages are as `sql` says.
    pub(crate) async fn counted(&self, sql: &str, expected: usize) -> Result<()> {
        self.counted_in(sql, expected..=expected).await
    }

    /// As [`Self::counted`], where any number in a range will do.
    pub(crate) async fn counted_in(
        &self,
        sql: &str,
        expected: impl RangeBounds<usize> + Debug,
    ) -> Result<()> {
        let mut found = 0;
        for _ in 0..LOOKS {
            found = self.count(sql).await?;
            if expected.contains(&found) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        let states = self.states().await?;
        bail!(
            "{found} messages, not {expected:?}, are {sql}; all are {states}: {}",
            self.gateway.log()
        )
    }

    /// Ends the leases that there are.
    pub(crate) async fn end_leases(&self) -> Result<()> {
        let minute = MINUTE * 1_000;
        let sql = format!("UPDATE message SET due_at = due_at - {minute} WHERE due_at IS NOT NULL");
        self.database.query_slowly(&sql).await?;
        Ok(())
    }
}

impl Asker {
    /// The codes that came for this confirmation, one for each text.
    pub(crate) fn codes(&self, carrier: &impl Texts) -> Result<Vec<String>> {
        let texts = carrier.texts_to(&self.phone.number);
        texts[self.before..]
            .iter()
            .map(|text| code_in(text))
            .collect()
    }

    /// The one code that came for this confirmation, and how often.
    pub(crate) fn code(&self, carrier: &impl Texts) -> Result<(String, usize)> {
        let codes = self.codes(carrier)?;
        let code = codes.first().context("no text came")?;
        let is_one = codes.iter().all(|other| other == code);
        ensure!(is_one, "different codes came: {codes:?}");
        Ok((code.clone(), codes.len()))
    }
}

/// Has a code sent, and asks until it is answered: the gateway may be killed meanwhile.
pub(crate) async fn send_code(client: &Client, asker: &Asker) -> Result<()> {
    let request = v1::ConfirmationServiceSendCodeRequest {
        subject_id: asker.person.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: asker.open.confirmation_id.clone(),
        identifier_id: asker.phone.id.clone(),
    };
    answered(|| {
        let request = request.clone();
        async move { client.confirmations().send_code(request).await }
    })
    .await?;
    Ok(())
}

/// A provider that speaks SMPP to a carrier, with its password in a folder.
pub(crate) fn smpp(name: &str, smsc: &Smsc, folder: &Path, more: &str) -> Result<String> {
    let port = smsc.port();
    let password = secret(folder, &format!("{name}.password"), PASSWORD)?;
    Ok(format!(
        "[sms.providers.{name}]\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         system_id = \"{SYSTEM_ID}\"\npassword = {password}\nsource = \"Example\"\n{more}"
    ))
}

/// A secret in a file, as the configuration names it.
pub(crate) fn secret(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, format!("{text}\n"))?;
    Ok(format!("{{ file = \"{}\" }}", path.display()))
}

/// A folder for secrets.
pub(crate) fn folder() -> Result<TempDir> {
    Ok(TempDir::new()?)
}

/// A mobile number of its own for each of ten million.
pub(crate) fn number(n: u32) -> String {
    format!("+7912{n:07}")
}

/// The code in a text: the last six digits in a row.
pub(crate) fn code_in(text: &str) -> Result<String> {
    let mut runs = text.split(|c: char| !c.is_ascii_digit());
    let code = runs.rfind(|run| run.len() == 6);
    let code = code.with_context(|| format!("no code in {text:?}"))?;
    Ok(code.to_owned())
}

/// Waits until so many texts came to a number, and returns the last of them.
pub(crate) async fn nth_text(carrier: &impl Texts, number: &str, count: usize) -> Result<String> {
    for _ in 0..LOOKS {
        if let Some(text) = carrier.texts_to(number).get(count - 1) {
            return Ok(text.clone());
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!(
        "no text number {count} came to {number}, only {:?}",
        carrier.texts_to(number)
    )
}

/// Sends a request until it is answered, whatever becomes of the gateway.
pub(crate) async fn answered<R, F>(send: impl Fn() -> F) -> Result<R>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    let mut last = None;
    for _ in 0..600 {
        match send().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => {
                let reason = countersign_testkit::reason_of(&status);
                let passes = [
                    "",
                    "SUBJECT_BUSY",
                    "SERVER_BUSY",
                    "CALLER_BUSY",
                    "SEND_TOO_SOON",
                    "STORAGE_UNAVAILABLE",
                ];
                ensure!(passes.contains(&reason.as_str()), "{status:?}");
                last = Some(status);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("a request was never answered: {last:?}")
}
