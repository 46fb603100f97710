//! The thief: knows the password, so may call everything as the host would, and the PIN; has none
//! of the victim's apps. May fail on purpose, for days.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::v1::{ConfirmationState, IdentifierState, Purpose};
use proptest::{collection::vec, prelude::*};

use super::{
    command::{Command, Given, Kind, Purposes, Stages, Story},
    histories::attack,
    listing::Listing,
    player::{Player, World},
    request::{Answer, Operation, Request},
    tally::Tally,
    throttle::STEP,
};

/// A victim's apps, each with its purposes, and what the thief tries.
#[derive(Clone, Debug)]
pub(crate) struct Theft {
    apps: Vec<Purposes>,
    attempts: Vec<Attempt>,
}

/// What happens next.
#[derive(Clone, Debug)]
enum Attempt {
    Thief(Command),
    /// The victim logs in; the thief sees the code, and types it again at once.
    Victim,
}

pub(crate) fn thefts() -> BoxedStrategy<Theft> {
    // LOGIN and WITHDRAWAL, more often than not.
    let purposes = prop_oneof![3 => Just(0b011_u8), 1 => Just(0b001), 1 => 0..8_u8];
    let attempt = prop_oneof![
        20 => attack().prop_map(Attempt::Thief),
        1 => Just(Attempt::Victim),
    ];
    (vec(purposes, 1..4), vec(attempt, 1..160))
        .prop_map(|(apps, attempts)| Theft { apps, attempts })
        .boxed()
}

/// What there is to steal.
struct Goods {
    listing: Listing,
    on: BTreeSet<Purpose>,
}

/// Lets the victim enrol, then the thief try, and finds nothing stolen after each attempt.
pub(crate) async fn is_in_vain(world: &mut World, theft: Theft) -> Result<Tally> {
    let mut player = Player::new(world);
    let first_pin = Command::SetPin {
        pin: 0,
        given: Given::RIGHT,
    };
    player.play(&first_pin).await?;
    for purposes in &theft.apps {
        // An enrolment takes a code of an app that is there: one that the last did not use up.
        player.world.advance(2 * STEP);
        player
            .play(&Command::Story(Story::Enrol(*purposes)))
            .await?;
    }
    let enabled = |state: IdentifierState| state == IdentifierState::Enabled;
    let apps = &player.listing.apps;
    ensure!(apps.len() == theft.apps.len(), "the victim has {apps:?}");
    ensure!(
        apps.values().all(|app| enabled(app.state)),
        "the victim has {apps:?}"
    );
    player.foreign = apps.keys().cloned().collect();
    let goods = Goods {
        on: apps
            .values()
            .flat_map(|app| app.on.iter().copied())
            .collect(),
        listing: player.listing.clone(),
    };
    let over_the_shoulder = Command::Story(Story::Replay);
    goods.resist(&mut player, &over_the_shoulder).await?;
    for attempt in &theft.attempts {
        match attempt {
            Attempt::Thief(command) => goods.resist(&mut player, command).await?,
            Attempt::Victim => {
                log_in(&mut player).await?;
                goods.resist(&mut player, &over_the_shoulder).await?;
            }
        }
    }
    player.compare_events()?;
    Ok(player.tally)
}

/// The victim logs in, where that is possible.
async fn log_in(player: &mut Player<'_>) -> Result<()> {
    let foreign = std::mem::take(&mut player.foreign);
    let create = Command::Create { kind: Kind::Login };
    let created = player.play(&create).await?;
    if matches!(created.as_slice(), [(_, Answer::Opened(_))]) {
        let submit = Command::Submit {
            confirmation: 0,
            given: Given::RIGHT,
            stages: Stages::All,
        };
        let submitted = player.play(&submit).await?;
        if matches!(
            submitted.as_slice(),
            [(_, Answer::Submitted { accepted: true, .. })]
        ) {
            let redeem = Command::Redeem {
                confirmation: 0,
                same: true,
            };
            player.play(&redeem).await?;
        }
    }
    player.foreign = foreign;
    // What the victim's host sent is not the thief's to send again.
    player.forget_last();
    Ok(())
}

impl Goods {
    /// Lets the thief try, in vain.
    async fn resist(&self, player: &mut Player<'_>, command: &Command) -> Result<()> {
        for (request, answer) in player.play(command).await? {
            self.are_untouched(&request, &answer)?;
        }
        self.are_still_there(&player.listing)
    }

    /// No answer is one that a thief wants.
    fn are_untouched(&self, request: &Request, answer: &Answer) -> Result<()> {
        use ConfirmationState::{Approved, Redeemed};
        match answer {
            Answer::Done => bail!("the thief did {request:?}"),
            Answer::Submitted { after: view, .. } | Answer::Opened(view) | Answer::Now(view) => {
                let is_stolen = matches!(view.state, Approved | Redeemed);
                ensure!(!is_stolen, "the thief has {view:?} by {request:?}");
            }
            Answer::NotRequired => {
                let Request::Create { operation, .. } = request else {
                    bail!("{request:?} needs nothing");
                };
                let is_chosen = match operation {
                    Operation::Login(_) | Operation::Custom(_) => {
                        !self.on.contains(&operation.purpose())
                    }
                    Operation::Withdrawal(_) | Operation::Settings(_) => false,
                };
                ensure!(
                    is_chosen,
                    "the thief need not prove anything for {operation:?}"
                );
            }
            Answer::EnrolmentRequired { .. } => bail!("the victim would have to enrol anew"),
            Answer::Refused { .. }
            | Answer::Rejected
            | Answer::Begun { .. }
            | Answer::Denied { .. } => {}
        }
        Ok(())
    }

    /// The victim has what they had, on for what it was on for, and no other factor is there.
    fn are_still_there(&self, listing: &Listing) -> Result<()> {
        ensure!(listing.pin.is_some(), "the PIN is gone");
        for (id, before) in &self.listing.apps {
            let now = listing.apps.get(id).context("an app is gone")?;
            ensure!(now.counts(), "{id} is disabled: {now:?}");
            ensure!(now.on == before.on, "{id} is on for {:?}", now.on);
        }
        let others = listing
            .apps
            .iter()
            .filter(|(id, _)| !self.listing.apps.contains_key(*id));
        for (id, other) in others {
            let is_pending = other.state == IdentifierState::Pending;
            ensure!(is_pending, "the thief has a factor, {id}: {other:?}");
        }
        Ok(())
    }
}
