//! The table of callers: who may call what. What it does not say is refused.

mod admission;
mod amount;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU32,
    str::FromStr,
};

use countersign_mfa::{Operation, SettingsChange};
use countersign_security_identifiers::PurposeSet;
use thiserror::Error;

pub(crate) use self::admission::{Admission, Identified};
pub use self::amount::{Amount, AmountError};
use crate::methods::METHODS;

/// Who may call what.
#[derive(Clone, Debug)]
pub enum Callers {
    /// Everybody everything, under the name that they give: for development on loopback.
    AtTheirWord,
    /// Those of the table what their row says, and nobody else anything.
    Table(BTreeMap<String, Row>),
}

/// What one caller may do.
#[derive(Clone, Debug)]
pub struct Row {
    /// The names of the methods that it may call.
    pub methods: BTreeSet<&'static str>,
    /// The operations that it may have confirmed.
    pub operations: BTreeSet<OperationKind>,
    /// What it may switch identifiers on and off for.
    pub purposes: PurposeSet,
    /// The payment methods of its withdrawals.
    pub payment_methods: PaymentMethods,
    /// The most that a withdrawal of it may be, for each currency.
    pub ceilings: BTreeMap<String, Ceiling>,
    /// The most for currencies that `ceilings` does not name; none of them without it.
    pub other_ceiling: Option<Ceiling>,
    /// How much of the server it may take.
    pub share: Share,
}

/// A kind of operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// Logins.
    Login,
    /// Withdrawals.
    Withdrawal,
    /// Changes of settings.
    SettingsChange,
    /// Custom operations of every kind.
    Custom,
    /// Custom operations of this kind.
    CustomOf(String),
}

/// Payment methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentMethods {
    /// Every one, and none at all.
    Any,
    /// Those of these names. `""` is a withdrawal that names none.
    Only(BTreeSet<String>),
}

/// The most that a withdrawal may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    /// There is no most.
    Unlimited,
    /// This much, and no more.
    UpTo(Amount),
}

/// How much of the server a caller may take, so that one's flood leaves room for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Requests in a second; as many may come at once.
    pub per_second: NonZeroU32,
    /// Requests at work at once, those that wait for a hash included.
    pub at_once: usize,
}

/// What of a row a request goes beyond: its key in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Lacks {
    #[error("this caller is not in the table of callers")]
    Row,
    #[error("this caller may not call this method")]
    Methods,
    #[error("this caller may not have such operations confirmed")]
    Operations,
    #[error("this caller may not switch identifiers on or off for such a purpose")]
    Purposes,
    #[error("this caller may not have withdrawals by this payment method confirmed")]
    PaymentMethods,
    #[error("this caller may not have withdrawals of such an amount confirmed")]
    Ceilings,
}

impl Lacks {
    /// Every one.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] = [
        Self::Row,
        Self::Methods,
        Self::Operations,
        Self::Purposes,
        Self::PaymentMethods,
        Self::Ceilings,
    ];

    /// The key in the table of callers.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Row => "callers",
            Self::Methods => "methods",
            Self::Operations => "operations",
            Self::Purposes => "purposes",
            Self::PaymentMethods => "payment_methods",
            Self::Ceilings => "ceilings",
        }
    }
}

impl Row {
    /// A row that allows nothing.
    pub const fn nothing(share: Share) -> Self {
        Self {
            methods: BTreeSet::new(),
            operations: BTreeSet::new(),
            purposes: PurposeSet::NONE,
            payment_methods: PaymentMethods::Only(BTreeSet::new()),
            ceilings: BTreeMap::new(),
            other_ceiling: None,
            share,
        }
    }

    /// That the operation may be confirmed for this caller, and redeemed by it.
    pub(crate) fn require_operation(&self, operation: &Operation) -> Result<(), Lacks> {
        let is_allowed = match operation {
            Operation::Login(_) => self.operations.contains(&OperationKind::Login),
            Operation::Withdrawal(_) => self.operations.contains(&OperationKind::Withdrawal),
            Operation::SettingsChange(_) => {
                self.operations.contains(&OperationKind::SettingsChange)
            }
            Operation::Custom(custom) => {
                let this = OperationKind::CustomOf(custom.kind.clone());
                self.operations.contains(&OperationKind::Custom) || self.operations.contains(&this)
            }
        };
        if !is_allowed {
            return Err(Lacks::Operations);
        }
        match operation {
            Operation::Withdrawal(withdrawal) => {
                if let PaymentMethods::Only(names) = &self.payment_methods
                    && !names.contains(&withdrawal.payment_method)
                {
                    return Err(Lacks::PaymentMethods);
                }
                let money = &withdrawal.amount;
                let own = self.ceilings.get(&money.currency).copied();
                match own.or(self.other_ceiling) {
                    Some(Ceiling::Unlimited) => Ok(()),
                    Some(Ceiling::UpTo(most)) if Amount::of(money) <= most => Ok(()),
                    Some(Ceiling::UpTo(_)) | None => Err(Lacks::Ceilings),
                }
            }
            Operation::SettingsChange(change) => match change {
                SettingsChange::EnableTotp { purposes, .. }
                | SettingsChange::EnableSms { purposes, .. } => self.require_purposes(*purposes),
                SettingsChange::SetPurposes { on, off, .. } => self.require_purposes(on.with(*off)),
                SettingsChange::EnableCodes
                | SettingsChange::RenewCodes { .. }
                | SettingsChange::Disable { .. }
                | SettingsChange::SetPin
                | SettingsChange::ChangePin => Ok(()),
            },
            Operation::Login(_) | Operation::Custom(_) => Ok(()),
        }
    }

    /// That identifiers may be switched on and off for these purposes.
    pub(crate) fn require_purposes(&self, purposes: PurposeSet) -> Result<(), Lacks> {
        let is_allowed = purposes.without(self.purposes).is_empty();
        is_allowed.then_some(()).ok_or(Lacks::Purposes)
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login => f.write_str("login"),
            Self::Withdrawal => f.write_str("withdrawal"),
            Self::SettingsChange => f.write_str("settings-change"),
            Self::Custom => f.write_str("custom"),
            Self::CustomOf(kind) => write!(f, "custom:{kind}"),
        }
    }
}

/// A text is no kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be login, withdrawal, settings-change, custom or custom:KIND")]
pub struct OperationKindError;

impl FromStr for OperationKind {
    type Err = OperationKindError;

    fn from_str(text: &str) -> Result<Self, OperationKindError> {
        Ok(match text {
            "login" => Self::Login,
            "withdrawal" => Self::Withdrawal,
            "settings-change" => Self::SettingsChange,
            "custom" => Self::Custom,
            _ => match text.strip_prefix("custom:") {
                Some(kind) if !kind.is_empty() => Self::CustomOf(kind.to_owned()),
                _ => return Err(OperationKindError),
            },
        })
    }
}

/// The names of the methods that a pattern means: `ConfirmationService.Create`,
/// `ConfirmationService.*`, or `*`. None where it means no method at all.
pub fn methods_of(pattern: &str) -> Vec<&'static str> {
    let names = METHODS.iter().map(|row| row.name);
    match pattern.strip_suffix('*') {
        Some("") => names.collect(),
        Some(service) if service.ends_with('.') => {
            names.filter(|name| name.starts_with(service)).collect()
        }
        _ => names.filter(|name| *name == pattern).collect(),
    }
}
