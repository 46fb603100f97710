//! What happened, in words for the one whom it happened to.

use countersign_security_identifiers::Purpose;

use super::{About, FactKind, Names};

/// A sentence about a fact of this kind.
pub(super) fn sentence(kind: FactKind, about: &About<'_>, names: &Names) -> String {
    let whose = about.whose.map_or_else(String::new, |it| names.whose(it));
    let purpose = about.purpose.map_or("", purpose_words);
    let operation = operation_words(about.what);
    let (what, count) = (about.what, about.count);
    let text = match kind {
        FactKind::ConfirmationCreated => format!("{operation} has to be confirmed"),
        FactKind::NotRequired => format!("{operation} needed no proof"),
        FactKind::EnrolmentRequired => {
            format!("{operation} was refused: more has to be enrolled first")
        }
        FactKind::Denied => format!("{operation} was refused"),
        FactKind::ProofAccepted => format!("{whose} confirmed {purpose}"),
        FactKind::ProofRejected => format!("a proof with {whose} was not accepted"),
        FactKind::EnrolmentCodeRejected => format!("a code to enable {whose} was not accepted"),
        FactKind::Locked => format!("failures locked {whose} for a while, for {purpose}"),
        FactKind::CapNear => format!("{count} proofs in a row with {whose} were not accepted"),
        FactKind::DisabledByCap => format!("failures disabled {whose}"),
        FactKind::Approved => "the operation is confirmed".to_owned(),
        FactKind::Failed => "the confirmation failed: its attempts are used up".to_owned(),
        FactKind::Cancelled => "the confirmation was withdrawn".to_owned(),
        FactKind::Redeemed => "the confirmed operation went on".to_owned(),
        FactKind::OperationMismatch => {
            "another operation than was confirmed was asked for, and refused".to_owned()
        }
        FactKind::RedeemRefused => {
            "the confirmed operation was refused: what confirmed it has changed since".to_owned()
        }
        FactKind::PinSet => "the PIN was set".to_owned(),
        FactKind::PinChanged => "the PIN was changed".to_owned(),
        FactKind::PinReset => "the PIN was removed".to_owned(),
        FactKind::EnrolmentBegun => format!("{whose}: an enrolment was begun"),
        FactKind::Enabled => format!("{whose}: enabled"),
        FactKind::SwitchedOn => format!("{whose}: switched on for {purpose}"),
        FactKind::SwitchedOff => format!("{whose}: switched off for {purpose}"),
        FactKind::Renamed => format!("{whose}: renamed"),
        FactKind::Disabled => format!("{whose}: disabled"),
        FactKind::LostAccess => format!("{whose}: disabled by somebody without access to it"),
        FactKind::CodesLow => format!("{whose}: {count} left"),
        FactKind::CodesMade => format!("{whose}: a new list was made, and is not in force yet"),
        FactKind::CodesReplaced => format!("{whose}: a new list is in force, the old one void"),
        FactKind::Unlocked => "the locks were ended".to_owned(),
        FactKind::ByOperator => format!("by an operator: {what}"),
        FactKind::Imported => format!("{whose}: taken over from another system"),
        FactKind::Restored => {
            "the server was restored: what was used before is not accepted".to_owned()
        }
        FactKind::CodeRequested => format!("{whose}: a code is sent"),
        FactKind::CodeSent => format!("{whose}: a carrier has the code"),
        FactKind::CodeDelivered => format!("{whose}: the code arrived"),
        FactKind::CodeNotDelivered => format!("{whose}: the code could not be delivered"),
        FactKind::CodeDeliveryUnknown => {
            format!("{whose}: whether the code arrives is not known")
        }
        FactKind::SendingPaused => "no codes are sent to such numbers for a while".to_owned(),
        FactKind::Erased => "secrets and personal data were erased".to_owned(),
    };
    capitalised(&text)
}

fn operation_words(operation: &str) -> &'static str {
    match operation {
        "LOGIN" => "a login",
        "WITHDRAWAL" => "a withdrawal",
        "SETTINGS_CHANGE" => "a change of the security settings",
        _ => "an operation",
    }
}

const fn purpose_words(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Login => "logins",
        Purpose::Withdrawal => "withdrawals",
        Purpose::Other => "other operations",
    }
}

/// The text with a capital at its beginning.
fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(characters).collect()
}
