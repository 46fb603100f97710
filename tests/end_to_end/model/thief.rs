//! The thief: knows the password, so may call everything as the host would, and the PIN; has none
//! of the victim's apps, nor their paper. May fail on purpose, for days.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::v1::{ConfirmationState, IdentifierState, Purpose};
use proptest::{collection::vec, prelude::*};

use super::{
    command::{Command, Consume, Flaw, Given, Kind, Purposes, Stages, Story, THE_CODES, Typed},
    histories::attack,
    listing::Listing,
    player::{Player, World},
    request::{Answer, Operation, Request},
    tally::Tally,
    throttle::STEP,
};

/// A victim's apps and backup codes, each with its purposes, and what the thief tries.
#[derive(Clone, Debug)]
pub(crate) struct Theft {
    /// Whether the thief was there when the victim had a PIN and no identifier yet.
    is_early: bool,
    apps: Vec<Purposes>,
    codes: Option<Codes>,
    attempts: Vec<Attempt>,
}

/// A victim's backup codes.
#[derive(Clone, Copy, Debug)]
struct Codes {
    purposes: Purposes,
    /// Whether only the reserved one is left.
    is_used_up: bool,
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
    let purposes = || prop_oneof![3 => Just(0b011_u8), 1 => Just(0b001), 1 => 0..8_u8];
    let codes = (purposes(), prop::bool::weighted(0.3)).prop_map(|(purposes, is_used_up)| Codes {
        purposes,
        is_used_up,
    });
    let goods = prop_oneof![
        (vec(purposes(), 1..4), prop::option::of(codes.clone())),
        (Just(Vec::new()), codes.prop_map(Some)),
    ];
    let attempt = prop_oneof![
        20 => attack().prop_map(Attempt::Thief),
        1 => Just(Attempt::Victim),
    ];
    (any::<bool>(), goods, vec(attempt, 1..160))
        .prop_map(|(is_early, (apps, codes), attempts)| Theft {
            is_early,
            apps,
            codes,
            attempts,
        })
        .boxed()
}

/// Thefts in which everything is tried once: what random ones may miss.
pub(crate) fn planned_thefts() -> Vec<Theft> {
    let paper = |flaw| Given::with(flaw).on_paper(true);
    let wrong = Flaw::Each(Typed::Wrong);
    let more = |typed| Command::CreateMore {
        which: THE_CODES,
        given: paper(Flaw::Each(typed)),
    };
    let disable = |flaw| Command::Disable {
        which: THE_CODES,
        confirm_last: true,
        is_astray: false,
        given: paper(flaw),
    };
    let mut commands = vec![
        Command::EnableCodes {
            label: 0,
            given: Given::with(Flaw::Less(1)),
        },
        more(Typed::Right),
        more(Typed::Burned),
        Command::Finish {
            back: 0,
            by_stranger: false,
        },
        disable(wrong),
        disable(Flaw::More(0, Typed::Burned)),
        Command::Switch {
            which: THE_CODES,
            on: 0,
            off: 1,
            given: paper(wrong),
        },
        Command::Story(Story::LogIn { on_paper: true }),
        Command::Story(Story::Enrol(0)),
    ];
    for kind in [Kind::ChangePin, Kind::EnableCodes, Kind::Enable(0)] {
        commands.extend([
            Command::Create { kind },
            submit(Given::RIGHT, Stages::Next),
            submit(paper(Flaw::None), Stages::All),
            Command::Consume(Consume::RIGHT),
        ]);
    }
    let attempts: Vec<Attempt> = commands.into_iter().map(Attempt::Thief).collect();
    let codes = |is_used_up| {
        Some(Codes {
            purposes: 0b011,
            is_used_up,
        })
    };
    let victims = [
        (vec![0b011], codes(true)),
        (vec![0b001], None),
        (Vec::new(), codes(true)),
        (Vec::new(), codes(false)),
    ];
    let theft = |(apps, codes)| Theft {
        is_early: true,
        apps,
        codes,
        attempts: attempts.clone(),
    };
    victims.into_iter().map(theft).collect()
}

const fn submit(given: Given, stages: Stages) -> Command {
    Command::Submit {
        confirmation: 0,
        given,
        stages,
    }
}

/// What a thief does who comes before the victim has any identifier: begins what an identifier
/// would have to prove, has it approved, and has a list of codes made.
fn come_early() -> Vec<Command> {
    let approve = |kind| [Command::Create { kind }, submit(Given::RIGHT, Stages::All)];
    let mut commands = vec![Command::Begin { label: 3 }];
    commands.extend(approve(Kind::Enable(0)));
    commands.extend(approve(Kind::EnableCodes));
    commands.push(Command::EnableCodes {
        label: 0,
        given: Given::RIGHT,
    });
    commands
}

