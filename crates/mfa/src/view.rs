//! Paths and identifiers as callers see them.

use std::collections::BTreeSet;

use countersign_primitives::{IdentifierId, Label, Timestamp};
use countersign_security_identifiers::{
    AuthenticatorRef, Kind, Path, Purpose, Registry, SecurityIdentifier, Stage, Standing, State,
    Use,
};
use minicbor::{CborLen, Decode, Encode};

use crate::{Error, SentCode, confirmation::Confirmation};

/// A path that would do.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct PathView {
    /// Its stages, in their order.
    #[n(0)]
    pub stages: Vec<StageView>,
}

/// A stage of a path.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct StageView {
    /// What would do; one suffices.
    #[n(0)]
    pub options: Vec<OptionView>,
    /// Whether it is passed.
    #[n(1)]
    pub passed: bool,
}

/// One way to pass a stage.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct OptionView {
    /// Whose proof.
    #[n(0)]
    pub authenticator: AuthenticatorView,
    /// Whether it could be used when the paths were made. One that cannot is listed because it
    /// counts.
    #[n(1)]
    pub usable: bool,
    /// From when its next code can be accepted, where the present one is used.
    #[n(2)]
    pub usable_from: Option<Timestamp>,
    /// Of a phone: its number, all but its country code and its last four digits hidden. A code has
    /// to be sent to it first.
    #[n(3)]
    pub masked_number: Option<String>,
}

/// What a proof can be given with, as callers see it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum AuthenticatorView {
    /// The PIN.
    #[n(0)]
    Pin,
    /// An identifier.
    #[n(1)]
    Identifier {
        /// Its id.
        #[n(0)]
        id: IdentifierId,
        /// Its kind.
        #[n(1)]
        kind: Kind,
        /// What its owner calls it.
        #[n(2)]
        label: Label,
    },
}

impl OptionView {
    /// An authenticator as an option, if the registry has it.
    pub(crate) fn new(
        option: AuthenticatorRef,
        registry: &Registry,
        aim: Use,
        now: Timestamp,
    ) -> Option<Self> {
        let (authenticator, usable_from, masked_number) = match option {
            AuthenticatorRef::Pin => (AuthenticatorView::Pin, None, None),
            AuthenticatorRef::Identifier(id) => {
                let identifier = registry.identifier(id)?;
                let view = AuthenticatorView::Identifier {
                    id,
                    kind: identifier.kind(),
                    label: identifier.label.clone(),
                };
                let masked = identifier.phone().map(|phone| phone.number.masked());
                (view, identifier.usable_from(now), masked)
            }
        };
        let standing = registry.standing(option, aim, now);
        Some(Self {
            authenticator,
            usable: matches!(standing, Standing::Usable),
            usable_from,
            masked_number,
        })
    }

    /// The options of these paths, each once.
    pub(crate) fn of_paths(
        paths: &[Path],
        registry: &Registry,
        aim: Use,
        now: Timestamp,
    ) -> Vec<Self> {
        let options: BTreeSet<AuthenticatorRef> = paths
            .iter()
            .flat_map(|path| &path.stages)
            .flat_map(|stage| stage.options.iter().copied())
            .collect();
        options
            .into_iter()
            .filter_map(|option| Self::new(option, registry, aim, now))
            .collect()
    }

    /// Whose proof it takes.
    fn names(&self, option: AuthenticatorRef) -> bool {
        match &self.authenticator {
            AuthenticatorView::Pin => option == AuthenticatorRef::Pin,
            AuthenticatorView::Identifier { id, .. } => option == AuthenticatorRef::Identifier(*id),
        }
    }
}

impl PathView {
    /// Paths as they are now.
    pub(crate) fn of_paths(
        paths: &[Path],
        registry: &Registry,
        aim: Use,
        now: Timestamp,
    ) -> Vec<Self> {
        let offers = OptionView::of_paths(paths, registry, aim, now);
        paths
            .iter()
            .map(|path| Self::new(path, &offers, |_| false))
            .collect()
    }

    /// The paths of a confirmation as they were offered, with the stages that are passed and the
    /// instant of the next code as it is now.
    pub(crate) fn of_confirmation(
        confirmation: &Confirmation,
        registry: &Registry,
        now: Timestamp,
    ) -> Vec<Self> {
        let offers: Vec<OptionView> = confirmation
            .offers
            .iter()
            .map(|offer| OptionView {
                usable_from: match &offer.authenticator {
                    AuthenticatorView::Pin => None,
                    AuthenticatorView::Identifier { id, .. } => registry
                        .identifier(*id)
                        // One that is gone shows what it would have shown.
                        .map_or(offer.usable_from, |identifier| identifier.usable_from(now))
                        .filter(|from| now < *from),
                },
                ..offer.clone()
            })
            .collect();
        let is_passed = |stage: &Stage| {
            stage
                .options
                .iter()
                .any(|option| confirmation.has_passed(*option))
        };
        confirmation
            .paths
            .iter()
            .map(|path| Self::new(path, &offers, is_passed))
            .collect()
    }

