//! What a test of the flows stands on: a platform over a database of its own, a clock, a client.

use std::{fmt::Debug, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    App, Backend, Client, Clock, Database, Options, Person, TestClock, TestPlatform, Timestamp,
    app_proof, new_request_id, pin_proof, reason_of, v1,
    v1::{
        ConfirmationState, ErrorReason, Purpose, confirmation_service_create_response as created,
        confirmation_service_submit_proof_response as submitted, operation::Operation,
    },
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

pub(crate) use created::Outcome as Created;
pub(crate) use submitted::Outcome as Submitted;

/// A minute.
pub(crate) const MINUTE: u64 = 60;
/// An hour.
pub(crate) const HOUR: u64 = 60 * MINUTE;
/// What the client of [`World`] calls itself.
pub(crate) const CALLER: &str = "host-system";

/// A platform over a database of its own.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) platform: TestPlatform,
    pub(crate) client: Client,
    clock: TestClock,
}

impl World {
    pub(crate) async fn new(backend: Backend) -> Result<Self> {
        Self::with(backend, Options::default()).await
    }

    pub(crate) async fn with(backend: Backend, options: Options) -> Result<Self> {
        let database = Database::fresh(backend).await?;
        let clock = TestClock::default();
        let platform = TestPlatform::start(&database, &clock, options).await?;
        let client = platform.client(CALLER).await?;
        Ok(Self {
            database,
            platform,
            client,
            clock,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Somebody with a PIN.
    pub(crate) async fn somebody(&self) -> Result<Person> {
        let person = Person::new();
        person.set_pin(&self.client).await?;
        Ok(person)
    }

    /// Somebody with a PIN and an app, whose code of now and next code are there to be used.
    pub(crate) async fn owner(&self, purposes: &[Purpose]) -> Result<(Person, App)> {
        let person = self.somebody().await?;
        let app = person.enrol(&self.client, purposes, self.now()).await?;
        Ok((person, app))
    }

    /// Another app of somebody. Two minutes pass: every code is there to be used.
    pub(crate) async fn another(
        &self,
        person: &Person,
        existing: &App,
        label: &str,
        purposes: &[Purpose],
    ) -> Result<App> {
        self.pass(MINUTE);
        let app = person.begin(&self.client, label).await?;
        let existing = app_proof(existing, &existing.code(self.now()));
        person
            .confirm(&self.client, &app, purposes, self.now(), Some(existing))
            .await?;
        self.pass(MINUTE);
        Ok(app)
    }

    /// A proof by the app's code of now.
    pub(crate) fn right(&self, app: &App) -> v1::Proof {
        app_proof(app, &app.code(self.now()))
    }

    /// A proof by a code that the app does not show.
    pub(crate) fn wrong(&self, app: &App) -> v1::Proof {
        app_proof(app, &app.wrong_code(self.now()))
    }

    /// Types wrong codes for an operation, five for each confirmation, with the right PIN before
    /// them where the operation takes it.
    pub(crate) async fn guess(
        &self,
        person: &Person,
        app: &App,
        operation: &Operation,
        times: u32,
    ) -> Result<()> {
        let mut open = None;
        for _ in 0..times {
            let id = match open.take() {
                Some(id) => id,
                None => {
                    person
                        .open(&self.client, operation.clone())
                        .await?
                        .confirmation_id
                }
            };
            let mut proofs = vec![self.wrong(app)];
            if matches!(operation, Operation::Withdrawal(_)) {
                proofs.push(pin_proof(&person.pin));
            }
            let answer = person.submit(&self.client, &id, proofs).await?;
            ensure!(rejected(&answer), "a wrong code was accepted");
            open = (state(&answer) == ConfirmationState::Pending).then_some(id);
        }
        if let Some(id) = open {
            person.cancel(&self.client, &id).await?;
        }
        Ok(())
    }

    /// The facts of every event of somebody, one event a line, oldest first.
    pub(crate) fn facts(&self, person: &Person) -> Result<String> {
        let subject = &person.subject;
        self.database.query(&format!(
            "SELECT facts FROM event WHERE subject_id = '{subject}' ORDER BY version"
        ))
    }

    /// The facts of the last event of somebody.
    pub(crate) fn last_facts(&self, person: &Person) -> Result<String> {
        let facts = self.facts(person)?;
        Ok(facts.lines().last().unwrap_or_default().to_owned())
    }

    /// How many rows of a table are somebody's.
    pub(crate) fn rows(&self, table: &str, person: &Person) -> Result<u32> {
        let subject = &person.subject;
        let sql = format!("SELECT count(*) FROM {table} WHERE subject_id = '{subject}'");
        Ok(self.database.query(&sql)?.parse()?)
    }
}

/// The same secret under an id that nobody has.
pub(crate) fn stranger(app: &App) -> App {
    let mut stranger = app.clone();
    stranger.id = new_request_id();
    stranger
}

/// A login from a device.
pub(crate) fn login(device: &str) -> Operation {
    Operation::Login(v1::Login {
        ip_address: "192.0.2.7".to_owned(),
        user_agent: "Mozilla/5.0".to_owned(),
        device_id: device.to_owned(),
    })
}

/// A withdrawal of so many euros.
pub(crate) fn payout(units: i64) -> Operation {
    Operation::Withdrawal(v1::Withdrawal {
        source_account: "main".to_owned(),
        amount: Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units,
            nanos: 500_000_000,
        }),
        destination: "DE02120300000000202051".to_owned(),
        payment_method: "sepa".to_owned(),
    })
}

/// A custom operation with one field.
pub(crate) fn custom(value: &str) -> Operation {
    Operation::Custom(v1::CustomOperation {
        kind: "api-key.create".to_owned(),
        fields: [("scope".to_owned(), value.to_owned())].into(),
    })
}

/// A settings change.
pub(crate) fn settings(change: v1::settings_change::Change) -> Operation {
    Operation::SettingsChange(v1::SettingsChange {
        change: Some(change),
    })
}

/// Whether the proofs were accepted.
pub(crate) fn accepted(answer: &v1::ConfirmationServiceSubmitProofResponse) -> bool {
    matches!(answer.outcome, Some(Submitted::Accepted(_)))
}

/// Whether the proofs were rejected.
pub(crate) fn rejected(answer: &v1::ConfirmationServiceSubmitProofResponse) -> bool {
    matches!(answer.outcome, Some(Submitted::Rejected(_)))
}

/// The state of the confirmation after the proofs.
pub(crate) fn state(answer: &v1::ConfirmationServiceSubmitProofResponse) -> ConfirmationState {
    let after = answer.confirmation.as_ref();
    after.map_or(ConfirmationState::Unspecified, v1::Confirmation::state)
}

/// That a call was refused with this code and reason, in the form that every error has.
pub(crate) fn refused<T: Debug>(
    answer: Result<T, Status>,
    code: Code,
    reason: &str,
) -> Result<Status> {
    let status = match answer {
        Err(status) => status,
        Ok(answer) => bail!("{reason} was expected, and the answer is {answer:?}"),
    };
    well_formed(&status)?;
    let given = reason_of(&status);
    ensure!(
        status.code() == code && given == reason,
        "{reason} was expected, and the answer is {given} {status:?}"
    );
    Ok(status)
}

/// That a call was refused since it cannot be done as things are.
pub(crate) fn precondition<T: Debug>(answer: Result<T, Status>, reason: &str) -> Result<Status> {
    refused(answer, Code::FailedPrecondition, reason)
}

/// The fields of a request that are wrong.
pub(crate) fn wrong_fields<T: Debug>(answer: Result<T, Status>) -> Result<Vec<String>> {
    let status = refused(answer, Code::InvalidArgument, "INVALID_FIELD")?;
    let details = status.get_details_bad_request().context("a BadRequest")?;
    let fields = details.field_violations.into_iter();
    Ok(fields.map(|violation| violation.field).collect())
}

/// That an error is in the form that every error has.
pub(crate) fn well_formed(status: &Status) -> Result<()> {
    let info = status
        .get_details_error_info()
        .with_context(|| format!("no ErrorInfo: {status:?}"))?;
    ensure!(
        info.domain == "countersign",
        "the domain is {}",
        info.domain
    );
    let name = format!("ERROR_REASON_{}", info.reason);
    let known = ErrorReason::from_str_name(&name);
    ensure!(known.is_some(), "{} is no ErrorReason", info.reason);
    Ok(())
}

/// Each path as `PIN > app+app | …`, with the ids of the apps.
pub(crate) fn outline(paths: &[v1::Path]) -> String {
    use v1::stage_option::Authenticator;
    let option = |option: &v1::StageOption| match &option.authenticator {
        Some(Authenticator::Pin(_)) => "PIN".to_owned(),
        Some(Authenticator::Identifier(identifier)) => identifier.identifier_id.clone(),
        None => "?".to_owned(),
    };
    let stage = |stage: &v1::Stage| {
        let options: Vec<String> = stage.options.iter().map(option).collect();
        options.join("+")
    };
    let path = |path: &v1::Path| {
        let stages: Vec<String> = path.stages.iter().map(stage).collect();
        stages.join(" > ")
    };
    let paths: Vec<String> = paths.iter().map(path).collect();
    paths.join(" | ")
}
