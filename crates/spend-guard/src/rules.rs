//! How much may be sent: the limits, all of them settings, and why they are what they are.

use std::time::Duration;

use thiserror::Error;

/// How many messages, in any hour and in any day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// In any 60 minutes, whenever they begin.
    pub hour: u32,
    /// In any 24 hours, whenever they begin.
    pub day: u32,
}

impl Rates {
    /// Half of it, and one at least.
    pub(crate) const fn half(self) -> Self {
        Self {
            hour: self.hour.div_ceil(2),
            day: self.day.div_ceil(2),
        }
    }
}

/// What may be sent.
///
/// The defaults are for a broker of some 50,000 clients, a fifth of whom confirm something by SMS
/// on a day: 10,000 messages, 1,500 of them in the busiest hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRules {
    /// To one subject. 10 and 20: two or three confirmations in a row with every resend they allow
    /// (four sends each), and twice that in a day.
    pub subject: Rates,
    /// To one number, whoever uses it. 8 and 20: what floods a phone is not its subjects' choice, so
    /// three subjects who share it do not have three shares.
    pub number: Rates,
    /// To one prefix. 300 and 2,000, a tenth of the total: the prefix of a large operator carries a
    /// twentieth of a country's phones, and one that is attacked leaves nine tenths to the others.
    /// Enrolments, which anyone can begin, may use up half of it.
    pub prefix: Rates,
    /// To one country. 2,400 and 16,000, four fifths of the total: most brokers have one country,
    /// and the rest still have something when all of it goes there.
    pub country: Rates,
    /// For one caller. 2,400 and 16,000, four fifths of the total: a caller in a loop does not stop
    /// the others.
    pub caller: Rates,
    /// To numbers that are being enrolled, all together. 300 and 1,500: this is what pumping is done
    /// with, since it takes fresh numbers; honest enrolments are a few hundred a day. What is left
    /// of the total, nine tenths, only confirmations compete for.
    pub enrolments: Rates,
    /// All messages. 3,000 and 20,000: twice the busiest hour and twice a day.
    pub total: Rates,
    /// What messages may cost, where prices are known. None by default.
    pub money: Option<MoneyRules>,
    /// When a prefix is closed.
    pub conversion: ConversionRules,
}

/// What messages may cost in any 24 hours, in millionths of the currency of the prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoneyRules {
    /// All messages together.
    pub per_day: u64,
    /// Of that, messages to numbers that are being enrolled: less than all of it, so that dear
    /// numbers which nobody has confirmed yet cannot use up what confirmations need.
    pub enrolments_per_day: u64,
    /// What one message may cost at most.
    pub dearest: u64,
}

/// When a prefix is closed: too few of the codes that were sent to it were accepted. Confirmations
/// and enrolments are judged apart, and closed apart: numbers that nobody confirmed yet, which an
/// attacker is free to name, do not take the messages of those who confirmed theirs.
///
/// Only messages older than a code's life are judged, so that each had all its time: a burst of
/// honest first users, none of whom has typed anything yet, is not judged at all. And judging starts
/// with `enough` of them only, since a few that fail are chance. Where `enough` first users of a
/// prefix in a row do fail, honest or not (say, because its carrier delivers nothing), it is closed
/// like any other: they are offered their other identifiers, and it is tried again after
/// `closed_for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRules {
    /// How far back is looked. A day: those who pump slowly are seen too.
    pub window: Duration,
    /// How many messages of these at most, the latest. 100: on a prefix of honest users an attack is
    /// seen as soon as it is most of them, and not diluted by a whole good day.
    pub latest: u32,
    /// With how many judging starts. 30: of honest messages, resends included, over half convert;
    /// that fewer than six in thirty do by chance happens once in thousands of times. An attack on a
    /// fresh prefix is given these, and what comes within a code's life after them.
    pub enough: u32,
    /// Below how many accepted codes in a hundred it closes. 20: pumping converts next to nothing,
    /// and honest users of a carrier so slow that each asks four times still convert 25.
    pub floor_percent: u32,
    /// For how long. An hour: then `enough` messages are risked again.
    pub closed_for: Duration,
}

