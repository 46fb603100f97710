//! What is shown of a value that a caller gave.
//!
//! A text is signed, as it were, by whoever sends it. So nothing that comes from outside may look
//! like another line, another code or a website: browsers take `@` after any white space for the
//! beginning of a domain-bound code, phones make links of what has dots and slashes, and characters
//! that nobody sees can turn the order of others about.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Characters of a destination that are shown: so few that nobody takes them for a code.
pub(crate) const TAIL_CHARS: usize = 4;

/// Whether a reader sees the character as something of its own, or as a mark on another one.
pub(crate) fn is_visible(c: char) -> bool {
    let has_shape = match c.general_category_group() {
        GeneralCategoryGroup::Letter
        | GeneralCategoryGroup::Mark
        | GeneralCategoryGroup::Number
        | GeneralCategoryGroup::Punctuation
        | GeneralCategoryGroup::Symbol => true,
        GeneralCategoryGroup::Separator | GeneralCategoryGroup::Other => false,
    };
    has_shape && !is_blank(c)
}

/// Letters, marks and symbols that have no shape: joiners, fillers, selectors of variants, and the
/// empty pattern of Braille.
const fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Whether the character combines with the one before it.
pub(crate) fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
}

/// An amount, whole: a part of it would be another amount. It has digits and what stands between
/// them; `?` stands for anything else.
pub(crate) fn amount(given: &str) -> String {
    let is_fit = |c: char| c.is_ascii_digit() || ".,' -".contains(c);
    replaced(given.trim(), is_fit)
}

/// A currency's code, whole, with `?` for what is neither a letter nor a digit.
pub(crate) fn currency(given: &str) -> String {
    replaced(given.trim(), |c| c.is_ascii_alphanumeric())
}

fn replaced(given: &str, is_fit: impl Fn(char) -> bool) -> String {
    let show = |c| if is_fit(c) { c } else { '?' };
    given.chars().map(show).collect()
}

/// The end of a destination.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Whether there is more before it.
    pub(crate) is_cut: bool,
    /// The last characters that a reader sees. `*` stands for each that is neither a letter, nor a
    /// digit, nor a hyphen, or that takes two units of UTF-16.
    pub(crate) text: String,
}

/// The end of a destination: its last four characters, white space not counted.
pub(crate) fn tail(destination: &str) -> Tail {
    let is_fit = |c: char| (c.is_alphanumeric() && c.len_utf16() == 1) || c == '-';
    let shown: Vec<char> = destination
        .chars()
        .filter(|c| is_visible(*c))
        .map(|c| if is_fit(c) { c } else { '*' })
        .collect();
    let before = shown.len().saturating_sub(TAIL_CHARS);
    Tail {
        is_cut: before > 0,
        text: shown.into_iter().skip(before).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(destination: &str) -> String {
        let Tail { is_cut, text } = tail(destination);
        format!("{}{text}", if is_cut { "..." } else { "" })
    }

    #[test]
    fn the_last_four_characters_of_a_destination_are_shown() {
        assert_eq!(shown("TXyz9876543210ab"), "...10ab");
        assert_eq!(shown("DE89 3704 0044 0532 0130 00"), "...3000");
        assert_eq!(shown("Иван Петров"), "...тров");
        assert_eq!(shown("1234"), "1234");
        assert_eq!(shown("4276 **** **** 1234"), "...1234");
    }

    #[test]
    fn a_destination_makes_no_line_no_domain_and_no_link() {
        assert_eq!(shown("1\n@a.b #1"), "...*b*1");
        assert_eq!(shown("t.co/x"), "...co*x");
        assert_eq!(shown("bob@ya.ru"), "...a*ru");
    }

    #[test]
    fn what_nobody_sees_is_left_out() {
        let hidden = "\u{202e}1\u{200b}2\u{2066}3\u{feff}4\u{ad}5\u{3164}6\u{fe0f}\u{e0041}\u{85}";
        assert_eq!(shown(hidden), "...3456");
        assert_eq!(shown(" \u{2028}\t\u{a0}"), "");
    }

    #[test]
    fn an_amount_and_a_currency_are_shown_whole_and_as_given() {
        let largest = "9223372036854775807.999999999";
        assert_eq!(amount(largest), largest);
        assert_eq!(amount("1 000,50"), "1 000,50");
        assert_eq!(amount("10\n@a #1\u{202e}"), "10??? ?1?");
        assert_eq!(currency("USDT"), "USDT");
        assert_eq!(currency("E U\nR"), "E?U?R");
    }

    #[test]
    fn letters_of_any_script_are_seen_and_their_marks() {
        assert!(
            "नमस्ते йё ไทย 漢字 عربي"
                .chars()
                .all(|c| c == ' ' || is_visible(c))
        );
    }
}
