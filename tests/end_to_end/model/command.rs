//! What a history is made of: commands that mean something whatever the state is, so that a
//! history from which some are taken away is still one.

/// Picks one of however many there are.
pub(crate) type Pick = u8;

/// One step of a history.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    SetPin {
        pin: Pick,
        given: Given,
    },
    ChangePin {
        pin: Pick,
        given: Given,
    },
    Begin {
        label: Pick,
    },
    Confirm {
        app: Pick,
        code: Typed,
        purposes: Purposes,
        given: Given,
    },
    Switch {
        app: Pick,
        on: Purposes,
        off: Purposes,
        given: Given,
    },
    Disable {
        app: Pick,
        confirm_last: bool,
        given: Given,
    },
    Create {
        kind: Kind,
    },
    Submit {
        confirmation: Pick,
        given: Given,
        stages: Stages,
    },
    Redeem {
        confirmation: Pick,
        same: bool,
    },
    Cancel {
        confirmation: Pick,
    },
    Wait(Wait),
    Unlock,
    OperatorDisable {
        app: Pick,
    },
    ResetPin,
    Restart,
    /// The last request, with the same request id.
    Repeat,
    /// Several commands, as a person would give them.
    Story(Story),
}

/// A set of purposes: a bit for each of LOGIN, WITHDRAWAL and OTHER.
pub(crate) type Purposes = u8;

/// What is created.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Login,
    LoginAtOnce,
    Withdrawal(u8),
    Custom,
    SetPin,
    ChangePin,
    Enable(Pick),
    Switch(Pick, Purposes, Purposes),
    Disable(Pick, bool),
}

/// The proofs of a request: those that it needs, but for a flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    /// Which of several paths, and which of several options.
    pub(crate) pick: Pick,
    pub(crate) flaw: Flaw,
}

/// For which of the open stages of a confirmation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stages {
    Next,
    All,
    Last,
}

/// What is not as it should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flaw {
    None,
    /// One proof is typed otherwise.
    One(Pick, Typed),
    /// Every proof is.
    Each(Typed),
    /// One is left out.
    Less(Pick),
    /// One more, by another app of the subject.
    More(Pick, Typed),
    /// One more, by the PIN.
    MorePin(Typed),
    /// One more, by an app that nobody has.
    Stranger,
    /// None at all.
    Bare,
}

/// What is typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typed {
    /// The first code that was not used yet; the PIN.
    Right,
    /// As an app shows it, in groups.
    Spaced,
    Wrong,
    Malformed,
    /// The code that was used last; another PIN.
    Burned,
    /// The code of the step before, of this one, or of the next.
    Earlier,
    Present,
    Next,
    /// A code of the step after the next: too early.
    TooEarly,
}

/// For how long nothing happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    Second,
    Step,
    Minutes,
    Hour,
    Day,
    /// Until something ends by itself, or until just before.
    End {
        pick: Pick,
        just_before: bool,
    },
    /// Until every lock has ended.
    Locks,
}

/// Several commands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Story {
    /// An app is enrolled.
    Enrol(Purposes),
    /// A login, from Create to Redeem.
    LogIn,
    /// A withdrawal, from Create to Redeem; proofs in one call or one by one.
    Withdraw { at_once: bool },
    /// A withdrawal that is approved when something else happens, and then redeemed.
    Meanwhile(Deed),
    /// A withdrawal with a code that is burned.
    Replay,
    /// More confirmations than may be pending.
    Crowd,
    /// More apps than one may have.
    Collect,
    /// Wrong proofs, five at a time, with every lock waited out but perhaps the last.
    Wear {
        what: Worn,
        rounds: u8,
        patient: bool,
    },
}

/// What happens between approval and redemption.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    ChangePin,
    ResetPin,
    OperatorDisable,
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

impl Given {
    pub(crate) const RIGHT: Self = Self::with(Flaw::None);

    pub(crate) const fn with(flaw: Flaw) -> Self {
        Self { pick: 0, flaw }
    }
}

