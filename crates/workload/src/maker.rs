//! Makes people.

use std::{future::Future, num::NonZeroUsize, sync::Arc};

use anyhow::{Context, Result, bail};
use countersign_keyring::{Keyring, Place};
use countersign_mfa::{
    Call, Caller, Create, Created, Entropy, HashPool, Login, Operation, Platform, Proof, Proofs,
    Settings, SubmitProof, SystemEntropy,
    ports::{Change, Rows, SubjectRow},
};
use countersign_pin::Pin;
use countersign_primitives::{
    ConfirmationId, HashMemory, IdentifierId, RequestId, Salt, SecretBytes, SecretString,
    SubjectId, Timestamp,
};
use countersign_security_identifiers::{AuthenticatorRef, Purpose, PurposeSet, Registry};
use countersign_totp::{Algorithm, Authenticator, Digits, Step};
use rand::rngs::StdRng;
use tokio::runtime::{Builder, Runtime};

use crate::OneSubject;

/// The PIN of everybody.
pub const PIN: &str = "83620571";

/// Makes people, and has the use cases decide about them.
pub struct Maker {
    keyring: Keyring,
    settings: Settings,
    pin: Pin,
    rng: StdRng,
    caller: Caller,
    store: Arc<OneSubject>,
    platform: Platform,
    runtime: Runtime,
}

/// Somebody with a PIN and one authenticator app, on for logins and withdrawals.
#[derive(Clone, Debug)]
pub struct Person {
    /// The subject.
    pub subject: SubjectId,
    /// The app's identifier.
    pub identifier: IdentifierId,
    /// The app.
    pub app: Authenticator,
}

/// A confirmation that awaits a code, and the change that opened it.
#[derive(Debug)]
pub struct Opened {
    /// The confirmation.
    pub confirmation: ConfirmationId,
    /// What was written.
    pub change: Change,
}

impl Maker {
    /// A maker whose rows are sealed with these keys, for this caller.
    ///
    /// # Errors
    /// When the machine gives no randomness or no threads.
    pub fn new(keyring: Keyring, settings: Settings, caller: &str) -> Result<Self> {
        Self::with_entropy(keyring, settings, caller, Arc::new(SystemEntropy))
    }

