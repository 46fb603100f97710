//! The limits by name, and what a refusal says.

use countersign_primitives::Timestamp;

/// A limit that can refuse a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Messages to one subject in an hour.
    SubjectHour,
    /// Messages to one subject in a day.
    SubjectDay,
    /// Messages to one number in an hour, whoever uses it.
    NumberHour,
    /// Messages to one number in a day, whoever uses it.
    NumberDay,
    /// The prefix is closed, for confirmations or for enrolments: hardly a code sent to it for these was
    /// accepted.
    PrefixClosed,
    /// Messages to one prefix in an hour; enrolments may use up half.
    PrefixHour,
    /// Messages to one prefix in a day; enrolments may use up half.
    PrefixDay,
    /// Messages to one country in an hour.
    CountryHour,
    /// Messages to one country in a day.
    CountryDay,
    /// Messages for one caller in an hour.
    CallerHour,
    /// Messages for one caller in a day.
    CallerDay,
    /// Messages to numbers that are being enrolled in an hour.
    EnrolmentsHour,
    /// Messages to numbers that are being enrolled in a day.
    EnrolmentsDay,
    /// What messages to numbers that are being enrolled may cost in a day.
    EnrolmentsMoneyDay,
    /// All messages in an hour.
    TotalHour,
    /// All messages in a day.
    TotalDay,
    /// What all messages may cost in a day.
    MoneyDay,
}

impl Limit {
    /// Every limit there is.
    pub const ALL: [Self; 17] = [
        Self::SubjectHour,
        Self::SubjectDay,
        Self::NumberHour,
        Self::NumberDay,
        Self::PrefixClosed,
        Self::PrefixHour,
        Self::PrefixDay,
        Self::CountryHour,
        Self::CountryDay,
        Self::CallerHour,
        Self::CallerDay,
        Self::EnrolmentsHour,
        Self::EnrolmentsDay,
        Self::EnrolmentsMoneyDay,
        Self::TotalHour,
        Self::TotalDay,
        Self::MoneyDay,
    ];

    /// The limit's name in answers, metrics and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SubjectHour => "subject-hour",
            Self::SubjectDay => "subject-day",
            Self::NumberHour => "number-hour",
            Self::NumberDay => "number-day",
            Self::PrefixClosed => "prefix-closed",
            Self::PrefixHour => "prefix-hour",
            Self::PrefixDay => "prefix-day",
            Self::CountryHour => "country-hour",
            Self::CountryDay => "country-day",
            Self::CallerHour => "caller-hour",
            Self::CallerDay => "caller-day",
            Self::EnrolmentsHour => "enrolments-hour",
            Self::EnrolmentsDay => "enrolments-day",
            Self::EnrolmentsMoneyDay => "enrolments-money-day",
            Self::TotalHour => "total-hour",
            Self::TotalDay => "total-day",
            Self::MoneyDay => "money-day",
        }
    }

    /// Whether it is the subject's own share that is used up. Every other limit is one that others
    /// spend of too.
    pub const fn is_own(self) -> bool {
        matches!(self, Self::SubjectHour | Self::SubjectDay)
    }
}

/// Why a message is not to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit; of several, the one that refuses the longest.
    pub limit: Limit,
    /// The first instant at which the same message would pass, were nothing else spent until then.
    pub retry_at: Timestamp,
}
