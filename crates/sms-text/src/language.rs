//! A language's file, read and checked.
//!
//! Its syntax is Fluent's. Everything that a text shows is ready text, so there is nothing to choose
//! by, to count or to format: each message comes down to a row of its own words and parameters when
//! the program starts, and nothing can go wrong with it later.

use std::collections::BTreeMap;

use fluent_syntax::{
    ast::{Entry, Expression, InlineExpression, Pattern, PatternElement},
    parser,
    unicode::unescape_unicode_to_string,
};

use crate::{
    error::{Fault, Place},
    template::{MessageKind, Parameter},
};

mod check;
#[cfg(test)]
mod tests;

/// The longest message, in bytes: far more than fits a text, so that terms within terms end.
const MAX_BYTES: usize = 2_000;

/// The messages of one language.
#[derive(Clone, Debug)]
pub(crate) struct Language {
    enrolment: Message,
    login: Message,
    withdrawal: Message,
    settings_change: Message,
    custom: Message,
}

/// A message as a row of pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pieces: Vec<Piece>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Words of its own.
    Text(String),
    /// What is filled in.
    Parameter(Parameter),
}

impl Language {
    /// Reads a file.
    pub(crate) fn parse(content: &str) -> Result<Self, Fault> {
        // The mark that some editors begin a text with.
        let content = content.strip_prefix('\u{feff}').unwrap_or(content);
        let entries = Entries::read(content)?;
        let message = |kind: MessageKind| {
            let message = entries.message(kind)?;
            message
                .check(kind)
                .map_err(|wrong| Fault::in_message(kind.id(), wrong))?;
            Ok(message)
        };
        Ok(Self {
            enrolment: message(MessageKind::Enrolment)?,
            login: message(MessageKind::Login)?,
            withdrawal: message(MessageKind::Withdrawal)?,
            settings_change: message(MessageKind::SettingsChange)?,
            custom: message(MessageKind::Custom)?,
        })
    }

    pub(crate) const fn message(&self, kind: MessageKind) -> &Message {
        match kind {
            MessageKind::Enrolment => &self.enrolment,
            MessageKind::Login => &self.login,
            MessageKind::Withdrawal => &self.withdrawal,
            MessageKind::SettingsChange => &self.settings_change,
            MessageKind::Custom => &self.custom,
        }
    }
}

impl Message {
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn bytes(&self) -> usize {
        let bytes = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Parameter(parameter) => parameter.name().len(),
        };
        self.pieces.iter().map(bytes).sum()
    }
}

/// What stands in a file, by its id.
struct Entries<'a> {
    messages: BTreeMap<&'a str, Pattern<&'a str>>,
    terms: BTreeMap<&'a str, Pattern<&'a str>>,
}

/// What a message or a term is read within: the references that have led there.
#[derive(Clone, Copy)]
struct Within<'w> {
    reference: &'w str,
    outer: Option<&'w Within<'w>>,
}

impl<'a> Entries<'a> {
    fn read(content: &'a str) -> Result<Self, Fault> {
        let resource = parser::parse(content).map_err(|(_, errors)| syntax(content, &errors))?;
        let (mut messages, mut terms) = (BTreeMap::new(), BTreeMap::new());
        for entry in resource.body {
            match entry {
                Entry::Message(message) => {
                    let id = message.id.name;
                    require_known(id)?;
                    let Some(value) = message.value else {
                        return Err(Fault::in_message(id, "has no text of its own: write one"));
                    };
                    if !message.attributes.is_empty() {
                        let wrong = "has attributes, which are shown nowhere: take them out";
                        return Err(Fault::in_message(id, wrong));
                    }
                    if messages.insert(id, value).is_some() {
                        return Err(Fault::in_message(id, "stands there twice: keep one"));
                    }
                }
                Entry::Term(term) => {
                    let id = term.id.name;
                    if terms.insert(id, term.value).is_some() {
                        let place = Place::Term(id.to_owned());
                        return Err(Fault::new(place, "stands there twice: keep one"));
                    }
                }
                Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
                Entry::Junk { .. } => return Err(syntax(content, &[])),
            }
        }
        let entries = Self { messages, terms };
        entries.check_terms()?;
        Ok(entries)
    }

    /// Terms that no message shows are checked too.
    fn check_terms(&self) -> Result<(), Fault> {
        for (id, pattern) in &self.terms {
            let reference = format!("-{id}");
            let within = Within {
                reference: &reference,
                outer: None,
            };
            self.add(pattern, within, &mut Message::default())
                .map_err(|wrong| Fault::new(Place::Term((*id).to_owned()), wrong))?;
        }
        Ok(())
    }

    fn message(&self, kind: MessageKind) -> Result<Message, Fault> {
        let id = kind.id();
        let Some(pattern) = self.messages.get(id) else {
            let missing = format!("there is no message `{id}`: {}", known_ids());
            return Err(Fault::new(Place::Whole, missing));
        };
        let within = Within {
            reference: id,
            outer: None,
        };
        let mut message = Message::default();
        self.add(pattern, within, &mut message)
            .map_err(|wrong| Fault::in_message(id, wrong))?;
        Ok(message)
    }

