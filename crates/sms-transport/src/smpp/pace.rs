//! How fast messages are given to a carrier: less after it asked for less, then slowly more again.

use std::time::Duration;

use tokio::time::Instant;

/// The slowest pace, messages a second.
const SLOWEST: f64 = 1.0;
/// At this pace, where the operator set none, there is no need of one any more.
const FREE: f64 = 1000.0;
/// How long nothing is sent after the carrier asked for less; what it says meanwhile is about what
/// it was given before.
const BREAK: Duration = Duration::from_secs(1);

/// What each message that the carrier takes adds to the pace, messages a second: from one half to the
/// whole takes 17 s, whatever the carrier's pace is.
const STEP: f64 = 0.04;

/// The pace of one provider. It is halved by an answer that asks for less, and then grows slowly.
#[derive(Debug)]
pub(super) struct Pace {
    ceiling: Option<f64>,
    /// Messages a second; without a pace none waits.
    rate: Option<f64>,
    next: Instant,
    deaf_until: Instant,
    counting_since: Instant,
    /// How many were given since then, and in the second before.
    counted: f64,
    counted_before: f64,
}

impl Pace {
    /// A pace of at most so many messages a second, or of none.
    pub(super) fn new(ceiling: Option<u32>, now: Instant) -> Self {
        let ceiling = ceiling.map(f64::from);
        Self {
            ceiling,
            rate: ceiling,
            next: now,
            deaf_until: now,
            counting_since: now,
            counted: 0.0,
            counted_before: 0.0,
        }
    }

    /// The instant at which the next message may be given, which is then taken; none where that is
    /// further away than the caller would wait.
    pub(super) fn turn(&mut self, now: Instant, most: Duration) -> Option<Instant> {
        let at = self.next.max(now);
        if at - now > most {
            return None;
        }
        if now - self.counting_since >= BREAK {
            self.counted_before = self.counted;
            (self.counting_since, self.counted) = (now, 0.0);
        }
        self.counted += 1.0;
        self.next = match self.rate {
            None => at,
            Some(rate) => at + Duration::from_secs_f64(1.0 / rate),
        };
        Some(at)
    }

    /// The carrier took a message.
    pub(super) fn accepted(&mut self) {
        let Some(rate) = self.rate else { return };
        let rate = rate + STEP;
        self.rate = match self.ceiling {
            Some(ceiling) => Some(rate.min(ceiling)),
            None => Some(rate).filter(|rate| *rate < FREE),
        };
    }

    /// The carrier asked for less.
    pub(super) fn throttled(&mut self, now: Instant) {
        if now < self.deaf_until {
            return;
        }
        let rate = self.rate.unwrap_or(self.counted.max(self.counted_before));
        self.rate = Some((rate / 2.0).max(SLOWEST));
        self.deaf_until = now + BREAK;
        self.next = self.next.max(self.deaf_until);
    }
}

#[cfg(test)]
mod tests;
