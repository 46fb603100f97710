//! Proofs and authorizations.

use countersign_mfa::{MAX_PROOFS, Proof, Proofs};
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
            let rule = format!("must be at most {MAX_PROOFS}, each by another authenticator");
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

/// Reads the `authorization` of a settings change.
macro_rules! authorization {
    ($reader:expr, $request:expr, $oneof:path) => {{
        use $oneof as Wire;
        match $request.authorization.clone() {
            None => Ok(Some(countersign_mfa::Proofs::default())),
            Some(Wire::Proofs(proofs)) => Ok($reader.proofs("proofs.proofs", &proofs.proofs)),
            Some(Wire::ConfirmationId(_)) => {
                Err($crate::status::confirmation_authorization_unavailable())
            }
        }
    }};
}
pub(crate) use authorization;
