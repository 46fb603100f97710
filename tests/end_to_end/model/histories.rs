//! Random histories: which commands, how often, and in which order.

use proptest::{collection::vec, prelude::*};

use super::command::{
    Command, Deed, Flaw, Given, Kind, Pick, Purposes, Stages, Story, Typed, Wait, Worn,
};

/// A life in which everything happens once: what random ones may miss.
pub(crate) fn tour() -> Vec<Command> {
    let rest = Command::Wait(Wait::Minutes);
    let create = |number| Command::Create {
        kind: Kind::Withdrawal(number),
    };
    let submit = |stages| Command::Submit {
        confirmation: 0,
        given: Given::RIGHT,
        stages,
    };
    let redeem = |same| Command::Redeem {
        confirmation: 0,
        same,
    };
    let set_pin = Command::SetPin {
        pin: 2,
        given: Given::RIGHT,
    };
    let switch = |on, off| Command::Switch {
        app: 0,
        on,
        off,
        given: Given::RIGHT,
    };
    let wear = |what, rounds| {
        Command::Story(Story::Wear {
            what,
            rounds,
            patient: false,
        })
    };
    let scenes = [
        vec![
            create(0),
            Command::Create { kind: Kind::Login },
            set_pin.clone(),
        ],
        vec![Command::Story(Story::Enrol(0b011))],
        vec![Command::Story(Story::Enrol(0b111))],
        vec![Command::Story(Story::LogIn), Command::Repeat],
        vec![
            Command::Story(Story::Withdraw { at_once: true }),
            redeem(true),
        ],
        vec![Command::Story(Story::Withdraw { at_once: false })],
        vec![
            create(0),
            submit(Stages::Last),
            submit(Stages::All),
            redeem(false),
        ],
        vec![Command::Restart, Command::Repeat, redeem(true)],
        vec![switch(0, 0b001)],
        vec![switch(0b001, 0)],
        vec![Command::Story(Story::Meanwhile(Deed::ChangePin))],
        vec![Command::Story(Story::Crowd)],
        vec![wear(Worn::CodeAtLogin, 2), wear(Worn::CodeAtWithdrawal, 2)],
        vec![wear(Worn::PinAtWithdrawal, 1), create(1)],
        vec![Command::Unlock, wear(Worn::PinInSettings, 21), create(1)],
        vec![Command::ResetPin, set_pin],
        vec![wear(Worn::CodeInSettings, 21), switch(0, 0b010)],
        vec![Command::OperatorDisable { app: 0 }],
        vec![wear(Worn::CodeOfEnrolment, 3), Command::Wait(Wait::Hour)],
        vec![Command::Story(Story::Collect)],
        vec![Command::Disable {
            app: 0,
            confirm_last: false,
            given: Given::RIGHT,
        }],
        vec![Command::Story(Story::Meanwhile(Deed::OperatorDisable))],
    ];
    scenes
        .into_iter()
        .flat_map(|scene| scene.into_iter().chain([rest.clone()]))
        .collect()
}

/// A history of a whole life: somebody who mostly does things right.
pub(crate) fn lives() -> BoxedStrategy<Vec<Command>> {
    let beginning = prop_oneof![
        1 => Just(Vec::new()),
        5 => vec(purposes().prop_map(Story::Enrol).prop_map(Command::Story), 1..3).prop_map(|mut enrol| {
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
        2 => purposes().prop_map(Story::Enrol).prop_map(Command::Story),
        1 => any::<bool>().prop_map(|at_once| Command::Story(Story::Withdraw { at_once })),
        1 => Just(Command::Story(Story::LogIn)),
    ]
    .boxed()
}

fn command() -> BoxedStrategy<Command> {
    let story = prop_oneof![
        3 => purposes().prop_map(Story::Enrol),
        5 => Just(Story::LogIn),
        5 => any::<bool>().prop_map(|at_once| Story::Withdraw { at_once }),
        1 => deed().prop_map(Story::Meanwhile),
        1 => Just(Story::Replay),
        1 => Just(Story::Crowd),
        1 => Just(Story::Collect),
        6 => wear(),
    ];
    prop_oneof![
        50 => request(),
        16 => wait().prop_map(Command::Wait),
        1 => Just(Command::Unlock),
        1 => any::<Pick>().prop_map(|app| Command::OperatorDisable { app }),
        1 => Just(Command::ResetPin),
        1 => Just(Command::Restart),
        5 => Just(Command::Repeat),
        10 => story.prop_map(Command::Story),
    ]
    .boxed()
}

fn deed() -> BoxedStrategy<Deed> {
    prop_oneof![
        Just(Deed::ChangePin),
        Just(Deed::ResetPin),
        Just(Deed::OperatorDisable)
    ]
    .boxed()
}

fn request() -> BoxedStrategy<Command> {
    let pick = any::<Pick>;
    prop_oneof![
        2 => (pick(), given()).prop_map(|(pin, given)| Command::SetPin { pin, given }),
        2 => (pick(), given()).prop_map(|(pin, given)| Command::ChangePin { pin, given }),
        2 => (0..4_u8).prop_map(|label| Command::Begin { label }),
        4 => (pick(), typed(), purposes(), given()).prop_map(|(app, code, purposes, given)| {
            Command::Confirm { app, code, purposes, given }
        }),
        3 => (pick(), switches(), given()).prop_map(|(app, (on, off), given)| {
            Command::Switch { app, on, off, given }
        }),
        2 => (pick(), any::<bool>(), given()).prop_map(|(app, confirm_last, given)| {
            Command::Disable { app, confirm_last, given }
        }),
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
        1 => Just(Kind::SetPin),
        1 => Just(Kind::ChangePin),
        1 => any::<Pick>().prop_map(Kind::Enable),
        2 => (any::<Pick>(), switches()).prop_map(|(app, (on, off))| Kind::Switch(app, on, off)),
        1 => (any::<Pick>(), any::<bool>()).prop_map(|(app, last)| Kind::Disable(app, last)),
    ]
    .boxed()
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
    (any::<Pick>(), flaw)
        .prop_map(|(pick, flaw)| Given { pick, flaw })
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
        1 => Just(Typed::TooEarly),
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
    (what, rounds, any::<bool>())
        .prop_map(|(what, rounds, patient)| Story::Wear {
            what,
            rounds,
            patient,
        })
        .boxed()
}