    fn new(path: &Path, offers: &[OptionView], is_passed: impl Fn(&Stage) -> bool) -> Self {
        let offer =
            |option: &AuthenticatorRef| offers.iter().find(|offer| offer.names(*option)).cloned();
        let stages = path.stages.iter().map(|stage| StageView {
            options: stage.options.iter().filter_map(offer).collect(),
            passed: is_passed(stage),
        });
        Self {
            stages: stages.collect(),
        }
    }
}

/// An identifier as callers see it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct IdentifierView {
    /// Its id.
    #[n(0)]
    pub id: IdentifierId,
    /// Its kind.
    #[n(1)]
    pub kind: Kind,
    /// What its owner calls it.
    #[n(2)]
    pub label: Label,
    /// Where it is in its life.
    #[n(3)]
    pub state: IdentifierStateView,
    /// When its enrolment began.
    #[n(4)]
    pub created_at: Timestamp,
    /// When it was enabled.
    #[n(5)]
    pub enabled_at: Option<Timestamp>,
    /// When it was disabled.
    #[n(6)]
    pub disabled_at: Option<Timestamp>,
    /// When its enrolment lapses.
    #[n(7)]
    pub expires_at: Option<Timestamp>,
    /// Each purpose with its switch and its lock; none for one that is no longer in the registry.
    #[n(8)]
    pub purposes: Vec<PurposeView>,
    /// From when its next code can be accepted, where the present one is used.
    #[n(9)]
    pub usable_from: Option<Timestamp>,
    /// Of backup codes: how many are neither used nor held by a list that waits.
    #[n(10)]
    pub codes_left: Option<usize>,
    /// Of a phone: its number, all but its country code and its last four digits hidden.
    #[n(11)]
    pub masked_number: Option<String>,
    /// Of a phone that is being enrolled: the code that was sent to it. Only where one identifier is
    /// looked at.
    #[n(12)]
    pub sent: Option<SentCode>,
}

/// Where an identifier is in its life, as callers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum IdentifierStateView {
    /// Its enrolment has begun.
    #[n(1)]
    Pending,
    /// It is in use.
    #[n(2)]
    Enabled,
    /// It is disabled.
    #[n(3)]
    Disabled,
    /// The failure cap disabled it; it still counts.
    #[n(4)]
    Capped,
}

/// One purpose of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct PurposeView {
    /// Which.
    #[n(0)]
    pub purpose: Purpose,
    /// Whether it is switched on.
    #[n(1)]
    pub on: bool,
    /// The end of the lock in force.
    #[n(2)]
    pub locked_until: Option<Timestamp>,
}

/// The PIN as callers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct PinView {
    /// Whether one is set.
    #[n(0)]
    pub set: bool,
    /// The end of the lock in force.
    #[n(1)]
    pub locked_until: Option<Timestamp>,
    /// Whether it reached the failure cap, so that only an operator's reset helps.
    #[n(2)]
    pub capped: bool,
}

impl IdentifierView {
    /// An identifier of the registry, by its id.
    pub(crate) fn find(
        registry: &Registry,
        id: IdentifierId,
        now: Timestamp,
    ) -> Result<Self, Error> {
        registry
            .identifier(id)
            .map(|identifier| Self::new(identifier, now))
            .ok_or(Error::IdentifierNotFound)
    }

    /// An identifier of the registry at an instant.
    pub(crate) fn new(identifier: &SecurityIdentifier, now: Timestamp) -> Self {
        let (state, enabled_at, disabled_at, expires_at) = match identifier.state {
            State::Pending { expires_at } => {
                (IdentifierStateView::Pending, None, None, Some(expires_at))
            }
            State::Enabled { since } => (IdentifierStateView::Enabled, Some(since), None, None),
            State::Capped { since, at } => {
                (IdentifierStateView::Capped, Some(since), Some(at), None)
            }
        };
        let purposes = Purpose::ALL.map(|purpose| PurposeView {
            purpose,
            on: identifier.purposes.contains(purpose),
            locked_until: identifier.locked_until(purpose, now),
        });
        Self {
            id: identifier.id,
            kind: identifier.kind(),
            label: identifier.label.clone(),
            state,
            created_at: identifier.created_at,
            enabled_at,
            disabled_at,
            expires_at,
            purposes: purposes.to_vec(),
            usable_from: identifier.usable_from(now),
            codes_left: identifier
                .backup_codes()
                .filter(|_| identifier.counts())
                .map(|codes| codes.left(now)),
            masked_number: identifier.phone().map(|phone| phone.number.masked()),
            sent: None,
        }
    }
}

impl PinView {
    /// The PIN of a registry at an instant.
    pub(crate) fn new(registry: &Registry, now: Timestamp) -> Self {
        let entry = registry.pin();
        Self {
            set: entry.is_some(),
            locked_until: entry.and_then(|entry| entry.locked_until(now)),
            capped: entry.is_some_and(|entry| entry.capped),
        }
    }
}
