//! What a history is made of: commands that mean something whatever the state is, so that a
//! history from which some are taken away is still one.

mod story;

pub(crate) use story::{Deed, Fate, Story, Worn};

/// Picks one of however many there are.
pub(crate) type Pick = u8;

/// Picks the set of backup codes among the identifiers.
pub(crate) const THE_CODES: Pick = 6;
/// Picks, among the identifiers, any that there ever was.
pub(crate) const ANY_EVER: Pick = 7;

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
        which: Pick,
        code: Typed,
        purposes: Purposes,
        given: Given,
    },
    EnableCodes {
        label: Pick,
        given: Given,
    },
    CreateMore {
        which: Pick,
        given: Given,
    },
    /// Finishes the latest list, or an earlier one; a stranger is another caller.
    Finish {
        back: Pick,
        by_stranger: bool,
    },
    Switch {
        which: Pick,
        on: Purposes,
        off: Purposes,
        given: Given,
    },
    Disable {
        which: Pick,
        confirm_last: bool,
        /// Of the service for identifiers of another kind.
        is_astray: bool,
        given: Given,
    },
    /// The settings change of a confirmation is made by that confirmation.
    Consume(Consume),
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
        which: Pick,
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

/// How a change is made by a confirmation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consume {
    pub(crate) confirmation: Pick,
    /// Exactly the change that was confirmed.
    pub(crate) same: bool,
    /// The new app's own code.
    pub(crate) code: Typed,
    /// The new PIN.
    pub(crate) pin: Pick,
    /// By another caller than the one that created the confirmation.
    pub(crate) by_stranger: bool,
}

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
    EnableCodes,
    Switch(Pick, Purposes, Purposes),
    Disable(Pick, bool),
}

/// The proofs of a request: those that it needs, but for a flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    /// Which of several paths, and which of several options.
    pub(crate) pick: Pick,
    /// A backup code wherever one would do.
    pub(crate) on_paper: bool,
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
    /// One more, by another identifier of the subject.
    More(Pick, Typed),
    /// One more, by the PIN.
    MorePin(Typed),
    /// One more, by an identifier that nobody has.
    Stranger,
    /// None at all.
    Bare,
}

/// What is typed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typed {
    /// The first code that was not used yet; the PIN.
    Right,
    /// The same in another spelling, such as an app shows it: in groups.
    Spaced,
    Wrong,
    Malformed,
    /// A code that was used, the last one of an app; another PIN.
    Burned,
    /// The app's code of the step before; a backup code of a list that is void.
    Earlier,
    /// The app's code of this step; the backup code that a waiting list holds.
    Present,
    /// The app's code of the next step; a backup code of the waiting list.
    Next,
    /// The app's code of the step after the next, which is too early; the last backup code that was
    /// not used yet.
    Last,
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
    /// Until the list that waits has lapsed.
    List,
}

impl Given {
    pub(crate) const RIGHT: Self = Self::with(Flaw::None);
    pub(crate) const ON_PAPER: Self = Self::RIGHT.on_paper(true);

    pub(crate) const fn with(flaw: Flaw) -> Self {
        Self {
            pick: 0,
            on_paper: false,
            flaw,
        }
    }

    pub(crate) const fn on_paper(self, on_paper: bool) -> Self {
        Self { on_paper, ..self }
    }
}

impl Consume {
    /// As it should be: the latest that is approved.
    pub(crate) const RIGHT: Self = Self {
        confirmation: 0,
        same: true,
        code: Typed::Right,
        pin: 1,
        by_stranger: false,
    };
}
