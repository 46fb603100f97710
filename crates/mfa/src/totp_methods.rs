//! Enrols an authenticator app.

use countersign_primitives::{ExposeSecret, IdentifierId, Label, SecretString, Timestamp};
use countersign_security_identifiers::{Factor, Kind, PurposeSet};
use countersign_totp::{self as totp, Algorithm, Authenticator, Digits, Provisioning};
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Authorization, Error, IdentifierView, Method, Outcome, Platform, SettingsChange,
    error::RetryAt,
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    settings_change::{ChangeMethod, Draft, OwnCode},
};

/// The beginning of an enrolment.
#[derive(Clone, Debug)]
pub struct BeginTotp {
    /// What the person calls the app; a name of the kind where it is `None`.
    pub label: Option<Label>,
    /// The hash inside the HMAC.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
    /// The account's name in the app; the subject's id where it is `None`.
    pub account: Option<String>,
}

/// An enrolment that has begun.
#[derive(Debug)]
pub struct BegunTotp {
    /// The new identifier.
    pub identifier: IdentifierId,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// What the app must be told; `None` where this was answered before.
    pub provisioning: Option<Provisioning>,
}

/// What is answered and stored of it.
#[derive(Debug, Encode, Decode, CborLen)]
pub(crate) struct NewTotp {
    #[n(0)]
    identifier: IdentifierId,
    #[n(1)]
    expires_at: Timestamp,
    /// The new secret: there in the first answer only, and never stored with it.
    #[cbor(skip)]
    authenticator: Option<Authenticator>,
}

/// The end of an enrolment.
#[derive(Clone, Debug)]
pub struct ConfirmTotp {
    /// The identifier.
    pub identifier: IdentifierId,
    /// A current code of the new app.
    pub code: SecretString,
    /// What it is switched on for in the same commit.
    pub purposes: PurposeSet,
    /// The PIN and, where an identifier exists, a code of it.
    pub authorization: Authorization,
}

impl Platform {
    /// Begins to enrol an authenticator app. Beginning again under the same label gives a new
    /// secret and makes the earlier one void.
    ///
    /// # Errors
    /// [`Error::PinNotSet`], [`Error::TooManyIdentifiers`], [`Error::TooManyEnrolments`],
    /// [`Error::EnrolmentThrottled`].
    pub async fn begin_totp(&self, call: &Call, request: &BeginTotp) -> Result<BegunTotp, Error> {
        let new = self.run(call, request).await?;
        let issuer = self.settings.issuer.clone();
        let account = request.account.as_deref();
        let account = account.unwrap_or(call.subject.as_str()).to_owned();
        // Drawing the QR code takes as long as a few hundred checks, so it has a thread of its own.
        let draw = |app: Authenticator| move || app.provisioning(&issuer, &account);
        let provisioning = match new.authenticator {
            None => None,
            Some(app) => Some(
                tokio::task::spawn_blocking(draw(app))
                    .await
                    .map_err(|error| Error::Internal(Box::new(error)))?
                    .map_err(|error| Error::Internal(Box::new(error)))?,
            ),
        };
        Ok(BegunTotp {
            identifier: new.identifier,
            expires_at: new.expires_at,
            provisioning,
        })
    }

    /// Ends an enrolment: the app's code, the PIN and, where an identifier exists, a code of it,
    /// in one commit. The app's code is burned.
    ///
    /// # Errors
    /// [`Error::PinNotSet`], [`Error::EnrolmentThrottled`], [`Error::TooManyIdentifiers`]; those of its
    /// [`Authorization`].
    pub async fn confirm_totp(
        &self,
        call: &Call,
        request: &ConfirmTotp,
    ) -> Result<Outcome<IdentifierView>, Error> {
        self.run(call, request).await?.outcome()
    }
}

impl UseCase for BeginTotp {
    type Answer = NewTotp;
    fn method(&self) -> Method {
        Method::named("TotpService.BeginEnable")
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        _: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Decision<NewTotp>, Error> {
        let (now, settings) = (snapshot.now, context.settings);
        if snapshot.registry.pin().is_none() {
            return Err(Error::PinNotSet);
        }
        require_enrolments_allowed(Kind::Totp, snapshot, context)?;
        let authenticator = Authenticator::generate(self.algorithm, self.digits, rng);
        let identifier = IdentifierId::random(rng);
        let mut registry = snapshot.registry.clone();
        registry
            .begin_totp(
                identifier,
                self.label.clone(),
                authenticator.clone(),
                &settings.limits,
                now,
            )
            .map_err(|error| Error::of_registry(error, now))?;
        let begun = Fact::EnrolmentBegun {
            identifier,
            kind: Kind::Totp,
        };
        let answer = NewTotp {
            identifier,
            expires_at: now.plus(settings.limits.enrolment_life),
            authenticator: Some(authenticator),
        };
        Ok(Decision::from(ChangeSet::new(
            registry,
            vec![begun],
            answer,
        )))
    }
}

impl ChangeMethod for ConfirmTotp {
    type Done = IdentifierView;

    fn name(&self) -> Method {
        Method::named("TotpService.ConfirmEnable")
    }

    fn change(&self) -> SettingsChange {
        SettingsChange::EnableTotp {
            identifier: self.identifier,
            purposes: self.purposes,
        }
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn require_allowed(&self, snapshot: &Snapshot, context: &Context<'_>) -> Result<(), Error> {
        require_enrolments_allowed(Kind::Totp, snapshot, context)
    }

    fn check_own_code(&self, snapshot: &Snapshot, _: &Context<'_>) -> OwnCode {
        let wrong = totp::Verdict::Rejected(totp::Rejection::Wrong);
        let pending = snapshot.registry.identifier(self.identifier);
        let pending = pending.filter(|found| found.is_pending(snapshot.now));
        // It was never used, so no step is behind it.
        let verdict = match pending.map(|pending| &pending.factor) {
            Some(Factor::Totp { authenticator, .. }) => {
                totp::verify(authenticator, None, self.code.expose_secret(), snapshot.now)
            }
            Some(Factor::Sms(_) | Factor::BackupCodes(_)) | None => wrong,
        };
        match verdict {
            totp::Verdict::Accepted { step } => OwnCode::Right(step),
            totp::Verdict::Rejected(reason) => {
                OwnCode::Wrong(self.identifier, Kind::Totp, reason.into())
            }
        }
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        context: &Context<'_>,
        _: &mut StdRng,
    ) -> Result<IdentifierView, Error> {
        let OwnCode::Right(step) = draft.own_code else {
            return Err(Error::IdentifierNotFound);
        };
        let (identifier, limits) = (self.identifier, &context.settings.limits);
        draft
            .registry
            .enable_totp(identifier, step, self.purposes, limits, draft.now)
            .map_err(|error| Error::of_registry(error, draft.now))?;
        draft.note_enabled(identifier, Kind::Totp, self.purposes);
        IdentifierView::find(&draft.registry, identifier, draft.now)
    }
}

/// That not too many wrong codes were typed in enrolments.
pub(crate) fn require_enrolments_allowed(
    kind: Kind,
    snapshot: &Snapshot,
    context: &Context<'_>,
) -> Result<(), Error> {
    let (now, limits) = (snapshot.now, &context.settings.limits);
    let enrolments = snapshot.registry.enrolments();
    match enrolments.refused_until(kind, limits, now) {
        Some(at) => Err(Error::EnrolmentThrottled(RetryAt { now, at })),
        None => Ok(()),
    }
}