impl Default for SpendRules {
    fn default() -> Self {
        let rates = |hour, day| Rates { hour, day };
        Self {
            subject: rates(10, 20),
            number: rates(8, 20),
            prefix: rates(300, 2_000),
            country: rates(2_400, 16_000),
            caller: rates(2_400, 16_000),
            enrolments: rates(300, 1_500),
            total: rates(3_000, 20_000),
            money: None,
            conversion: ConversionRules::default(),
        }
    }
}

impl Default for ConversionRules {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(24 * 60 * 60),
            latest: 100,
            enough: 30,
            floor_percent: 20,
            closed_for: Duration::from_secs(60 * 60),
        }
    }
}

/// A limit that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} {rule}")]
pub struct RulesError {
    /// Which, such as `subject.hour`.
    pub field: String,
    /// What would be right.
    pub rule: String,
}

fn require(is_kept: bool, field: &str, rule: impl Into<String>) -> Result<(), RulesError> {
    if is_kept {
        return Ok(());
    }
    Err(RulesError {
        field: field.to_owned(),
        rule: rule.into(),
    })
}

impl SpendRules {
    /// Whether the limits make sense.
    ///
    /// # Errors
    /// The first that makes none, and what would be right.
    pub fn check(&self) -> Result<(), RulesError> {
        let rates = [
            ("subject", self.subject),
            ("number", self.number),
            ("prefix", self.prefix),
            ("country", self.country),
            ("caller", self.caller),
            ("enrolments", self.enrolments),
            ("total", self.total),
        ];
        for (name, Rates { hour, day }) in rates {
            require(hour > 0, &format!("{name}.hour"), "must be at least 1")?;
            require(
                day >= hour,
                &format!("{name}.day"),
                format!("must be at least {name}.hour, which is {hour}"),
            )?;
        }
        let (enrolments, total) = (self.enrolments, self.total);
        let parts = [
            ("hour", enrolments.hour, total.hour),
            ("day", enrolments.day, total.day),
        ];
        for (window, part, whole) in parts {
            require(
                part < whole,
                &format!("enrolments.{window}"),
                format!(
                    "must be below total.{window}, which is {whole}: the rest is for confirmations"
                ),
            )?;
        }
        self.money.map_or(Ok(()), |money| money.check())?;
        self.conversion.check()
    }
}

impl MoneyRules {
    fn check(&self) -> Result<(), RulesError> {
        let (all, part, dearest) = (self.per_day, self.enrolments_per_day, self.dearest);
        require(dearest > 0, "money.dearest", "must be more than 0")?;
        require(
            part >= dearest,
            "money.enrolments_per_day",
            format!("must pay for one message, which may cost {dearest} millionths"),
        )?;
        require(
            part < all,
            "money.enrolments_per_day",
            format!("must be below money.per_day, which is {all} millionths"),
        )
    }
}

impl ConversionRules {
    fn check(&self) -> Result<(), RulesError> {
        let Self {
            window,
            latest,
            enough,
            floor_percent,
            closed_for,
        } = *self;
        require(
            !window.is_zero(),
            "conversion.window",
            "must be longer than 0",
        )?;
        require(enough > 0, "conversion.enough", "must be at least 1")?;
        require(
            latest >= enough,
            "conversion.latest",
            format!("must be at least conversion.enough, which is {enough}"),
        )?;
        require(
            (1..=100).contains(&floor_percent),
            "conversion.floor_percent",
            "must be 1 to 100",
        )?;
        require(
            !closed_for.is_zero(),
            "conversion.closed_for",
            "must be longer than 0",
        )
    }
}

#[cfg(test)]
mod tests;
