//! Delivery receipts.

use super::{pdu::Delivery, settings::MessageIds};

/// `esm_class`: which bits say what kind of message it is, and which of them a receipt has.
const KIND: u8 = 0b0011_1100;
const RECEIPT: u8 = 0b0000_0100;

/// What a receipt says about a message, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// What the carrier calls it, as its answer did.
    pub(super) id: String,
    /// What became of it.
    pub(super) fate: Fate,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrived.
    Delivered,
    /// It will not arrive.
    Failed,
    /// That is still open.
    Open,
}

impl Receipt {
    /// The receipt that a message to us is; none where it is something else.
    pub(super) fn read(delivery: &Delivery, ids: MessageIds) -> Option<Self> {
        let is_receipt = delivery.esm_class & KIND == RECEIPT;
        if !is_receipt && delivery.receipted_message_id.is_none() {
            return None;
        }
        let text = String::from_utf8_lossy(&delivery.text);
        let id = delivery.receipted_message_id.as_deref();
        let id = id.or_else(|| field(&text, "id:"))?;
        let fate = match delivery.message_state {
            Some(state) => fate_of_state(state),
            None => fate_of_word(field(&text, "stat:")?),
        };
        Some(Self {
            id: ids.of_receipt(id),
            fate,
        })
    }
}

/// SMPP 3.4, 5.2.28.
const fn fate_of_state(state: u8) -> Fate {
    match state {
        2 => Fate::Delivered,
        // expired, deleted, undeliverable, rejected
        3 | 4 | 5 | 8 => Fate::Failed,
        _ => Fate::Open,
    }
}

/// SMPP 3.4, appendix B. Carriers shorten and lengthen the words, but never before the sixth letter.
fn fate_of_word(word: &str) -> Fate {
    let word = word.to_ascii_uppercase();
    let begins = |beginning: &str| word.starts_with(beginning);
    if begins("DELIV") {
        Fate::Delivered
    } else if ["EXPIR", "DELET", "UNDEL", "REJEC"].into_iter().any(begins) {
        Fate::Failed
    } else {
        Fate::Open
    }
}

/// The word after `name`. What follows `text:` is the message's and is not looked at.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut words = text.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if starts_with(word, "text:") {
            return None;
        }
        if starts_with(word, name) {
            let value = &word[name.len()..];
            return if value.is_empty() {
                words.next()
            } else {
                Some(value)
            };
        }
    }
    None
}

fn starts_with(word: &str, name: &str) -> bool {
    let beginning = word.as_bytes().get(..name.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(name.as_bytes()))
}

impl MessageIds {
    /// What a message is called that the carrier's answer calls so.
    pub(super) fn of_answer(self, id: &str) -> String {
        match self {
            Self::Same => id.to_owned(),
            Self::HexThenDecimal => decimal(id, 16),
            Self::DecimalThenHex => decimal(id, 10),
        }
    }

    /// What a message is called that a receipt calls so.
    fn of_receipt(self, id: &str) -> String {
        match self {
            Self::Same => id.to_owned(),
            Self::HexThenDecimal => decimal(id, 10),
            Self::DecimalThenHex => decimal(id, 16),
        }
    }
}

/// The number in decimal, without zeros before it; the text itself where it is no such number.
fn decimal(id: &str, radix: u32) -> String {
    u128::from_str_radix(id, radix).map_or_else(|_| id.to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests;
