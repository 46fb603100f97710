//! The default alphabet of GSM 7 bit (3GPP TS 23.038 §6.2.1).

/// The value that says that the next one is of the extension table.
const ESCAPE: u8 = 0x1b;

/// The basic set, by value. What stands at [`ESCAPE`] is never looked up.
#[rustfmt::skip]
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension set, with the value that follows [`ESCAPE`].
const EXTENSION: [(char, u8); 10] = [
    ('\u{c}', 0x0a),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2f),
    ('[', 0x3c),
    ('~', 0x3d),
    (']', 0x3e),
    ('|', 0x40),
    ('€', 0x65),
];

/// A character of the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Septets {
    One(u8),
    /// [`ESCAPE`] and this.
    Two(u8),
}

fn septets(c: char) -> Option<Septets> {
    // The escape itself is no character that a text can have.
    let basic = BASIC.iter().position(|known| *known == c && c != '\u{1b}');
    if let Some(value) = basic.and_then(|place| u8::try_from(place).ok()) {
        return Some(Septets::One(value));
    }
    let extension = EXTENSION.iter().find(|(known, _)| *known == c);
    extension.map(|(_, value)| Septets::Two(*value))
}

/// How many septets the character takes, 1 or 2; none where the alphabet does not have it.
pub(crate) fn septet_count(c: char) -> Option<usize> {
    septets(c).map(|septets| match septets {
        Septets::One(_) => 1,
        Septets::Two(_) => 2,
    })
}

/// The text in GSM 7 bit, one septet a byte, as SMPP carries it under `data_coding` 0. None where a
/// character is not of the alphabet.
pub fn encode_gsm7_unpacked(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match septets(c)? {
            Septets::One(value) => bytes.push(value),
            Septets::Two(value) => bytes.extend([ESCAPE, value]),
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_lies_where_the_standard_puts_it() {
        let same = (' '..='z').filter(|c| !"$@[\\]^_`".contains(*c));
        for c in same {
            assert_eq!(septets(c), Some(Septets::One(c as u8)), "{c:?}");
        }
        assert_eq!(
            encode_gsm7_unpacked("@$_\n\r"),
            Some(vec![0, 2, 0x11, 10, 13])
        );
        assert_eq!(encode_gsm7_unpacked("`"), None);
    }

    #[test]
    fn letters_of_the_basic_set_have_the_values_of_the_standard() {
        let text = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
        let values = [
            0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0c, 0x0e, 0x0f, 0x10, 0x12,
            0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1c, 0x1d, 0x1e, 0x1f, 0x24, 0x40,
            0x5b, 0x5c, 0x5d, 0x5e, 0x5f, 0x60, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f,
        ];
        assert_eq!(encode_gsm7_unpacked(text), Some(values.to_vec()));
    }

    #[test]
    fn characters_of_the_extension_set_are_an_escape_and_a_value() {
        let values = [
            0x1b, 0x14, 0x1b, 0x28, 0x1b, 0x29, 0x1b, 0x2f, 0x1b, 0x3c, 0x1b, 0x3d, 0x1b, 0x3e,
            0x1b, 0x40, 0x1b, 0x65, 0x1b, 0x0a,
        ];
        let encoded = encode_gsm7_unpacked("^{}\\[~]|€\u{c}");
        assert_eq!(encoded, Some(values.to_vec()));
    }

    #[test]
    fn what_is_not_of_the_alphabet_has_no_encoding() {
        for c in ['\u{1b}', '…', 'ç', 'ё', '’', '\t', '😀', '\u{a0}'] {
            assert_eq!(encode_gsm7_unpacked(&format!("a{c}b")), None, "{c:?}");
        }
    }
}
