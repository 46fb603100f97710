//! What is to be confirmed.

use std::collections::BTreeMap;

use countersign_primitives::{Digest, Digester, IdentifierId, SubjectId};
use countersign_security_identifiers::{Purpose, PurposeSet};
use countersign_sms_text::Template;

/// What a caller wants confirmed. Its digest is fixed when the confirmation is created; another
/// operation, be it different in one digit, needs another confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A login.
    Login(Login),
    /// A withdrawal.
    Withdrawal(Withdrawal),
    /// A change of the subject's own security settings.
    SettingsChange(SettingsChange),
    /// Anything else that the host system knows.
    Custom(Custom),
}

/// A login. Address and user agent are context, recorded beside the digest and not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The person's IP address.
    pub ip_address: String,
    /// The person's user agent.
    pub user_agent: String,
    /// The host system's name of the device; bound by the digest.
    pub device_id: String,
}

/// A withdrawal; every field is bound by the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Where the money comes from.
    pub source_account: String,
    /// How much.
    pub amount: Money,
    /// Where it goes.
    pub destination: String,
    /// How it goes.
    pub payment_method: String,
}

/// An amount of a currency; never a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// The currency's code, in capitals.
    pub currency: String,
    /// Whole units.
    pub units: i64,
    /// Billionths of a unit.
    pub nanos: i32,
}

/// A custom operation; its kind and every field are bound by the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    /// The host system's name of the kind.
    pub kind: String,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
}

/// A change of security settings with its exact parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsChange {
    /// Finish an authenticator's enrolment.
    EnableTotp {
        /// The identifier whose enrolment has begun.
        identifier: IdentifierId,
        /// What it is to be switched on for at once.
        purposes: PurposeSet,
    },
    /// Finish a phone's enrolment.
    EnableSms {
        /// The identifier whose enrolment has begun.
        identifier: IdentifierId,
        /// What it is to be switched on for at once.
        purposes: PurposeSet,
    },
    /// Enrol a set of backup codes.
    EnableCodes,
    /// Make more codes for a set of backup codes.
    RenewCodes {
        /// Which set.
        identifier: IdentifierId,
    },
    /// Disable an identifier.
    Disable {
        /// Which.
        identifier: IdentifierId,
        /// Whether it may be the last one.
        confirm_last: bool,
    },
    /// Switch an identifier on and off.
    SetPurposes {
        /// Which.
        identifier: IdentifierId,
        /// What it is switched on for.
        on: PurposeSet,
        /// What it is switched off for.
        off: PurposeSet,
    },
    /// Set a first PIN.
    SetPin,
    /// Change the PIN.
    ChangePin,
}

impl Operation {
    /// The purpose whose switches and throttles apply.
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::Login(_) => Purpose::Login,
            Self::Withdrawal(_) => Purpose::Withdrawal,
            Self::Custom(_) | Self::SettingsChange(_) => Purpose::Other,
        }
    }

    /// The operation's kind, in events.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Login(_) => "LOGIN",
            Self::Withdrawal(_) => "WITHDRAWAL",
            Self::SettingsChange(_) => "SETTINGS_CHANGE",
            Self::Custom(_) => "CUSTOM",
        }
    }

    /// What a message with a code for it says.
    pub(crate) fn template(&self) -> Template {
        match self {
            Self::Login(_) => Template::Login,
            Self::Withdrawal(withdrawal) => Template::Withdrawal {
                amount: withdrawal.amount.text(),
                currency: withdrawal.amount.currency.clone(),
                destination: withdrawal.destination.clone(),
            },
            Self::SettingsChange(_) => Template::SettingsChange,
            Self::Custom(_) => Template::Custom,
        }
    }

    /// The digest of the operation of a subject.
    pub fn digest(&self, subject: &SubjectId) -> Digest {
        let digester = Digester::new("countersign.operation.v1")
            .text(subject.as_str())
            .text(self.kind());
        match self {
            Self::Login(login) => digester.text(&login.device_id),
            Self::Withdrawal(withdrawal) => digester
                .text(&withdrawal.source_account)
                .text(&withdrawal.amount.currency)
                .number(withdrawal.amount.units)
                .number(withdrawal.amount.nanos.into())
                .text(&withdrawal.destination)
                .text(&withdrawal.payment_method),
            Self::Custom(custom) => custom
                .fields
                .iter()
                .fold(digester.text(&custom.kind), |digester, (key, value)| {
                    digester.text(key).text(value)
                }),
            Self::SettingsChange(change) => change.add_to(digester),
        }
        .finish()
    }
}

impl Money {
    /// The amount as it is read: `1000`, `1000.50`, `0.000001`.
    fn text(&self) -> String {
        let Self { units, nanos, .. } = self;
        let sign = if *units < 0 || *nanos < 0 { "-" } else { "" };
        let units = units.unsigned_abs();
        if *nanos == 0 {
            return format!("{sign}{units}");
        }
        let fraction = format!("{:09}", nanos.unsigned_abs());
        let fraction = fraction.trim_end_matches('0');
        format!("{sign}{units}.{fraction:0<2}")
    }
}

impl SettingsChange {
    fn add_to(&self, digester: Digester) -> Digester {
        let set = |digester: Digester, purposes: PurposeSet| {
            let names: Vec<&str> = purposes.iter().map(Purpose::name).collect();
            digester.text(&names.join(","))
        };
        match self {
            Self::EnableTotp {
                identifier,
                purposes,
            } => set(
                digester.text("ENABLE_TOTP").bytes(identifier.as_bytes()),
                *purposes,
            ),
            Self::EnableSms {
                identifier,
                purposes,
            } => set(
                digester.text("ENABLE_SMS").bytes(identifier.as_bytes()),
                *purposes,
            ),
            Self::EnableCodes => digester.text("ENABLE_BACKUP_CODES"),
            Self::RenewCodes { identifier } => digester
                .text("RENEW_BACKUP_CODES")
                .bytes(identifier.as_bytes()),
            Self::Disable {
                identifier,
                confirm_last,
            } => digester
                .text("DISABLE")
                .bytes(identifier.as_bytes())
                .number((*confirm_last).into()),
            Self::SetPurposes {
                identifier,
                on,
                off,
            } => {
                let digester = digester.text("SET_PURPOSES").bytes(identifier.as_bytes());
                set(set(digester, *on), *off)
            }
            Self::SetPin => digester.text("SET_PIN"),
            Self::ChangePin => digester.text("CHANGE_PIN"),
        }
    }
}

#[cfg(test)]
mod tests;
