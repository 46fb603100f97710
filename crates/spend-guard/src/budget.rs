//! One budget: its slots, its limits, and whether it has room.

use countersign_primitives::Timestamp;

use crate::{
    Limit, MAX_SLOTS, Rates, Refusal, RowKey, SpendRow, Window, slots,
    window::{Part, Share},
};

/// What one budget says.
pub(crate) enum Answer {
    /// The row as it is with the message.
    Spent(SpendRow),
    /// No slot has room.
    Refused(Refusal),
    /// None of those that were looked at has.
    LookAgain,
}

/// A budget, its slots together.
pub(crate) struct Budget {
    scope: String,
    pub(crate) slots: u32,
    rates: Rates,
    money: Option<u64>,
    hour: Limit,
    day: Limit,
    money_day: Limit,
}

impl Budget {
    /// A budget in one row.
    pub(crate) fn single(scope: String, rates: Rates, hour: Limit, day: Limit) -> Self {
        Self {
            scope,
            slots: 1,
            rates,
            money: None,
            hour,
            day,
            money_day: Limit::MoneyDay,
        }
    }

    /// A budget that many spend of at once.
    pub(crate) fn slotted(scope: String, rates: Rates, hour: Limit, day: Limit) -> Self {
        Self {
            slots: slots::for_messages(rates.hour),
            ..Self::single(scope, rates, hour, day)
        }
    }

    /// The budget with so much money in a day too, where one message may cost so much.
    pub(crate) fn with_money(self, money: Option<(u64, u64)>, money_day: Limit) -> Self {
        let Some((amount, dearest)) = money else {
            return self;
        };
        Self {
            slots: self.slots.min(slots::for_money(amount, dearest)),
            money: Some(amount),
            money_day,
            ..self
        }
    }

    pub(crate) fn key(&self, slot: u32) -> RowKey {
        RowKey {
            scope: self.scope.clone(),
            slot,
        }
    }

    fn share(&self, slot: u32) -> Share {
        let of = |limit| slots::share(limit, self.slots, slot);
        Share {
            hour: of(self.rates.hour.into()),
            day: of(self.rates.day.into()),
            money: self.money.map(of),
        }
    }

    fn limit(&self, part: Part) -> Limit {
        match part {
            Part::Hour => self.hour,
            Part::Day => self.day,
            Part::Money => self.money_day,
        }
    }

    /// Spends of one of the slots that were looked at and have room.
    pub(crate) fn answer(
        &self,
        keys: &[RowKey],
        rows: &[SpendRow],
        cost: u64,
        now: Timestamp,
        pick: u64,
    ) -> Answer {
        let mut found: [Option<&SpendRow>; MAX_SLOTS as usize] = [None; MAX_SLOTS as usize];
        for row in rows.iter().filter(|row| row.key.scope == self.scope) {
            if let Some(place) = found.get_mut(row.key.slot as usize) {
                *place = Some(row);
            }
        }
        let mut is_seen = [false; MAX_SLOTS as usize];
        for key in keys.iter().filter(|key| key.scope == self.scope) {
            if let Some(seen) = is_seen.get_mut(key.slot as usize) {
                *seen = true;
            }
        }
        let empty = Window::default();
        let mut free = Vec::with_capacity(MAX_SLOTS as usize);
        let mut refusal: Option<Refusal> = None;
        let mut is_all = true;
        for (slot, (row, is_seen)) in (0..self.slots).zip(found.into_iter().zip(is_seen)) {
            if !is_seen {
                is_all = false;
                continue;
            }
            let window = row.map_or(&empty, |row| &row.window);
            match window.room(&self.share(slot), cost, now) {
                Ok(()) => free.push((slot, row)),
                Err((part, retry_at)) => {
                    if refusal.is_none_or(|first| retry_at < first.retry_at) {
                        let limit = self.limit(part);
                        refusal = Some(Refusal { limit, retry_at });
                    }
                }
            }
        }
        let picked = (pick % free.len().max(1) as u64) as usize;
        if let Some((slot, row)) = free.get(picked).copied() {
            let mut row = row.cloned().unwrap_or_else(|| SpendRow {
                key: self.key(slot),
                window: empty,
                closed_until: None,
            });
            row.window.spend(cost, now);
            return Answer::Spent(row);
        }
        match refusal {
            Some(refusal) if is_all => Answer::Refused(refusal),
            _ => Answer::LookAgain,
        }
    }
}