/// What an early thief goes on with.
fn go_on() -> Vec<Command> {
    let finish = |back| Command::Finish {
        back,
        by_stranger: false,
    };
    let consume = |confirmation| {
        Command::Consume(Consume {
            confirmation,
            ..Consume::RIGHT
        })
    };
    vec![finish(0), finish(1), consume(0), consume(1)]
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
    if theft.is_early {
        for command in come_early() {
            player.play(&command).await?;
        }
    }
    let mut goods = theft.enrol(&mut player).await?;
    if theft.is_early {
        for command in go_on() {
            goods.resist(&mut player, &command).await?;
        }
    }
    let over_the_shoulder = Command::Story(Story::Replay);
    goods.resist(&mut player, &over_the_shoulder).await?;
    for attempt in &theft.attempts {
        match attempt {
            Attempt::Thief(command) => goods.resist(&mut player, command).await?,
            Attempt::Victim => {
                log_in(&mut player).await?;
                goods.are_used(&player.listing);
                goods.resist(&mut player, &over_the_shoulder).await?;
            }
        }
    }
    player.compare_events()?;
    Ok(player.tally)
}

impl Theft {
    /// The victim enrols.
    async fn enrol(&self, player: &mut Player<'_>) -> Result<Goods> {
        let mut enrolments: Vec<Story> = self.apps.iter().copied().map(Story::Enrol).collect();
        if let Some(codes) = self.codes {
            enrolments.push(Story::EnrolCodes(codes.purposes));
            enrolments.extend(codes.is_used_up.then_some(Story::UseUp));
        }
        for story in enrolments {
            // An enrolment takes a code of an app that is there: one that the last did not use up.
            player.world.advance(2 * STEP);
            player.play(&Command::Story(story)).await?;
        }
        let mut listing = player.listing.clone();
        listing
            .identifiers
            .retain(|_, seen| seen.state == IdentifierState::Enabled);
        let enrolled = &listing.identifiers;
        let expected = self.apps.len() + usize::from(self.codes.is_some());
        ensure!(enrolled.len() == expected, "the victim has {enrolled:?}");
        player.foreign = enrolled.keys().cloned().collect();
        let on = enrolled.values().flat_map(|seen| seen.on.iter().copied());
        Ok(Goods {
            on: on.collect(),
            listing,
        })
    }
}

/// The victim logs in, where that is possible.
async fn log_in(player: &mut Player<'_>) -> Result<()> {
    let foreign = std::mem::take(&mut player.foreign);
    let create = Command::Create { kind: Kind::Login };
    let created = player.play(&create).await?;
    if matches!(created.as_slice(), [(_, Answer::Opened(_))]) {
        let submitted = player.play(&submit(Given::RIGHT, Stages::All)).await?;
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
    /// The victim has used a code, perhaps.
    fn are_used(&mut self, listing: &Listing) {
        for (id, seen) in &mut self.listing.identifiers {
            seen.codes_left = listing.identifiers.get(id).and_then(|now| now.codes_left);
        }
    }

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
            Answer::Done | Answer::Listed { .. } => bail!("the thief did {request:?}"),
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
            | Answer::Reserved { .. }
            | Answer::Rejected
            | Answer::Begun { .. }
            | Answer::Denied { .. } => {}
        }
        Ok(())
    }

    /// The victim has what they had, on for what it was on for, and no other factor is there.
    fn are_still_there(&self, listing: &Listing) -> Result<()> {
        ensure!(listing.pin.is_some(), "the PIN is gone");
        for (id, before) in &self.listing.identifiers {
            let now = listing
                .identifiers
                .get(id)
                .context("an identifier is gone")?;
            ensure!(now.counts(), "{id} is disabled: {now:?}");
            ensure!(now.on == before.on, "{id} is on for {:?}", now.on);
            let left = now.codes_left;
            ensure!(left == before.codes_left, "{left:?} codes are left");
        }
        let others = listing
            .identifiers
            .iter()
            .filter(|(id, _)| !self.listing.identifiers.contains_key(*id));
        for (id, other) in others {
            let is_pending = other.state == IdentifierState::Pending;
            ensure!(is_pending, "the thief has a factor, {id}: {other:?}");
        }
        Ok(())
    }
}
