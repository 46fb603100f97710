//! What the personal area shows of a subject: as the platform lists it, and as the model has it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Client,
    v1::{self, IdentifierState, Purpose},
};

use super::{
    reference::{Enrolled, State, Subject},
    request::{Millis, Who, millis},
};

/// Everything that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Listing {
    pub(crate) pin: Option<PinSeen>,
    pub(crate) apps: BTreeMap<String, AppSeen>,
}

/// A PIN that is set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PinSeen {
    pub(crate) lock: Option<Millis>,
    pub(crate) is_capped: bool,
}

/// An app.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AppSeen {
    pub(crate) label: String,
    pub(crate) state: IdentifierState,
    pub(crate) is_capped: bool,
    pub(crate) on: BTreeSet<Purpose>,
    pub(crate) locks: BTreeMap<Purpose, Millis>,
    pub(crate) usable_from: Option<Millis>,
    pub(crate) until: Option<Millis>,
}

impl AppSeen {
    /// Whether it counts as an existing factor.
    pub(crate) fn counts(&self) -> bool {
        self.state == IdentifierState::Enabled || self.is_capped
    }
}

impl Listing {
    /// The end of the lock of an authenticator; `None` too where there is none.
    pub(crate) fn lock(&self, who: &Who, purpose: Purpose) -> Option<Millis> {
        match who {
            Who::Pin => self.pin.as_ref()?.lock,
            Who::App(id) => self.apps.get(id)?.locks.get(&purpose).copied(),
        }
    }

    /// Whether the failure cap has disabled an authenticator.
    pub(crate) fn is_capped(&self, who: &Who) -> bool {
        match who {
            Who::Pin => self.pin.as_ref().is_some_and(|pin| pin.is_capped),
            Who::App(id) => self.apps.get(id).is_some_and(|app| app.is_capped),
        }
    }

    /// Whether an authenticator's proofs are looked at, a moment after this was listed.
    pub(crate) fn is_looked_at(&self, who: &Who, purpose: Purpose, now: Millis) -> bool {
        let is_there = match who {
            Who::Pin => self.pin.is_some(),
            Who::App(id) => self.apps.get(id).is_some_and(AppSeen::counts),
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
    let apps = page.identifiers.iter().map(|identifier| {
        let on = identifier.purposes.iter().filter(|setting| setting.on);
        let locks = identifier.purposes.iter().filter_map(|setting| {
            let until = millis(setting.locked_until.as_ref())?;
            Some((setting.purpose(), until))
        });
        let seen = AppSeen {
            label: identifier.label.clone(),
            state: identifier.state(),
            is_capped: identifier.disabled_by_cap,
            on: on.map(v1::PurposeSetting::purpose).collect(),
            locks: locks.collect(),
            usable_from: millis(identifier.usable_from.as_ref()),
            until: millis(identifier.expire_time.as_ref()),
        };
        (identifier.identifier_id.clone(), seen)
    });
    Ok(Listing {
        pin: pin.set.then(|| PinSeen {
            lock: millis(pin.locked_until.as_ref()),
            is_capped: pin.capped,
        }),
        apps: apps.collect(),
    })
}

impl Subject {
    /// What is to be listed.
    pub(crate) fn listing(&self, now: Millis) -> Listing {
        let shown = self
            .apps
            .iter()
            .filter(|app| app.counts() || app.is_pending(now));
        let shown = shown.map(|app| (app.id().to_owned(), seen(app, now)));
        let gone = self.gone.iter().map(|app| {
            let seen = AppSeen {
                label: app.label.clone(),
                state: IdentifierState::Disabled,
                is_capped: false,
                on: BTreeSet::new(),
                locks: BTreeMap::new(),
                usable_from: None,
                until: None,
            };
            (app.id().to_owned(), seen)
        });
        Listing {
            pin: self.pin.as_ref().map(|pin| PinSeen {
                lock: pin.throttle.lock(now),
                is_capped: pin.is_capped,
            }),
            apps: shown.chain(gone).collect(),
        }
    }
}

fn seen(app: &Enrolled, now: Millis) -> AppSeen {
    let locks = app.throttles.iter();
    AppSeen {
        label: app.label.clone(),
        state: match app.state {
            State::Pending { .. } => IdentifierState::Pending,
            State::Enabled => IdentifierState::Enabled,
            State::Capped => IdentifierState::Disabled,
        },
        is_capped: app.state == State::Capped,
        on: app.on.clone(),
        locks: locks
            .filter_map(|(purpose, run)| Some((*purpose, run.lock(now)?)))
            .collect(),
        usable_from: app.usable_from(now),
        until: match app.state {
            State::Pending { until } => Some(until),
            State::Enabled | State::Capped => None,
        },
    }
}
