//! Lists what happened to a subject, as its owner may see it.
//!
//! Whoever sees it may be a thief at the owner's screen. So the true reason of a rejection is left
//! out, and of the proofs of a rejected call it is not told which one was wrong.

use std::collections::BTreeMap;

use countersign_primitives::{ConfirmationId, IdentifierId, Label, SubjectId, Timestamp};
use countersign_security_identifiers::{AuthenticatorRef, Kind, Purpose};

use crate::{Caller, Error, MAX_PAGE, Platform, event::Fact, ports::StoredEvent};

/// A page of a subject's events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events, latest first.
    pub events: Vec<EventView>,
    /// What to ask for the next page with; empty after the last.
    pub next: String,
}

/// One change, and what happened in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventView {
    /// Its number, from 1.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub caller: String,
    /// What was asked for.
    pub method: String,
    /// The person's IP address, where the caller named it.
    pub ip_address: String,
    /// The person's user agent, where the caller named it.
    pub user_agent: String,
    /// What happened.
    pub facts: Vec<FactView>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactView {
    /// What kind of thing; `None` for one that this program does not know.
    pub kind: Option<FactKind>,
    /// The same in a sentence.
    pub text: String,
    /// The identifier that it is about.
    pub identifier: Option<IdentifierId>,
    /// The confirmation that it is about.
    pub confirmation: Option<ConfirmationId>,
    /// The purpose that it is about.
    pub purpose: Option<Purpose>,
}

/// The kinds of things that happen, as callers see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "event.proto says what each is")]
pub enum FactKind {
    ConfirmationCreated,
    NotRequired,
    EnrolmentRequired,
    Denied,
    ProofAccepted,
    ProofRejected,
    EnrolmentCodeRejected,
    Locked,
    CapNear,
    DisabledByCap,
    Approved,
    Failed,
    Cancelled,
    Redeemed,
    OperationMismatch,
    RedeemRefused,
    PinSet,
    PinChanged,
    PinReset,
    EnrolmentBegun,
    Enabled,
    SwitchedOn,
    SwitchedOff,
    Renamed,
    Disabled,
    LostAccess,
    CodesLow,
    CodesMade,
    CodesReplaced,
    Unlocked,
    ByOperator,
    Imported,
    Restored,
    Erased,
}

impl Platform {
    /// A page of what happened to a subject, latest first. A subject that was never heard of has
    /// no events.
    ///
    /// # Errors
    /// [`Error::PageTokenInvalid`].
    pub async fn list_events(
        &self,
        subject: &SubjectId,
        caller: &Caller,
        size: usize,
        token: &str,
    ) -> Result<EventPage, Error> {
        let scope = format!("events\n{subject}\n{caller}");
        let before = match token {
            "" => None,
            token => Some(self.read_page_token(&scope, token, |place| place.parse().ok())?),
        };
        let size = match size {
            0 => MAX_PAGE,
            size => size.min(MAX_PAGE),
        };
        let names = self.names(subject).await?;
        // One more tells whether there is another page.
        let most = size as u64 + 1;
        let mut events = self.store.events(subject, before, most).await?;
        let has_more = events.len() > size;
        events.truncate(size);
        let next = match events.last() {
            Some(last) if has_more => self.page_token(&scope, &last.version.to_string()),
            Some(_) | None => String::new(),
        };
        Ok(EventPage {
            events: events
                .into_iter()
                .map(|event| view(event, &names))
                .collect(),
            next,
        })
    }

    /// What the subject calls its identifiers, those that are gone too.
    async fn names(&self, subject: &SubjectId) -> Result<Names, Error> {
        let snapshot = self.look(subject, None).await?;
        let history = self.store.bindings(subject).await?;
        let gone = history
            .into_iter()
            .map(|binding| (binding.id, binding.label));
        let present = snapshot.registry.identifiers().iter();
        let present = present.map(|identifier| (identifier.id, identifier.label.clone()));
        Ok(Names(gone.chain(present).collect()))
    }
}

/// What a subject calls its identifiers.
struct Names(BTreeMap<IdentifierId, Label>);

impl Names {
    fn of(&self, id: IdentifierId) -> String {
        match self.0.get(&id) {
            Some(label) => format!("\u{201c}{label}\u{201d}"),
            // An enrolment that was never finished is not remembered.
            None => "an identifier that was not enabled".to_owned(),
        }
    }

    fn whose(&self, authenticator: AuthenticatorRef) -> String {
        match authenticator {
            AuthenticatorRef::Pin => "the PIN".to_owned(),
            AuthenticatorRef::Identifier(id) => self.of(id),
        }
    }
}

