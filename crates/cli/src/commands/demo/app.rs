//! The authenticator app: played by the demo, or in a person's hand.

use std::time::Duration;

use anyhow::{Context, Result};
use countersign_primitives::{Clock, ExposeSecret, SecretBytes, SystemClock, Timestamp};
use countersign_totp::{Algorithm, Authenticator, Digits, Step};

use super::terminal::Terminal;

/// Whose app it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The demo's own.
    Demo,
    /// Somebody's, who types.
    Person,
}

/// An app that was told a secret.
pub(super) struct App {
    who: Who,
    authenticator: Authenticator,
    last_step: Option<Step>,
    last_code: String,
}

/// How far from the edge of a step the demo keeps, so that a code does not grow old on its way, and
/// a server whose clock is a little behind takes it too.
const MARGIN: Duration = Duration::from_secs(2);
/// How long a step is.
const PERIOD: Duration = Duration::from_secs(30);

impl App {
    /// The app that was told this secret, in base32.
    pub(super) fn new(who: Who, secret: &str) -> Result<Self> {
        let seed = data_encoding::BASE32_NOPAD
            .decode(secret.as_bytes())
            .context("the secret is not in base32")?;
        let seed = SecretBytes::new(seed);
        Ok(Self {
            who,
            authenticator: Authenticator::new(Algorithm::Sha1, Digits::Six, seed),
            last_step: None,
            last_code: String::new(),
        })
    }

    /// Whether a person may mistype.
    pub(super) fn is_typed(&self) -> bool {
        self.who == Who::Person
    }

    /// A code that was not used yet; waits for one where it must.
    pub(super) async fn fresh_code(&mut self, terminal: &Terminal) -> Result<String> {
        let code = match self.who {
            Who::Demo => self.computed(terminal).await,
            Who::Person => self.typed(terminal).await?,
        };
        self.last_code.clone_from(&code);
        Ok(code)
    }

    /// The code that was given last.
    pub(super) fn used_code(&self) -> &str {
        &self.last_code
    }

    /// A code that is none of those that the platform might take now.
    pub(super) fn wrong_code(&self) -> String {
        let now = SystemClock.now();
        let near: Vec<String> = (-4..=4)
            .map(|steps| Timestamp::from_millis(now.as_millis() + steps * 30_000))
            .map(|instant| self.shown(Step::at(instant)))
            .collect();
        (0..)
            .map(|number| format!("{number:06}"))
            .find(|code| !near.contains(code))
            .unwrap_or_default()
    }

    /// The earliest code that can still be used, one half minute ahead at most.
    async fn computed(&mut self, terminal: &Terminal) -> String {
        loop {
            let now = SystemClock.now();
            let (step, wait) = plan(now, self.last_step);
            if wait.is_zero() {
                self.last_step = Some(step);
                return self.shown(step);
            }
            let seconds = wait.as_millis().div_ceil(1000);
            terminal.note(&format!(
                "… waits {seconds} s for the authenticator's next code"
            ));
            tokio::time::sleep(wait).await;
        }
    }

    async fn typed(&self, terminal: &Terminal) -> Result<String> {
        if !self.last_code.is_empty() {
            let left = seconds_left(SystemClock.now());
            terminal.note(&format!(
                "a code counts once: wait for the next one; the present one changes in {left} s"
            ));
        }
        loop {
            let typed = terminal.ask("the code that your app shows").await?;
            let code: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
            let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
            if !is_code {
                terminal.note("a code has six digits");
            } else if code == self.last_code {
                let left = seconds_left(SystemClock.now());
                terminal.note(&format!("that one is used; the next one comes in {left} s"));
            } else {
                return Ok(code);
            }
        }
    }

    fn shown(&self, step: Step) -> String {
        self.authenticator.code(step).expose_secret().to_owned()
    }
}

/// Which step's code to use after `last`, and how long to wait for it. The platform takes the step
/// before the present one and the one after it too (RFC 6238 §5.2), in rising order.
fn plan(now: Timestamp, last: Option<Step>) -> (Step, Duration) {
    let present = Step::at(now);
    let before = Step::at(Timestamp::from_millis(now.as_millis() - 30_000));
    let begun = present.begins().until(now);
    let is_ending = begun + MARGIN > PERIOD;
    let earliest = if is_ending { present } else { before };
    let step = last.map_or(earliest, |last| last.next().max(earliest));
    if step <= present {
        return (step, Duration::ZERO);
    }
    // The code after the present one, or one after that: taken from the step before it on.
    let mut opens = present;
    while opens.next() < step {
        opens = opens.next();
    }
    let opens = opens.begins().plus(MARGIN);
    (step, now.until(opens))
}

fn seconds_left(now: Timestamp) -> u64 {
    now.until(Step::at(now).next().begins())
        .as_millis()
        .div_ceil(1000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn three_codes_can_be_had_within_one_step() {
        let now = at(30_010);
        let (first, wait) = plan(now, None);
        assert_eq!((first, wait), (Step::at(at(29_980)), Duration::ZERO));
        let (second, wait) = plan(now, Some(first));
        assert_eq!((second, wait), (Step::at(now), Duration::ZERO));
        let (third, wait) = plan(now, Some(second));
        assert_eq!((third, wait), (Step::at(at(30_040)), Duration::ZERO));
        let (fourth, wait) = plan(now, Some(third));
        assert_eq!(fourth, Step::at(at(30_070)));
        assert_eq!(wait, Duration::from_secs(20) + MARGIN);
    }

    #[test]
    fn the_edges_of_a_step_are_kept_away_from() {
        // The step before the present one is about to grow too old.
        let (step, wait) = plan(at(30_029), None);
        assert_eq!((step, wait), (Step::at(at(30_000)), Duration::ZERO));
        // The step after the present one may not be taken yet by a clock that is behind.
        let (step, wait) = plan(at(30_000), Some(Step::at(at(30_000))));
        assert_eq!((step, wait), (Step::at(at(30_030)), MARGIN));
    }

    #[test]
    fn a_wrong_code_is_no_code_of_now() {
        let app = App::new(Who::Demo, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        let wrong = app.wrong_code();
        assert_eq!(wrong.len(), 6);
        assert_ne!(wrong, app.shown(Step::at(SystemClock.now())));
    }
}
