//! What a text is for.

use std::fmt;

use minicbor::{CborLen, Decode, Encode};

/// What a text is for, with what it shows beside the code.
///
/// What a caller gave is shown so that nothing in it can pass for something else; see
/// [`Texts::render`](crate::Texts::render).
#[derive(Clone, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Template {
    /// A phone is added.
    #[n(0)]
    Enrolment,
    /// A login.
    #[n(1)]
    Login,
    /// A withdrawal.
    #[n(2)]
    Withdrawal {
        /// How much, such as `1000.50`.
        #[n(0)]
        amount: String,
        /// The code of the currency.
        #[n(1)]
        currency: String,
        /// Where it goes, the whole of it; its end is shown.
        #[n(2)]
        destination: String,
    },
    /// A change of security settings.
    #[n(3)]
    SettingsChange,
    /// Whatever else the host system has confirmed.
    #[n(4)]
    Custom,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enrolment => f.write_str("Enrolment"),
            Self::Login => f.write_str("Login"),
            Self::Withdrawal { .. } => f.write_str("Withdrawal { .. }"),
            Self::SettingsChange => f.write_str("SettingsChange"),
            Self::Custom => f.write_str("Custom"),
        }
    }
}

/// A message of a language's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MessageKind {
    Enrolment,
    Login,
    Withdrawal,
    SettingsChange,
    Custom,
}

impl MessageKind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Enrolment,
        Self::Login,
        Self::Withdrawal,
        Self::SettingsChange,
        Self::Custom,
    ];

    pub(crate) const fn of(template: &Template) -> Self {
        match template {
            Template::Enrolment => Self::Enrolment,
            Template::Login => Self::Login,
            Template::Withdrawal { .. } => Self::Withdrawal,
            Template::SettingsChange => Self::SettingsChange,
            Template::Custom => Self::Custom,
        }
    }

    /// Its id in the file.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::Login => "login",
            Self::Withdrawal => "withdrawal",
            Self::SettingsChange => "settings-change",
            Self::Custom => "custom",
        }
    }

    /// What it may show.
    pub(crate) const fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Withdrawal => &[
                Parameter::Amount,
                Parameter::Currency,
                Parameter::Destination,
                Parameter::Code,
                Parameter::Brand,
            ],
            _ => &[Parameter::Code, Parameter::Brand],
        }
    }
}

/// What a message shows that is not its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Amount,
    Currency,
    Destination,
    Code,
    Brand,
}

impl Parameter {
    /// Its name in a message, after the `$`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::Destination => "destination",
            Self::Code => "code",
            Self::Brand => "brand",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withdrawal() -> Template {
        Template::Withdrawal {
            amount: "1000.50".to_owned(),
            currency: "USDT".to_owned(),
            destination: "TXyz98765".to_owned(),
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let plain = [
            Template::Enrolment,
            Template::Login,
            Template::SettingsChange,
        ];
        for template in plain.into_iter().chain([Template::Custom, withdrawal()]) {
            let bytes = countersign_primitives::encode(&template);
            assert_eq!(minicbor::decode::<Template>(&bytes).unwrap(), template);
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_withdrawal() {
        assert_eq!(format!("{:?}", withdrawal()), "Withdrawal { .. }");
    }
}
