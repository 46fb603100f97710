//! Proofs and authorizations.

use countersign_mfa::{Authorization as Grant, MAX_PROOFS, Proof, Proofs};
use countersign_primitives::{IdentifierId, SecretString};
use countersign_proto::v1::{self as wire, proof::Authenticator};
use countersign_security_identifiers::AuthenticatorRef;

use super::Reader;

/// The longest code or PIN, in bytes.
const MAX_CODE_BYTES: usize = 64;

impl Reader {
    /// What a person typed.
    pub(crate) fn code(&mut self, field: &str, code: &str) -> Option<SecretString> {
        if code.len() > MAX_CODE_BYTES {
            self.violation(field, format!("must have at most {MAX_CODE_BYTES} bytes"));
            return None;
        }
        Some(SecretString::from(code))
    }

    /// The id of an identifier.
    pub(crate) fn identifier(&mut self, field: &str, id: &str) -> Option<IdentifierId> {
        self.take(field, id.parse())
    }

    /// The proofs of a call.
    pub(crate) fn proofs(&mut self, field: &str, proofs: &[wire::Proof]) -> Option<Proofs> {
        let rule = format!("must be at most {MAX_PROOFS}, each by another authenticator");
        if proofs.len() > MAX_PROOFS {
            self.violation(field, rule);
            return None;
        }
        let read: Vec<Proof> = proofs
            .iter()
            .enumerate()
            .filter_map(|(position, proof)| self.proof(&format!("{field}[{position}]"), proof))
            .collect();
        if read.len() != proofs.len() {
            return None;
        }
        let proofs = Proofs::new(read);
        if proofs.is_none() {
            self.violation(field, rule);
        }
        proofs
    }

    fn proof(&mut self, field: &str, proof: &wire::Proof) -> Option<Proof> {
        let authenticator = match &proof.authenticator {
            Some(Authenticator::Pin(wire::Pin {})) => Some(AuthenticatorRef::Pin),
            Some(Authenticator::IdentifierId(id)) => self
                .identifier(&format!("{field}.identifier_id"), id)
                .map(AuthenticatorRef::Identifier),
            None => {
                self.violation(field, "must name an identifier or the PIN");
                None
            }
        };
        let code = self.code(&format!("{field}.code"), &proof.code);
        Some(Proof {
            authenticator: authenticator?,
            code: code?,
        })
    }
}

/// What authorizes a settings change; each of their requests has a oneof of its own for it.
pub(crate) trait Authorization {
    /// Which of the two it is.
    fn either(&self) -> Either<'_>;
}

/// The two things that may authorize a settings change.
pub(crate) enum Either<'a> {
    Confirmation(&'a str),
    Proofs(&'a wire::Proofs),
}

macro_rules! authorization {
    ($($request:ident),+) => {$(
        impl Authorization for wire::$request::Authorization {
            fn either(&self) -> Either<'_> {
                match self {
                    Self::Proofs(proofs) => Either::Proofs(proofs),
                    Self::ConfirmationId(id) => Either::Confirmation(id),
                }
            }
        }
    )+};
}
authorization!(
    backup_code_service_disable_request,
    backup_code_service_enable_request,
    identifier_service_set_purposes_request,
    pin_service_change_request,
    pin_service_set_request,
    sms_service_confirm_enable_request,
    sms_service_disable_request,
    totp_service_confirm_enable_request,
    totp_service_disable_request
);

impl Reader {
    /// What authorizes a settings change: no proofs where nothing was given.
    pub(crate) fn authorization(
        &mut self,
        authorization: Option<&impl Authorization>,
    ) -> Option<Grant> {
        match authorization.map(Authorization::either) {
            None => Some(Grant::Proofs(Proofs::default())),
            Some(Either::Proofs(inline)) => self.inline(Some(inline)).map(Grant::Proofs),
            Some(Either::Confirmation(id)) => self
                .take("confirmation_id", id.parse())
                .map(Grant::Confirmation),
        }
    }

    /// The inline proofs of a settings change; none where none were given.
    pub(crate) fn inline(&mut self, inline: Option<&wire::Proofs>) -> Option<Proofs> {
        let proofs = inline.map_or(&[][..], |inline| &inline.proofs);
        self.proofs("proofs.proofs", proofs)
    }
}
