//! Looks at the identifiers of a subject.

use countersign_primitives::{IdentifierId, SubjectId, Timestamp};
use countersign_security_identifiers::{Binding, BindingState, SecurityIdentifier};

use crate::{
    Caller, Error, IdentifierStateView, IdentifierView, PinView, Platform, SentCode,
    platform::Snapshot,
};

/// The most identifiers on one page, and how many there are where the caller does not say.
pub const MAX_PAGE: usize = 100;

/// Where an identifier stands in the list. It stays right when identifiers come and go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Timestamp, IdentifierId);

impl Place {
    fn of(identifier: &IdentifierView) -> Self {
        Self(identifier.created_at, identifier.id)
    }

    fn to_text(self) -> String {
        format!("{}.{}", self.0.as_millis(), self.1)
    }

    fn of_text(text: &str) -> Option<Self> {
        let (millis, id) = text.split_once('.')?;
        let created_at = Timestamp::from_millis(millis.parse().ok()?);
        Some(Self(created_at, id.parse().ok()?))
    }
}

/// A page of a subject's identifiers.
#[derive(Clone, Debug)]
pub struct Page {
    /// The identifiers, oldest first.
    pub identifiers: Vec<IdentifierView>,
    /// What to ask for the next page with; empty after the last.
    pub next: String,
    /// The PIN.
    pub pin: PinView,
}

impl Platform {
    /// A page of a subject's identifiers, oldest first. A subject that was never heard of has
    /// none.
    ///
    /// # Errors
    /// [`Error::PageTokenInvalid`].
    pub async fn list(
        &self,
        subject: &SubjectId,
        caller: &Caller,
        show_disabled: bool,
        size: usize,
        token: &str,
    ) -> Result<Page, Error> {
        let snapshot = self.look(subject, None).await?;
        let mut identifiers = listed(&snapshot);
        if show_disabled {
            // The history is read a moment later, and may know already what the registry did not.
            let gone = self.gone(subject).await?.into_iter();
            let is_listed = |id| snapshot.registry.identifier(id).is_some();
            identifiers.extend(gone.filter(|gone| !is_listed(gone.id)));
        }
        identifiers.sort_by_key(Place::of);

        let scope = format!("{show_disabled}\n{subject}\n{caller}");
        if !token.is_empty() {
            let last = self.read_page_token(&scope, token, Place::of_text)?;
            identifiers.retain(|identifier| Place::of(identifier) > last);
        }
        let size = match size {
            0 => MAX_PAGE,
            size => size.min(MAX_PAGE),
        };
        let has_more = identifiers.len() > size;
        identifiers.truncate(size);
        let next = match identifiers.last() {
            Some(last) if has_more => self.page_token(&scope, &Place::of(last).to_text()),
            Some(_) | None => String::new(),
        };
        Ok(Page {
            identifiers,
            next,
            pin: PinView::new(&snapshot.registry, snapshot.now),
        })
    }

    /// The identifiers of a subject that were disabled for good.
    pub(crate) async fn gone(&self, subject: &SubjectId) -> Result<Vec<IdentifierView>, Error> {
        let bindings = self.store.bindings(subject).await?.into_iter();
        let is_gone = |binding: &Binding| binding.state == BindingState::Disabled;
        Ok(bindings.filter(is_gone).map(disabled).collect())
    }

    /// One identifier of a subject, disabled ones included.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`].
    pub async fn identifier(
        &self,
        subject: &SubjectId,
        id: IdentifierId,
    ) -> Result<IdentifierView, Error> {
        let snapshot = self.look(subject, None).await?;
        let found = listed(&snapshot).into_iter().find(|other| other.id == id);
        if let Some(mut identifier) = found {
            identifier.sent = self.sent_to_enrol(subject, &snapshot, id).await?;
            return Ok(identifier);
        }
        let bindings = self.store.bindings(subject).await?;
        bindings
            .into_iter()
            .find(|binding| binding.id == id)
            .map(disabled)
            .ok_or(Error::IdentifierNotFound)
    }

    /// The newest code that was sent to enrol a phone, and where its message is.
    async fn sent_to_enrol(
        &self,
        subject: &SubjectId,
        snapshot: &Snapshot,
        id: IdentifierId,
    ) -> Result<Option<SentCode>, Error> {
        let identifier = snapshot.registry.identifier(id);
        let phone = identifier.and_then(SecurityIdentifier::phone);
        let challenge = phone.and_then(|phone| phone.enrolment.as_ref());
        let sms = self.settings.sms.as_deref();
        let (Some(phone), Some(challenge), Some(sms)) = (phone, challenge, sms) else {
            return Ok(None);
        };
        let sends = phone.enrolment_sends;
        let mut sent = SentCode::queued(challenge, phone, sends, &sms.rules, snapshot.now);
        self.look_where(subject, challenge, &mut sent).await?;
        Ok(Some(sent))
    }
}

fn listed(snapshot: &Snapshot) -> Vec<IdentifierView> {
    let Snapshot { registry, now, .. } = snapshot;
    registry
        .identifiers()
        .iter()
        .filter(|identifier| identifier.counts() || identifier.is_pending(*now))
        .map(|identifier| IdentifierView::new(identifier, *now))
        .collect()
}

fn disabled(binding: Binding) -> IdentifierView {
    IdentifierView {
        id: binding.id,
        kind: binding.kind,
        label: binding.label,
        state: IdentifierStateView::Disabled,
        created_at: binding.created_at,
        enabled_at: Some(binding.enabled_at),
        disabled_at: binding.disabled_at,
        expires_at: None,
        purposes: Vec::new(),
        usable_from: None,
        codes_left: None,
        masked_number: None,
        sent: None,
    }
}
