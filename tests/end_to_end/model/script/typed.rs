//! What is typed.

use countersign_testkit::{App, NO_CODE, Timestamp};

use super::{
    super::{
        command::Typed,
        player::Player,
        reference::{Means, Paper, code_of},
        request::{Millis, Who},
        throttle::STEP,
    },
    PINS,
};

impl Player<'_> {
    /// What is typed. A player who has neither app nor paper types what is wrong for sure, or a
    /// code that was seen and is burned.
    pub(super) fn typed(&self, who: &Who, how: Typed) -> String {
        let id = match who {
            Who::Pin => return self.typed_pin(how),
            Who::Identifier(id) => id,
        };
        let Some(found) = self.model.identifier(id) else {
            return "000000".to_owned();
        };
        let is_foreign = self.foreign.contains(id);
        let how = match how {
            Typed::Malformed | Typed::Wrong | Typed::Burned => how,
            _ if is_foreign => Typed::Wrong,
            how => how,
        };
        let now = self.world.now();
        match &found.means {
            Means::App { app, last_step } => typed_code(app, *last_step, how, now),
            Means::Codes(paper) => typed_backup_code(paper, how, now),
        }
    }

    fn typed_pin(&self, how: Typed) -> String {
        let right = self
            .model
            .pin
            .as_ref()
            .map_or(PINS[0], |pin| pin.digits.as_str());
        let other = PINS
            .into_iter()
            .find(|pin| *pin != right)
            .unwrap_or_default();
        match how {
            Typed::Wrong | Typed::Burned | Typed::Last => other.to_owned(),
            Typed::Malformed => format!("{}x", &right[1..]),
            Typed::Spaced => format!("{} {}", &right[..3], &right[3..]),
            Typed::Right | Typed::Earlier | Typed::Present | Typed::Next => right.to_owned(),
        }
    }
}

fn typed_code(app: &App, last_step: Option<i64>, how: Typed, now: Millis) -> String {
    let step = now / STEP;
    let first_unused = (step - 1)
        .max(last_step.map_or(0, |last| last + 1))
        .min(step + 1);
    let code = |step| code_of(app, step);
    match how {
        Typed::Right => code(first_unused),
        Typed::Spaced => {
            let code = code(first_unused);
            format!(" {} {}-", &code[..3], &code[3..])
        }
        Typed::Wrong => app.wrong_code(Timestamp::from_millis(now)),
        Typed::Malformed => format!("{}x", &code(first_unused)[1..]),
        Typed::Burned => code(last_step.unwrap_or(step - 2)),
        Typed::Earlier => code(step - 1),
        Typed::Present => code(step),
        Typed::Next => code(step + 1),
        Typed::Last => code(step + 2),
    }
}

fn typed_backup_code(paper: &Paper, how: Typed, now: Millis) -> String {
    let at = |place: usize| paper.codes.get(place);
    let waiting = paper.waiting(now).and_then(|list| list.codes.first());
    let held = paper.held(now).and_then(at);
    let fresh = paper.fresh(now).next().and_then(at);
    let right = fresh.or(held).or(waiting);
    let void = paper.void.first();
    let burned = paper.used.last().copied().and_then(at);
    let typed = match how {
        Typed::Right | Typed::Malformed | Typed::Spaced => right,
        Typed::Wrong => None,
        Typed::Burned => burned,
        Typed::Earlier => void,
        Typed::Present => held.or(right),
        Typed::Next => waiting.or(right),
        Typed::Last => paper.fresh(now).last().and_then(at).or(right),
    };
    let typed = typed.map_or(NO_CODE, String::as_str);
    match how {
        Typed::Malformed => typed[1..].to_owned(),
        Typed::Spaced => respelled(typed),
        _ => typed.to_owned(),
    }
}

/// As a person may type it, who reads letters for digits.
fn respelled(code: &str) -> String {
    let letters = code.replace('0', "O").replacen('1', "l", 1);
    format!(
        " {} ",
        letters.to_lowercase().replace('1', "I").replace('-', " ")
    )
}