fn view(event: StoredEvent, names: &Names) -> EventView {
    let mut view = EventView {
        number: event.version,
        at: event.at,
        caller: event.caller,
        method: event.method,
        ip_address: String::new(),
        user_agent: String::new(),
        facts: Vec::new(),
    };
    let facts: Vec<serde_json::Value> = serde_json::from_str(&event.facts).unwrap_or_default();
    for fact in facts {
        match serde_json::from_value(fact) {
            Ok(Fact::AskedFrom {
                ip_address,
                user_agent,
            }) => (view.ip_address, view.user_agent) = (ip_address, user_agent),
            Ok(fact) => view.facts.push(fact_view(&fact, names)),
            Err(_) => view.facts.push(FactView {
                kind: None,
                text: "Something happened that this server does not know".to_owned(),
                identifier: None,
                confirmation: None,
                purpose: None,
            }),
        }
    }
    blur(&mut view.facts);
    view
}

/// Makes a rejected call look the same whichever of its proofs was wrong: by their order too, and by
/// whether the code of a new app was.
fn blur(facts: &mut Vec<FactView>) {
    let is_proof = |fact: &FactView| fact.kind == Some(FactKind::ProofRejected);
    if facts.iter().any(is_proof) {
        facts.retain(|fact| fact.kind != Some(FactKind::EnrolmentCodeRejected));
        facts.sort_by_key(|fact| (!is_proof(fact), is_proof(fact).then_some(fact.identifier)));
    }
}

fn fact_view(fact: &Fact, names: &Names) -> FactView {
    let (kind, text) = words(fact, names);
    FactView {
        kind,
        text,
        identifier: identifier_of(fact),
        confirmation: confirmation_of(fact),
        purpose: purpose_of(fact),
    }
}

/// What kind of fact it is, and a sentence about it.
fn words(fact: &Fact, names: &Names) -> (Option<FactKind>, String) {
    let (kind, text) = match fact {
        Fact::AskedFrom { .. } => return (None, String::new()),
        Fact::ConfirmationCreated { operation, .. } => (
            FactKind::ConfirmationCreated,
            format!("{} has to be confirmed", operation_words(operation)),
        ),
        Fact::NotRequired { operation } => (
            FactKind::NotRequired,
            format!("{} needed no proof", operation_words(operation)),
        ),
        Fact::EnrolmentRequired { operation } => (
            FactKind::EnrolmentRequired,
            format!(
                "{} was refused: more has to be enrolled first",
                operation_words(operation)
            ),
        ),
        Fact::Denied { operation, .. } => (
            FactKind::Denied,
            format!("{} was refused", operation_words(operation)),
        ),
        Fact::ProofAccepted {
            authenticator,
            purpose,
        } => (
            FactKind::ProofAccepted,
            format!(
                "{} confirmed {}",
                capitalised(&names.whose(*authenticator)),
                purpose_words(*purpose)
            ),
        ),
        Fact::ProofUnused { authenticator } | Fact::ProofRejected { authenticator, .. } => (
            FactKind::ProofRejected,
            format!(
                "A proof with {} was not accepted",
                names.whose(*authenticator)
            ),
        ),
        Fact::EnrolmentCodeRejected { identifier, .. } => (
            FactKind::EnrolmentCodeRejected,
            format!(
                "A code to enable {} was not accepted",
                names.of(*identifier)
            ),
        ),
        Fact::Locked {
            authenticator,
            purpose,
            ..
        } => (
            FactKind::Locked,
            format!(
                "Failures locked {} for a while, for {}",
                names.whose(*authenticator),
                purpose_words(*purpose)
            ),
        ),
        Fact::CapNear {
            authenticator,
            failures,
        } => (
            FactKind::CapNear,
            format!(
                "{failures} proofs in a row with {} were not accepted",
                names.whose(*authenticator)
            ),
        ),
        Fact::DisabledByCap { authenticator } => (
            FactKind::DisabledByCap,
            format!("Failures disabled {}", names.whose(*authenticator)),
        ),
        Fact::ByOperator { reason } => (FactKind::ByOperator, format!("By an operator: {reason}")),
        other => return plain_words(other, names),
    };
    (Some(kind), text)
}

