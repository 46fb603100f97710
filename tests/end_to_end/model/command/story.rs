//! Several commands, as a person would give them.

use super::{Command, Consume, Flaw, Given, Kind, Purposes, Stages, THE_CODES, Typed, Wait};

/// Several commands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Story {
    /// An app is enrolled.
    Enrol(Purposes),
    /// Backup codes are enrolled, and switched on.
    EnrolCodes(Purposes),
    /// A login, from Create to Redeem.
    LogIn { on_paper: bool },
    /// A withdrawal, from Create to Redeem; proofs in one call or one by one.
    Withdraw { at_once: bool, on_paper: bool },
    /// A withdrawal that is approved when something else happens, and then redeemed.
    Meanwhile(Deed),
    /// A settings change that is approved when something else happens, and then made.
    Confirmed(Kind, Deed),
    /// A withdrawal with a code that is burned.
    Replay,
    /// More confirmations than may be pending.
    Crowd,
    /// More apps than one may have.
    Collect,
    /// More enrolments than may be unfinished, the last of them one of backup codes.
    Unfinished,
    /// Backup codes are used until only the reserved one is left, and once more.
    UseUp,
    /// A list of backup codes is made, a first one or another, and then something happens.
    List { is_first: bool, fate: Fate },
    /// Wrong proofs, five at a time, with every lock waited out but perhaps the last.
    Wear {
        what: Worn,
        on_paper: bool,
        rounds: u8,
        patient: bool,
    },
}

/// What happens between approval and what was approved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Nothing,
    ChangePin,
    ResetPin,
    OperatorDisable,
    Enrol,
    EnrolCodes,
}

/// What becomes of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Finished,
    /// The answer is lost: it is asked for again, and made again.
    Lost,
    /// Its code is tried elsewhere before it is finished.
    Held,
    /// Its time is over; the code that it held is used.
    Lapsed,
    /// Another caller tries to finish it.
    Stolen,
    /// Something else happens first.
    Overtaken(Deed),
}

/// Where somebody fails on purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Worn {
    PinAtWithdrawal,
    CodeAtWithdrawal,
    CodeAtLogin,
    CodeInSettings,
    PinInSettings,
    CodeOfEnrolment,
}

const fn create(kind: Kind) -> Command {
    Command::Create { kind }
}

const fn submit(given: Given, stages: Stages) -> Command {
    Command::Submit {
        confirmation: 0,
        given,
        stages,
    }
}

const REDEEM: Command = Command::Redeem {
    confirmation: 0,
    same: true,
};

const fn change_pin(pin: u8, given: Given) -> Command {
    Command::ChangePin { pin, given }
}

const fn finish(back: u8) -> Command {
    Command::Finish {
        back,
        by_stranger: false,
    }
}

impl Story {
    /// The commands that it is made of.
    pub(crate) fn commands(self) -> Vec<Command> {
        let all = |given| submit(given, Stages::All);
        match self {
            Self::Enrol(purposes) => enrol(0, purposes),
            Self::EnrolCodes(purposes) => enrol_codes(purposes),
            Self::LogIn { on_paper } => {
                let given = Given::RIGHT.on_paper(on_paper);
                vec![create(Kind::Login), all(given), REDEEM]
            }
            Self::Withdraw { at_once, on_paper } => {
                let given = Given::RIGHT.on_paper(on_paper);
                let mut commands = vec![create(Kind::Withdrawal(1))];
                if at_once {
                    commands.push(all(given));
                } else {
                    commands.extend(vec![submit(given, Stages::Next); 2]);
                }
                commands.push(REDEEM);
                commands
            }
            Self::Meanwhile(deed) => {
                let mut commands = vec![create(Kind::Withdrawal(5)), all(Given::RIGHT)];
                commands.push(Command::Wait(Wait::Step));
                commands.extend(deed.commands());
                commands.push(REDEEM);
                commands
            }
            Self::Confirmed(kind, deed) => confirmed(kind, deed),
            Self::Replay => {
                let burned = Given::with(Flaw::One(1, Typed::Burned));
                vec![create(Kind::Withdrawal(6)), all(burned), REDEEM]
            }
            Self::Crowd => vec![create(Kind::Login); 11],
            Self::Collect => {
                let one = || enrol(0, 1).into_iter().chain([Command::Wait(Wait::Step)]);
                (0..6).flat_map(|_| one()).collect()
            }
            Self::Unfinished => {
                let begin = (1..4).map(|label| Command::Begin { label });
                begin.chain([enable_codes()]).collect()
            }
            Self::UseUp => {
                let withdraw = || vec![create(Kind::Withdrawal(7)), all(Given::ON_PAPER)];
                let mut commands: Vec<Command> = (0..4).flat_map(|_| withdraw()).collect();
                commands.extend((0..6).map(|pin| change_pin(1 + pin % 2, Given::ON_PAPER)));
                commands
            }
            Self::List { is_first, fate } => {
                let make = if is_first {
                    enable_codes()
                } else {
                    Command::CreateMore {
                        which: THE_CODES,
                        given: Given::ON_PAPER,
                    }
                };
                fate.commands(&make)
            }
            Self::Wear {
                what,
                on_paper,
                rounds,
                patient,
            } => {
                let round = || what.round(on_paper);
                let mut commands: Vec<Command> = (0..rounds).flat_map(|_| round()).collect();
                if !patient {
                    commands.pop();
                }
                commands
            }
        }
    }
}

