//! Proofs and authorizations.

use countersign_mfa::{MAX_PROOFS, Proof, Proofs};
use countersign_primitives::{IdentifierId, SecretString};
use countersign_proto::v1::{self as wire, proof::Authenticator};
use countersign_security_identifiers::AuthenticatorRef;
use tonic::Status;

use super::Reader;
use crate::status;

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
    /// The inline proofs, if it is these.
    fn inline(&self) -> Option<&wire::Proofs>;
}

macro_rules! authorization {
    ($($request:ident),+) => {$(
        impl Authorization for wire::$request::Authorization {
            fn inline(&self) -> Option<&wire::Proofs> {
                match self {
                    Self::Proofs(proofs) => Some(proofs),
                    Self::ConfirmationId(_) => None,
                }
            }
        }
    )+};
}
authorization!(
    identifier_service_set_purposes_request,
    pin_service_change_request,
    pin_service_set_request,
    totp_service_confirm_enable_request,
    totp_service_disable_request
);

impl Reader {
    /// The inline proofs of a settings change; none where none were given.
    pub(crate) fn authorization(
        &mut self,
        authorization: Option<&impl Authorization>,
    ) -> Result<Option<Proofs>, Status> {
        match authorization.map(Authorization::inline) {
            None => Ok(Some(Proofs::default())),
            Some(Some(inline)) => Ok(self.proofs("proofs.proofs", &inline.proofs)),
            Some(None) => Err(status::confirmation_authorization_unavailable()),
        }
    }
}
