//! What the campaigns share: gateways over one database, and the operations they ask about.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    App, Backend, Client, Database, GatewayProcess, LOG, Person, Timestamp, app_proof, free_port,
    now, pin_proof, reason_of, v1,
    v1::{Purpose, confirmation_service_submit_proof_response::Outcome, operation::Operation},
};
use tonic::Status;

/// Hashes that cost next to nothing, as a part of a configuration.
pub(crate) const CHEAP: &str = "[hash]\nmemory_kib = 32\npasses = 1\nlanes = 1\n";

/// Real gateways over one database: two over PostgreSQL, one over SQLite.
pub(crate) struct Gateways {
    pub(crate) database: Database,
    processes: Vec<GatewayProcess>,
    clients: Vec<Client>,
    ports: Vec<u16>,
    urls: Vec<String>,
    log: &'static str,
}

impl Gateways {
    /// As many as this kind of database takes, over a new one.
    pub(crate) async fn start(backend: Backend) -> Result<Self> {
        let urls = match backend {
            Backend::Sqlite => 1,
            Backend::Postgres => 2,
        };
        let database = Database::fresh(backend).await?;
        let urls = vec![database.url().to_owned(); urls];
        Self::over(database, urls).await
    }

    /// As [`Self::start`], and they log all they can.
    pub(crate) async fn start_tracing(backend: Backend) -> Result<Self> {
        let database = Database::fresh(backend).await?;
        let urls = vec![database.url().to_owned()];
        Self::begin_all(database, urls, "trace").await
    }

    /// One for each of these ways to the database.
    pub(crate) async fn over(database: Database, urls: Vec<String>) -> Result<Self> {
        Self::begin_all(database, urls, LOG).await
    }

    async fn begin_all(database: Database, urls: Vec<String>, log: &'static str) -> Result<Self> {
        let mut gateways = Self {
            database,
            processes: Vec::new(),
            clients: Vec::new(),
            ports: Vec::new(),
            urls,
            log,
        };
        for number in 0..gateways.urls.len() {
            gateways.ports.push(free_port()?);
            let process = gateways.begin(number).await?;
            // It connects again by itself, also to the gateway's successor.
            let client = Client::connect_lazy(process.endpoint(), Some("test"))?;
            gateways.processes.push(process);
            gateways.clients.push(client);
        }
        Ok(gateways)
    }

    async fn begin(&self, number: usize) -> Result<GatewayProcess> {
        let url = &self.urls[number];
        let (database, port) = (&self.database, self.ports[number]);
        GatewayProcess::start_logging(database, url, port, CHEAP, self.log).await
    }

    /// A client of the gateway with this number, counted round and round.
    pub(crate) fn client(&self, number: usize) -> &Client {
        &self.clients[number % self.clients.len()]
    }

    /// A client of each.
    pub(crate) fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// Kills the gateway with this number and starts its successor on the same port.
    pub(crate) async fn kill_and_restart(&mut self, number: usize) -> Result<()> {
        let number = number % self.processes.len();
        self.processes[number].kill()?;
        self.processes[number] = self.begin(number).await?;
        Ok(())
    }

    /// Where the gateway with this number answers.
    pub(crate) fn endpoint(&self, number: usize) -> &str {
        self.processes[number].endpoint()
    }

    /// What all of them have logged.
    pub(crate) fn log(&self) -> String {
        self.processes.iter().map(GatewayProcess::log).collect()
    }
}

/// A login.
pub(crate) fn login() -> Operation {
    Operation::Login(v1::Login {
        ip_address: "192.0.2.7".to_owned(),
        user_agent: "a browser".to_owned(),
        device_id: String::new(),
    })
}

/// A withdrawal of so many euros.
pub(crate) fn payout(units: i64) -> Operation {
    Operation::Withdrawal(v1::Withdrawal {
        source_account: "main".to_owned(),
        amount: Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units,
            nanos: 0,
        }),
        destination: "DE02120300000000202051".to_owned(),
        payment_method: "sepa".to_owned(),
    })
}

/// Somebody with a PIN and an app that is on for these purposes, whose present and next code are
/// unused.
pub(crate) async fn enrolled(client: &Client, purposes: &[Purpose]) -> Result<(Person, App)> {
    let anna = Person::new();
    anna.set_pin(client).await?;
    let app = anna.begin(client, "").await?;
    confirm(&anna, client, &app, purposes, None).await?;
    Ok((anna, app))
}

/// Ends an enrolment with the code of the step before, and with the present code of another app
/// where there is one. Says at which instant, so that later codes can be told.
pub(crate) async fn confirm(
    anna: &Person,
    client: &Client,
    app: &App,
    purposes: &[Purpose],
    other: Option<&App>,
) -> Result<Timestamp> {
    let mut confirmed = Ok(());
    // A rejection means that the step ended meanwhile.
    for _ in 0..3 {
        let at = now();
        let more = other.map(|other| app_proof(other, &other.code(at)));
        confirmed = anna.confirm(client, app, purposes, at, more).await;
        if confirmed.is_ok() {
            return Ok(at);
        }
    }
    confirmed.map(|()| now())
}

/// Whether a code of the app was accepted.
pub(crate) async fn gives_code(
    anna: &Person,
    client: &Client,
    confirmation: &str,
    app: &App,
    code: &str,
) -> Result<bool> {
    let proofs = vec![app_proof(app, code)];
    is_accepted(&anna.submit(client, confirmation, proofs).await?)
}

/// Whether the PIN was accepted.
pub(crate) async fn gives_pin(
    anna: &Person,
    client: &Client,
    confirmation: &str,
    pin: &str,
) -> Result<bool> {
    let proofs = vec![pin_proof(pin)];
    is_accepted(&anna.submit(client, confirmation, proofs).await?)
}

/// Whether proofs were accepted.
pub(crate) fn is_accepted(answer: &v1::ConfirmationServiceSubmitProofResponse) -> Result<bool> {
    let outcome = answer.outcome.as_ref().context("an outcome")?;
    Ok(matches!(outcome, Outcome::Accepted(_)))
}

/// That a request of several at once was refused for this reason.
pub(crate) fn require_reason(status: &Status, reason: &str) -> Result<()> {
    ensure!(reason_of(status) == reason, "not {reason}: {status:?}");
    Ok(())
}