fn enrol(label: u8, purposes: Purposes) -> Vec<Command> {
    vec![
        Command::Begin { label },
        Command::Confirm {
            which: 0,
            code: Typed::Earlier,
            purposes,
            given: Given::RIGHT,
        },
    ]
}

const fn enable_codes() -> Command {
    Command::EnableCodes {
        label: 0,
        given: Given::RIGHT,
    }
}

fn enrol_codes(purposes: Purposes) -> Vec<Command> {
    let mut commands = vec![enable_codes(), finish(0)];
    if purposes != 0 {
        commands.push(Command::Switch {
            which: THE_CODES,
            on: purposes,
            off: 0,
            given: Given::ON_PAPER,
        });
    }
    commands
}

fn confirmed(kind: Kind, deed: Deed) -> Vec<Command> {
    let mut commands = Vec::new();
    if matches!(kind, Kind::Enable(_)) {
        commands.push(Command::Begin { label: 1 });
    }
    commands.push(create(kind));
    commands.push(submit(Given::RIGHT, Stages::All));
    commands.push(Command::Wait(Wait::Step));
    commands.extend(deed.commands());
    commands.push(Command::Consume(Consume::RIGHT));
    commands
}

impl Deed {
    fn commands(self) -> Vec<Command> {
        match self {
            Self::Nothing => Vec::new(),
            Self::ChangePin => vec![change_pin(1, Given::RIGHT), change_pin(2, Given::RIGHT)],
            Self::ResetPin => vec![Command::ResetPin],
            Self::OperatorDisable => vec![Command::OperatorDisable { which: 0 }],
            Self::Enrol => enrol(2, 0),
            Self::EnrolCodes => enrol_codes(0),
        }
    }
}

impl Fate {
    fn commands(self, make: &Command) -> Vec<Command> {
        let make = || make.clone();
        let typed = |typed| Given::with(Flaw::Each(typed)).on_paper(true);
        match self {
            Self::Finished => vec![make(), finish(0), finish(0)],
            Self::Lost => vec![make(), Command::Repeat, make(), finish(1), finish(0)],
            Self::Held => vec![
                make(),
                Command::Switch {
                    which: THE_CODES,
                    on: 0,
                    off: 1,
                    given: typed(Typed::Present),
                },
                Command::CreateMore {
                    which: THE_CODES,
                    given: typed(Typed::Present),
                },
                Command::CreateMore {
                    which: THE_CODES,
                    given: typed(Typed::Last),
                },
                finish(0),
                Command::Switch {
                    which: THE_CODES,
                    on: 0,
                    off: 1,
                    given: typed(Typed::Earlier),
                },
            ],
            Self::Lapsed => vec![
                make(),
                Command::Wait(Wait::List),
                finish(0),
                change_pin(1, Given::ON_PAPER),
                change_pin(2, Given::ON_PAPER),
            ],
            Self::Stolen => vec![
                make(),
                Command::Finish {
                    back: 0,
                    by_stranger: true,
                },
                finish(0),
            ],
            Self::Overtaken(deed) => {
                let mut commands = vec![make()];
                commands.extend(deed.commands());
                commands.push(finish(0));
                commands
            }
        }
    }
}

impl Worn {
    /// Five failures, and the wait until the lock has ended.
    fn round(self, on_paper: bool) -> Vec<Command> {
        let wrong = Typed::Wrong;
        let given = match self {
            Self::CodeAtWithdrawal => Given::with(Flaw::One(1, wrong)),
            Self::PinInSettings => Given::with(Flaw::One(0, wrong)),
            Self::CodeOfEnrolment => Given::RIGHT,
            Self::PinAtWithdrawal | Self::CodeAtLogin | Self::CodeInSettings => {
                Given::with(Flaw::Each(wrong))
            }
        };
        let given = given.on_paper(on_paper);
        let second = Command::Wait(Wait::Second);
        let (first, failure) = match self {
            Self::PinAtWithdrawal => {
                let open = create(Kind::Withdrawal(3));
                (open, submit(given, Stages::Next))
            }
            Self::CodeAtWithdrawal => {
                let open = create(Kind::Withdrawal(4));
                (open, submit(given, Stages::All))
            }
            Self::CodeAtLogin => (create(Kind::Login), submit(given, Stages::All)),
            Self::CodeInSettings => {
                let switch = Command::Switch {
                    which: if on_paper { THE_CODES } else { 0 },
                    on: 0,
                    off: 1,
                    given,
                };
                (second, switch)
            }
            Self::PinInSettings => (second, change_pin(3, given)),
            Self::CodeOfEnrolment => {
                let confirm = Command::Confirm {
                    which: 0,
                    code: wrong,
                    purposes: 0,
                    given,
                };
                (Command::Begin { label: 0 }, confirm)
            }
        };
        let mut commands = vec![first];
        commands.extend(vec![failure; 5]);
        commands.push(Command::Wait(Wait::Locks));
        commands
    }
}
