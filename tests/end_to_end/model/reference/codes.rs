//! Backup codes: the list in force, the one that waits to be finished, and what becomes of them.

use std::collections::BTreeSet;

use super::{
    super::throttle::{LIST_LIFE, PENDING_ENROLMENTS},
    Answer, Drawn, Enrolled, Factor, Means, Millis, Refusal, Said, State, Subject, Told,
    is_spelling_of,
};

/// The lists of a set of backup codes.
#[derive(Default)]
pub(crate) struct Paper {
    /// The list in force; without codes until the first one is finished.
    pub(crate) codes: Vec<String>,
    /// Places on that list.
    pub(crate) used: BTreeSet<usize>,
    pub(crate) waiting: Option<Waiting>,
    /// Codes of the last list that became void, to be typed all the same.
    pub(crate) void: Vec<String>,
}

/// A list that was made and is not finished.
pub(crate) struct Waiting {
    pub(crate) list: String,
    pub(crate) codes: Vec<String>,
    pub(crate) until: Millis,
    /// The place of the code that it was made for.
    held: Option<usize>,
}

impl Paper {
    pub(crate) fn waiting(&self, now: Millis) -> Option<&Waiting> {
        self.waiting.as_ref().filter(|list| now < list.until)
    }

    /// The place of the code that the waiting list holds.
    pub(crate) fn held(&self, now: Millis) -> Option<usize> {
        self.waiting(now)?.held
    }

    /// The places of the codes that are neither used nor held.
    pub(crate) fn fresh(&self, now: Millis) -> impl Iterator<Item = usize> {
        let held = self.held(now);
        (0..self.codes.len())
            .filter(move |place| !self.used.contains(place) && held != Some(*place))
    }

    pub(crate) fn left(&self, now: Millis) -> usize {
        self.fresh(now).count()
    }

    /// The place of the code that was typed, if it is not used.
    pub(super) fn place(&self, typed: &str) -> Option<usize> {
        let mut codes = self.codes.iter();
        let place = codes.position(|code| is_spelling_of(code, typed))?;
        (!self.used.contains(&place)).then_some(place)
    }

    pub(super) fn forget_list_from(&mut self, now: Millis) {
        if self.waiting(now).is_none() {
            self.void_list();
        }
    }

    fn void_list(&mut self) {
        if let Some(list) = self.waiting.take() {
            self.void = list.codes;
        }
    }

    fn wait(&mut self, list: Waiting) {
        self.void_list();
        self.waiting = Some(list);
    }

    fn finish(&mut self) {
        if let Some(list) = self.waiting.take() {
            self.void = std::mem::replace(&mut self.codes, list.codes);
            self.used.clear();
        }
    }
}

impl Subject {
    /// The set of backup codes, pending or not.
    pub(crate) fn set(&self) -> Option<&Enrolled> {
        let is_set = |found: &&Enrolled| found.factor() == Factor::Codes;
        self.identifiers.iter().find(is_set)
    }

    /// What a waiting list was proved with is no longer what it was: the list lapses, and a set
    /// that has no other one goes with it.
    pub(super) fn void_waiting_lists(&mut self) {
        for found in &mut self.identifiers {
            if let Some(paper) = found.paper_mut() {
                paper.void_list();
            }
        }
        self.identifiers
            .retain(|found| found.counts() || found.factor() == Factor::App);
    }

    /// That another enrolment may begin beside these.
    pub(super) fn require_room_beside<'a>(
        others: impl Iterator<Item = &'a Enrolled>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let unfinished = others.filter_map(|other| match other.state {
            State::Pending { until } if now < until => Some(until),
            State::Pending { .. } | State::Enabled | State::Capped => None,
        });
        let mut unfinished: Vec<Millis> = unfinished.collect();
        unfinished.sort_unstable();
        if unfinished.len() < PENDING_ENROLMENTS {
            return Ok(());
        }
        let reason = "TOO_MANY_PENDING_ENROLMENTS";
        Err(Refusal::for_now(reason, unfinished[0] - now))
    }

    /// Makes a first list. A set that was begun and not finished keeps its id.
    pub(super) fn enable_codes(&mut self, label: &str, drawn: Drawn, now: Millis) -> Answer {
        let begun = self.set().map(|set| (set.id.clone(), set.label.clone()));
        let (id, kept) = begun.unwrap_or_else(|| (drawn.id, self.free_label("Backup codes")));
        let label = if label.is_empty() { &kept } else { label };
        let place = self.identifiers.iter().position(|found| found.id == id);
        let mut paper = match place.map(|place| self.identifiers.remove(place).means) {
            Some(Means::Codes(paper)) => paper,
            Some(Means::App { .. }) | None => Paper::default(),
        };
        let list = Waiting::new(drawn.list, drawn.told, None, now);
        let (answer, until) = (list.shown(&id), list.until);
        self.lists.push(list.list.clone());
        paper.wait(list);
        let means = Means::Codes(paper);
        let set = Enrolled::new(id, label.to_owned(), until, means);
        self.identifiers.push(set);
        answer
    }

    /// Makes another list, which holds the code that it was made for.
    pub(super) fn more_codes(
        &mut self,
        id: &str,
        held: Option<usize>,
        drawn: Drawn,
        now: Millis,
    ) -> Answer {
        let list = Waiting::new(drawn.list, drawn.told, held, now);
        let answer = list.shown(id);
        self.lists.push(list.list.clone());
        if let Some(paper) = self.identifier_mut(id).and_then(Enrolled::paper_mut) {
            paper.wait(list);
        }
        answer
    }

    /// Puts a list in force.
    pub(super) fn finish(
        &mut self,
        list: &str,
        by_stranger: bool,
        now: Millis,
    ) -> Result<Said, Refusal> {
        let is_waiting = |found: &&mut Enrolled| {
            let waiting = found.paper().and_then(|paper| paper.waiting(now));
            waiting.is_some_and(|waiting| waiting.list == list) && found.state != State::Capped
        };
        let set = self.identifiers.iter_mut().find(is_waiting);
        match set.filter(|_| !by_stranger) {
            None => Err(Refusal::new("CODE_LIST_NOT_FOUND")),
            Some(set) => {
                set.state = State::Enabled;
                if let Some(paper) = set.paper_mut() {
                    paper.finish();
                }
                Ok(Said::written(Answer::Done))
            }
        }
    }
}

impl Waiting {
    fn new(list: String, told: Told, held: Option<usize>, now: Millis) -> Self {
        let codes = match told {
            Told::Codes(codes) => codes,
            Told::App(_) | Told::Nothing => Vec::new(),
        };
        Self {
            list,
            codes,
            until: now + LIST_LIFE,
            held,
        }
    }

    fn shown(&self, id: &str) -> Answer {
        Answer::Listed {
            list: self.list.clone(),
            id: id.to_owned(),
            until: self.until,
            has_codes: true,
        }
    }
}
