//! Looks at the identifiers of a subject.

use countersign_keyring::KeyUse;
use countersign_primitives::{IdentifierId, SubjectId};
use countersign_security_identifiers::{Binding, BindingState};

use crate::{
    Caller, Error, IdentifierStateView, IdentifierView, PinView, Platform, platform::Snapshot,
};

/// The most identifiers on one page, and how many there are where the caller does not say.
pub const MAX_PAGE: usize = 100;

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
            identifiers.extend(self.gone(subject).await?);
        }
        identifiers.sort_by_key(|identifier| (identifier.created_at, identifier.id));

        let scope = |last: IdentifierId| {
            let parts = [subject.as_str(), caller.as_str(), &last.to_string()];
            format!("{show_disabled}\n{}", parts.join("\n"))
        };
        let start = match token.split_once('.') {
            None if token.is_empty() => 0,
            None => return Err(Error::PageTokenInvalid),
            Some((last, mac)) => {
                let last: IdentifierId = last.parse().map_err(|_| Error::PageTokenInvalid)?;
                if mac != self.page_mac(&scope(last)) {
                    return Err(Error::PageTokenInvalid);
                }
                let position = identifiers.iter().position(|other| other.id == last);
                position.map_or(identifiers.len(), |position| position + 1)
            }
        };
        let size = if size == 0 { MAX_PAGE } else { size.min(MAX_PAGE) };
        let end = identifiers.len().min(start + size);
        let next = match identifiers.get(end.wrapping_sub(1)) {
            Some(last) if end < identifiers.len() => {
                format!("{}.{}", last.id, self.page_mac(&scope(last.id)))
            }
            Some(_) | None => String::new(),
        };
        Ok(Page {
            identifiers: identifiers.drain(start..end).collect(),
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
        if let Some(identifier) = found {
            return Ok(identifier);
        }
        let bindings = self.store.bindings(subject).await?;
        bindings
            .into_iter()
            .find(|binding| binding.id == id)
            .map(disabled)
            .ok_or(Error::IdentifierNotFound)
    }

    /// The first 16 bytes of a MAC in hexadecimal: a token grants nothing by itself, but must not
    /// be one that somebody else was given.
    fn page_mac(&self, scope: &str) -> String {
        let mac = self.keyring.mac(KeyUse::PageToken, scope.as_bytes());
        mac[..16].iter().map(|byte| format!("{byte:02x}")).collect()
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
    }
}
