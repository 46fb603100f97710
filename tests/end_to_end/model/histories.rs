//! Random histories: which commands, how often, and in which order.

use proptest::{collection::vec, prelude::*};

use super::command::{
    Command, Consume, Deed, Fate, Flaw, Given, Kind, Pick, Purposes, Stages, Story, THE_CODES,
    Typed, Wait, Worn,
};

/// A history of a whole life: somebody who mostly does things right.
pub(crate) fn lives() -> BoxedStrategy<Vec<Command>> {
    let beginning = prop_oneof![
        1 => Just(Vec::new()),
        5 => vec(enrolment().prop_map(Command::Story), 1..3).prop_map(|mut enrol| {
            enrol.insert(0, Command::SetPin { pin: 0, given: Given::RIGHT });
            enrol
        }),
    ];
    (beginning, vec(command(), 1..80))
        .prop_map(|(mut life, rest)| {
            life.extend(rest);
            life
        })
        .boxed()
}

/// What a thief tries, who does everything that the host would do for anybody.
pub(crate) fn attack() -> BoxedStrategy<Command> {
    prop_oneof![
        30 => request(),
        4 => wait().prop_map(Command::Wait),
        2 => Just(Command::Repeat),
        3 => wear().prop_map(Command::Story),
        2 => enrolment().prop_map(Command::Story),
        1 => any::<bool>().prop_map(|at_once| {
            Command::Story(Story::Withdraw { at_once, on_paper: true })
        }),
        1 => any::<bool>().prop_map(|on_paper| Command::Story(Story::LogIn { on_paper })),
        1 => list(Just(Deed::Enrol).boxed()).prop_map(Command::Story),
        1 => change().prop_map(|kind| Command::Story(Story::Confirmed(kind, Deed::Nothing))),
    ]
    .boxed()
}

fn command() -> BoxedStrategy<Command> {
    let story = prop_oneof![
        4 => enrolment(),
        4 => any::<bool>().prop_map(|on_paper| Story::LogIn { on_paper }),
        5 => any::<(bool, bool)>().prop_map(|(at_once, on_paper)| {
            Story::Withdraw { at_once, on_paper }
        }),
        1 => deed().prop_map(Story::Meanwhile),
        5 => (change(), deed()).prop_map(|(kind, deed)| Story::Confirmed(kind, deed)),
        4 => list(deed()),
        1 => Just(Story::UseUp),
        1 => Just(Story::Replay),
        1 => Just(Story::Crowd),
        1 => Just(Story::Collect),
        1 => Just(Story::Unfinished),
        6 => wear(),
    ];
    prop_oneof![
        50 => request(),
        16 => wait().prop_map(Command::Wait),
        1 => Just(Command::Unlock),
        1 => any::<Pick>().prop_map(|which| Command::OperatorDisable { which }),
        1 => Just(Command::ResetPin),
        1 => Just(Command::Restart),
        5 => Just(Command::Repeat),
        10 => story.prop_map(Command::Story),
    ]
    .boxed()
}

fn enrolment() -> BoxedStrategy<Story> {
    prop_oneof![
        3 => purposes().prop_map(Story::Enrol),
        2 => purposes().prop_map(Story::EnrolCodes),
    ]
    .boxed()
}

/// `deed` is what may come between.
fn list(deed: BoxedStrategy<Deed>) -> BoxedStrategy<Story> {
    let fate = prop_oneof![
        2 => Just(Fate::Finished),
        2 => Just(Fate::Lost),
        2 => Just(Fate::Held),
        1 => Just(Fate::Lapsed),
        1 => Just(Fate::Stolen),
        2 => deed.prop_map(Fate::Overtaken),
    ];
    (prop::bool::weighted(0.3), fate)
        .prop_map(|(is_first, fate)| Story::List { is_first, fate })
        .boxed()
}

fn deed() -> BoxedStrategy<Deed> {
    prop_oneof![
        6 => Just(Deed::Nothing),
        1 => Just(Deed::ChangePin),
        1 => Just(Deed::ResetPin),
        1 => Just(Deed::OperatorDisable),
        1 => Just(Deed::Enrol),
        1 => Just(Deed::EnrolCodes),
    ]
    .boxed()
}

fn request() -> BoxedStrategy<Command> {
    let pick = any::<Pick>;
    prop_oneof![
        2 => (pick(), given()).prop_map(|(pin, given)| Command::SetPin { pin, given }),
        2 => (pick(), given()).prop_map(|(pin, given)| Command::ChangePin { pin, given }),
        2 => (0..4_u8).prop_map(|label| Command::Begin { label }),
        4 => (pick(), typed(), purposes(), given()).prop_map(|(which, code, purposes, given)| {
            Command::Confirm { which, code, purposes, given }
        }),
        2 => (0..2_u8, given()).prop_map(|(label, given)| Command::EnableCodes { label, given }),
        3 => (codes(), given()).prop_map(|(which, given)| Command::CreateMore { which, given }),
        3 => (recent(), prop::bool::weighted(0.1)).prop_map(|(back, by_stranger)| {
            Command::Finish { back, by_stranger }
        }),
        3 => (pick(), switches(), given()).prop_map(|(which, (on, off), given)| {
            Command::Switch { which, on, off, given }
        }),
        2 => (pick(), any::<bool>(), prop::bool::weighted(0.1), given()).prop_map(
            |(which, confirm_last, is_astray, given)| {
                Command::Disable { which, confirm_last, is_astray, given }
            },
        ),
        3 => consume().prop_map(Command::Consume),
        7 => kind().prop_map(|kind| Command::Create { kind }),
        10 => (recent(), given(), stages()).prop_map(|(confirmation, given, stages)| {
            Command::Submit { confirmation, given, stages }
        }),
        4 => (recent(), prop::bool::weighted(0.8)).prop_map(|(confirmation, same)| {
            Command::Redeem { confirmation, same }
        }),
        1 => recent().prop_map(|confirmation| Command::Cancel { confirmation }),
    ]
    .boxed()
}