    /// Adds what a pattern comes down to.
    fn add(
        &self,
        pattern: &Pattern<&str>,
        within: Within<'_>,
        message: &mut Message,
    ) -> Result<(), String> {
        let before = message.bytes();
        for element in &pattern.elements {
            match element {
                PatternElement::TextElement { value } => message.push_text(value),
                PatternElement::Placeable { expression } => {
                    self.add_expression(expression, within, message)?;
                }
            }
            if message.bytes() > MAX_BYTES {
                return Err(format!(
                    "is longer than {MAX_BYTES} bytes: write a short text"
                ));
            }
        }
        if message.bytes() == before {
            return Err("comes down to nothing: write its words".to_owned());
        }
        Ok(())
    }

    fn add_expression(
        &self,
        expression: &Expression<&str>,
        within: Within<'_>,
        message: &mut Message,
    ) -> Result<(), String> {
        let inline = match expression {
            Expression::Inline(inline) => inline,
            Expression::Select { .. } => {
                let wrong = "chooses between variants, and there is nothing to choose by: \
                             parameters are ready texts; write one text";
                return Err(wrong.to_owned());
            }
        };
        match inline {
            InlineExpression::StringLiteral { value } => {
                message.push_text(&unescape_unicode_to_string(value));
                Ok(())
            }
            InlineExpression::NumberLiteral { value } => {
                message.push_text(value);
                Ok(())
            }
            InlineExpression::VariableReference { id } => {
                message
                    .pieces
                    .push(Piece::Parameter(within.parameter(id.name)?));
                Ok(())
            }
            InlineExpression::Placeable { expression } => {
                self.add_expression(expression, within, message)
            }
            InlineExpression::FunctionReference { id, .. } => Err(format!(
                "calls the function `{}`, and there are none: parameters are ready texts",
                id.name
            )),
            InlineExpression::MessageReference {
                id,
                attribute: None,
            } => self.add_reference(&self.messages, id.name, id.name, within, message),
            InlineExpression::TermReference {
                id,
                attribute: None,
                arguments: None,
            } => {
                let reference = format!("-{}", id.name);
                self.add_reference(&self.terms, id.name, &reference, within, message)
            }
            InlineExpression::MessageReference { id, .. }
            | InlineExpression::TermReference { id, .. } => Err(format!(
                "refers to an attribute of `{0}` or gives it arguments: refer to its text, \
                 such as {{ -{0} }}",
                id.name
            )),
        }
    }

    fn add_reference(
        &self,
        patterns: &BTreeMap<&str, Pattern<&str>>,
        id: &str,
        reference: &str,
        outer: Within<'_>,
        message: &mut Message,
    ) -> Result<(), String> {
        let Some(pattern) = patterns.get(id) else {
            return Err(format!(
                "refers to `{reference}`, which is not in this file: write it there, or the words here"
            ));
        };
        if outer.is_in(reference) {
            return Err(format!(
                "refers to `{reference}` within `{reference}`, which never ends: write the words there"
            ));
        }
        let within = Within {
            reference,
            outer: Some(&outer),
        };
        self.add(pattern, within, message)
    }
}

impl Within<'_> {
    fn is_in(&self, reference: &str) -> bool {
        self.reference == reference || self.outer.is_some_and(|outer| outer.is_in(reference))
    }

    /// The message that is being read, where it is one.
    fn outermost(&self) -> &str {
        self.outer.map_or(self.reference, Self::outermost)
    }

    /// The parameter with this name, where one may be shown here.
    fn parameter(&self, name: &str) -> Result<Parameter, String> {
        if self.reference.starts_with('-') {
            return Err(format!(
                "shows {{ ${name} }} in the term `{}`: terms have no parameters; show it in the message",
                self.reference
            ));
        }
        let kind = MessageKind::ALL
            .into_iter()
            .find(|kind| kind.id() == self.outermost());
        let known = kind.map_or(&[][..], MessageKind::parameters);
        known
            .iter()
            .copied()
            .find(|parameter| parameter.name() == name)
            .ok_or_else(|| {
                let known: Vec<String> = known
                    .iter()
                    .map(|parameter| format!("{{ ${} }}", parameter.name()))
                    .collect();
                format!(
                    "shows {{ ${name} }}, which it has not: it may show {}",
                    known.join(", ")
                )
            })
    }
}

fn require_known(id: &str) -> Result<(), Fault> {
    if MessageKind::ALL.iter().any(|kind| kind.id() == id) {
        return Ok(());
    }
    let unknown = format!(
        "is unknown: {}; words that several share are a term, such as `-{id}`",
        known_ids()
    );
    Err(Fault::in_message(id, unknown))
}

fn known_ids() -> String {
    let ids = MessageKind::ALL.map(MessageKind::id);
    format!("a file has the messages {}", ids.join(", "))
}

/// What is wrong with a text that is not even Fluent.
fn syntax(content: &str, errors: &[parser::ParserError]) -> Fault {
    let at = errors.first().map_or(0, |error| error.pos.start);
    let before = content.as_bytes().get(..at).unwrap_or(content.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let reason = errors.first().map_or_else(
        || "something stands between its messages".to_owned(),
        |error| error.to_string(),
    );
    let mut chars = reason.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    let reason: String = first.into_iter().chain(chars).collect();
    let message = format!(
        "this is not Fluent: {reason}; a message is a line such as `login = {{ $code }} is your code.`"
    );
    Fault::new(Place::Line(line), message)
}
