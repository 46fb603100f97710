//! What the personal area shows of a subject: as the platform lists it, and as the model has it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    Client,
    v1::{self, IdentifierKind, IdentifierState, Purpose},
};

use super::{
    reference::{Enrolled, State, Subject},
    request::{CodesSeen, Factor, Millis, Who, millis},
};

/// Everything that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Listing {
    pub(crate) pin: Option<PinSeen>,
    pub(crate) identifiers: BTreeMap<String, Seen>,
}

/// A PIN that is set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PinSeen {
    pub(crate) lock: Option<Millis>,
    pub(crate) is_capped: bool,
}

/// An identifier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) factor: Factor,
    pub(crate) label: String,
    pub(crate) state: IdentifierState,
    pub(crate) is_capped: bool,
    pub(crate) on: BTreeSet<Purpose>,
    pub(crate) locks: BTreeMap<Purpose, Millis>,
    pub(crate) usable_from: Option<Millis>,
    pub(crate) until: Option<Millis>,
    pub(crate) codes_left: Option<usize>,
}

impl Seen {
    /// Whether it counts as an existing factor.
    pub(crate) fn counts(&self) -> bool {
        self.state == IdentifierState::Enabled || self.is_capped
    }
}

impl Listing {
    /// The identifiers that count as existing factors.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &Seen> {
        self.identifiers.values().filter(|seen| seen.counts())
    }

    /// The end of the lock of an authenticator; `None` too where there is none.
    pub(crate) fn lock(&self, who: &Who, purpose: Purpose) -> Option<Millis> {
        match who {
            Who::Pin => self.pin.as_ref()?.lock,
            Who::Identifier(id) => self.identifiers.get(id)?.locks.get(&purpose).copied(),
        }
    }

    /// Whether the failure cap has disabled an authenticator.
    pub(crate) fn is_capped(&self, who: &Who) -> bool {
        match who {
            Who::Pin => self.pin.as_ref().is_some_and(|pin| pin.is_capped),
            Who::Identifier(id) => self.identifiers.get(id).is_some_and(|seen| seen.is_capped),
        }
    }

    /// Whether an authenticator's proofs are looked at, a moment after this was listed.
    pub(crate) fn is_looked_at(&self, who: &Who, purpose: Purpose, now: Millis) -> bool {
        let is_there = match who {
            Who::Pin => self.pin.is_some(),
            Who::Identifier(id) => self.identifiers.get(id).is_some_and(Seen::counts),
        };
        let is_locked = self.lock(who, purpose).is_some_and(|until| now < until);
        is_there && !is_locked && !self.is_capped(who)
    }
}

/// What the platform lists.
pub(crate) async fn listed(client: &Client, subject: &str) -> Result<Listing> {
    let request = v1::IdentifierServiceListRequest {
        subject_id: subject.to_owned(),
        show_disabled: true,
        ..Default::default()
    };
    let page = client.identifiers().list(request).await?.into_inner();
    ensure!(
        page.next_page_token.is_empty(),
        "a second page of {} identifiers",
        page.identifiers.len()
    );
    let pin = page.pin.context("a PIN status")?;
    ensure!(
        pin.locked == pin.locked_until.is_some(),
        "locked without an end"
    );
    let identifiers = page.identifiers.iter().map(|identifier| {
        let seen = seen_of_wire(identifier)?;
        Ok((identifier.identifier_id.clone(), seen))
    });
    Ok(Listing {
        pin: pin.set.then(|| PinSeen {
            lock: millis(pin.locked_until.as_ref()),
            is_capped: pin.capped,
        }),
        identifiers: identifiers.collect::<Result<_>>()?,
    })
}

fn seen_of_wire(identifier: &v1::SecurityIdentifier) -> Result<Seen> {
    let on = identifier.purposes.iter().filter(|setting| setting.on);
    let locks = identifier.purposes.iter().filter_map(|setting| {
        let until = millis(setting.locked_until.as_ref())?;
        Some((setting.purpose(), until))
    });
    Ok(Seen {
        factor: match identifier.kind() {
            IdentifierKind::Totp => Factor::App,
            IdentifierKind::BackupCodes => Factor::Codes,
            IdentifierKind::Sms | IdentifierKind::Unspecified => {
                bail!("{identifier:?} is of no kind here")
            }
        },
        label: identifier.label.clone(),
        state: identifier.state(),
        is_capped: identifier.disabled_by_cap,
        on: on.map(v1::PurposeSetting::purpose).collect(),
        locks: locks.collect(),
        usable_from: millis(identifier.usable_from.as_ref()),
        until: millis(identifier.expire_time.as_ref()),
        codes_left: identifier.codes_left.map(usize::try_from).transpose()?,
    })
}

impl Subject {
    /// What is to be listed.
    pub(crate) fn listing(&self, now: Millis) -> Listing {
        let shown = self.shown_identifiers(now);
        let shown = shown.map(|found| (found.id.clone(), seen(found, now)));
        let gone = self.gone.iter().map(|found| {
            let seen = Seen {
                factor: found.factor(),
                label: found.label.clone(),
                state: IdentifierState::Disabled,
                is_capped: false,
                on: BTreeSet::new(),
                locks: BTreeMap::new(),
                usable_from: None,
                until: None,
                codes_left: None,
            };
            (found.id.clone(), seen)
        });
        Listing {
            pin: self.pin.as_ref().map(|pin| PinSeen {
                lock: pin.throttle.lock(now),
                is_capped: pin.is_capped,
            }),
            identifiers: shown.chain(gone).collect(),
        }
    }

    /// What is to be shown of the backup codes.
    pub(crate) fn codes_seen(&self, now: Millis) -> CodesSeen {
        let set = self
            .shown_identifiers(now)
            .find(|found| found.factor() == Factor::Codes);
        let paper = set.and_then(Enrolled::paper);
        let waiting = paper.and_then(|paper| paper.waiting(now));
        CodesSeen {
            set: set.map(|set| set.id.clone()),
            total: paper.map_or(0, |paper| paper.codes.len()),
            waiting: waiting.map(|list| (list.list.clone(), list.until)),
        }
    }

    fn shown_identifiers(&self, now: Millis) -> impl Iterator<Item = &Enrolled> {
        self.identifiers
            .iter()
            .filter(move |found| found.counts() || found.is_pending(now))
    }
}

fn seen(found: &Enrolled, now: Millis) -> Seen {
    let locks = found.throttles.iter();
    let paper = found.paper().filter(|_| found.counts());
    Seen {
        factor: found.factor(),
        label: found.label.clone(),
        state: match found.state {
            State::Pending { .. } => IdentifierState::Pending,
            State::Enabled => IdentifierState::Enabled,
            State::Capped => IdentifierState::Disabled,
        },
        is_capped: found.state == State::Capped,
        on: found.on.clone(),
        locks: locks
            .filter_map(|(purpose, run)| Some((*purpose, run.lock(now)?)))
            .collect(),
        usable_from: found.usable_from(now),
        until: match found.state {
            State::Pending { until } => Some(until),
            State::Enabled | State::Capped => None,
        },
        codes_left: paper.map(|paper| paper.left(now)),
    }
}
