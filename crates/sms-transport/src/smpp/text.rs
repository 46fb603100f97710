//! A text as the bytes of one message or of its parts.

use countersign_sms_text::{Coding, encode_gsm7_unpacked, segments};

use super::settings::{DefaultAlphabet, Long};

/// `data_coding`: the carrier's default alphabet, and UCS-2 (SMPP 3.4, 5.2.19).
const DEFAULT: u8 = 0x00;
const UCS2: u8 = 0x08;
/// How many parts the header can number.
const MOST_PARTS: usize = 255;
/// UTF-16 units of a text that is one part, and of each part of a longer one.
const UNITS_ALONE: usize = 70;
const UNITS_IN_PART: usize = 67;

/// What one PDU carries of a text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) data_coding: u8,
    /// The bytes begin with a user data header.
    pub(super) has_header: bool,
    /// The bytes stand in `message_payload`, not in `short_message`.
    pub(super) is_payload: bool,
    pub(super) bytes: Vec<u8>,
}

/// The PDUs of a text, in their order; none where it is too long. The reference is what a phone knows
/// the parts of one text by.
pub(super) fn bodies(
    text: &str,
    reference: u8,
    long: Long,
    alphabet: DefaultAlphabet,
) -> Option<Vec<Body>> {
    let (data_coding, mut parts) = parts(text, alphabet);
    let is_long = parts.len() > 1;
    if is_long && long == Long::Payload {
        parts = vec![parts.concat()];
    }
    let (total, has_header) = (parts.len(), parts.len() > 1);
    if total > MOST_PARTS {
        return None;
    }
    let bodies = parts
        .into_iter()
        .zip(1..=u8::MAX)
        .map(|(part, place)| Body {
            data_coding,
            has_header,
            is_payload: is_long && !has_header,
            bytes: if has_header {
                let header = [
                    5,
                    0,
                    3,
                    reference,
                    u8::try_from(total).unwrap_or(u8::MAX),
                    place,
                ];
                [&header[..], &part].concat()
            } else {
                part
            },
        });
    Some(bodies.collect())
}

/// The bytes of each part, without headers, and their `data_coding`.
fn parts(text: &str, alphabet: DefaultAlphabet) -> (u8, Vec<Vec<u8>>) {
    let cut = segments(text);
    let texts = || cut.parts.iter().map(|part| &text[part.clone()]);
    let encode = match alphabet {
        DefaultAlphabet::Gsm7 => encode_gsm7_unpacked,
        DefaultAlphabet::Latin1 => encode_latin1,
    };
    if cut.coding == Coding::Ucs2 {
        return (
            UCS2,
            texts()
                .map(|part| encode_ucs2(part.encode_utf16()))
                .collect(),
        );
    }
    if let Some(parts) = texts().map(encode).collect() {
        return (DEFAULT, parts);
    }
    // Of the GSM alphabet, but not of ISO 8859-1: each character is one unit.
    let units: Vec<u16> = text.encode_utf16().collect();
    let most = if units.len() <= UNITS_ALONE {
        UNITS_ALONE
    } else {
        UNITS_IN_PART
    };
    let parts = units
        .chunks(most)
        .map(|part| encode_ucs2(part.iter().copied()));
    (UCS2, parts.collect())
}

fn encode_ucs2(units: impl Iterator<Item = u16>) -> Vec<u8> {
    units.flat_map(u16::to_be_bytes).collect()
}

fn encode_latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

#[cfg(test)]
mod tests;
