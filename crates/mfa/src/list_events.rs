//! Lists what happened to a subject, as its owner may see it.
//!
//! Whoever sees it may be a thief at the owner's screen. So the true reason of a rejection is left
//! out, and of the proofs of a rejected call it is not told which one was wrong.

mod sentence;

use std::collections::BTreeMap;

use countersign_primitives::{ConfirmationId, IdentifierId, Label, SubjectId, Timestamp};
use countersign_security_identifiers::{AuthenticatorRef, Purpose};

use self::sentence::sentence;
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
    CodeRequested,
    CodeSent,
    CodeDelivered,
    CodeNotDelivered,
    CodeDeliveryUnknown,
    SendingPaused,
}

impl FactView {
    fn new(about: Option<(FactKind, About<'_>)>, names: &Names) -> Self {
        let Some((kind, about)) = about else {
            return Self {
                kind: None,
                text: "Something happened that this server does not know".to_owned(),
                identifier: None,
                confirmation: None,
                purpose: None,
            };
        };
        Self {
            kind: Some(kind),
            text: sentence(kind, &about, names),
            identifier: match about.whose {
                Some(AuthenticatorRef::Identifier(id)) => Some(id),
                Some(AuthenticatorRef::Pin) | None => None,
            },
            confirmation: about.confirmation,
            purpose: about.purpose,
        }
    }
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
        Ok(Names::Known(gone.chain(present).collect()))
    }
}

/// What a subject calls its identifiers. Whoever is told of many subjects is not told their names.
enum Names {
    Known(BTreeMap<IdentifierId, Label>),
    Unknown,
}