/// The same for facts that need few words.
fn plain_words(fact: &Fact, names: &Names) -> (Option<FactKind>, String) {
    let about = |kind, id: &IdentifierId, what: &str| {
        (kind, format!("{} {what}", capitalised(&names.of(*id))))
    };
    let plain = |kind, text: &str| (kind, text.to_owned());
    let (kind, text) = match fact {
        Fact::Approved { .. } => plain(FactKind::Approved, "The operation is confirmed"),
        Fact::Failed { .. } => plain(
            FactKind::Failed,
            "The confirmation failed: its attempts are used up",
        ),
        Fact::Cancelled { .. } => plain(FactKind::Cancelled, "The confirmation was withdrawn"),
        Fact::Redeemed { .. } => plain(FactKind::Redeemed, "The confirmed operation went on"),
        Fact::OperationMismatch { .. } => plain(
            FactKind::OperationMismatch,
            "Another operation than was confirmed was asked for, and refused",
        ),
        Fact::RedeemRefused { .. } => plain(
            FactKind::RedeemRefused,
            "The confirmed operation was refused: what confirmed it has changed since",
        ),
        Fact::PinSet => plain(FactKind::PinSet, "The PIN was set"),
        Fact::PinChanged => plain(FactKind::PinChanged, "The PIN was changed"),
        Fact::PinReset => plain(FactKind::PinReset, "The PIN was removed"),
        Fact::EnrolmentBegun {
            identifier,
            kind: Kind::BackupCodes,
        } => about(FactKind::EnrolmentBegun, identifier, "were made"),
        Fact::EnrolmentBegun { identifier, .. } => {
            about(FactKind::EnrolmentBegun, identifier, "is to be enabled")
        }
        Fact::Enabled { identifier, .. } => about(FactKind::Enabled, identifier, "was enabled"),
        Fact::SwitchedOn {
            identifier,
            purpose,
        } => about(
            FactKind::SwitchedOn,
            identifier,
            &format!("was switched on for {}", purpose_words(*purpose)),
        ),
        Fact::SwitchedOff {
            identifier,
            purpose,
        } => about(
            FactKind::SwitchedOff,
            identifier,
            &format!("was switched off for {}", purpose_words(*purpose)),
        ),
        Fact::Renamed { identifier } => about(FactKind::Renamed, identifier, "was renamed"),
        Fact::Disabled { identifier } => about(FactKind::Disabled, identifier, "was disabled"),
        Fact::LostAccess { identifier } => about(
            FactKind::LostAccess,
            identifier,
            "was disabled by somebody who has no access to it any more",
        ),
        Fact::CodesLow { identifier, left } => about(
            FactKind::CodesLow,
            identifier,
            &format!("run out: {left} left"),
        ),
        Fact::CodesMade { identifier } => about(
            FactKind::CodesMade,
            identifier,
            "have a new list, which is not in force yet",
        ),
        Fact::CodesReplaced { identifier } => about(
            FactKind::CodesReplaced,
            identifier,
            "were replaced: the earlier list is void",
        ),
        Fact::Unlocked => plain(FactKind::Unlocked, "The locks were ended"),
        Fact::Imported { identifier } => about(
            FactKind::Imported,
            identifier,
            "was taken over from another system",
        ),
        Fact::Restored => plain(
            FactKind::Restored,
            "The server was restored: codes used before are not accepted, and backup codes are void",
        ),
        Fact::Erased => plain(FactKind::Erased, "Secrets and personal data were erased"),
        Fact::AskedFrom { .. }
        | Fact::ConfirmationCreated { .. }
        | Fact::NotRequired { .. }
        | Fact::EnrolmentRequired { .. }
        | Fact::Denied { .. }
        | Fact::ProofAccepted { .. }
        | Fact::ProofUnused { .. }
        | Fact::ProofRejected { .. }
        | Fact::EnrolmentCodeRejected { .. }
        | Fact::Locked { .. }
        | Fact::CapNear { .. }
        | Fact::DisabledByCap { .. }
        | Fact::ByOperator { .. } => return (None, String::new()),
    };
    (Some(kind), text)
}

fn operation_words(operation: &str) -> &'static str {
    match operation {
        "LOGIN" => "A login",
        "WITHDRAWAL" => "A withdrawal",
        "SETTINGS_CHANGE" => "A change of the security settings",
        _ => "An operation",
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

const fn identifier_of(fact: &Fact) -> Option<IdentifierId> {
    match fact {
        Fact::EnrolmentCodeRejected { identifier, .. }
        | Fact::EnrolmentBegun { identifier, .. }
        | Fact::Enabled { identifier, .. }
        | Fact::SwitchedOn { identifier, .. }
        | Fact::SwitchedOff { identifier, .. }
        | Fact::Renamed { identifier }
        | Fact::Disabled { identifier }
        | Fact::LostAccess { identifier }
        | Fact::CodesLow { identifier, .. }
        | Fact::CodesMade { identifier }
        | Fact::CodesReplaced { identifier }
        | Fact::Imported { identifier } => Some(*identifier),
        Fact::ProofAccepted { authenticator, .. }
        | Fact::ProofUnused { authenticator }
        | Fact::ProofRejected { authenticator, .. }
        | Fact::Locked { authenticator, .. }
        | Fact::CapNear { authenticator, .. }
        | Fact::DisabledByCap { authenticator } => match authenticator {
            AuthenticatorRef::Identifier(id) => Some(*id),
            AuthenticatorRef::Pin => None,
        },
        _ => None,
    }
}

const fn confirmation_of(fact: &Fact) -> Option<ConfirmationId> {
    match fact {
        Fact::ConfirmationCreated { confirmation, .. }
        | Fact::Approved { confirmation }
        | Fact::Failed { confirmation }
        | Fact::Cancelled { confirmation }
        | Fact::Redeemed { confirmation }
        | Fact::OperationMismatch { confirmation }
        | Fact::RedeemRefused { confirmation } => Some(*confirmation),
        _ => None,
    }
}

/// The purpose of a rejected proof is left out: one that was right beside it has none.
const fn purpose_of(fact: &Fact) -> Option<Purpose> {
    match fact {
        Fact::ProofAccepted { purpose, .. }
        | Fact::Locked { purpose, .. }
        | Fact::SwitchedOn { purpose, .. }
        | Fact::SwitchedOff { purpose, .. } => Some(*purpose),
        _ => None,
    }
}
