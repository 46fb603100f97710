//! One text: what it is made of, and how long it can be.

use countersign_primitives::{ExposeSecret, SecretString};

use crate::{
    clean::{self, Tail},
    error::Fault,
    language::{Language, Message, Piece},
    segments::{Coding, segments},
    template::{MessageKind, Parameter, Template},
    word,
};

/// The most parts that a text may take.
pub const MAX_PARTS: u32 = 3;

/// The longest amount that the API takes: units of 64 bits, and nine decimals.
pub(crate) const LONGEST_AMOUNT: &str = "9223372036854775807.999999999";
/// The longest currency that the API takes.
pub(crate) const LONGEST_CURRENCY: &str = "WWWWWWWWWWWW";
/// A code; all are of this length.
pub(crate) const ANY_CODE: &str = "000000";

/// A text that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text, code included.
    pub text: SecretString,
    /// How it is coded.
    pub coding: Coding,
    /// How many parts it takes.
    pub parts: u32,
}

/// What all texts have in common.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// What people call the service.
    pub(crate) brand: String,
    /// The website whose browsers fill the code in.
    pub(crate) domain: Option<String>,
}

impl Frame {
    /// Fills a message in. A person's word stands first, and the line for browsers last.
    pub(crate) fn fill(&self, message: &Message, shown: &Shown, code: &SecretString) -> Text {
        let code = code.expose_secret();
        // The one character for three dots is worth it only where the text is not GSM anyway.
        let dotted = self.pieces(message, shown, "...", code);
        let coding = Coding::of(dotted.iter().copied());
        let pieces = match coding {
            Coding::Gsm7 => dotted,
            Coding::Ucs2 => self.pieces(message, shown, "…", code),
        };
        // Of exactly its length, so that no copy of the code is left behind when it grows.
        let mut text = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        pieces.into_iter().for_each(|piece| text.push_str(piece));
        let parts = segments(&text).parts.len();
        Text {
            text: text.into(),
            coding,
            parts: u32::try_from(parts).unwrap_or(u32::MAX),
        }
    }

    /// What a text is made of, in its order.
    fn pieces<'a>(
        &'a self,
        message: &'a Message,
        shown: &'a Shown,
        dots: &'static str,
        code: &'a str,
    ) -> Vec<&'a str> {
        let mut pieces = Vec::new();
        if let Some(word) = &shown.word {
            pieces.extend(["[", word, "] "]);
        }
        for piece in message.pieces() {
            match piece {
                Piece::Text(text) => pieces.push(text),
                Piece::Parameter(Parameter::Code) => pieces.push(code),
                Piece::Parameter(Parameter::Brand) => pieces.push(&self.brand),
                Piece::Parameter(Parameter::Amount) => pieces.push(&shown.amount),
                Piece::Parameter(Parameter::Currency) => pieces.push(&shown.currency),
                Piece::Parameter(Parameter::Destination) => {
                    if shown.tail.is_cut {
                        pieces.push(dots);
                    }
                    pieces.push(&shown.tail.text);
                }
            }
        }
        if let Some(domain) = &self.domain {
            pieces.extend(["\n@", domain, " #", code]);
        }
        pieces
    }

    /// That each message of a language is short enough, whatever is filled in.
    pub(crate) fn check_parts(&self, language: &Language) -> Result<(), Fault> {
        let longest = Shown::longest();
        for kind in MessageKind::ALL {
            let text = self.fill(language.message(kind), &longest, &ANY_CODE.into());
            if text.parts > MAX_PARTS {
                let wrong = format!(
                    "takes {} parts where everything in it is as long as it can be, and must not \
                     take more than {MAX_PARTS}: write a shorter text, or choose a shorter brand \
                     or domain",
                    text.parts
                );
                return Err(Fault::in_message(kind.id(), wrong));
            }
        }
        Ok(())
    }
}

/// What is filled in beside code and brand, as it is shown.
pub(crate) struct Shown {
    word: Option<String>,
    amount: String,
    currency: String,
    tail: Tail,
}

impl Shown {
    pub(crate) fn new(word: Option<&str>, template: &Template) -> Self {
        let (amount, currency, destination) = match template {
            Template::Withdrawal {
                amount,
                currency,
                destination,
            } => (amount.as_str(), currency.as_str(), destination.as_str()),
            _ => ("", "", ""),
        };
        Self {
            word: word.map(word::shown).filter(|word| !word.is_empty()),
            amount: clean::amount(amount),
            currency: clean::currency(currency),
            tail: clean::tail(destination),
        }
    }

    /// As long as it can be: a word in letters that make a text UCS-2, a destination that is cut.
    fn longest() -> Self {
        let template = Template::Withdrawal {
            amount: LONGEST_AMOUNT.to_owned(),
            currency: LONGEST_CURRENCY.to_owned(),
            destination: "0".repeat(clean::TAIL_CHARS + 1),
        };
        Self::new(Some(&"Ж".repeat(word::MAX_WORD_CHARS)), &template)
    }
}
