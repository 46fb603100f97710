//! What was spent of a row within the last day.

use std::time::Duration;

use countersign_primitives::Timestamp;
use minicbor::{
    CborLen, Decode, Decoder, Encode, Encoder, decode,
    encode::{self, Write},
};

mod packed;

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Up to so many entries are kept as they were. Only then those near each other are put together,
/// and what is left are at most 37: 13 cells of five minutes touch the last hour, and 24 of an hour
/// the 23 before it.
const MAX_EXACT: usize = 40;

/// What of the last hour is put together is of one cell of this length, in milliseconds.
const SHORT_CELL: i64 = 5 * 60 * 1000;

/// What is older is put together within cells of this length.
const LONG_CELL: i64 = 60 * 60 * 1000;

/// What was spent of one row within the last day.
///
/// While there are few entries each has its own instant, and counting is exact. Of many, those of
/// one cell are put together under the instant of the latest: nothing is forgotten too early, and
/// what is remembered too long is so for less than five minutes in an hour, or an hour in a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// From old to new.
    entries: Vec<Entry>,
}

/// Messages of one instant, or of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: Timestamp,
    messages: u32,
    cost: u64,
}

/// What may be spent of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) hour: u64,
    pub(crate) day: u64,
    pub(crate) money: Option<u64>,
}

/// Which part of a share is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Hour,
    Day,
    Money,
}

impl Window {
    /// Whether one more message of this cost keeps within the share: in no hour and in no day, from
    /// any instant on, is more spent.
    ///
    /// # Errors
    /// Which part holds it up the longest, and the first instant at which it would pass.
    pub(crate) fn room(
        &self,
        share: &Share,
        cost: u64,
        now: Timestamp,
    ) -> Result<(), (Part, Timestamp)> {
        let messages = |entry: &Entry| u64::from(entry.messages);
        let hour = self.ready(HOUR, share.hour, 1, messages, now);
        let day = self.ready(DAY, share.day, 1, messages, now);
        let money = share
            .money
            .and_then(|money| self.ready(DAY, money, cost, |entry| entry.cost, now));
        let mut latest: Option<(Part, Timestamp)> = None;
        for (part, ready) in [(Part::Hour, hour), (Part::Day, day), (Part::Money, money)] {
            if let Some(ready) = ready
                && latest.is_none_or(|(_, others)| others < ready)
            {
                latest = Some((part, ready));
            }
        }
        latest.map_or(Ok(()), Err)
    }

    /// The first instant at which so much more can be spent, where it cannot be now. What can never
    /// be is to be looked at again after a whole window.
    fn ready(
        &self,
        window: Duration,
        limit: u64,
        amount: u64,
        spent: impl Fn(&Entry) -> u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let Some(room) = limit.checked_sub(amount) else {
            return Some(now.plus(window));
        };
        let mut sum = 0_u64;
        for entry in self.entries.iter().rev() {
            sum = sum.saturating_add(spent(entry));
            if sum > room {
                return Some(entry.at.plus(window)).filter(|ready| now < *ready);
            }
        }
        None
    }

    /// Counts a message. An instant before the latest is taken for the latest: a row's time does
    /// not go back.
    pub(crate) fn spend(&mut self, cost: u64, now: Timestamp) {
        let now = self.time(now);
        self.entries.retain(|entry| entry.at.plus(DAY) > now);
        self.entries.push(Entry {
            at: now,
            messages: 1,
            cost,
        });
        if self.entries.len() > MAX_EXACT {
            self.put_together(now);
        }
    }

    fn time(&self, now: Timestamp) -> Timestamp {
        self.entries.last().map_or(now, |latest| latest.at.max(now))
    }

    fn put_together(&mut self, now: Timestamp) {
        self.entries.dedup_by(|later, kept| {
            let is_old = later.at.plus(HOUR) <= now;
            let cell = if is_old { LONG_CELL } else { SHORT_CELL };
            let of = |at: Timestamp| at.as_millis().div_euclid(cell);
            if of(later.at) != of(kept.at) {
                return false;
            }
            *kept = Entry {
                at: later.at,
                messages: kept.messages.saturating_add(later.messages),
                cost: kept.cost.saturating_add(later.cost),
            };
            true
        });
    }
}

/// The stored form.
#[derive(Encode, Decode, CborLen)]
struct Stored {
    /// See [`packed`].
    #[cbor(n(0), with = "minicbor::bytes")]
    entries: Vec<u8>,
}

impl<C> Encode<C> for Window {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let entries = packed::pack(&self.entries);
        Stored { entries }.encode(e, ctx)
    }
}

impl<C> Decode<'_, C> for Window {
    fn decode(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Self, decode::Error> {
        let stored = Stored::decode(d, ctx)?;
        let entries = packed::unpack(&stored.entries)
            .ok_or_else(|| decode::Error::message("no entries of a budget"))?;
        Ok(Self { entries })
    }
}

impl<C> CborLen<C> for Window {
    fn cbor_len(&self, ctx: &mut C) -> usize {
        let entries = packed::pack(&self.entries);
        Stored { entries }.cbor_len(ctx)
    }
}

#[cfg(test)]
mod tests;
