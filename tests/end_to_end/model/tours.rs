//! Lives in which everything happens once: what random ones may miss.

use super::command::{
    Command, Consume, Deed, Fate, Flaw, Given, Kind, Purposes, Stages, Story, THE_CODES, Typed,
    Wait, Worn,
};

/// The lives.
pub(crate) fn tours() -> Vec<Vec<Command>> {
    vec![
        of_apps(),
        of_codes(),
        of_the_last_code(),
        of_confirmed_changes(),
    ]
}

fn create(number: u8) -> Command {
    Command::Create {
        kind: Kind::Withdrawal(number),
    }
}

const fn submit(given: Given, stages: Stages) -> Command {
    Command::Submit {
        confirmation: 0,
        given,
        stages,
    }
}

const fn redeem(same: bool) -> Command {
    Command::Redeem {
        confirmation: 0,
        same,
    }
}

const fn set_pin(pin: u8) -> Command {
    Command::SetPin {
        pin,
        given: Given::RIGHT,
    }
}

const fn switch(on: Purposes, off: Purposes) -> Command {
    Command::Switch {
        which: 0,
        on,
        off,
        given: Given::RIGHT,
    }
}

const fn wear(what: Worn, on_paper: bool, rounds: u8) -> Command {
    Command::Story(Story::Wear {
        what,
        on_paper,
        rounds,
        patient: false,
    })
}

const fn list(fate: Fate) -> Command {
    Command::Story(Story::List {
        is_first: false,
        fate,
    })
}

const fn first_list(fate: Fate) -> Command {
    Command::Story(Story::List {
        is_first: true,
        fate,
    })
}

const fn confirmed(kind: Kind, deed: Deed) -> Command {
    Command::Story(Story::Confirmed(kind, deed))
}

const fn enrol(purposes: Purposes) -> Command {
    Command::Story(Story::Enrol(purposes))
}

const fn disable(which: u8, confirm_last: bool, is_astray: bool, given: Given) -> Command {
    Command::Disable {
        which,
        confirm_last,
        is_astray,
        given,
    }
}

/// Scenes, with a rest after each.
fn played(scenes: impl IntoIterator<Item = Vec<Command>>) -> Vec<Command> {
    let rest = Command::Wait(Wait::Minutes);
    scenes
        .into_iter()
        .flat_map(|scene| scene.into_iter().chain([rest.clone()]))
        .collect()
}

fn of_apps() -> Vec<Command> {
    let withdraw = |at_once| {
        Command::Story(Story::Withdraw {
            at_once,
            on_paper: false,
        })
    };
    let right = Given::RIGHT;
    played([
        vec![create(0), Command::Create { kind: Kind::Login }, set_pin(2)],
        vec![enrol(0b011)],
        vec![enrol(0b111)],
        vec![
            Command::Story(Story::LogIn { on_paper: false }),
            Command::Repeat,
        ],
        vec![withdraw(true), redeem(true)],
        vec![withdraw(false)],
        vec![
            create(0),
            submit(right, Stages::Last),
            submit(right, Stages::All),
            redeem(false),
        ],
        vec![Command::Restart, Command::Repeat, redeem(true)],
        vec![switch(0, 0b001)],
        vec![switch(0b001, 0)],
        vec![Command::Story(Story::Meanwhile(Deed::ChangePin))],
        vec![Command::Story(Story::Crowd)],
        vec![
            wear(Worn::CodeAtLogin, false, 2),
            wear(Worn::CodeAtWithdrawal, false, 2),
        ],
        vec![wear(Worn::PinAtWithdrawal, false, 1), create(1)],
        vec![
            Command::Unlock,
            wear(Worn::PinInSettings, false, 21),
            create(1),
        ],
        vec![Command::ResetPin, set_pin(2)],
        vec![wear(Worn::CodeInSettings, false, 21), switch(0, 0b010)],
        vec![Command::OperatorDisable { which: 0 }],
        vec![
            wear(Worn::CodeOfEnrolment, false, 3),
            Command::Wait(Wait::Hour),
        ],
        vec![Command::Story(Story::Collect)],
        vec![disable(0, false, false, right)],
        vec![Command::Story(Story::Meanwhile(Deed::OperatorDisable))],
    ])
}

