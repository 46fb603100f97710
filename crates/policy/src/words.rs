//! The words of a policy file for kinds and purposes.

use countersign_security_identifiers::{Kind, Purpose};

/// What stands in a stage for every kind.
pub(crate) const ANY: &str = "any";
/// What stands in a stage for the PIN.
pub(crate) const PIN: &str = "pin";

/// A kind's name in a policy file.
pub(crate) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Totp => "totp",
        Kind::Sms => "sms",
        Kind::BackupCodes => "backup-codes",
    }
}

/// A purpose's name in a policy file.
pub(crate) const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Login => "login",
        Purpose::Withdrawal => "withdrawal",
        Purpose::Other => "other",
    }
}

/// A list as it is said: `a, b or c`.
pub(crate) fn joined(words: &[impl AsRef<str>], last: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.as_ref().to_owned(),
        [words @ .., end] => {
            let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", words.join(", "), end.as_ref())
        }
    }
}