fn stages() -> BoxedStrategy<Stages> {
    prop_oneof![
        3 => Just(Stages::Next),
        3 => Just(Stages::All),
        1 => Just(Stages::Last),
    ]
    .boxed()
}

/// Most of the time the latest.
fn recent() -> BoxedStrategy<Pick> {
    prop_oneof![4 => Just(0), 2 => 1..4_u8, 1 => any::<Pick>()].boxed()
}

fn purposes() -> BoxedStrategy<Purposes> {
    (0..8_u8).boxed()
}

/// On, off, or both: something, and nothing twice.
fn switches() -> BoxedStrategy<(Purposes, Purposes)> {
    prop_oneof![
        2 => (1..8_u8).prop_map(|on| (on, 0)),
        3 => (1..8_u8).prop_map(|off| (0, off)),
        1 => (1..7_u8).prop_map(|on| (on, !on & 0b111)),
    ]
    .boxed()
}

fn kind() -> BoxedStrategy<Kind> {
    prop_oneof![
        4 => Just(Kind::Login),
        1 => Just(Kind::LoginAtOnce),
        4 => (0..4_u8).prop_map(Kind::Withdrawal),
        2 => Just(Kind::Custom),
        6 => change(),
    ]
    .boxed()
}

/// What a settings change is created for.
fn change() -> BoxedStrategy<Kind> {
    prop_oneof![
        1 => Just(Kind::SetPin),
        2 => Just(Kind::ChangePin),
        2 => any::<Pick>().prop_map(Kind::Enable),
        1 => Just(Kind::EnableCodes),
        3 => (any::<Pick>(), switches()).prop_map(|(which, (on, off))| {
            Kind::Switch(which, on, off)
        }),
        2 => (any::<Pick>(), any::<bool>()).prop_map(|(which, last)| Kind::Disable(which, last)),
    ]
    .boxed()
}

fn consume() -> BoxedStrategy<Consume> {
    let mostly = prop::bool::weighted;
    (recent(), mostly(0.8), typed(), any::<Pick>(), mostly(0.1))
        .prop_map(|(confirmation, same, code, pin, by_stranger)| Consume {
            confirmation,
            same,
            code,
            pin,
            by_stranger,
        })
        .boxed()
}

/// The set of backup codes, more often than not.
fn codes() -> BoxedStrategy<Pick> {
    prop_oneof![4 => Just(THE_CODES), 1 => any::<Pick>()].boxed()
}

fn given() -> BoxedStrategy<Given> {
    let flaw = prop_oneof![
        10 => Just(Flaw::None),
        6 => (any::<Pick>(), typed()).prop_map(|(which, typed)| Flaw::One(which, typed)),
        2 => typed().prop_map(Flaw::Each),
        2 => any::<Pick>().prop_map(Flaw::Less),
        2 => (any::<Pick>(), typed()).prop_map(|(which, typed)| Flaw::More(which, typed)),
        1 => typed().prop_map(Flaw::MorePin),
        1 => Just(Flaw::Stranger),
        3 => Just(Flaw::Bare),
    ];
    (any::<Pick>(), prop::bool::weighted(0.3), flaw)
        .prop_map(|(pick, on_paper, flaw)| Given {
            pick,
            on_paper,
            flaw,
        })
        .boxed()
}

fn typed() -> BoxedStrategy<Typed> {
    prop_oneof![
        4 => Just(Typed::Right),
        1 => Just(Typed::Spaced),
        3 => Just(Typed::Wrong),
        1 => Just(Typed::Malformed),
        2 => Just(Typed::Burned),
        1 => Just(Typed::Earlier),
        1 => Just(Typed::Present),
        1 => Just(Typed::Next),
        1 => Just(Typed::Last),
    ]
    .boxed()
}

fn wait() -> BoxedStrategy<Wait> {
    prop_oneof![
        2 => Just(Wait::Second),
        8 => Just(Wait::Step),
        2 => Just(Wait::Minutes),
        1 => Just(Wait::Hour),
        1 => Just(Wait::Day),
        4 => (any::<Pick>(), any::<bool>()).prop_map(|(pick, just_before)| {
            Wait::End { pick, just_before }
        }),
        1 => Just(Wait::List),
        1 => Just(Wait::Locks),
    ]
    .boxed()
}

fn wear() -> BoxedStrategy<Story> {
    let what = prop_oneof![
        Just(Worn::PinAtWithdrawal),
        Just(Worn::CodeAtWithdrawal),
        Just(Worn::CodeAtLogin),
        Just(Worn::CodeInSettings),
        Just(Worn::PinInSettings),
        Just(Worn::CodeOfEnrolment),
    ];
    let rounds = prop_oneof![8 => 1..3_u8, 3 => 3..7_u8, 1 => Just(21_u8)];
    (what, prop::bool::weighted(0.3), rounds, any::<bool>())
        .prop_map(|(what, on_paper, rounds, patient)| Story::Wear {
            what,
            on_paper,
            rounds,
            patient,
        })
        .boxed()
}