    /// As [`Self::new`], with randomness of choice.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_entropy(
        keyring: Keyring,
        settings: Settings,
        caller: &str,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let mut rng = entropy.generator()?;
        let salt = Salt::random(&mut rng);
        let cost = settings.hash_cost;
        let hash = HashMemory::default().run(PIN.as_bytes(), &salt, cost)?;
        let store = Arc::new(OneSubject::new(rows_at(Timestamp::from_millis(0))));
        let platform = Platform::new(
            Arc::<OneSubject>::clone(&store),
            keyring.clone(),
            settings.clone(),
            entropy,
            HashPool::start(NonZeroUsize::MIN)?,
        );
        Ok(Self {
            keyring,
            settings,
            pin: Pin { salt, cost, hash },
            rng,
            caller: Caller::parse(caller)?,
            store,
            platform,
            runtime: Builder::new_current_thread().enable_time().build()?,
        })
    }

    /// Somebody new, who enrolled at `now`, and the row that says so.
    ///
    /// # Errors
    /// When a limit of the settings forbids it.
    pub fn person(&mut self, subject: SubjectId, now: Timestamp) -> Result<(Person, SubjectRow)> {
        let identifier = IdentifierId::random(&mut self.rng);
        let app = Authenticator::generate(Algorithm::Sha1, Digits::Six, &mut self.rng);
        let purposes: PurposeSet = [Purpose::Login, Purpose::Withdrawal].into_iter().collect();
        let limits = &self.settings.limits;
        let mut registry = Registry::default();
        registry.set_pin(self.pin.clone(), now);
        registry.begin_totp(identifier, None, app.clone(), limits, now)?;
        // As if the code typed at enrolment had been that of an hour ago, so that it is not in the
        // way of the first one that is measured.
        let burned = Step::at(Timestamp::from_millis(now.as_millis() - 3_600_000));
        registry.enable_totp(identifier, burned, purposes, limits, now)?;
        let encoded = registry.encode();
        let place = Place {
            table: "subject",
            subject: &subject,
            column: "secrets",
        };
        let secrets = self.keyring.seal(place, &encoded.secrets, &mut self.rng)?;
        let person = Person {
            subject,
            identifier,
            app,
        };
        let row = SubjectRow {
            version: 3,
            secrets,
            counters: encoded.counters,
        };
        Ok((person, row))
    }

    /// Opens a login of somebody with this row.
    ///
    /// # Errors
    /// When no code is asked for.
    pub fn open(&mut self, person: &Person, row: SubjectRow, now: Timestamp) -> Result<Opened> {
        let mut rows = rows_at(now);
        rows.subject = Some(row);
        self.store.set(rows);
        let call = self.call(person);
        let create = Create {
            operation: login(),
            redeem_on_approval: false,
        };
        let created = self
            .runtime
            .block_on(self.platform.create(&call, &create))?;
        if !matches!(created, Created::Confirmation(_)) {
            bail!("the login needs no code: {created:?}");
        }
        let change = self.store.take_change().context("nothing was written")?;
        let confirmation = change.confirmation.as_ref().context("none was written")?;
        Ok(Opened {
            confirmation: confirmation.id,
            change,
        })
    }

    /// Submits what was typed for a confirmation, against these rows. Tells whether it was right.
    ///
    /// # Errors
    /// When the confirmation awaits no code.
    pub fn submit(
        &mut self,
        person: &Person,
        rows: Rows,
        confirmation: ConfirmationId,
        code: SecretString,
    ) -> Result<(bool, Change)> {
        self.store.set(rows);
        let call = self.call(person);
        let proof = Proof {
            authenticator: AuthenticatorRef::Identifier(person.identifier),
            code,
        };
        let submit = SubmitProof {
            confirmation,
            proofs: Proofs::new(vec![proof]).context("one proof is too many")?,
        };
        let submitted = self.platform.submit_proof(&call, &submit);
        let submitted = self.runtime.block_on(submitted)?;
        let change = self.store.take_change().context("nothing was written")?;
        Ok((submitted.accepted, change))
    }

    /// A request about somebody, with an id of its own. All of them have one body.
    pub fn call(&mut self, person: &Person) -> Call {
        Call {
            subject: person.subject.clone(),
            caller: self.caller.clone(),
            request: Some(RequestId::random(&mut self.rng)),
            body: SecretBytes::new(vec![7; 120]),
        }
    }

    /// Who asks.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The store behind the use cases.
    pub fn store(&self) -> &OneSubject {
        &self.store
    }

    /// The use cases, for requests that are made again and again.
    pub const fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Waits for one of them.
    pub fn block_on<F: Future>(&self, request: F) -> F::Output {
        self.runtime.block_on(request)
    }
}

impl Opened {
    /// What a load finds at `now`, after this was opened from `row`.
    pub fn rows(&self, row: &SubjectRow, now: Timestamp) -> Rows {
        rows_after(row, &self.change, now)
    }
}

/// What a load finds at `now`, after this change of `row` and the confirmation in it.
pub(crate) fn rows_after(row: &SubjectRow, change: &Change, now: Timestamp) -> Rows {
    let mut rows = rows_at(now);
    rows.subject = Some(after(row, change));
    rows.confirmation = change.confirmation.as_ref().map(|it| it.body.clone());
    rows
}

/// A subject's row after a change.
pub fn after(row: &SubjectRow, change: &Change) -> SubjectRow {
    SubjectRow {
        version: row.version + 1,
        secrets: change
            .secrets
            .clone()
            .unwrap_or_else(|| row.secrets.clone()),
        counters: change.counters.clone(),
    }
}

/// The login that is confirmed.
pub fn login() -> Operation {
    Operation::Login(Login {
        ip_address: "203.0.113.7".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:141.0)".to_owned(),
        device_id: "laptop-1".to_owned(),
    })
}

pub(crate) const fn rows_at(now: Timestamp) -> Rows {
    Rows {
        now,
        subject: None,
        confirmation: None,
        request: None,
    }
}
