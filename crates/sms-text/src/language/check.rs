//! What a message must be, so that nobody is misled by it.

use super::{Message, Piece};
use crate::template::{MessageKind, Parameter};

impl Message {
    /// That the message says what its kind must say, in the order it must, and nothing that could
    /// pass for something else.
    pub(super) fn check(&self, kind: MessageKind) -> Result<(), String> {
        self.check_words()?;
        self.check_code()?;
        if kind == MessageKind::Withdrawal {
            self.check_withdrawal()?;
        }
        Ok(())
    }

    fn check_words(&self) -> Result<(), String> {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Parameter(_) => None,
        });
        for c in texts.flat_map(str::chars) {
            if is_control(c) {
                return Err(format!(
                    "has the character U+{:04X}, a line break or another control: \
                     a text is one line of characters that can be seen",
                    u32::from(c)
                ));
            }
            if c == '@' {
                let wrong = "has an `@`, which browsers take for the website that the code is for: \
                             write it without";
                return Err(wrong.to_owned());
            }
        }
        Ok(())
    }

    fn check_code(&self) -> Result<(), String> {
        let places: Vec<usize> = self.places(Parameter::Code).collect();
        let [place] = places[..] else {
            return Err(format!(
                "must show {{ $code }} exactly once, and shows it {} times",
                places.len()
            ));
        };
        let before = place
            .checked_sub(1)
            .and_then(|before| self.pieces.get(before));
        let after = self.pieces.get(place + 1);
        let touches = |piece: Option<&Piece>, end: fn(&str) -> Option<char>| match piece {
            None => false,
            Some(Piece::Parameter(_)) => true,
            Some(Piece::Text(text)) => end(text).is_some_and(char::is_alphanumeric),
        };
        if touches(before, |text| text.chars().next_back())
            || touches(after, |text| text.chars().next())
        {
            let wrong = "must set { $code } apart: a space or a mark stands before and after it";
            return Err(wrong.to_owned());
        }
        Ok(())
    }

    /// PSD2 RTS Art. 5: a person sees what a code is for before they see the code.
    fn check_withdrawal(&self) -> Result<(), String> {
        let code = self.places(Parameter::Code).next();
        for parameter in [
            Parameter::Amount,
            Parameter::Currency,
            Parameter::Destination,
        ] {
            let place = self.places(parameter).next();
            if place.is_none() || place > code {
                return Err(format!(
                    "must show {{ ${} }} before {{ $code }}: amount, currency and destination come first",
                    parameter.name()
                ));
            }
        }
        Ok(())
    }

    fn places(&self, wanted: Parameter) -> impl Iterator<Item = usize> {
        let is_it = move |piece: &Piece| *piece == Piece::Parameter(wanted);
        let places = self.pieces.iter().enumerate();
        places
            .filter(move |(_, piece)| is_it(piece))
            .map(|(place, _)| place)
    }
}

/// Characters that end a line, or turn the order of others about.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
