//! Operations.

use std::collections::BTreeMap;

use countersign_mfa::{Custom, Login, Money, Operation, SettingsChange, Withdrawal};
use countersign_proto::v1::{self as wire, operation::Operation as Wire, settings_change::Change};

use super::Reader;

/// The longest text of an operation's field, in bytes.
const MAX_TEXT: usize = 256;
/// The longest value of a custom operation's field, in bytes.
const MAX_VALUE: usize = 1024;
/// The most fields of a custom operation.
const MAX_FIELDS: usize = 32;

impl Reader {
    /// The operation of a request.
    pub(crate) fn operation(&mut self, operation: Option<&wire::Operation>) -> Option<Operation> {
        match operation.and_then(|operation| operation.operation.as_ref()) {
            None => {
                self.violation("operation", "must be one of the operations");
                None
            }
            Some(Wire::Login(login)) => Some(Operation::Login(self.login(login))),
            Some(Wire::Withdrawal(withdrawal)) => {
                self.withdrawal(withdrawal).map(Operation::Withdrawal)
            }
            Some(Wire::Custom(custom)) => Some(Operation::Custom(self.custom(custom))),
            Some(Wire::SettingsChange(change)) => self
                .settings_change(change.change.as_ref())
                .map(Operation::SettingsChange),
        }
    }

    fn login(&mut self, login: &wire::Login) -> Login {
        let mut text = |field: &str, text: &str, most| {
            self.text(&format!("operation.login.{field}"), text, 0..=most)
        };
        Login {
            ip_address: text("ip_address", &login.ip_address, 64),
            user_agent: text("user_agent", &login.user_agent, MAX_VALUE),
            device_id: text("device_id", &login.device_id, MAX_TEXT),
        }
    }

    fn withdrawal(&mut self, withdrawal: &wire::Withdrawal) -> Option<Withdrawal> {
        let amount = self.money("operation.withdrawal.amount", withdrawal.amount.as_ref());
        let mut text = |field: &str, text: &str, least| {
            self.text(
                &format!("operation.withdrawal.{field}"),
                text,
                least..=MAX_TEXT,
            )
        };
        let source_account = text("source_account", &withdrawal.source_account, 1);
        let destination = text("destination", &withdrawal.destination, 1);
        let payment_method = text("payment_method", &withdrawal.payment_method, 0);
        Some(Withdrawal {
            source_account,
            amount: amount?,
            destination,
            payment_method,
        })
    }

    fn money(&mut self, field: &str, money: Option<&wire::Money>) -> Option<Money> {
        let Some(money) = money else {
            self.violation(field, "must be given");
            return None;
        };
        let code = &money.currency_code;
        let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !(2..=12).contains(&code.len()) || !code.bytes().all(is_letter) {
            let rule = "must have 2 to 12 capital letters and digits, such as EUR";
            self.violation(&format!("{field}.currency_code"), rule);
        }
        if !(0..=999_999_999).contains(&money.nanos) {
            let rule = "must be from 0 to 999999999: billionths of a unit";
            self.violation(&format!("{field}.nanos"), rule);
        }
        if money.units < 0 || (money.units == 0 && money.nanos == 0) {
            self.violation(field, "must be more than nothing");
        }
        Some(Money {
            currency: code.clone(),
            units: money.units,
            nanos: money.nanos,
        })
    }

    fn custom(&mut self, custom: &wire::CustomOperation) -> Custom {
        let is_fit =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=64).contains(&custom.kind.len()) || !custom.kind.bytes().all(is_fit) {
            let rule = "must have 1 to 64 small letters, digits and characters of `._-`";
            self.violation("operation.custom.kind", rule);
        }
        if custom.fields.len() > MAX_FIELDS {
            let rule = format!("must be at most {MAX_FIELDS} fields");
            self.violation("operation.custom.fields", rule);
        }
        // A key that is wrong is not repeated in the violation: it is named by its place.
        let fields: BTreeMap<String, String> = custom
            .fields
            .iter()
            .take(MAX_FIELDS)
            .enumerate()
            .map(|(position, (key, value))| {
                let field = format!("operation.custom.fields[{position}]");
                let key = self.text(&format!("{field}.key"), key, 1..=64);
                (
                    key,
                    self.text(&format!("{field}.value"), value, 0..=MAX_VALUE),
                )
            })
            .collect();
        Custom {
            kind: custom.kind.clone(),
            fields,
        }
    }

    fn settings_change(&mut self, change: Option<&Change>) -> Option<SettingsChange> {
        let field = "operation.settings_change";
        match change {
            None => {
                self.violation(field, "must be one of the changes");
                None
            }
            Some(Change::EnableTotp(change)) => {
                let field = format!("{field}.enable_totp");
                let purposes = self.purposes(&format!("{field}.purposes"), &change.purposes);
                let id = format!("{field}.identifier_id");
                Some(SettingsChange::EnableTotp {
                    identifier: self.identifier(&id, &change.identifier_id)?,
                    purposes,
                })
            }
            Some(Change::EnableSms(change)) => {
                let field = format!("{field}.enable_sms");
                let purposes = self.purposes(&format!("{field}.purposes"), &change.purposes);
                let id = format!("{field}.identifier_id");
                Some(SettingsChange::EnableSms {
                    identifier: self.identifier(&id, &change.identifier_id)?,
                    purposes,
                })
            }
            Some(Change::EnableBackupCodes(wire::EnableBackupCodesChange {})) => {
                Some(SettingsChange::EnableCodes)
            }
            Some(Change::DisableIdentifier(change)) => {
                let id = format!("{field}.disable_identifier.identifier_id");
                Some(SettingsChange::Disable {
                    identifier: self.identifier(&id, &change.identifier_id)?,
                    confirm_last: change.confirm_last,
                })
            }
            Some(Change::SetPurposes(change)) => {
                let field = format!("{field}.set_purposes");
                let (on, off) = self.switches(&field, &change.switch_on, &change.switch_off);
                let id = format!("{field}.identifier_id");
                Some(SettingsChange::SetPurposes {
                    identifier: self.identifier(&id, &change.identifier_id)?,
                    on,
                    off,
                })
            }
            Some(Change::SetPin(wire::SetPinChange {})) => Some(SettingsChange::SetPin),
            Some(Change::ChangePin(wire::ChangePinChange {})) => Some(SettingsChange::ChangePin),
        }
    }
}