impl Names {
    fn of(&self, id: IdentifierId) -> String {
        let Self::Known(labels) = self else {
            return "an identifier".to_owned();
        };
        match labels.get(&id) {
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

/// An event without the names of identifiers.
pub(crate) fn unnamed_view(event: StoredEvent) -> EventView {
    view(event, &Names::Unknown)
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
    // What cannot be read is a fact too.
    let unreadable = vec![serde_json::Value::Null];
    let facts: Vec<serde_json::Value> = serde_json::from_str(&event.facts).unwrap_or(unreadable);
    for fact in facts {
        match serde_json::from_value(fact) {
            Ok(Fact::AskedFrom {
                ip_address,
                user_agent,
            }) => (view.ip_address, view.user_agent) = (ip_address, user_agent),
            Ok(fact) => view.facts.push(FactView::new(about(&fact), names)),
            Err(_) => view.facts.push(FactView::new(None, names)),
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

/// What a fact is about.
#[derive(Default)]
struct About<'a> {
    whose: Option<AuthenticatorRef>,
    confirmation: Option<ConfirmationId>,
    purpose: Option<Purpose>,
    /// The kind of operation, or what else the sentence says.
    what: &'a str,
    count: usize,
}

impl<'a> About<'a> {
    fn identifier(id: IdentifierId) -> Self {
        Self::authenticator(AuthenticatorRef::Identifier(id))
    }

    fn authenticator(whose: AuthenticatorRef) -> Self {
        Self {
            whose: Some(whose),
            ..Self::default()
        }
    }

    fn confirmation(id: ConfirmationId) -> Self {
        Self {
            confirmation: Some(id),
            ..Self::default()
        }
    }

    fn with_purpose(self, purpose: Purpose) -> Self {
        Self {
            purpose: Some(purpose),
            ..self
        }
    }

    fn with_what(self, what: &'a str) -> Self {
        Self { what, ..self }
    }

    fn with_count(self, count: usize) -> Self {
        Self { count, ..self }
    }
}

/// What kind of fact it is, and what it is about. The purpose of a rejected proof is left out: one
/// that was right beside it has none. `None` for what is no fact of its own.
fn about(fact: &Fact) -> Option<(FactKind, About<'_>)> {
    use FactKind as Kind;
    let operation = |what| About::default().with_what(what);
    Some(match fact {
        Fact::AskedFrom { .. } => return None,
        Fact::ConfirmationCreated {
            confirmation,
            operation,
            ..
        } => (
            Kind::ConfirmationCreated,
            About::confirmation(*confirmation).with_what(operation),
        ),
        Fact::NotRequired { operation: what } => (Kind::NotRequired, operation(what)),
        Fact::EnrolmentRequired { operation: what } => (Kind::EnrolmentRequired, operation(what)),
        Fact::Denied {
            operation: what, ..
        } => (Kind::Denied, operation(what)),
        Fact::ProofAccepted {
            authenticator,
            purpose,
        } => (
            Kind::ProofAccepted,
            About::authenticator(*authenticator).with_purpose(*purpose),
        ),
        Fact::ProofUnused { authenticator } | Fact::ProofRejected { authenticator, .. } => {
            (Kind::ProofRejected, About::authenticator(*authenticator))
        }
        Fact::EnrolmentCodeRejected { identifier, .. } => {
            (Kind::EnrolmentCodeRejected, About::identifier(*identifier))
        }
        Fact::Locked {
            authenticator,
            purpose,
            ..
        } => (
            Kind::Locked,
            About::authenticator(*authenticator).with_purpose(*purpose),
        ),
        Fact::CapNear {
            authenticator,
            failures,
        } => (
            Kind::CapNear,
            About::authenticator(*authenticator).with_count(*failures as usize),
        ),
        Fact::DisabledByCap { authenticator } => {
            (Kind::DisabledByCap, About::authenticator(*authenticator))
        }
        Fact::Approved { confirmation } => (Kind::Approved, About::confirmation(*confirmation)),
        Fact::Failed { confirmation } => (Kind::Failed, About::confirmation(*confirmation)),
        Fact::Cancelled { confirmation } => (Kind::Cancelled, About::confirmation(*confirmation)),
        Fact::Redeemed { confirmation } => (Kind::Redeemed, About::confirmation(*confirmation)),
        Fact::OperationMismatch { confirmation } => {
            (Kind::OperationMismatch, About::confirmation(*confirmation))
        }
        Fact::RedeemRefused { confirmation } => {
            (Kind::RedeemRefused, About::confirmation(*confirmation))
        }
        Fact::PinSet => (Kind::PinSet, About::default()),
        Fact::PinChanged => (Kind::PinChanged, About::default()),
        Fact::PinReset => (Kind::PinReset, About::default()),
        Fact::Unlocked => (Kind::Unlocked, About::default()),
        Fact::Restored => (Kind::Restored, About::default()),
        Fact::Erased => (Kind::Erased, About::default()),
        Fact::ByOperator { reason } => (Kind::ByOperator, operation(reason)),
        of_identifier => return about_identifier(of_identifier),
    })
}

/// The same for what happens to an identifier.
fn about_identifier(fact: &Fact) -> Option<(FactKind, About<'_>)> {
    use FactKind as Kind;
    let (kind, id) = match fact {
        Fact::EnrolmentBegun { identifier, .. } => (Kind::EnrolmentBegun, identifier),
        Fact::Enabled { identifier, .. } => (Kind::Enabled, identifier),
        Fact::SwitchedOn {
            identifier,
            purpose,
        } => {
            let about = About::identifier(*identifier).with_purpose(*purpose);
            return Some((Kind::SwitchedOn, about));
        }
        Fact::SwitchedOff {
            identifier,
            purpose,
        } => {
            let about = About::identifier(*identifier).with_purpose(*purpose);
            return Some((Kind::SwitchedOff, about));
        }
        Fact::Renamed { identifier } => (Kind::Renamed, identifier),
        Fact::Disabled { identifier } => (Kind::Disabled, identifier),
        Fact::LostAccess { identifier } => (Kind::LostAccess, identifier),
        Fact::CodesLow { identifier, left } => {
            let about = About::identifier(*identifier).with_count(*left);
            return Some((Kind::CodesLow, about));
        }
        Fact::CodeQueued {
            identifier,
            confirmation,
            ..
        } => {
            let about = About {
                confirmation: *confirmation,
                ..About::identifier(*identifier)
            };
            return Some((Kind::CodeRequested, about));
        }
        Fact::Message {
            identifier, state, ..
        } => {
            let kind = match state.as_ref() {
                "SENT" => Kind::CodeSent,
                "DELIVERED" => Kind::CodeDelivered,
                "FAILED" => Kind::CodeNotDelivered,
                "UNKNOWN" => Kind::CodeDeliveryUnknown,
                _ => return None,
            };
            (kind, identifier)
        }
        Fact::PrefixClosed { .. } => return Some((Kind::SendingPaused, About::default())),
        Fact::CodesMade { identifier } => (Kind::CodesMade, identifier),
        Fact::CodesReplaced { identifier } => (Kind::CodesReplaced, identifier),
        Fact::Imported { identifier } => (Kind::Imported, identifier),
        _ => return None,
    };
    Some((kind, About::identifier(*id)))
}
