//! `Debug` for the messages that hold secrets: what identifies them, and nothing that was typed or
//! has to be kept.

use std::fmt::{Debug, Formatter, Result};

use crate::v1;

const HIDDEN: &str = "[hidden]";

impl Debug for v1::Proof {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Proof")
            .field("authenticator", &self.authenticator)
            .field("code", &HIDDEN)
            .finish()
    }
}

impl Debug for v1::PinServiceSetRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("PinServiceSetRequest")
            .field("subject_id", &self.subject_id)
            .field("request_id", &self.request_id)
            .field("new_pin", &HIDDEN)
            .field("authorization", &self.authorization)
            .finish()
    }
}

impl Debug for v1::PinServiceChangeRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("PinServiceChangeRequest")
            .field("subject_id", &self.subject_id)
            .field("request_id", &self.request_id)
            .field("new_pin", &HIDDEN)
            .field("authorization", &self.authorization)
            .finish()
    }
}

impl Debug for v1::TotpServiceBeginEnableResponse {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("TotpServiceBeginEnableResponse")
            .field("identifier_id", &self.identifier_id)
            .field("secret_base32", &HIDDEN)
            .field("otpauth_uri", &HIDDEN)
            .field("qr_png", &HIDDEN)
            .field("expire_time", &self.expire_time)
            .field("secret_already_delivered", &self.secret_already_delivered)
            .finish()
    }
}

impl Debug for v1::TotpServiceConfirmEnableRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("TotpServiceConfirmEnableRequest")
            .field("subject_id", &self.subject_id)
            .field("request_id", &self.request_id)
            .field("identifier_id", &self.identifier_id)
            .field("code", &HIDDEN)
            .field("purposes", &self.purposes)
            .field("authorization", &self.authorization)
            .finish()
    }
}

impl Debug for v1::SmsServiceBeginEnableRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("SmsServiceBeginEnableRequest")
            .field("subject_id", &self.subject_id)
            .field("request_id", &self.request_id)
            .field("label", &self.label)
            .field("phone_number", &HIDDEN)
            .field("locale", &self.locale)
            .field("word", &HIDDEN)
            .finish()
    }
}

impl Debug for v1::SmsServiceConfirmEnableRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("SmsServiceConfirmEnableRequest")
            .field("subject_id", &self.subject_id)
            .field("request_id", &self.request_id)
            .field("identifier_id", &self.identifier_id)
            .field("code", &HIDDEN)
            .field("purposes", &self.purposes)
            .field("authorization", &self.authorization)
            .finish()
    }
}

impl Debug for v1::InboxMessage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("InboxMessage")
            .field("message_id", &self.message_id)
            .field("phone_number", &HIDDEN)
            .field("text", &HIDDEN)
            .field("time", &self.time)
            .finish()
    }
}

impl Debug for v1::BackupCodeList {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("BackupCodeList")
            .field("list_id", &self.list_id)
            .field("identifier_id", &self.identifier_id)
            .field("codes", &HIDDEN)
            .field("expire_time", &self.expire_time)
            .field("secret_already_delivered", &self.secret_already_delivered)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::pin_service_set_request::Authorization;

    #[test]
    fn no_secret_shows_in_debug() {
        let canary = || "canary".to_owned();
        let proofs = v1::Proofs {
            proofs: vec![v1::Proof {
                authenticator: Some(v1::proof::Authenticator::Pin(v1::Pin {})),
                code: canary(),
            }],
        };
        let set = v1::PinServiceSetRequest {
            new_pin: canary(),
            authorization: Some(Authorization::Proofs(proofs)),
            ..Default::default()
        };
        let change = v1::PinServiceChangeRequest {
            new_pin: canary(),
            ..Default::default()
        };
        let begun = v1::TotpServiceBeginEnableResponse {
            secret_base32: canary(),
            otpauth_uri: canary(),
            qr_png: b"canary".to_vec(),
            ..Default::default()
        };
        let confirm = v1::TotpServiceConfirmEnableRequest {
            code: canary(),
            ..Default::default()
        };
        let list = v1::BackupCodeList {
            codes: vec![canary()],
            ..Default::default()
        };
        let number = v1::SmsServiceBeginEnableRequest {
            phone_number: canary(),
            word: canary(),
            ..Default::default()
        };
        let sent = v1::SmsServiceConfirmEnableRequest {
            code: canary(),
            ..Default::default()
        };
        let message = v1::InboxMessage {
            phone_number: canary(),
            text: canary(),
            ..Default::default()
        };
        let shown = format!(
            "{set:?} {change:?} {begun:?} {confirm:?} {list:?} {number:?} {sent:?} {message:?}"
        );
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!shown.contains("[99, 97, 110"), "{shown}");
    }
}
