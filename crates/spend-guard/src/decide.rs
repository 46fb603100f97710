//! Whether a message may be sent.

use std::time::Duration;

use countersign_primitives::{SubjectId, Timestamp};

use crate::{
    Conversion, ConversionKey, ConversionRules, Limit, MoneyRules, Refusal, RowKey, SpendRow,
    SpendRules, Window,
    budget::{Answer, Budget},
    row::{number_scope, prefix_enrolments_scope, prefix_scope, subject_scope},
};

/// A message that somebody wants sent.
#[derive(Clone, Copy, Debug)]
pub struct Send<'a> {
    /// Who asked for it.
    pub subject: &'a SubjectId,
    /// The blind index of the number.
    pub number: &'a [u8; 32],
    /// The first digits of the number.
    pub prefix: &'a str,
    /// The ISO 3166 code of its country.
    pub country: &'a str,
    /// The service that it is sent for.
    pub caller: &'a str,
    /// What it costs, in millionths; 0 where no prices are known.
    pub cost: u64,
    /// Whether the number is being enrolled.
    pub is_enrolment: bool,
}

/// What is decided of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may be sent: the rows as they are then, in the order in which they are locked.
    Reserved(Vec<SpendRow>),
    /// It may not, and nothing is written.
    Refused(Refusal),
    /// It may not, and its prefix is closed from now on, for what the message is for.
    PrefixCloses {
        /// The prefix's row as it is then.
        row: SpendRow,
        /// What the message is refused with.
        refusal: Refusal,
    },
    /// The slots that were looked at are full, and others may not be: all are to be looked at again.
    LookAgain,
}

impl SpendRules {
    /// Every row that the message could be counted in, in the order in which rows are locked.
    pub fn keys(&self, send: &Send<'_>) -> Vec<RowKey> {
        let budgets = self.budgets(send);
        let slots = |budget: &Budget| 0..budget.slots;
        let keys = budgets
            .iter()
            .flat_map(|budget| slots(budget).map(|slot| budget.key(slot)));
        let mut keys: Vec<RowKey> = keys.collect();
        keys.sort_unstable();
        keys
    }

    /// Which messages say how the prefix converts, where a code lives so long: of enrolments only
    /// others, or else whoever begins some for nothing would close it to those who confirm.
    pub fn conversion_key(
        &self,
        prefix: &str,
        is_enrolment: bool,
        code_life: Duration,
        now: Timestamp,
    ) -> ConversionKey {
        let before = |duration: Duration| {
            let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millis(now.as_millis().saturating_sub(millis))
        };
        let row = RowKey::judging(prefix, is_enrolment);
        ConversionKey {
            prefix: row.scope.clone(),
            row,
            since: before(self.conversion.window.saturating_add(code_life)),
            until: before(code_life),
            most: self.conversion.latest,
        }
    }

    /// Decides about a message over the rows that were looked at: `keys` names them, `rows` has those
    /// that there are, in any order; the others were never spent of.
    ///
    /// First with all of [`SpendRules::keys`], unlocked. Where that is to write rows, they are locked
    /// and it is decided again with their keys only. `pick` spreads messages over slots: a random
    /// number.
    pub fn decide(
        &self,
        send: &Send<'_>,
        keys: &[RowKey],
        rows: &[SpendRow],
        conversion: Conversion,
        now: Timestamp,
        pick: u64,
    ) -> Ruling {
        let key = RowKey::judging(send.prefix, send.is_enrolment);
        let row = rows.iter().find(|row| row.key == key);
        let closed_until = row.and_then(|row| row.closed_until);
        let closed_until = closed_until.filter(|until| now < *until);
        if closed_until.is_none() && self.conversion.is_too_low(conversion) {
            return self.close(key, row, now);
        }
        let mut refusal = closed_until.map(|retry_at| Refusal {
            limit: Limit::PrefixClosed,
            retry_at,
        });
        let mut spent = Vec::with_capacity(8);
        let mut is_complete = true;
        let mut pick = pick;
        for budget in self.budgets(send) {
            match budget.answer(keys, rows, send.cost, now, pick) {
                Answer::Spent(row) => spent.push(row),
                Answer::LookAgain => is_complete = false,
                Answer::Refused(other) => {
                    if refusal.is_none_or(|first| first.retry_at < other.retry_at) {
                        refusal = Some(other);
                    }
                }
            }
            if budget.slots > 1 {
                pick = pick.rotate_right(16);
            }
        }
        if let Some(refusal) = refusal {
            return Ruling::Refused(refusal);
        }
        if !is_complete {
            return Ruling::LookAgain;
        }
        spent.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ruling::Reserved(spent)
    }

    fn close(&self, key: RowKey, row: Option<&SpendRow>, now: Timestamp) -> Ruling {
        let retry_at = now.plus(self.conversion.closed_for);
        let row = SpendRow {
            key,
            window: row.map_or_else(Window::default, |row| row.window.clone()),
            closed_until: Some(retry_at),
        };
        let refusal = Refusal {
            limit: Limit::PrefixClosed,
            retry_at,
        };
        Ruling::PrefixCloses { row, refusal }
    }

    /// The budgets that a message is counted in. Of two that refuse until the same instant, the
    /// earlier one is named.
    fn budgets(&self, send: &Send<'_>) -> Vec<Budget> {
        let money = |amount: fn(&MoneyRules) -> u64| {
            self.money.map(|money| (amount(&money), money.dearest))
        };
        let mut budgets = Vec::with_capacity(8);
        budgets.extend([
            Budget::single(
                subject_scope(send.subject),
                self.subject,
                Limit::SubjectHour,
                Limit::SubjectDay,
            ),
            Budget::single(
                number_scope(send.number),
                if send.is_enrolment {
                    self.number.half()
                } else {
                    self.number
                },
                Limit::NumberHour,
                Limit::NumberDay,
            ),
            Budget::single(
                prefix_scope(send.prefix),
                self.prefix,
                Limit::PrefixHour,
                Limit::PrefixDay,
            ),
            Budget::slotted(
                format!("country/{}", send.country),
                self.country,
                Limit::CountryHour,
                Limit::CountryDay,
            ),
            Budget::slotted(
                format!("caller/{}", send.caller),
                self.caller,
                Limit::CallerHour,
                Limit::CallerDay,
            ),
        ]);
        if send.is_enrolment {
            budgets.push(Budget::single(
                prefix_enrolments_scope(send.prefix),
                self.prefix.half(),
                Limit::PrefixHour,
                Limit::PrefixDay,
            ));
            budgets.push(
                Budget::slotted(
                    "enrolments".to_owned(),
                    self.enrolments,
                    Limit::EnrolmentsHour,
                    Limit::EnrolmentsDay,
                )
                .with_money(
                    money(|money| money.enrolments_per_day),
                    Limit::EnrolmentsMoneyDay,
                ),
            );
        }
        budgets.push(
            Budget::slotted(
                "total".to_owned(),
                self.total,
                Limit::TotalHour,
                Limit::TotalDay,
            )
            .with_money(money(|money| money.per_day), Limit::MoneyDay),
        );
        budgets
    }
}

impl ConversionRules {
    fn is_too_low(&self, conversion: Conversion) -> bool {
        let Conversion { sent, confirmed } = conversion;
        let floor = u128::from(self.floor_percent) * u128::from(sent);
        sent >= u64::from(self.enough) && u128::from(confirmed) * 100 < floor
    }
}

#[cfg(test)]
mod tests;