/// Lists that are made, lost, finished, replaced, and lapse.
fn of_codes() -> Vec<Command> {
    let spaced = Given::with(Flaw::Each(Typed::Spaced)).on_paper(true);
    let enable = Command::EnableCodes {
        label: 1,
        given: Given::RIGHT,
    };
    let more = |given| Command::CreateMore {
        which: THE_CODES,
        given,
    };
    let switch_codes = |given| Command::Switch {
        which: THE_CODES,
        on: 0b011,
        off: 0,
        given,
    };
    played([
        vec![enable.clone(), set_pin(0)],
        vec![first_list(Fate::Lapsed)],
        vec![
            enable.clone(),
            enrol(0),
            Command::Finish {
                back: 0,
                by_stranger: false,
            },
        ],
        vec![first_list(Fate::Overtaken(Deed::ResetPin)), set_pin(1)],
        vec![Command::Story(Story::Unfinished)],
        vec![Command::Wait(Wait::Minutes)],
        vec![first_list(Fate::Lost), enable.clone()],
        vec![
            switch_codes(spaced),
            Command::Story(Story::LogIn { on_paper: true }),
            Command::Story(Story::Withdraw {
                at_once: true,
                on_paper: true,
            }),
        ],
        vec![
            disable(THE_CODES, false, true, spaced),
            more(Given::with(Flaw::Each(Typed::Wrong))),
            more(Given::with(Flaw::Bare)),
        ],
        vec![list(Fate::Lost)],
        vec![list(Fate::Held)],
        vec![list(Fate::Lapsed)],
        vec![list(Fate::Stolen)],
        vec![list(Fate::Overtaken(Deed::Enrol))],
        vec![list(Fate::Overtaken(Deed::ChangePin))],
        vec![list(Fate::Overtaken(Deed::OperatorDisable))],
        vec![more(Given::ON_PAPER), Command::Restart, Command::Repeat],
        vec![wear(Worn::CodeAtLogin, true, 1), create(2)],
        vec![
            Command::Unlock,
            more(Given::ON_PAPER),
            disable(THE_CODES, false, false, spaced),
        ],
        vec![first_list(Fate::Finished)],
        vec![wear(Worn::CodeInSettings, true, 21), create(2)],
        vec![more(Given::ON_PAPER), enable],
        vec![
            Command::OperatorDisable { which: THE_CODES },
            first_list(Fate::Overtaken(Deed::OperatorDisable)),
        ],
    ])
}

/// A life with backup codes only, down to the last one and on.
fn of_the_last_code() -> Vec<Command> {
    let paper = Given::ON_PAPER;
    let last_one = |given| disable(THE_CODES, true, false, given);
    let use_up = || Command::Story(Story::UseUp);
    let refused = vec![
        create(0),
        Command::Create { kind: Kind::Login },
        switch(0b100, 0),
        switch(0, 0b001),
        enrol(0),
        Command::Create {
            kind: Kind::Disable(THE_CODES, true),
        },
    ];
    played([
        vec![
            set_pin(0),
            Command::Story(Story::EnrolCodes(0b001)),
            Command::Create { kind: Kind::Login },
        ],
        // The login still waits when only the last code is left.
        vec![
            create(3),
            use_up(),
            submit(paper, Stages::All),
            submit(Given::with(Flaw::Each(Typed::Wrong)), Stages::Last),
        ],
        refused,
        vec![list(Fate::Lapsed)],
        vec![list(Fate::Held), use_up()],
        vec![list(Fate::Lost), use_up()],
        vec![disable(THE_CODES, false, false, paper), last_one(paper)],
        vec![Command::Story(Story::EnrolCodes(0b010)), enrol(0)],
        vec![use_up(), Command::Wait(Wait::Step)],
        // Another identifier disables the codes, with the PIN; or a confirmation does.
        vec![last_one(Given {
            pick: 4,
            ..Given::RIGHT
        })],
    ])
}

/// What is done with a change that was just approved.
fn approved(kind: Kind, then: impl IntoIterator<Item = Command>) -> Vec<Command> {
    let mut commands = vec![
        Command::Create { kind },
        submit(Given::RIGHT, Stages::All),
        Command::Wait(Wait::Step),
    ];
    commands.extend(then);
    commands
}

/// Each settings change by a confirmation, and what stands in its way.
fn of_confirmed_changes() -> Vec<Command> {
    let consume = Command::Consume;
    let right = Consume::RIGHT;
    let pin_alone = Kind::Enable(0);
    let wrong_code = Consume {
        code: Typed::Wrong,
        ..right
    };
    let other = Consume {
        same: false,
        ..right
    };
    let stranger = Consume {
        by_stranger: true,
        ..right
    };
    played([
        vec![set_pin(0)],
        // What was proved before there were codes is not enough any more.
        vec![confirmed(pin_alone, Deed::EnrolCodes)],
        vec![confirmed(pin_alone, Deed::Nothing), consume(right)],
        vec![
            Command::Begin { label: 2 },
            Command::Create { kind: pin_alone },
            submit(Given::RIGHT, Stages::All),
            consume(wrong_code),
            consume(stranger),
            consume(other),
            consume(right),
        ],
        approved(
            Kind::Switch(0, 0b001, 0),
            [other, stranger, right, right].map(consume),
        ),
        vec![confirmed(Kind::ChangePin, Deed::Nothing), Command::Repeat],
        vec![confirmed(Kind::Disable(THE_CODES, false), Deed::Nothing)],
        vec![confirmed(Kind::EnableCodes, Deed::Nothing), Command::Repeat],
        vec![Command::Finish {
            back: 0,
            by_stranger: false,
        }],
        vec![confirmed(Kind::ChangePin, Deed::ResetPin), set_pin(3)],
        vec![
            Command::Create {
                kind: Kind::ChangePin,
            },
            consume(right),
        ],
        approved(
            Kind::ChangePin,
            [Command::Wait(Wait::Minutes), consume(right)],
        ),
        vec![Command::ResetPin],
        vec![confirmed(Kind::SetPin, Deed::Nothing)],
        vec![confirmed(Kind::Disable(0, false), Deed::Nothing)],
        vec![
            confirmed(Kind::Disable(0, true), Deed::Nothing),
            redeem(true),
        ],
    ])
}