impl Story {
    /// The commands that it is made of.
    pub(crate) fn commands(self) -> Vec<Command> {
        let create = |kind| Command::Create { kind };
        let submit = |stages| Command::Submit {
            confirmation: 0,
            given: Given::RIGHT,
            stages,
        };
        let redeem = Command::Redeem {
            confirmation: 0,
            same: true,
        };
        match self {
            Self::Enrol(purposes) => enrol(purposes),
            Self::LogIn => vec![create(Kind::Login), submit(Stages::All), redeem],
            Self::Withdraw { at_once: true } => {
                vec![create(Kind::Withdrawal(1)), submit(Stages::All), redeem]
            }
            Self::Withdraw { at_once: false } => vec![
                create(Kind::Withdrawal(2)),
                submit(Stages::Next),
                submit(Stages::Next),
                redeem,
            ],
            Self::Meanwhile(deed) => vec![
                create(Kind::Withdrawal(5)),
                submit(Stages::All),
                Command::Wait(Wait::Step),
                deed.command(),
                redeem,
            ],
            Self::Replay => vec![
                create(Kind::Withdrawal(6)),
                Command::Submit {
                    confirmation: 0,
                    given: Given::with(Flaw::One(1, Typed::Burned)),
                    stages: Stages::All,
                },
                redeem,
            ],
            Self::Crowd => vec![create(Kind::Login); 11],
            Self::Collect => {
                let one = || enrol(1).into_iter().chain([Command::Wait(Wait::Step)]);
                (0..6).flat_map(|_| one()).collect()
            }
            Self::Wear {
                what,
                rounds,
                patient,
            } => {
                let mut commands: Vec<Command> = (0..rounds).flat_map(|_| what.round()).collect();
                if !patient {
                    commands.pop();
                }
                commands
            }
        }
    }
}

fn enrol(purposes: Purposes) -> Vec<Command> {
    vec![
        Command::Begin { label: 0 },
        Command::Confirm {
            app: 0,
            code: Typed::Earlier,
            purposes,
            given: Given::RIGHT,
        },
    ]
}

impl Deed {
    const fn command(self) -> Command {
        match self {
            Self::ChangePin => Command::ChangePin {
                pin: 1,
                given: Given::RIGHT,
            },
            Self::ResetPin => Command::ResetPin,
            Self::OperatorDisable => Command::OperatorDisable { app: 0 },
        }
    }
}

impl Worn {
    /// Five failures, and the wait until the lock has ended.
    fn round(self) -> Vec<Command> {
        let wrong = Typed::Wrong;
        let given = match self {
            Self::CodeAtWithdrawal => Given::with(Flaw::One(1, wrong)),
            Self::PinInSettings => Given::with(Flaw::One(0, wrong)),
            Self::CodeOfEnrolment => Given::RIGHT,
            Self::PinAtWithdrawal | Self::CodeAtLogin | Self::CodeInSettings => {
                Given::with(Flaw::Each(wrong))
            }
        };
        let submit = |stages| Command::Submit {
            confirmation: 0,
            given,
            stages,
        };
        let (first, failure) = match self {
            Self::PinAtWithdrawal => (
                Command::Create {
                    kind: Kind::Withdrawal(3),
                },
                submit(Stages::Next),
            ),
            Self::CodeAtWithdrawal => (
                Command::Create {
                    kind: Kind::Withdrawal(4),
                },
                submit(Stages::All),
            ),
            Self::CodeAtLogin => (Command::Create { kind: Kind::Login }, submit(Stages::All)),
            Self::CodeInSettings => (
                Command::Wait(Wait::Second),
                Command::Switch {
                    app: 0,
                    on: 0,
                    off: 1,
                    given,
                },
            ),
            Self::PinInSettings => (
                Command::Wait(Wait::Second),
                Command::ChangePin { pin: 3, given },
            ),
            Self::CodeOfEnrolment => (
                Command::Begin { label: 0 },
                Command::Confirm {
                    app: 0,
                    code: wrong,
                    purposes: 0,
                    given,
                },
            ),
        };
        let mut commands = vec![first];
        commands.extend(vec![failure; 5]);
        commands.push(Command::Wait(Wait::Locks));
        commands
    }
}
